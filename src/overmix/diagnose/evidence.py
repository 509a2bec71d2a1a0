"""What is known of a study's conditions: who is compared with whom, and which candidate is chosen on what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from overmix.diagnose.compare import Comparison, holm
from overmix.diagnose.diagnosis import Diagnosis

Role = Literal["erm", "mixup", "switched", "auto", "other"]
"""Plain training, mixing to the end, mixing that is switched off at a set epoch or by itself, or anything that differs
in more than the mixing."""

ChosenOn = Literal["validation", "test"]


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
        """Everything that mixes in the setting that is judged.

        A condition that decides by itself is one where its recipe has no set switch to be compared with.
        """
        set_switches = {e.family for e in self.evidence if e.role == "switched"}
        return [
            e
            for e in self.evidence
            if e.role in ("mixup", "switched") or (e.role == "auto" and e.family not in set_switches)
        ]

    @property
    def alternatives(self) -> list[Evidence]:
        """What else might help: other settings, and conditions that decide beside a set switch."""
        candidates = {e.name for e in self.candidates}
        return [e for e in self.evidence if e.role in ("auto", "other") and e.name not in candidates]

    @property
    def chosen_on(self) -> ChosenOn:
        """What the best candidate is chosen on: held-out samples if every candidate has them."""
        return "validation" if all(e.validation_error is not None for e in self.candidates) else "test"

    @property
    def best(self) -> Evidence:
        """The candidate with the lowest error at the end, on what they are chosen on; the first among equals."""
        if self.chosen_on == "validation":
            return min(self.candidates, key=lambda e: (e.validation_error, e.final))
        return min(self.candidates, key=lambda e: e.final)

    @property
    def looks(self) -> int:
        """How many candidates' test errors the choice has looked at: what intervals and tests must pay for."""
        return len(self.candidates) if self.chosen_on == "test" else 1

    def mixed_to_the_end(self, candidate: Evidence) -> Evidence | None:
        """Return the condition that goes on mixing by the candidate's own recipe, or is that condition itself."""
        if candidate.role == "mixup":
            return candidate
        return next((e for e in self.evidence if e.role == "mixup" and e.family == candidate.family), None)

    def switches(self, candidate: Evidence) -> list[Evidence]:
        """Return the set switches of a candidate's recipe, by epoch."""
        switched = [e for e in self.evidence if e.role == "switched" and e.family == candidate.family]
        return sorted(switched, key=lambda e: e.switch_epoch or 0)

    def switched_forms(self, candidate: Evidence) -> list[Evidence]:
        """Return the candidates that switch a candidate's recipe off, at a set epoch or by themselves."""
        return [e for e in self.candidates if e.role in ("switched", "auto") and e.family == candidate.family]

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

    def below(self, a: Evidence | None, b: Evidence | None) -> bool:
        """Whether a ends below b by what matters, with a corrected interval that excludes 0."""
        corrected = self.difference(a, b)
        if a is None or corrected is None or corrected.ci is None:
            return False
        return corrected.ci[1] < 0 and -corrected.difference >= a.delta

    def not_worse(self, a: Evidence, b: Evidence) -> bool:
        """Whether a is shown to end at most by what matters above b."""
        alone = self.plain_difference(a, b)
        return a is b or (alone is not None and alone.ci is not None and alone.ci[1] < b.delta)

    def better_alternatives(self, than: Evidence) -> list[Evidence]:
        """Return the alternatives that end lower by what matters, their p-values corrected after Holm; best first."""
        differences = [(e, self.plain_difference(e, than)) for e in self.alternatives]
        corrected = holm([None if difference is None else difference.p_value for _, difference in differences])
        better = [
            e
            for (e, difference), p in zip(differences, corrected, strict=True)
            if difference is not None
            and p is not None
            and p <= 1 - difference.level
            and -difference.difference >= e.delta
        ]
        return sorted(better, key=lambda e: e.final)
