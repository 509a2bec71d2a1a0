"""Prompt tuning: a frozen joint embedding of digits and their descriptions, a learned context, a few shots."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overmix._typing import Float
from overmix.experiments.census.task import Data, Kind, Samples, Score, Task, subset
from overmix.experiments.census.tasks.classification import Classification, class_score
from overmix.mix import Streams

BASE = 6
"""Prompts are tuned on classes 0 to 5; classes 6 to 9 are new in the test."""

CONTEXT, DIM, SCALE = 16, 16, 10.0

# A digit in words: which of the seven segments of a display it lights (top, sides, bottom, middle), and closed loops.
DESCRIPTIONS = torch.tensor(
    [
        [1, 1, 1, 1, 1, 1, 0, 1],
        [0, 1, 1, 0, 0, 0, 0, 0],
        [1, 1, 0, 1, 1, 0, 1, 0],
        [1, 1, 1, 1, 0, 0, 1, 0],
        [0, 1, 1, 0, 0, 1, 1, 0],
        [1, 0, 1, 1, 0, 1, 1, 0],
        [1, 0, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 0, 0, 0, 0, 0],
        [1, 1, 1, 1, 1, 1, 1, 2],
        [1, 1, 1, 1, 0, 1, 1, 1],
    ],
    dtype=torch.float32,
)


@lru_cache(maxsize=1)
def pattern() -> Float[Tensor, "1 1 8 8"]:
    """Return what lies over every image, as it did over none that the embedding was trained on; the same for all."""
    return torch.from_numpy(np.random.default_rng(0).normal(size=(1, 1, 8, 8))).float()


class Joint(nn.Module):
    """An encoder of images, and one of descriptions with a context in front; both end on the unit sphere."""

    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, DIM))
        self.text = nn.Sequential(nn.Linear(8 + CONTEXT, 64), nn.ReLU(), nn.Linear(64, DIM))

    def texts(self, context: Float[Tensor, " context"]) -> Float[Tensor, "classes dim"]:
        """Return the text feature of every class."""
        words = torch.cat([DESCRIPTIONS, context.expand(10, -1)], dim=1)
        return F.normalize(self.text(words), dim=1)


@lru_cache(maxsize=1)
def joint_embedding() -> Joint:
    """Return the embedding, trained once on 400 clean digits with contexts near the hand-written one, then frozen."""
    streams = Streams()
    clean = Classification(train_size=400, val_size=100).data(streams).train
    # Whoever asks first may be scoring, without gradients.
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(0)
        model = Joint()
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        for step in range(400):
            context = 0.1 * torch.randn(CONTEXT)
            batch = clean.at(torch.from_numpy(streams.generator("order", epoch=step).permutation(400)[:100]))
            cosines = F.normalize(model.image(batch.x), dim=1) @ model.texts(context).T
            optimizer.zero_grad()
            F.cross_entropy(SCALE * cosines, batch.y).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return model.eval().requires_grad_(False)


class Prompted(nn.Module):
    """Logits of image features: their cosines with each class's text feature, times a scale; the context is learned."""

    def __init__(self, joint: Joint) -> None:
        super().__init__()
        self.joint = joint
        self.context = nn.Parameter(torch.zeros(CONTEXT))  # zeros are the prompt written by hand

    def forward(self, features: Tensor) -> Tensor:
        """Return logits of all classes, shape (B, 10)."""
        logits: Tensor = SCALE * F.normalize(features, dim=1) @ self.joint.texts(self.context).T
        return logits


@dataclass(frozen=True)
class Prompts(Task):
    """A few digits of six classes, seen through a pattern, tune the context; the test asks for new classes too.

    Args:
        noise: standard deviation of what is added to every pixel, whose own is 1.
        shift: strength of the pattern, which is what there is to adapt to.
    """

    epochs: int = 300
    train_size: int = 48
    val_size: int = 90
    batch_size: int = 24
    lr: float = 0.05
    noise: float = 0.5
    shift: float = 1.0

    title: ClassVar[str] = "prompt tuning: digits behind a pattern"
    metric: ClassVar[str] = "mean of the test errors among the tuned classes and among the new ones"
    kind: ClassVar[Kind] = "rate"

    def data(self, streams: Streams) -> Data:
        """Return image features; only the test has samples of new classes."""
        whole, rng = Classification(train_size=500, val_size=250).data(streams), streams.generator("augmentation")
        base = whole.train.at((whole.train.y < BASE).nonzero().squeeze(1))
        held = whole.val.at((whole.val.y < BASE).nonzero().squeeze(1))
        (train,) = subset(base, streams.generator("subset"), self.train_size)
        (val,) = subset(held, streams.generator("validation"), self.val_size)
        test = self._seen(whole.test, Streams().generator("augmentation"))
        return Data(self._seen(train, rng), self._seen(val, rng), test)

    def _seen(self, samples: Samples, rng: np.random.Generator) -> Samples:
        noise = torch.from_numpy(rng.normal(0, self.noise, samples.x.shape)).float()
        with torch.no_grad():
            return Samples(joint_embedding().image(samples.x + noise + self.shift * pattern()), samples.y)

    def model(self) -> nn.Module:
        """Return the prompt over the frozen embedding."""
        return Prompted(joint_embedding())

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the optimizer of the context alone."""
        return torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=self.lr, momentum=0.9)

    def plain(self, model: nn.Module, batch: Samples) -> Tensor:
        """Return the cross-entropy."""
        return F.cross_entropy(model(batch.x), batch.y)

    def score(self, model: nn.Module, samples: Samples) -> Score:
        """Return the mean of both errors; held-out samples have tuned classes only."""
        logits, y = model(samples.x), samples.y
        tuned = class_score(logits[y < BASE, :BASE], y[y < BASE])
        if not (y >= BASE).any():
            return Score(tuned.value, tuned.ece)
        new = class_score(logits[y >= BASE, BASE:], y[y >= BASE] - BASE)
        return Score((tuned.value + new.value) / 2, tuned.ece)

    def look(self, model: nn.Module, samples: Samples) -> tuple[Tensor, Tensor]:
        """Return logits of the tuned classes, and classes."""
        return model(samples.x)[:, :BASE], samples.y
