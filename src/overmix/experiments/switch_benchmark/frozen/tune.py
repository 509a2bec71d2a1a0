"""Learning rate and weight decay, tuned on plain training as users of a baseline tune them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from overmix.experiments.switch_benchmark.frozen.setup import Settings, Setup
from overmix.experiments.switch_benchmark.frozen.trainings import DECAYS, FIRST_DECAY, RATES, TUNING_SEEDS


@dataclass(frozen=True)
class Trial:
    """What one setting showed.

    Args:
        settings: that were tried.
        error: held-out error at the end, mean over the tuning seeds.
        brier: held-out Brier score, likewise, which decides between equal errors.
    """

    settings: Settings
    error: float
    brier: float


def tune(setup: Setup) -> tuple[Settings, list[Trial]]:
    """Return the best settings of plain training by held-out error, and all trials.

    First the learning rate, at a usual weight decay; then the weight decay. A setting that diverged is never the best.
    """
    optimizer = setup.training.optimizer
    rates = _tried(setup, [Settings(lr, FIRST_DECAY[optimizer]) for lr in RATES[optimizer]])
    lr = _best(rates).lr
    known = [trial for trial in rates if trial.settings.lr == lr]
    others = [Settings(lr, decay) for decay in DECAYS[optimizer] if decay != FIRST_DECAY[optimizer]]
    decays = _tried(setup, others)
    return _best([*known, *decays]), [*rates, *decays]


def _best(trials: Sequence[Trial]) -> Settings:
    return min(trials, key=lambda trial: (trial.error, trial.brier)).settings


def _tried(setup: Setup, settings: Sequence[Settings]) -> list[Trial]:
    result = setup.stack(settings, "never", seeds=TUNING_SEEDS).train()
    shape = (len(settings), len(TUNING_SEEDS))
    lost = result.diverged.reshape(shape).any(1)
    error, brier = (
        np.where(lost, np.inf, result.metrics[name][:, -1].reshape(shape).mean(1))
        for name in ("val_error", "val_brier")
    )
    return [Trial(one, float(e), float(b)) for one, e, b in zip(settings, error, brier, strict=True)]
