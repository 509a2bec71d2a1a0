"""What policies would have chosen in a search for the switch, and how the runs end that are switched there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from overmix._typing import Float
from overmix.diagnose.interval import t_interval
from overmix.study.analyse.cell_result import CellResult
from overmix.study.analyse.record import Estimate, PolicyChoice, SwitchSearch
from overmix.switch import Fit, Observation, Policy
from overmix.switch.policies.baselines import CleanError, CleanMargin, Fixed, Minimum, NearFloor, Patience, Turned
from overmix.switch.policy import Split
from overmix.switch.replay import Replayed, replay

MIN_SWITCHES = 3
"""Fewer switched conditions are no search."""

ENDS: Mapping[str, Policy] = {"no Mixup": Fixed(0.0), "Mixup to the end": Fixed(1.0)}

WITH_VALIDATION: Mapping[str, Policy] = {
    "lowest validation error": Minimum("error"),
    "lowest validation Brier score": Minimum("brier"),
    "patience": Patience("brier"),
    "turning point": Turned("brier"),
}
"""Policies that look at the validation curve of the run of Mixup; the last two at its Brier score."""

WITH_SCORES: Mapping[str, Policy] = {
    "lowest validation score": Minimum(),
    "patience": Patience(),
    "turning point": Turned(),
}
"""The same where labels are no classes, which have no Brier score."""

WITHOUT: Mapping[str, Policy] = {
    "clean training error 0": CleanError(),
    "clean training margin": CleanMargin(),
    "near the loss floor": NearFloor(),
    "half of the training": Fixed(0.5),
}
"""Policies that do with the training samples and the training loss, or with nothing; the first two ask for classes."""


def policy_choices(
    trunk: Sequence[CellResult],
    switched: Mapping[int, Sequence[CellResult]],
    deciding: Mapping[str, Sequence[CellResult]],
) -> SwitchSearch | None:
    """Return where policies would have switched the runs of Mixup off, and what they are behind the best switch.

    Up to its switch a switched run is that of Mixup, so that the curves of the latter are what a policy would have
    seen. A run ends as those of the search do; between two of their epochs, the final error is interpolated along
    ``log(1 + epoch)``, seed by seed.

    Args:
        trunk: runs of Mixup to the end.
        switched: per switch epoch, 0 being ERM, runs that are the same but for the switch.
        deciding: per condition that decided by itself, its runs: they were trained, nothing is interpolated.

    Returns:
        The switch with the lowest mean error, and a choice per policy, over the seeds that did not diverge under any
        switch; ``None`` if fewer than three switches have been trained, or no seed is left.
    """
    if sum(at > 0 for at in switched) < MIN_SWITCHES:
        return None
    runs = {cell.seed: cell for cell in trunk if not cell.diverged}
    epochs = trunk[0].cell.train.epochs
    finals = {at: _finals(cells) for at, cells in (*switched.items(), (epochs, trunk))}
    seeds = [seed for seed in runs if all(seed in by_seed for by_seed in finals.values())]
    if not seeds:
        return None
    grid = np.array(sorted(finals))
    errors = np.array([[finals[at][seed] for seed in seeds] for at in grid])
    best = int(errors.mean(axis=1).argmin())
    policies = _policies(trunk[0])
    if 0 not in switched:
        del policies["no Mixup"]
    rows = [_replayed(name, policy, [runs[seed] for seed in seeds], grid, errors) for name, policy in policies.items()]
    rows += [_trained(name, {cell.seed: cell for cell in cells}, seeds) for name, cells in deciding.items()]
    lowest = dict(zip(seeds, errors[best], strict=True))
    return SwitchSearch(
        best_at=int(grid[best]),
        best_error=float(errors[best].mean()),
        seeds=tuple(seeds),
        choices=tuple(_judged(row, lowest) for row in rows),
    )


def _policies(run: CellResult) -> dict[str, Policy]:
    """Return the policies that can be asked of runs like this one."""
    classes = run.labels == "classes"
    watching = (WITH_VALIDATION if classes else WITH_SCORES) if run.has_validation else {}
    others = {name: policy for name, policy in WITHOUT.items() if classes or not name.startswith("clean")}
    return {**ENDS, **watching, **others}


def _finals(cells: Sequence[CellResult]) -> dict[int, float]:
    return {cell.seed: float(cell.wrong[-1].mean()) for cell in cells if not cell.diverged}


@dataclass(frozen=True)
class _Ends:
    """Where a policy switches, and by seed how its runs end."""

    policy: str
    trained: bool
    switch_at: tuple[int, ...]
    errors: Mapping[int, float]
    cost: float | None


def _replayed(
    name: str,
    policy: Policy,
    runs: Sequence[CellResult],
    grid: np.ndarray,
    errors: Float[np.ndarray, "grid seeds"],
) -> _Ends:
    epochs = int(grid[-1])
    choices: list[Replayed] = [replay(policy, epochs, observations_of(run), fits=_fits_of(run)) for run in runs]
    ends = [
        float(np.interp(math.log1p(choice.switch_at), np.log1p(grid), errors[:, number]))
        for number, choice in enumerate(choices)
    ]
    return _Ends(
        policy=name,
        trained=False,
        switch_at=tuple(choice.switch_at for choice in choices),
        errors={run.seed: end for run, end in zip(runs, ends, strict=True)},
        cost=float(np.mean([choice.cost(epochs) for choice in choices])),
    )


def _trained(name: str, cells: Mapping[int, CellResult], seeds: Sequence[int]) -> _Ends:
    alive = [cells[seed] for seed in seeds if seed in cells and not cells[seed].diverged]
    return _Ends(
        policy=name,
        trained=True,
        switch_at=tuple(cell.switch_at for cell in alive if cell.switch_at is not None),
        errors=_finals(alive),
        cost=float(np.mean([cell.cost for cell in alive])) if alive else None,
    )


def _judged(ends: _Ends, best: Mapping[int, float]) -> PolicyChoice:
    """Return a choice with means in the place of the errors: of the error, and of what it is behind the best switch."""
    errors = np.array(list(ends.errors.values()))
    behind = np.array([error - best[seed] for seed, error in ends.errors.items()])
    any_left = len(errors) > 0
    return PolicyChoice(
        policy=ends.policy,
        switch_at=ends.switch_at,
        error=float(errors.mean()) if any_left else None,
        regret=Estimate.of(float(behind.mean()), t_interval(behind)) if any_left else Estimate(),
        cost=ends.cost,
        trained=ends.trained,
    )


def observations_of(cell: CellResult) -> list[Observation]:
    """Return what a policy would have seen of a run that mixed to the end."""
    splits: list[tuple[Split, int]] = [("train", sum(cell.class_counts))]
    if cell.has_validation:
        splits.insert(0, ("val", cell.n_val))
    if cell.labels != "classes":
        return [
            Observation(
                int(epoch) - 1,
                float(cell.values["mixing"][at]),
                n or cell.steps_per_epoch * cell.cell.train.batch_size,
                float(cell.values[f"{split}_score"][at]),
                "scores",
                split,
            )
            for at, epoch in enumerate(cell.epochs)
            for split, n in splits
        ]
    return [
        Observation(
            epoch=int(epoch) - 1,
            mixing=float(cell.values["mixing"][at]),
            n=n,
            score=float(cell.values[f"{split}_brier"][at]),
            split=split,
            error=float(cell.values[f"{split}_error"][at]),
            cross_entropy=float(cell.values[f"{split}_cross_entropy"][at]),
            ece=float(cell.values[f"{split}_ece"][at]),
            margin=float(cell.values["train_margin"][at]) if split == "train" else None,
        )
        for at, epoch in enumerate(cell.epochs)
        for split, n in splits
    ]


def _fits_of(cell: CellResult) -> list[Fit]:
    """Return how well the batches of a run were fitted."""
    n = cell.steps_per_epoch * cell.cell.train.batch_size
    columns = (cell.epochs, *(cell.values[name] for name in ("mixing", "mix_loss", "mix_floor")))
    return [
        Fit(int(epoch) - 1, float(mixing), n, float(loss), float(floor))
        for epoch, mixing, loss, floor in zip(*columns, strict=True)
    ]
