"""Gradient norm, sharpness and loss through training, on a fixed set of mixtures and on clean data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from overmix.diagnose.interval import t_interval
from overmix.experiments.reproduce.check import Check
from overmix.experiments.reproduce.finding import Finding, Picture, Surface, line, mean_check
from overmix.experiments.reproduce.parts import Parts
from overmix.experiments.reproduce.weights import (
    LossSamples,
    Snapshots,
    clean_loss,
    log_epochs,
    model_of,
    samples_of,
    snapshots,
)
from overmix.explain import (
    filter_normalized_direction,
    gradient_norm,
    hessian_curvature,
    loss_landscape,
    sample_floor,
)
from overmix.explain.evaluation import SampleLoss
from overmix.mix import mixed_cross_entropy
from overmix.study.spec.schema import StudySpec

STEP, DIRECTIONS, PROBES = 0.5, 5, 8
STEPS = np.linspace(-1, 1, 21)


def _over_epochs(
    runs: Snapshots, what: str, measure: Callable[[Snapshots, int, int, LossSamples], float]
) -> np.ndarray:
    """Return a number for each run and kept epoch, shape (runs, epochs)."""

    def of_run(r: int) -> list[float]:
        samples = samples_of(runs, r)
        return [measure(runs, at, r, samples) for at in range(len(runs.epochs))]

    return runs.measured(what, of_run)


def mixed_gradient(runs: Snapshots, at: int, r: int, samples: LossSamples) -> float:
    """Return the norm of the gradient of Mixup's loss on the fixed mixtures."""
    x, targets = samples.mixed
    return gradient_norm(model_of(runs, at, r), x, targets, mixed_cross_entropy)


def clean_gradient(runs: Snapshots, at: int, r: int, samples: LossSamples) -> float:
    """Return the norm of the gradient of the loss on the clean training samples."""
    x, targets = samples.clean
    return gradient_norm(model_of(runs, at, r), x, targets, clean_loss)


def mean_mixed_loss(runs: Snapshots, at: int, r: int, samples: LossSamples) -> float:
    """Return Mixup's mean loss on the fixed mixtures."""
    x, targets = samples.mixed
    with torch.no_grad():
        return float(mixed_cross_entropy(model_of(runs, at, r)(x), *targets).mean())


@dataclass(frozen=True)
class KeptTurn:
    """Which of the kept epochs counts as the turn, and how it is called in a check."""

    at: int
    words: str


def _epochs(spec: StudySpec, turn: float | None) -> list[int]:
    given = [] if turn is None else [_epoch_of(spec, turn)]
    return sorted({*log_epochs(spec.train.epochs), *given})


def _epoch_of(spec: StudySpec, turn: float) -> int:
    return max(1, round(turn * spec.train.epochs))


def _turn(spec: StudySpec, runs: Snapshots, turn: float | None) -> KeptTurn:
    epoch = runs.turn() if turn is None else _epoch_of(spec, turn)
    words = f"epoch {epoch} ({'its turn' if turn is None else 'its turn in over-training'})"
    return KeptTurn(runs.epochs.index(epoch), words)


def _by_name(spec: StudySpec, epochs: list[int], parts: Parts) -> dict[str, Snapshots]:
    return {runs.condition: runs for runs in snapshots(spec, epochs, parts)}


def gradient_norms(spec: StudySpec, parts: Parts, turn: float | None = None) -> Finding:
    """Follow the gradient of the full loss that each condition trains on.

    Args:
        spec: the study.
        parts: what was measured before.
        turn: Mixup's turning epoch as a share of the training, if it was chosen before; else it is that of the runs
            themselves, to the nearest kept epoch.
    """
    epochs = _epochs(spec, turn)
    trained = _by_name(spec, epochs, parts)
    erm = _over_epochs(trained["ERM"], "gradient", clean_gradient)
    mixup = _over_epochs(trained["Mixup"], "gradient", mixed_gradient)
    clean = _over_epochs(trained["Mixup"], "clean-gradient", clean_gradient)
    early = _turn(spec, trained["Mixup"], turn)
    tiny = np.finfo(float).tiny
    fall = {name: np.log2((rows[:, -1] + tiny) / rows[:, 0]) for name, rows in (("ERM", erm), ("Mixup", mixup))}
    tenth = float(np.log2(0.1))
    return Finding(
        set_up=_set_up(spec),
        n=len(erm),
        checks={
            "gradient-stays": [
                mean_check("gradient norm of Mixup, end over epoch 1", fall["Mixup"], "above", tenth, "doublings"),
                mean_check("gradient norm of ERM, end over epoch 1", fall["ERM"], "below", tenth, "doublings"),
            ],
            "gradient-rises": [
                mean_check(
                    f"gradient norm of Mixup, end over {early.words}",
                    np.log2(mixup[:, -1] / mixup[:, early.at]),
                    "above",
                    0.0,
                    "doublings",
                )
            ],
        },
        pictures=[
            Picture(
                "norm",
                "Norm of the gradient of the full loss",
                "epoch",
                {
                    "ERM, clean loss": line(epochs, erm),
                    "Mixup, mixed loss": line(epochs, mixup),
                    "Mixup, clean loss": line(epochs, clean),
                },
                log_y=True,
            )
        ],
    )


def loss_above_floor(spec: StudySpec, parts: Parts) -> Finding:
    """Follow Mixup's loss on the fixed mixtures towards the least that any predictor can pay on them."""
    epochs = log_epochs(spec.train.epochs)
    runs = _by_name(spec, epochs, parts)["Mixup"]
    floors = []
    for r in range(len(runs.cells)):
        a, b, lam = (tensor.numpy() for tensor in samples_of(runs, r).mixed[1])
        floors.append(sample_floor(a, b, lam.astype(np.float64)))
    floor = np.array(floors)
    loss = _over_epochs(runs, "loss", mean_mixed_loss)
    above, turn = loss - floor[:, None], epochs.index(runs.turn())
    return Finding(
        set_up=_set_up(spec),
        n=len(loss),
        checks={
            "floor-holds": [mean_check("Mixup's loss at the end minus its floor", above[:, -1], "above", 0.0)],
            "towards-floor": [
                mean_check(
                    f"distance to the floor, end over epoch {epochs[turn]} (the turn)",
                    np.log2(above[:, -1] / above[:, turn]),
                    "below",
                    0.0,
                    "doublings",
                )
            ],
        },
        pictures=[
            Picture("loss", "Mixup's loss on a fixed set of mixtures", "epoch", {"Mixup": line(epochs, loss)},
                    reference=float(floor.mean()))
        ],
    )  # fmt: skip


@dataclass(frozen=True)
class _Around:
    """The loss around the weights of one condition at one kept epoch, of each run.

    Attributes:
        slices: mean loss along random directions, averaged over them, shape (runs, steps).
        top: the largest eigenvalue of the Hessian, shape (runs,).
        trace: its trace, shape (runs,).
    """

    slices: np.ndarray
    top: np.ndarray
    trace: np.ndarray

    @property
    def above(self) -> np.ndarray:
        """The slices, less the loss of the solution."""
        return np.asarray(self.slices - self.slices[:, [len(STEPS) // 2]])

    @property
    def rise(self) -> np.ndarray:
        """How far the loss rises at the distance ``STEP``, shape (runs,)."""
        near = [int(np.argmin(np.abs(STEPS - step))) for step in (-STEP, STEP)]
        return np.asarray(self.above[:, near].mean(axis=1))

    def row(self, name: str) -> dict[str, Any]:
        """Return the means over runs and their intervals."""
        row: dict[str, Any] = {"name": name}
        for key, values in (("rise", self.rise), ("top_eigenvalue", self.top), ("trace", self.trace)):
            row |= {key: float(values.mean()), f"{key}_ci": t_interval(values)}
        return row


def sharpness(spec: StudySpec, parts: Parts, turn: float | None = None) -> Finding:
    """Compare the minimum at Mixup's turn with the one at the end, by slices of the loss and by its Hessian.

    Plain training stands beside it at the same epochs, each with the loss that it trains on, as numbers to look at: no
    claim rests on them. The arguments are those of :func:`gradient_norms`.
    """
    epochs = _epochs(spec, turn)
    trained = _by_name(spec, epochs, parts)
    mixup, erm = trained["Mixup"], trained["ERM"]
    start = _turn(spec, mixup, turn)
    early, late = start.at, len(epochs) - 1
    names = {early: start.words, late: f"epoch {epochs[late]}"}
    around = {at: _around(mixup, at, mixed_cross_entropy) for at in names}
    plain = {at: _around(erm, at, clean_loss) for at in names}
    when = f"epoch {epochs[late]} over epoch {epochs[early]}"

    def doublings(what: str, first: np.ndarray, last: np.ndarray) -> list[Check]:
        return [mean_check(f"{what}, {when}", np.log2(last / first), "above", 0.0, "doublings")]

    return Finding(
        set_up=f"{_set_up(spec)}; mean over {DIRECTIONS} filter-normalised directions",
        n=len(mixup.cells),
        checks={
            "sharper": doublings(f"rise of Mixup's loss at distance {STEP}", around[early].rise, around[late].rise),
            "sharper-hessian": doublings("top eigenvalue of the Hessian", around[early].top, around[late].top),
        },
        rows=[
            *(around[at].row(f"Mixup, mixed loss, {words}") for at, words in names.items()),
            *(plain[at].row(f"ERM, clean loss, epoch {epochs[at]}") for at in names),
        ],
        pictures=[
            Picture(
                "slice",
                "Mixup's loss, less that of the solution",
                "step along a filter-normalised direction",
                {words: line(STEPS, around[at].above) for at, words in names.items()},
            ),
            *_surfaces(mixup, {"early": early, "late": late}),
        ],
    )


def _around(runs: Snapshots, at: int, loss: SampleLoss) -> _Around:
    def slices(r: int) -> np.ndarray:
        model, (x, targets) = model_of(runs, at, r), _read_on(runs, r, loss)
        losses = []
        for d in range(DIRECTIONS):
            direction = _direction(runs, model, r, d)
            losses.append(loss_landscape(model, x, targets, loss, [direction], [STEPS]).loss)
        return np.asarray(np.mean(losses, axis=0))

    def curvature(r: int) -> np.ndarray:
        x, targets = _read_on(runs, r, loss)
        measured = hessian_curvature(model_of(runs, at, r), x, targets, loss, num_probes=PROBES)
        return np.array([measured.eigenvalues[0], measured.trace])

    top, trace = runs.measured(f"curvature-{at}", curvature).T
    return _Around(runs.measured(f"slices-{at}", slices), top, trace)


def _read_on(runs: Snapshots, r: int, loss: SampleLoss) -> tuple[Tensor, tuple[Tensor, ...]]:
    samples = samples_of(runs, r)
    return samples.mixed if loss is mixed_cross_entropy else samples.clean


def _direction(runs: Snapshots, model: nn.Module, r: int, d: int) -> dict[str, Tensor]:
    """Return a run's random direction number ``d``: the same early and late, each with the norms of its own weights."""
    generator = torch.Generator().manual_seed(1000 * runs.cells[r].seed + d)
    return filter_normalized_direction(dict(model.named_parameters()), generator=generator)


def _surfaces(runs: Snapshots, when: dict[str, int]) -> list[Picture | Surface]:
    """Return Mixup's loss on the plane of the first run's first two directions, early and late in the same colours."""
    middle = len(STEPS) // 2

    def plane(at: int) -> np.ndarray:
        model, (x, targets) = model_of(runs, at, 0), samples_of(runs, 0).mixed
        directions = [_direction(runs, model, 0, d) for d in range(2)]
        loss = loss_landscape(model, x, targets, mixed_cross_entropy, directions, [STEPS, STEPS]).loss
        return np.asarray(loss - loss[middle, middle])

    planes = {name: runs.parts.numbers(f"plane-{at}", partial(plane, at)).round(6) for name, at in when.items()}
    top = max(float(loss.max()) for loss in planes.values())
    return [
        Surface(
            f"surface-{name}",
            f"Mixup's loss, less that of the solution, epoch {runs.epochs[when[name]]}",
            runs.cells[0].seed,
            STEPS.tolist(),
            loss.tolist(),
            top,
        )
        for name, loss in planes.items()
    ]


def _set_up(spec: StudySpec) -> str:
    return f"{spec.name}, {spec.train.epochs:,} epochs, {len(spec.seed_list)} seeds"
