"""A task: data, a model, the loss of a batch that is not mixed, and what is measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from overmix._typing import Float, Int
from overmix.experiments.census.row import SMOKE_EPOCHS
from overmix.mix import MixPlan, Recipe, Streams
from overmix.mix.space import map_tensors

Kind = Literal["error", "rate", "value"]
"""``"error"``: the share of wrong test samples, one bit each; ``"rate"``: another share; ``"value"``: any number."""


@dataclass(frozen=True)
class Samples:
    """Samples of a task.

    Args:
        x: a tensor of shape (N, ...), or a tuple of such tensors.
        y: labels, shape (N, ...): classes, values, boxes, or the other view.
        domain: where each sample comes from, shape (N,), if the task knows.
    """

    x: Any
    y: Tensor
    domain: Tensor | None = None

    def __len__(self) -> int:
        return self.y.shape[0]

    def at(self, index: Tensor) -> Samples:
        """Return some of the samples."""
        domain = None if self.domain is None else self.domain[index]
        return Samples(map_tensors(lambda tensor: tensor[index], self.x), self.y[index], domain)


@dataclass(frozen=True)
class Data:
    """What one seed trains on, decides on, and reports."""

    train: Samples
    val: Samples
    test: Samples


@dataclass(frozen=True)
class Score:
    """What a model is worth on some samples.

    Args:
        value: the task's metric, lower is better.
        ece: expected calibration error, where there is one.
        wrong: shape (N,), bool: which samples are wrong, if the metric is the share of these.
        further: other numbers that the field reads, by name, such as the error of the other direction.
    """

    value: float
    ece: float | None = None
    wrong: np.ndarray | None = None
    further: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """The settings that all tasks share; each task adds its own, and says what follows.

    Args:
        epochs: length of the training.
        train_size: training samples.
        val_size: held-out samples, which decide.
        batch_size: samples of a step; the last batch of an epoch may be smaller.
        lr: learning rate, constant.
    """

    epochs: int
    train_size: int
    val_size: int
    batch_size: int
    lr: float

    title: ClassVar[str]
    """What is learned, in a few words."""
    metric: ClassVar[str]
    """What the number is; lower is better."""
    kind: ClassVar[Kind] = "error"
    baselines: ClassVar[tuple[str, ...]] = ()
    """Names of what the field would compare with and the loop does not train, such as a ridge regression."""

    def smoke(self) -> Task:
        """Return the task at a size that only shows that it runs."""
        return replace(self, epochs=SMOKE_EPOCHS)

    def data(self, streams: Streams) -> Data:
        """Return the samples of one seed."""
        raise NotImplementedError

    def model(self) -> nn.Module:
        """Return a new model; the caller has seeded PyTorch."""
        raise NotImplementedError

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the optimizer of what is trained."""
        return torch.optim.SGD(model.parameters(), lr=self.lr, momentum=0.9)

    def scheduler(self, optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler | None:
        """Return what sets the learning rate after each of the training's steps; it is constant by default."""
        return None

    def prepare(self, model: nn.Module, batch: Samples) -> Samples:
        """Return the batch as the loop sees it."""
        return batch

    def features(self, model: nn.Module, batch: Samples) -> Tensor | None:
        """Return representations of the batch, shape (B, D), for a recipe that pairs or weighs by them."""
        return None

    def plain(self, model: nn.Module, batch: Samples) -> Tensor:
        """Return the loss of a batch that is not mixed."""
        raise NotImplementedError

    def mixed(self, model: nn.Module, batch: Samples, recipe: Recipe, plan: MixPlan) -> Tensor:
        """Return the loss of a batch that is mixed by a plan."""
        return recipe.objective(model, batch.x, batch.y, plan)

    def extra(self, model: nn.Module, batch: Samples, rng: np.random.Generator) -> Tensor | None:
        """Return a term that is added to either loss, mixed or not; ``rng`` belongs to this step."""
        return None

    def loss(
        self, model: nn.Module, batch: Samples, recipe: Recipe, plan: MixPlan | None, rng: np.random.Generator
    ) -> Tensor:
        """Return the loss of one step."""
        loss = self.plain(model, batch) if plan is None else self.mixed(model, batch, recipe, plan)
        extra = self.extra(model, batch, rng)
        return loss if extra is None else loss + extra

    def score(self, model: nn.Module, samples: Samples) -> Score:
        """Return what the model is worth."""
        raise NotImplementedError

    def baseline(self, name: str, data: Data) -> Score:
        """Return what one of :attr:`baselines`, fitted to the training samples, is worth on the test samples."""
        raise NotImplementedError

    def look(self, model: nn.Module, samples: Samples) -> tuple[Tensor, Tensor]:
        """Return what a policy sees of held-out samples: logits (N, C) and classes (N,)."""
        raise NotImplementedError


class Ordered(Protocol):
    """Anything that draws at an address."""

    def generator(self, stream: Any, *, epoch: int = 0, step: int = 0) -> np.random.Generator:
        """Return the generator at one address."""
        ...


def batches(samples: Samples, size: int, streams: Ordered, epoch: int) -> Iterator[Samples]:
    """Yield the batches of an epoch, in an order that is a function of the epoch and the seed alone."""
    order = torch.from_numpy(streams.generator("order", epoch=epoch).permutation(len(samples)))
    return (samples.at(index) for index in torch.split(order, size))


def subset(samples: Samples, rng: np.random.Generator, *sizes: int) -> list[Samples]:
    """Return disjoint random subsets of the given sizes."""
    order = torch.from_numpy(rng.permutation(len(samples)))
    return [samples.at(part) for part in torch.split(order[: sum(sizes)], list(sizes))]


def as_classes(
    loss: Float[Tensor, " samples"], worst: float
) -> tuple[Float[Tensor, "samples 2"], Int[Tensor, " samples"]]:
    """Return losses in a form that policies take: two classes whose Brier score is ``2 min(loss / worst, 1)``.

    Policies compare Brier scores of held-out samples; for values, boxes and the like the loss of each sample stands in.

    Args:
        loss: of each sample, >= 0, shape (N,).
        worst: losses from here on count alike; choose it so that hardly any are.

    Example:
        >>> from overmix.diagnose import scores
        >>> logits, labels = as_classes(torch.tensor([0.0, 1.0, 9.0]), worst=4.0)
        >>> scores.brier(logits, labels).round(decimals=3)
        tensor([0.0000, 0.5000, 2.0000])
    """
    wrong = (torch.nan_to_num(loss, nan=worst, posinf=worst) / worst).clamp(0, 1).sqrt()
    p = torch.stack([1 - wrong, wrong], dim=1).clamp_min(1e-12)
    return p.log(), torch.zeros(len(loss), dtype=torch.int64)


def evaluated(function: Callable[[], Any], model: nn.Module) -> Any:
    """Call a function with the model evaluating, without gradients, and let it train again."""
    model.eval()
    with torch.no_grad():
        value = function()
    model.train()
    return value
