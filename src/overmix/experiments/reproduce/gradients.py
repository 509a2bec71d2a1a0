"""Gradient norm, sharpness and loss through training, on a fixed set of mixtures and on clean data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from overmix.experiments.reproduce.check import Check
from overmix.experiments.reproduce.finding import Finding, Picture, line, mean_check
from overmix.experiments.reproduce.parts import Parts
from overmix.experiments.reproduce.weights import (
    Samples,
    Snapshots,
    clean_loss,
    log_epochs,
    mixed_loss,
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
from overmix.study.spec import StudySpec

STEP, DIRECTIONS = 0.5, 5


def _over_epochs(found: Snapshots, what: str, measure: Callable[[Snapshots, int, int, Samples], float]) -> np.ndarray:
    """Return a number for each run and kept epoch, shape (runs, epochs)."""

    def of_run(r: int) -> list[float]:
        samples = samples_of(found, r)
        return [measure(found, at, r, samples) for at in range(len(found.epochs))]

    return found.measured(what, of_run)


def mixed_gradient(found: Snapshots, at: int, r: int, samples: Samples) -> float:
    """Return the norm of the gradient of Mixup's loss on the fixed mixtures."""
    x, targets = samples.mixed
    return gradient_norm(model_of(found, at, r), x, targets, mixed_loss)


def clean_gradient(found: Snapshots, at: int, r: int, samples: Samples) -> float:
    """Return the norm of the gradient of the loss on the clean training samples."""
    x, targets = samples.clean
    return gradient_norm(model_of(found, at, r), x, targets, clean_loss)


def mean_mixed_loss(found: Snapshots, at: int, r: int, samples: Samples) -> float:
    """Return Mixup's mean loss on the fixed mixtures."""
    x, targets = samples.mixed
    with torch.no_grad():
        return float(mixed_loss(model_of(found, at, r)(x), *targets).mean())


@dataclass(frozen=True)
class Turn:
    """Which of the kept epochs counts as the turn, and how it is called in a check."""

    at: int
    words: str


def _epochs(spec: StudySpec, turn: float | None) -> list[int]:
    given = [] if turn is None else [_epoch_of(spec, turn)]
    return sorted({*log_epochs(spec.train.epochs), *given})


def _epoch_of(spec: StudySpec, turn: float) -> int:
    return max(1, round(turn * spec.train.epochs))


def _turn(spec: StudySpec, found: Snapshots, turn: float | None) -> Turn:
    epoch = found.turn() if turn is None else _epoch_of(spec, turn)
    words = f"epoch {epoch} ({'its turn' if turn is None else 'its turn in over-training'})"
    return Turn(found.epochs.index(epoch), words)


def _by_name(spec: StudySpec, epochs: list[int], parts: Parts) -> dict[str, Snapshots]:
    return {found.condition: found for found in snapshots(spec, epochs, parts)}


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
    found = _by_name(spec, epochs, parts)["Mixup"]
    floors = []
    for r in range(len(found.cells)):
        a, b, lam = (tensor.numpy() for tensor in samples_of(found, r).mixed[1])
        floors.append(sample_floor(a, b, lam.astype(np.float64)))
    floor = np.array(floors)
    loss = _over_epochs(found, "loss", mean_mixed_loss)
    above, turn = loss - floor[:, None], epochs.index(found.turn())
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


def sharpness(spec: StudySpec, parts: Parts, turn: float | None = None) -> Finding:
    """Compare the minimum at Mixup's turn with the one at the end, by slices of the loss and by its Hessian.

    The arguments are those of :func:`gradient_norms`.
    """
    epochs = _epochs(spec, turn)
    found = _by_name(spec, epochs, parts)["Mixup"]
    start = _turn(spec, found, turn)
    early, late = start.at, len(epochs) - 1
    steps = np.linspace(-1, 1, 21)
    slices = {at: _slices(found, at, steps) for at in (early, late)}
    near = [int(np.argmin(np.abs(steps - step))) for step in (-STEP, STEP)]
    middle = len(steps) // 2
    rise = {at: rows[:, near].mean(axis=1) - rows[:, middle] for at, rows in slices.items()}
    top = {at: _top_eigenvalues(found, at) for at in (early, late)}
    names = {early: start.words, late: f"epoch {epochs[late]}"}
    when = f"epoch {epochs[late]} over epoch {epochs[early]}"
    checks: dict[str, list[Check]] = {
        "sharper": [
            mean_check(
                f"rise of Mixup's loss at distance {STEP}, {when}",
                np.log2(rise[late] / rise[early]),
                "above",
                0.0,
                "doublings",
            )
        ],
        "sharper-hessian": [
            mean_check(
                f"top eigenvalue of the Hessian, {when}",
                np.log2(top[late] / top[early]),
                "above",
                0.0,
                "doublings",
            )
        ],
    }
    return Finding(
        set_up=f"{_set_up(spec)}; mean over {DIRECTIONS} filter-normalised directions",
        n=len(found.cells),
        checks=checks,
        rows=[
            {"name": names[at], "rise": float(rise[at].mean()), "top_eigenvalue": float(top[at].mean())}
            for at in (early, late)
        ],
        pictures=[
            Picture(
                "slice",
                "Mixup's loss, less that of the solution",
                "step along a filter-normalised direction",
                {names[at]: line(steps, rows - rows[:, [middle]]) for at, rows in slices.items()},
            )
        ],
    )


def _slices(found: Snapshots, at: int, steps: np.ndarray) -> np.ndarray:
    """Return Mixup's loss along random directions, averaged over them; shape (runs, steps)."""

    def of_run(r: int) -> np.ndarray:
        model, (x, targets) = model_of(found, at, r), samples_of(found, r).mixed
        losses = []
        for d in range(DIRECTIONS):
            # The same directions early and late, each with the norms of its own weights.
            generator = torch.Generator().manual_seed(1000 * found.cells[r].seed + d)
            direction = filter_normalized_direction(dict(model.named_parameters()), generator=generator)
            losses.append(loss_landscape(model, x, targets, mixed_loss, [direction], [steps]).loss)
        return np.asarray(np.mean(losses, axis=0))

    return found.measured(f"slices-{at}", of_run)


def _top_eigenvalues(found: Snapshots, at: int) -> np.ndarray:
    def of_run(r: int) -> np.ndarray:
        x, targets = samples_of(found, r).mixed
        curvature = hessian_curvature(model_of(found, at, r), x, targets, mixed_loss, num_probes=2)
        return np.asarray(curvature.eigenvalues[0])

    return found.measured(f"top-{at}", of_run)


def _set_up(spec: StudySpec) -> str:
    return f"{spec.name}, {spec.train.epochs:,} epochs, {len(spec.seed_list)} seeds"
