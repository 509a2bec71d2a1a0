"""What is known of a study's conditions: who is compared with whom, and which candidate is chosen on what."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

from overmix.diagnose.compare import Comparison, holm
from overmix.diagnose.diagnosis import Diagnosis
from overmix.diagnose.practical import LIKELY, SHOWN
from overmix.diagnose.sentences import Strength

Role = Literal["erm", "mixup", "switched", "auto", "other"]
"""Plain training, mixing to the end, mixing that is switched off at a set epoch or by itself, or anything that differs
in more than the mixing."""

ChosenOn = Literal["validation", "test"]

_ROUNDING = 1e-9  # of mean errors, which are fractions of 1


def strength_below(difference: Comparison | None, bound: float = 0.0, *, looks: int = 1) -> Strength:
    """Return how well it is known that a difference lies below a bound.

    Shown: the interval that allows for two looks lies below it. Likely: the interval of 80 % does.

    Args:
        difference: of two conditions.
        bound: what it is held against.
        looks: candidates among which one of the two was chosen by these very errors.

    Example:
        >>> [strength_below(Comparison(d, (d - 0.01, d + 0.01), None, 16)) for d in (-0.012, -0.008, -0.004)]
        ['shown', 'likely', 'open']
    """
    if difference is None:
        return "open"
    if difference.upper(SHOWN / 2, looks=looks) < bound:
        return "shown"
    return "likely" if difference.upper(LIKELY / 2, looks=looks) < bound else "open"


def weaker(*strengths: Strength) -> Strength:
    """Return the strength of several claims together, which is that of the weakest.

    Example:
        >>> weaker("shown", "likely")
        'likely'
    """
    order: tuple[Strength, ...] = ("open", "likely", "shown")
    return min(strengths, key=order.index, default="open")


@dataclass(frozen=True)
class Evidence:
    """What is known of one condition.

    Args:
        name: of the condition.
        role: what it is in the comparison.
        switch_epoch: epochs that are mixed, for a condition that is switched at a set epoch.
        diagnosis: of its test error; ``None`` if every run diverged.
        recipe: what its mixing is called.
        family: equal for conditions that differ in nothing but their schedule: a switch is judged beside the curve of
            its own recipe.
        validation_error: mean error at the end on held-out samples; ``None`` where none are held out.
        steps: optimizer steps of one run, all that it took to decide included.
        decided: epochs of mixing that its runs decided on by themselves.
        epochs: length of its training.
        fall: error before the last quarter of the training minus that at its end, where plain fitting was not over
            either: positive while the curve still falls.
        stopping: error at the end minus that of each run's best checkpoint, which held-out samples choose; ``None``
            where none are held out.
        stopping_epochs: of these checkpoints.
        scores: what else is lower for better probabilities, at the end, by name: mean Brier score, cross-entropy.
    """

    name: str
    role: Role
    switch_epoch: int | None
    diagnosis: Diagnosis | None
    recipe: str = "Mixup"
    family: str = ""
    validation_error: float | None = None
    steps: float | None = None
    decided: tuple[int, ...] = ()
    epochs: int | None = None
    fall: Comparison | None = None
    stopping: Comparison | None = None
    stopping_epochs: tuple[int, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)

    @property
    def still_falls(self) -> bool:
        """Whether its curve is shown to fall at the end, by what matters."""
        if self.fall is None or self.fall.difference < self.delta:
            return False
        return strength_below(self.fall.swapped()) == "shown"

    @property
    def mixed_epochs(self) -> float:
        """Epochs that are mixed: of runs that decide by themselves the median, without end where nothing ends it."""
        if self.role == "switched" and self.switch_epoch is not None:
            return float(self.switch_epoch)
        if self.decided:
            return float(median(self.decided))
        return float(self.epochs or math.inf)

    @property
    def judged(self) -> Diagnosis:
        """The diagnosis of a condition that has one."""
        assert self.diagnosis is not None  # those without are left out
        return self.diagnosis

    @property
    def final(self) -> float:
        """Mean test error at the end."""
        return self.judged.final

    @property
    def delta(self) -> float:
        """The smallest difference of its error that matters."""
        return self.judged.delta

    @property
    def u_shaped(self) -> bool:
        """Whether its own curve turns."""
        return self.judged.verdict == "u-shaped"


@dataclass(frozen=True)
class Compared:
    """The conditions of a study that have finished runs, and their paired differences.

    Args:
        evidence: the conditions, all with a diagnosis.
        comparisons: per pair of names (a, b) the difference of final errors, a minus b, seeds paired.
    """

    evidence: Sequence[Evidence]
    comparisons: Mapping[tuple[str, str], Comparison]

    @property
    def erm(self) -> Evidence | None:
        """Plain training; the first such condition, since test errors are not to choose among equals."""
        return next((e for e in self.evidence if e.role == "erm"), None)

    @property
    def candidates(self) -> list[Evidence]:
        """Everything that mixes in the setting that is judged."""
        return [e for e in self.evidence if e.role in ("mixup", "switched", "auto")]

    @property
    def alternatives(self) -> list[Evidence]:
        """What else might help: other settings of data, model or training."""
        return [e for e in self.evidence if e.role == "other"]

    @property
    def chosen_on(self) -> ChosenOn:
        """What the best candidate is chosen on: held-out samples if every candidate has them."""
        return "validation" if all(e.validation_error is not None for e in self.candidates) else "test"

    @property
    def best(self) -> Evidence:
        """The candidate with the lowest mean error over seeds at the end, on what they are chosen on."""
        return self.lowest(self.candidates)

    def lowest(self, among: Sequence[Evidence]) -> Evidence:
        """Return the condition with the lowest mean error, on what is chosen on; of equals that of lower test error."""
        return min(self.equals(among), key=lambda e: e.final)

    def equals(self, among: Sequence[Evidence]) -> list[Evidence]:
        """Return the conditions with the lowest mean error, on what is chosen on, but for rounding."""
        held_out = [e.validation_error for e in among if e.validation_error is not None]
        errors = held_out if len(held_out) == len(among) else [e.final for e in among]
        return [e for e, error in zip(among, errors, strict=True) if error - min(errors) <= _ROUNDING]

    @property
    def looks(self) -> int:
        """How many candidates' test errors the choice has looked at: what intervals and tests must pay for."""
        return len(self.candidates) if self.chosen_on == "test" else 1

    def mixed_to_the_end(self, candidate: Evidence) -> Evidence | None:
        """Return the condition that goes on mixing by the candidate's own recipe, or is that condition itself."""
        if candidate.role == "mixup":
            return candidate
        return next((e for e in self.evidence if e.role == "mixup" and e.family == candidate.family), None)

    def forms(self, candidate: Evidence) -> list[Evidence]:
        """Return the candidates that mix by a candidate's own recipe, from the earliest switch to the end."""
        return sorted((e for e in self.candidates if e.family == candidate.family), key=lambda e: e.mixed_epochs)

    def plain_difference(self, a: Evidence | None, b: Evidence | None) -> Comparison | None:
        """Return the final error of a minus that of b, or ``None`` if they were not compared."""
        if a is None or b is None:
            return None
        if (a.name, b.name) in self.comparisons:
            return self.comparisons[a.name, b.name]
        reverse = self.comparisons.get((b.name, a.name))
        return None if reverse is None else reverse.swapped()

    def difference(self, a: Evidence | None, b: Evidence | None) -> Comparison | None:
        """Return the final error of a minus that of b, corrected for the choice among the candidates."""
        alone = self.plain_difference(a, b)
        return None if alone is None else alone.as_one_of(self.looks)

    def not_worse(self, a: Evidence, b: Evidence) -> bool:
        """Whether a is shown to end at most by what matters above b."""
        alone = self.plain_difference(a, b)
        return a is b or (alone is not None and alone.upper(SHOWN / 2) < b.delta)

    def better_alternatives(self, than: Evidence) -> list[Evidence]:
        """Return the alternatives that end lower by what matters, their p-values corrected after Holm; best first."""
        differences = [(e, self.plain_difference(e, than)) for e in self.alternatives]
        corrected = holm([None if difference is None else difference.p_value for _, difference in differences])
        better = [
            e
            for (e, difference), p in zip(differences, corrected, strict=True)
            if difference is not None and p is not None and p <= SHOWN and -difference.difference >= e.delta
        ]
        return sorted(better, key=lambda e: e.final)
