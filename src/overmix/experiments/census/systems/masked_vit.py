"""A small ViT that a masked autoencoder pretrained, and the moving average of it that labels for FixMatch."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from overmix._typing import Float
from overmix.experiments.census.systems.views import clothes, grey, shifted_views
from overmix.experiments.census.task import subset
from overmix.mix import Streams

_NET: dict[str, Any] = {
    "image_size": 28,
    "patch_size": 7,
    "num_channels": 1,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
_DECODER: dict[str, Any] = {
    "decoder_hidden_size": 32,
    "decoder_num_hidden_layers": 1,
    "decoder_num_attention_heads": 4,
    "decoder_intermediate_size": 64,
    "mask_ratio": 0.6,
    "norm_pix_loss": True,
}
PATCHES = (28 // 7) ** 2


@lru_cache(maxsize=2)
def pretrained(images: int, steps: int) -> dict[str, Tensor]:
    """Return the weights of a ViT that completed masked images without labels, made once per process.

    Args:
        images: how many, the same for all seeds.
        steps: of AdamW, with 100 images each and a one-cycle rate.
    """
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

    streams = Streams()
    (pool,) = subset(clothes()[0], streams.generator("subset"), images)
    x = grey(pool.x)
    # Whoever asks first may be scoring, without gradients.
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(streams.torch_seed("init"))
        model = ViTMAEForPreTraining(ViTMAEConfig(**_NET, **_DECODER))
        # transformers 5.24 leaves both at zero, where a model is not read from a file: no patch knew its place.
        for fixed in (model.vit.embeddings.position_embeddings, model.decoder.decoder_pos_embed):
            fixed.data.copy_(positions(fixed.shape[-1]))
        optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
        rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
        for step in range(steps):
            rng = streams.generator("order", epoch=step)
            seen = shifted_views(x[torch.from_numpy(rng.choice(images, 100, replace=False))], rng, most=2)
            hidden = torch.from_numpy(rng.random((100, PATCHES))).float()
            optimizer.zero_grad()
            model(standardized(seen), noise=hidden).loss.backward()
            optimizer.step()
            rate.step()
    return {name: value.detach() for name, value in model.vit.state_dict().items()}


def positions(dim: int) -> Float[Tensor, "1 tokens dim"]:
    """Return ``sin(w r), cos(w r), sin(w c), cos(w c)`` of each patch's row r and column c, ``w = 10000^(-4k / dim)``.

    The token of the class comes first, and has zeros.
    """
    rate = 10_000.0 ** (-torch.arange(dim // 4) * 4 / dim)
    row, column = torch.cartesian_prod(torch.arange(4.0), torch.arange(4.0)).T
    angles = [place[:, None] * rate for place in (row, column)]
    patches = torch.cat([wave for angle in angles for wave in (angle.sin(), angle.cos())], dim=1)
    return torch.cat([torch.zeros(1, dim), patches])[None]


def standardized(x: Tensor) -> Tensor:
    """Return grey values with the mean 0 and the variance 1 that they have over Fashion-MNIST."""
    return (x - 0.2860) / 0.3530


class PatchClassifier(nn.Module):
    """A ViT whose patches are classified side by side: their mean would forget what is where, which clothes live by.

    A masked autoencoder never trains the token of the class. The head starts at 0, so that nobody is sure of anything
    before a label was seen.
    """

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        from transformers import ViTConfig, ViTModel

        self.vit = ViTModel(ViTConfig(**_NET), add_pooling_layer=False)
        self.vit.load_state_dict(weights)
        self.head = nn.Linear(PATCHES * _NET["hidden_size"], 10)
        nn.init.zeros_(self.head.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, shape (B, 10)."""
        patches = self.vit(pixel_values=standardized(x)).last_hidden_state[:, 1:]
        logits: Tensor = self.head(patches.flatten(1))
        return logits

    def by_depth(self) -> Iterator[list[nn.Parameter]]:
        """Yield what is trained at one rate: embeddings, each layer, and the head with the last norm."""
        blocks = next(module for module in self.vit.modules() if isinstance(module, nn.ModuleList))
        yield list(self.vit.embeddings.parameters())
        for block in blocks:
            yield list(block.parameters())
        yield [*self.vit.layernorm.parameters(), *self.head.parameters()]


class Averaged(nn.Module):
    """A ViT that is trained, and its moving average, which labels and is judged.

    Args:
        weights: of the pretrained ViT.
    """

    updates: Tensor
    frequencies: Tensor

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.student = PatchClassifier(weights)
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)
        self.register_buffer("updates", torch.tensor(0.0))
        self.register_buffer("frequencies", torch.full((10,), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        """Return the student's logits, shape (B, 10)."""
        logits: Tensor = self.student(x)
        return logits

    def judged(self, x: Tensor) -> Tensor:
        """Return the teacher's logits."""
        logits: Tensor = self.teacher(x)
        return logits

    @torch.no_grad()
    def average(self, decay: float) -> None:
        """Move the teacher towards the student, faster in the first steps."""
        self.updates += 1
        now = min(decay, float((1 + self.updates) / (10 + self.updates)))
        for mean, value in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            mean.lerp_(value, 1 - now)

    @torch.no_grad()
    def aligned(self, x: Tensor, unlabelled: Tensor, decay: float = 0.9) -> Float[Tensor, "images classes"]:
        """Return ``p / f`` in shares: what the teacher believes, as if it believed in all classes alike often.

        Without this, classes that are easily believed in swallow the others.

        Args:
            x: images.
            unlabelled: which of them the mean of the beliefs, f, follows, as a moving average.
            decay: of that average.
        """
        beliefs = self.judged(x).softmax(dim=1)
        self.frequencies.lerp_(beliefs[unlabelled].mean(0), 1 - decay)
        shares = beliefs / self.frequencies
        return shares / shares.sum(1, keepdim=True)
