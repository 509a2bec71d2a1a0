"""MaskMatch's parts: a small ViT that a masked autoencoder pretrained, FixMatch, and Mixup among what it is sure of."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overmix._typing import Float
from overmix.experiments.census.loop_row import LoopRow
from overmix.experiments.census.row import Row
from overmix.experiments.census.systems.views import clothes, grey, strong_views, weak_views
from overmix.experiments.census.task import Data, Samples, Score, Task, subset
from overmix.experiments.census.tasks.classification import class_score
from overmix.mix import IGNORE_INDEX, MixPlan, Recipe, Streams
from overmix.recipes import ConfidentMixup, confident_labels

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
    "mask_ratio": 0.75,
    "norm_pix_loss": True,
}
PATCHES = (28 // 7) ** 2
LABELLED, UNLABELLED = 0, 1
"""Domains of the training samples."""


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
            fixed.copy_(positions(fixed.shape[-1]))
        optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
        rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
        for step in range(steps):
            rng = streams.generator("order", epoch=step)
            seen = weak_views(x[torch.from_numpy(rng.choice(images, 100, replace=False))], rng)
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


class Classifier(nn.Module):
    """A ViT whose patches' mean is classified, as a masked autoencoder never trains the token of the class."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        from transformers import ViTConfig, ViTModel

        self.vit = ViTModel(ViTConfig(**_NET), add_pooling_layer=False)
        self.vit.load_state_dict(weights)
        self.head = nn.Linear(_NET["hidden_size"], 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, shape (B, 10)."""
        patches = self.vit(pixel_values=standardized(x)).last_hidden_state[:, 1:]
        logits: Tensor = self.head(patches.mean(dim=1))
        return logits


def standardized(x: Tensor) -> Tensor:
    """Return grey values with the mean 0 and the variance 1 that they have over Fashion-MNIST."""
    return (x - 0.2860) / 0.3530


class Averaged(nn.Module):
    """A ViT that is trained, and its moving average, which labels and is judged."""

    updates: Tensor

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.student = Classifier(weights)
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)
        self.register_buffer("updates", torch.tensor(0.0))

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


def fixmatch_loss(model: nn.Module, weak: Samples, strong: Tensor) -> Tensor:
    """Return ``mean_l CE(f(weak_l), y_l) + mean_u [u is sure] CE(f(strong_u), pseudo_u)``.

    Args:
        model: maps images to logits.
        weak: weak views, labels or pseudo-labels or -100, and whether a sample is labelled.
        strong: strong views of the same images; those of labelled ones are not looked at.
    """
    assert weak.domain is not None
    labelled = weak.domain == LABELLED
    counts = labelled | (weak.y != IGNORE_INDEX)
    x = torch.where(labelled.view(-1, 1, 1, 1), weak.x, strong)[counts]
    weight = torch.where(labelled, 1 / labelled.sum(), 1 / (~labelled).sum())[counts]
    return (weight * F.cross_entropy(model(x), weak.y[counts], reduction="none")).sum()


@dataclass(frozen=True)
class FewFashion(Task):
    """Ten kinds of clothes from a few labelled images of each; the rest has no label.

    Labelled images are repeated until they are a fifth of the training samples, as FixMatch draws them apart.

    Args:
        labelled: images with a label, of all classes alike.
        threshold: from what probability on a prediction counts as a label.
        decay: of the teacher's average.
        pretraining: images and steps of the masked autoencoder.
    """

    epochs: int = 48
    train_size: int = 1250
    val_size: int = 200
    batch_size: int = 125
    lr: float = 3e-3
    labelled: int = 40
    threshold: float = 0.9
    decay: float = 0.99
    pretraining: tuple[int, int] = (10_000, 1600)
    test_size: int = 1000

    title: ClassVar[str] = "semi-supervised Fashion-MNIST"
    metric: ClassVar[str] = "test error of the averaged network"
    baselines: ClassVar[tuple[str, ...]] = ("labels alone",)

    def smoke(self) -> FewFashion:
        """Return the task at a size that only shows that it runs."""
        return replace(self, epochs=2, train_size=150, val_size=50, batch_size=50, pretraining=(100, 2), test_size=100)

    def data(self, streams: Streams) -> Data:
        """Return the parts; training samples have a label or -100."""
        pool, test = clothes()
        rng = streams.generator("subset")
        order = torch.from_numpy(rng.permutation(len(pool)))
        each = self.labelled // 10
        chosen = torch.cat([order[pool.y[order] == c][:each] for c in range(10)])
        others = order[~torch.isin(order, chosen)]
        repeats = self.train_size // 5
        unlabelled = others[: self.train_size - repeats]
        train = torch.cat([chosen.repeat(repeats // len(chosen) + 1)[:repeats], unlabelled])
        has_label = torch.arange(self.train_size) < repeats
        y = torch.where(has_label, pool.y[train], IGNORE_INDEX)
        val = pool.at(others[-self.val_size :])
        (test,) = subset(test, Streams().generator("subset"), self.test_size)
        return Data(
            Samples(grey(pool.x[train]), y, torch.where(has_label, LABELLED, UNLABELLED)),
            Samples(grey(val.x), val.y),
            Samples(grey(test.x), test.y),
        )

    def model(self) -> nn.Module:
        """Return the pretrained ViT with a new head."""
        return Averaged(pretrained(*self.pretraining))

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return AdamW of the student."""
        return torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=self.lr, weight_decay=0.05)

    def prepare(self, model: nn.Module, batch: Samples) -> Samples:
        """Return the batch with the labels that the teacher is sure of, by the images as they are."""
        assert isinstance(model, Averaged)
        model.average(self.decay)
        with torch.no_grad():
            probabilities = model.judged(batch.x).softmax(dim=1)
        return replace(batch, y=confident_labels(probabilities, batch.y, self.threshold))

    def loss(
        self, model: nn.Module, batch: Samples, recipe: Recipe, plan: MixPlan | None, rng: np.random.Generator
    ) -> Tensor:
        """Return FixMatch's loss; while the recipe is on, with that of mixed weak views beside."""
        weak = replace(batch, x=weak_views(batch.x, rng))
        loss = fixmatch_loss(model, weak, strong_views(batch.x, rng))
        return loss if plan is None else loss + self.mixed(model, weak, recipe, plan)

    def plain(self, model: nn.Module, batch: Samples) -> Tensor:
        """Return the cross-entropy of labelled samples."""
        return F.cross_entropy(model(batch.x), batch.y)

    def score(self, model: nn.Module, samples: Samples) -> Score:
        """Return the teacher's error and calibration error."""
        return class_score(self._judged(model, samples), samples.y)

    def look(self, model: nn.Module, samples: Samples) -> tuple[Tensor, Tensor]:
        """Return the teacher's logits, and classes."""
        return self._judged(model, samples), samples.y

    def _judged(self, model: nn.Module, samples: Samples) -> Tensor:
        assert isinstance(model, Averaged)
        return model.judged(samples.x)

    def baseline(self, name: str, data: Data) -> Score:
        """Return what the pretrained ViT is worth that weak views of the labelled images alone trained, as long."""
        assert data.train.domain is not None
        labelled = data.train.at((data.train.domain == LABELLED).nonzero().squeeze(1))
        streams = Streams()
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(streams.torch_seed("init"))
            model = self.model()
            optimizer = self.optimizer(model)
            for step in range(self.epochs * math.ceil(len(data.train) / self.batch_size)):
                rng = streams.generator("order", epoch=step)
                some = labelled.at(torch.from_numpy(rng.choice(len(labelled), self.batch_size // 5, replace=False)))
                assert isinstance(model, Averaged)
                model.average(self.decay)
                optimizer.zero_grad()
                self.plain(model, replace(some, x=weak_views(some.x, rng))).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
        with torch.no_grad():
            return self.score(model.eval(), data.test)


_LACKS = (
    "grey images of 28 by 28 and a ViT of two layers in place of CIFAR-100, STL-10 and EuroSAT; a few hundred steps; "
    "one threshold for all classes; the masked autoencoder only pretrains; the formula of the mixing is ours."
)


def _row(labels: int) -> Row:
    return LoopRow(
        recipe_name="ConfidentMixup",
        variant=f"vit{labels}",
        method=ConfidentMixup(),
        task=FewFashion(labelled=10 * labels),
        off="FixMatch",
        needs=("transformers",),
        lacks=_LACKS,
    )


ROWS: tuple[Row, ...] = (_row(4), _row(25))
