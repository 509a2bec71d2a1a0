"""Prompt tuning: a CLIP that was trained here on captioned images, and learned words before the names of classes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overmix._typing import Float, Int
from overmix.experiments.census.loop_row import LoopRow
from overmix.experiments.census.row import Row
from overmix.experiments.census.systems.views import clothes, grey, weak_views
from overmix.experiments.census.task import Data, Kind, Samples, Score, Task, subset
from overmix.experiments.census.tasks.classification import class_score
from overmix.mix import Streams
from overmix.recipes import PromptMixup

if TYPE_CHECKING:
    from transformers import CLIPModel

NAMES = ("t-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")
BASE = 5
"""Prompts are tuned on the first five classes; the other five are new in the test, as the field splits its classes."""

STYLES = ("clean", "inverted", "blurred", "noisy", "faded")
TONES = ("dark", "grey", "bright")
DOWNSTREAM = ("inverted", "faded")
"""The style of what prompts are tuned to: both at once, as no caption of the CLIP's training had it."""

TEMPLATE = ("a", "photo", "of", "a")
"""What stands before the name of a class: the words that tuning starts from."""

WORDS = ("<end>", "<start>", *dict.fromkeys((*TEMPLATE, *STYLES, *TONES, *NAMES)))
LENGTH = 10
_CONTEXT = len(WORDS)  # ids from here on are learned words


def tokens(caption: tuple[str, ...]) -> list[int]:
    """Return the ids of a caption between its start and its end, which is repeated to the common length.

    Raises:
        ValueError: for a word that is not in the vocabulary.
    """
    ids = [WORDS.index(word) for word in ("<start>", *caption, "<end>")]
    return ids + [WORDS.index("<end>")] * (LENGTH - len(ids))


def styled(x: Float[Tensor, "images 1 28 28"], style: str, rng: np.random.Generator) -> Tensor:
    """Return images of a style, grey values in [0, 1]."""
    if style == "inverted":
        return 1 - x
    if style == "blurred":
        return F.avg_pool2d(x, 5, stride=1, padding=2, count_include_pad=False)
    if style == "noisy":
        noise = torch.from_numpy(rng.normal(0, 0.3, x.shape)).float()
        return (x + noise).clamp(0, 1)
    return 0.35 + 0.3 * x if style == "faded" else x


def captioned(samples: Samples, rng: np.random.Generator) -> tuple[Tensor, Int[Tensor, "images length"]]:
    """Return views of images, each in a style of its own, and ids of captions: ``a noisy photo of a dark sandal``.

    Half of the captions name the style, half the tone; the others leave it out, as people do.
    """
    x = weak_views(grey(samples.x), rng)
    brightness = x.sum(dim=(1, 2, 3)) / (x > 0).sum(dim=(1, 2, 3)).clamp_min(1)
    tone = torch.bucketize(brightness, torch.tensor([0.4, 0.6]))
    which = rng.integers(0, len(STYLES), len(x))
    named = rng.random((2, len(x))) < 0.5
    for number, style in enumerate(STYLES):
        chosen = torch.from_numpy(which == number)
        x[chosen] = styled(x[chosen], style, rng)
    captions = [
        tokens(
            (
                "a",
                *((STYLES[which[i]],) if named[0, i] else ()),
                "photo",
                "of",
                "a",
                *((TONES[int(tone[i])],) if named[1, i] else ()),
                NAMES[int(samples.y[i])],
            )
        )
        for i in range(len(x))
    ]
    return x, torch.tensor(captions)


def new_clip() -> CLIPModel:
    """Return a CLIP of 150,000 weights, freshly initialised: two layers of width 64 for images, and for texts."""
    from transformers import CLIPConfig, CLIPModel

    both: dict[str, Any] = {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "projection_dim": 32,
    }
    text = {
        **both,
        "vocab_size": len(WORDS),
        "max_position_embeddings": LENGTH,
        "eos_token_id": WORDS.index("<end>"),
        "bos_token_id": WORDS.index("<start>"),
        "pad_token_id": WORDS.index("<end>"),
    }
    vision = {**both, "image_size": 28, "patch_size": 7, "num_channels": 1}
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=32))


@lru_cache(maxsize=2)
def trained_clip(images: int, steps: int) -> CLIPModel:
    """Return a CLIP that was trained on captions with its own loss, frozen, made once per process.

    Args:
        images: of all classes, the same for all seeds.
        steps: of AdamW with 100 captions each and a one-cycle rate.
    """
    streams = Streams()
    (pool,) = subset(clothes()[0], streams.generator("subset"), images)
    # Whoever asks first may be scoring, without gradients.
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(streams.torch_seed("init"))
        model = new_clip()
        optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
        rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
        for step in range(steps):
            rng = streams.generator("order", epoch=step)
            x, ids = captioned(pool.at(torch.from_numpy(rng.choice(images, 100, replace=False))), rng)
            optimizer.zero_grad()
            model(input_ids=ids, pixel_values=x, return_loss=True).loss.backward()
            optimizer.step()
            rate.step()
    return model.eval().requires_grad_(False)


class LearnedWords(nn.Module):
    """An embedding of words, frozen, whose ids beyond its vocabulary are words that are learned."""

    def __init__(self, known: Tensor, start: Float[Tensor, "context dim"]) -> None:
        super().__init__()
        self.register_buffer("known", known)
        self.context = nn.Parameter(start.clone())

    def forward(self, ids: Tensor) -> Tensor:
        """Return the embeddings of ids."""
        known = self.get_buffer("known")
        return F.embedding(ids, torch.cat([known, self.context]))


class Prompted(nn.Module):
    """Logits of image features: cosines with the text feature of each class behind the learned words, times a scale."""

    def __init__(self, clip: CLIPModel) -> None:
        super().__init__()
        # The text tower is this model's own, as its words are; it shares the frozen weights of all other layers.
        tower = new_clip()
        tower.load_state_dict(clip.state_dict())
        tower.requires_grad_(False)
        embedding = tower.text_model.embeddings.token_embedding.weight.detach()
        start = embedding[[WORDS.index(word) for word in TEMPLATE]]
        tower.text_model.embeddings.token_embedding = LearnedWords(embedding, start)
        self.texts, self.projection, self.scale = tower.text_model, tower.text_projection, tower.logit_scale
        context = list(range(_CONTEXT, _CONTEXT + len(TEMPLATE)))
        ends = [tokens((name,)) for name in NAMES]
        ids = [[*ids[:1], *context, *ids[1 : LENGTH - len(context)]] for ids in ends]
        self.register_buffer("ids", torch.tensor(ids))

    def forward(self, features: Tensor) -> Tensor:
        """Return logits of the tuned classes, shape (B, 5)."""
        return self.logits(features, slice(BASE))

    def logits(self, features: Tensor, classes: slice) -> Tensor:
        """Return logits of some of the classes."""
        texts = self.projection(self.texts(input_ids=self.get_buffer("ids")[classes]).pooler_output)
        cosines: Tensor = F.normalize(features, dim=1) @ F.normalize(texts, dim=1).T
        return self.scale.exp() * cosines


@dataclass(frozen=True)
class ClipPrompts(Task):
    """A few images of five classes, in a style that no caption knew, tune four words; the test has new classes too.

    Args:
        shots: images of each of the tuned classes.
        pretraining: images and steps of the CLIP.
    """

    epochs: int = 200
    train_size: int = 80
    val_size: int = 100
    batch_size: int = 40
    lr: float = 0.02
    shots: int = 16
    pretraining: tuple[int, int] = (10_000, 800)
    test_size: int = 2000

    title: ClassVar[str] = "prompt tuning of a CLIP"
    metric: ClassVar[str] = "1 - harmonic mean of the accuracies among the tuned classes and among the new ones"
    kind: ClassVar[Kind] = "rate"
    baselines: ClassVar[tuple[str, ...]] = ("zero-shot",)

    def smoke(self) -> ClipPrompts:
        """Return the task at a size that only shows that it runs."""
        return replace(self, epochs=4, val_size=20, pretraining=(200, 3), test_size=100)

    def data(self, streams: Streams) -> Data:
        """Return image features; only the test has samples of new classes."""
        pool, test = clothes()
        order = torch.from_numpy(streams.generator("subset").permutation(len(pool)))
        order = order[pool.y[order] < BASE]
        chosen = torch.cat([order[pool.y[order] == c][: self.shots] for c in range(BASE)])
        val = order[~torch.isin(order, chosen)][: self.val_size]
        (test,) = subset(test, Streams().generator("subset"), self.test_size)
        rng = streams.generator("augmentation")
        return Data(
            self._seen(pool.at(chosen), rng),
            self._seen(pool.at(val), rng),
            self._seen(test, Streams().generator("augmentation")),
        )

    def _seen(self, samples: Samples, rng: np.random.Generator) -> Samples:
        """Return features of images of the downstream style."""
        x = grey(samples.x)
        for style in DOWNSTREAM:
            x = styled(x, style, rng)
        with torch.no_grad():
            features = trained_clip(*self.pretraining).get_image_features(pixel_values=x)
        return Samples(features.pooler_output if not isinstance(features, Tensor) else features, samples.y)

    def model(self) -> nn.Module:
        """Return the prompt before the frozen CLIP."""
        return Prompted(trained_clip(*self.pretraining))

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the optimizer of the learned words alone."""
        return torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=self.lr, momentum=0.9)

    def plain(self, model: nn.Module, batch: Samples) -> Tensor:
        """Return the cross-entropy."""
        return F.cross_entropy(model(batch.x), batch.y)

    def score(self, model: nn.Module, samples: Samples) -> Score:
        """Return the metric; held-out samples have tuned classes only, and their error counts."""
        assert isinstance(model, Prompted)
        is_new = samples.y >= BASE
        base = class_score(model(samples.x[~is_new]), samples.y[~is_new])
        if not is_new.any():
            return Score(base.value, base.ece)
        new = class_score(model.logits(samples.x[is_new], slice(BASE, None)), samples.y[is_new] - BASE)
        return Score(
            1 - harmonic_mean(1 - base.value, 1 - new.value),
            base.ece,
            further={"error among tuned classes": base.value, "error among new classes": new.value},
        )

    def look(self, model: nn.Module, samples: Samples) -> tuple[Tensor, Tensor]:
        """Return logits of the tuned classes, and classes."""
        return model(samples.x), samples.y

    def baseline(self, name: str, data: Data) -> Score:
        """Return what the prompt that tuning starts from is worth."""
        with torch.no_grad():
            return self.score(self.model().eval(), data.test)


def harmonic_mean(one: float, other: float) -> float:
    """Return ``2 a b / (a + b)``, 0 where both are 0.

    Example:
        >>> harmonic_mean(0.5, 1.0)
        0.6666666666666666
    """
    return 2 * one * other / (one + other) if one + other else 0.0


_LACKS = (
    "a CLIP of 145,000 weights, trained here on captions made of labels, in place of one that saw the web; ten classes "
    "of grey images in place of several sets with many; the formula of the mixing is ours, as no code of the paper is "
    "known."
)


def _row(shots: int) -> Row:
    return LoopRow(
        recipe_name="PromptMixup",
        variant=f"clip{shots}",
        method=PromptMixup(),
        task=ClipPrompts(shots=shots, train_size=BASE * shots, batch_size=min(40, BASE * shots)),
        off="plain context tuning",
        needs=("transformers",),
        lacks=_LACKS,
    )


ROWS: tuple[Row, ...] = (_row(1), _row(4), _row(16))
