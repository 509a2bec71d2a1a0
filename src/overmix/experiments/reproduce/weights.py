"""Trainings of which the weights are kept at some epochs, for what a study's curves do not say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overmix.diagnose import turning_epoch
from overmix.experiments.reproduce.parts import NamedTensors, Parts
from overmix.study.data import Dataset, normalization_stats
from overmix.study.plan.cells import Cell, StackTask, expand, stack_size
from overmix.study.plan.trainings import execution_of, model_factory, open_dataset, replica_of, training_of
from overmix.study.spec.schema import StudySpec
from overmix.train import StackTraining

PAIRS = 1000
"""Mixtures of the fixed sample that a loss is read on."""

DEVICE = "cpu"


@dataclass(frozen=True)
class Snapshots:
    """Some seeds of one condition, with their weights at several epochs.

    Attributes:
        condition: its name.
        number: which of the study's conditions it is.
        cells: the runs.
        dataset: what they were trained on.
        epochs: the epochs, ascending.
        weights: per epoch and run, parameters and buffers by name.
        looks: epochs at which the test error was read.
        error: test error, shape (runs, looks).
        parts: where what is measured on the runs is kept.
    """

    condition: str
    number: int
    cells: list[Cell]
    dataset: Dataset
    epochs: list[int]
    weights: list[list[dict[str, Tensor]]]
    looks: np.ndarray
    error: np.ndarray
    parts: Parts

    def measured(self, what: str, measure: Callable[[int], Sequence[float] | np.ndarray]) -> np.ndarray:
        """Return ``measure(r)`` of each run, shape (runs, ...); each run's numbers are a part."""
        names = [f"{what}-{self.number}-{r}" for r in range(len(self.cells))]
        return np.stack([self.parts.numbers(name, partial(measure, r)) for r, name in enumerate(names)])

    def turn(self) -> int:
        """Return the kept epoch that is nearest to the turning epoch, on a log axis; never the last, the end itself."""
        turn = float(turning_epoch(self.looks, self.error))
        return min(self.epochs[:-1], key=lambda epoch: abs(np.log(epoch / turn)))


@dataclass(frozen=True)
class LossSamples:
    """What one run's losses are read on: its training set as the model sees it, and a fixed set of mixtures of it."""

    clean: tuple[Tensor, tuple[Tensor, ...]]
    mixed: tuple[Tensor, tuple[Tensor, ...]]
    raw: Tensor
    """The inputs of the mixtures before they were normalised."""


def clean_loss(logits: Tensor, y: Tensor) -> Tensor:
    """Return the cross-entropy of each sample."""
    return F.cross_entropy(logits, y, reduction="none")


def log_epochs(epochs: int, per_octave: int = 1) -> list[int]:
    """Return epochs that are evenly spread on a log axis, the last one among them.

    Example:
        >>> log_epochs(20)
        [1, 2, 4, 8, 16, 20]
    """
    count = int(np.floor(per_octave * np.log2(epochs)))
    return sorted({round(2 ** (k / per_octave)) for k in range(count + 1)} | {epochs})


def snapshots(spec: StudySpec, epochs: Sequence[int], parts: Parts) -> Iterator[Snapshots]:
    """Train a study's conditions one after the other, and keep the weights at some epochs; each stack is a part."""
    cells = expand(spec)
    for number, name in enumerate(spec.condition_names):
        mine = [cell for cell in cells if cell.condition == name]
        dataset = open_dataset(mine[0].data)
        yield _trained(number, mine, dataset, sorted(epochs), parts)


def _trained(number: int, cells: list[Cell], dataset: Dataset, epochs: list[int], parts: Parts) -> Snapshots:
    execution = execution_of(cells[0], dataset, DEVICE, allow_code=False)
    size = stack_size(execution, DEVICE)
    kept: list[list[dict[str, Tensor]]] = [[] for _ in epochs]
    errors, looks = [], np.zeros(0)
    for start in range(0, len(cells), size):
        task = StackTask(tuple(cells[start : start + size]), execution, DEVICE)
        kept_tensors = parts(f"weights-{number}-{start}", partial(_train, task, dataset, epochs))
        for at, epoch in enumerate(epochs):
            kept[at].extend(_below(f"{epoch}.{r}.", kept_tensors) for r in range(len(task.cells)))
        looks = kept_tensors["looks"].numpy()
        errors.append(kept_tensors["error"].numpy())
    return Snapshots(cells[0].condition, number, cells, dataset, epochs, kept, looks, np.concatenate(errors), parts)


def _train(task: StackTask, dataset: Dataset, epochs: list[int]) -> NamedTensors:
    """Train one stack; the weights' names begin with epoch and run."""
    kept: dict[str, Tensor] = {}

    def keep(training: StackTraining) -> None:
        if training.step == 0 and training.epoch in epochs:
            model = training.model
            for name, value in {**model.parameters, **model.buffers}.items():
                for r in range(len(task.cells)):
                    kept[f"{training.epoch}.{r}.{name}"] = value[r].detach().clone()

    result = training_of(task, dataset, allow_code=False).train(keep)
    scores = {"looks": np.asarray(result.epochs), "error": np.asarray(result.metrics["test_error"])}
    return kept | {name: torch.tensor(values) for name, values in scores.items()}


def _below(prefix: str, tensors: NamedTensors) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def samples_of(runs: Snapshots, r: int) -> LossSamples:
    """Return what the losses of run ``r`` are read on; runs with one seed have the same."""
    cell, dataset = runs.cells[r], runs.dataset
    index = torch.as_tensor(replica_of(cell, dataset).train_index)
    x, y = dataset.x[index].to(torch.float32), dataset.y[index].long()
    mean, std = normalization_stats(dataset.x[index])
    rng = np.random.Generator(np.random.Philox(key=(cell.seed, 0x6D6978)))
    i, j = (torch.as_tensor(rng.integers(len(x), size=PAIRS)) for _ in range(2))
    lam = torch.as_tensor(rng.beta(1.0, 1.0, size=PAIRS), dtype=torch.float32)
    weight = lam.reshape(-1, *[1] * (x.dim() - 1))
    raw = weight * x[i] + (1 - weight) * x[j]

    def seen(inputs: Tensor) -> Tensor:
        return (inputs - mean) / std

    return LossSamples((seen(x), (y,)), (seen(raw), (y[i], y[j], lam)), raw)


def model_of(runs: Snapshots, at: int, r: int) -> nn.Module:
    """Return the model of run ``r`` at the kept epoch number ``at``."""
    model: nn.Module = model_factory(runs.cells[r], runs.dataset, allow_code=False)()
    model.load_state_dict(runs.weights[at][r])
    return model.eval()
