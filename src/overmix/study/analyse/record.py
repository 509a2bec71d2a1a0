"""What a study shows, as one typed record: the study writes it, report and command line read it.

Whatever a small or broken study lacks (intervals with one seed, validation values, a diverged condition's errors) is
``None`` or empty, and every later step copes with that. Errors are fractions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from overmix._typing import LabelKind
from overmix.diagnose import Advice
from overmix.diagnose.practical import Unit


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval; None where unknown.

    Example:
        >>> Estimate.of(0.07, (0.06, 0.08))
        Estimate(value=0.07, lo=0.06, hi=0.08)
    """

    value: float | None = None
    lo: float | None = None
    hi: float | None = None

    @classmethod
    def of(cls, value: float | None, interval: Sequence[float] | None = None) -> Estimate:
        """Return a value with its interval, if it has one."""
        return cls(value) if interval is None else cls(value, interval[0], interval[1])

    @property
    def interval(self) -> tuple[float, float] | None:
        """The interval, if there is one."""
        return None if self.lo is None or self.hi is None else (self.lo, self.hi)


@dataclass(frozen=True)
class BestCheckpoint:
    """The checkpoints with each run's lowest Brier score on its validation split.

    Args:
        epochs: of each run's checkpoint.
        error: their mean test error.
        gain: error at the end minus theirs: positive if going back to them helps.
    """

    epochs: tuple[int, ...]
    error: float | None
    gain: Estimate


@dataclass(frozen=True)
class LowestLoss:
    """Each run's lowest training loss, and the test error there.

    Args:
        epochs: of each run's lowest loss.
        loss: its mean.
        error: mean test error there.
    """

    epochs: tuple[int, ...]
    loss: float | None
    error: Estimate


@dataclass(frozen=True, kw_only=True)
class ConditionSummary:
    """One entry of the study's ``compare``.

    Args:
        name: of the condition.
        role: what it is in the comparison, see :data:`overmix.diagnose.Role`.
        n_seeds: its runs.
        n_diverged: how many of them diverged; they are left out of every mean.
        verdict: ``"u-shaped"``, ``"monotone"`` or ``"undecided"``.
        final: test error at the end.
        lowest: lowest value of the mean curve of the test error.
        turning_epoch: where that is.
        depth: how far the end is above it.
        delta: the practical size.
        method: how the verdict was reached, see :class:`overmix.diagnose.Diagnosis`.
        advice: what its own curve says.
        cross_entropy: at the end, on the test set, as the next two are.
        brier: Brier score.
        balanced: error that weighs all classes alike.
        ece: calibration error.
        switch_epoch: where a set switch is.
        decided: where its runs switched that decided by themselves.
        cost: epochs trained to decide and to end so, over those of one run.
        steps: optimizer steps of a run, all that it took to decide included.
        seconds: clock time of a run's share of its stack.
        epochs: length of a run.
        family: equal for conditions that differ in their budget, ``epochs``, alone.
        accumulated_lr: sum of the learning rates of all steps up to each evaluated epoch.
        best_checkpoint: where samples are held out.
        lowest_loss: unless every run diverged.
    """

    name: str
    role: str = "other"
    n_seeds: int = 0
    n_diverged: int = 0
    verdict: str | None = None
    final: Estimate = field(default_factory=Estimate)
    lowest: Estimate = field(default_factory=Estimate)
    turning_epoch: Estimate = field(default_factory=Estimate)
    depth: Estimate = field(default_factory=Estimate)
    delta: float | None = None
    method: str | None = None
    advice: str | None = None
    cross_entropy: Estimate = field(default_factory=Estimate)
    brier: Estimate = field(default_factory=Estimate)
    ece: Estimate = field(default_factory=Estimate)
    balanced: Estimate = field(default_factory=Estimate)
    switch_epoch: float | None = None
    decided: tuple[int, ...] = ()
    cost: float | None = None
    steps: float | None = None
    seconds: float | None = None
    epochs: int | None = None
    family: str = ""
    accumulated_lr: tuple[float, ...] = ()
    best_checkpoint: BestCheckpoint | None = None
    lowest_loss: LowestLoss | None = None


@dataclass(frozen=True)
class PairedDifference:
    """Final error of ``a`` minus that of ``b``, seeds paired.

    Args:
        a: name of a condition.
        b: name of another.
        difference: of their final errors.
        n: number of pairs.
        p_value: two-sided, of no difference.
        p_holm: the same, corrected for all pairs of the study.
    """

    a: str
    b: str
    difference: Estimate
    n: int | None = None
    p_value: float | None = None
    p_holm: float | None = None


@dataclass(frozen=True)
class PolicyChoice:
    """Where a policy switches each seed's run of Mixup, and what that is behind the best switch.

    Args:
        policy: its name.
        switch_at: per seed, epochs of Mixup.
        error: mean error at the end.
        regret: what that is behind the best switch.
        cost: in runs.
        trained: whether these runs were trained; else they are read off the search.
    """

    policy: str
    switch_at: tuple[int, ...]
    error: float | None
    regret: Estimate
    cost: float | None
    trained: bool = False


@dataclass(frozen=True)
class SwitchSearch:
    """A search for the switch.

    Args:
        best_at: the best switch of its grid.
        best_error: mean error at the end of the runs that switch there.
        seeds: those that diverged under no switch.
        choices: what policies choose.
    """

    best_at: int
    best_error: float
    seeds: tuple[int, ...]
    choices: tuple[PolicyChoice, ...]


@dataclass(frozen=True)
class StepCount:
    """Optimizer steps of all runs together: those that were trained, and those of runs that share no beginnings."""

    trained: int
    separate: int


@dataclass(frozen=True)
class Tuned:
    """How one condition came to its settings.

    Args:
        arm: the condition.
        weight_decay: that was chosen.
        alpha: likewise; None where the recipe has none.
        trials: settings that were tried.
        seeds: runs of each, none of them the study's own.
        held_out_error: of the chosen setting, mean over these runs.
        decays: weight decays that were tried, ascending; this and the next are empty in records of earlier versions.
        alphas: likewise.
    """

    arm: str
    weight_decay: float
    alpha: float | None
    trials: int
    seeds: int
    held_out_error: float
    decays: tuple[float, ...] = ()
    alphas: tuple[float, ...] = ()


NO_ADVICE = Advice("undecided", "No advice: this study alone does not support any.")


@dataclass(frozen=True, kw_only=True)
class Summary:
    """All that a study shows.

    Args:
        name: of the study.
        labels: what a label is.
        unit: of the errors: shares of wrong samples or labels, or other numbers.
        conditions: in the order of the study.
        comparisons: of all pairs that were tested on the same samples.
        advice: what to do.
        code: the line of a user's own loop that follows the advice.
        best: name of the condition with the lowest test error at the end; what is recommended is ``advice.condition``.
        metric: the error that decides.
        majority: test error of always naming the class with most training samples.
        unequal: whether the largest class of the test samples is at least twice the smallest.
        search: where the study switches Mixup off at several epochs.
        floor: per condition that mixes to the end, the lowest training loss that any model can reach.
        epochs: of the longest condition.
        n_test: test samples.
        n_val: samples that each run holds out, a draw of its own.
        steps: of all runs together.
        elapsed_seconds: of all runs together.
        versions: what the last bits depend on.
        earlier_versions: the same, of machines that worked on the study before.
        tuned: how the conditions came to their settings, where these were tuned.
    """

    name: str = ""
    labels: LabelKind = "classes"
    unit: Unit = "fraction"
    conditions: tuple[ConditionSummary, ...]
    comparisons: tuple[PairedDifference, ...] = ()
    advice: Advice = NO_ADVICE
    code: str | None = None
    best: str | None = None
    metric: Literal["error", "balanced_error"] = "error"
    majority: float | None = None
    unequal: bool = False
    search: SwitchSearch | None = None
    floor: Mapping[str, float] = field(default_factory=dict)
    epochs: int | None = None
    n_test: int | None = None
    n_val: int | None = None
    steps: StepCount | None = None
    elapsed_seconds: float | None = None
    versions: Mapping[str, Any] = field(default_factory=dict)
    earlier_versions: tuple[Mapping[str, Any], ...] = ()
    tuned: tuple[Tuned, ...] = ()
