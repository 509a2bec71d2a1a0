"""Advice: what a study's conditions, taken together, say about Mixup."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from overmix.diagnose.compare import Comparison
from overmix.diagnose.diagnosis import MIN_SEEDS, Diagnosis, Interval

Role = Literal["erm", "mixup", "switched", "other"]
"""Plain training, mixing to the end, mixing that is switched off, or anything that differs in more than the mixing."""

Kind = Literal["switch", "no-mixup", "keep-mixup", "undecided"]

_TOO_MANY_SEEDS = 100


@dataclass(frozen=True)
class Evidence:
    """What is known of one condition.

    Args:
        name: of the condition.
        role: what it is in the comparison.
        switch_epoch: epochs that are mixed, for a switched condition.
        diagnosis: of its test error; ``None`` if every run diverged.
    """

    name: str
    role: Role
    switch_epoch: int | None
    diagnosis: Diagnosis | None


@dataclass(frozen=True)
class Advice:
    """What to do.

    Args:
        kind: ``"switch"`` Mixup off, ``"no-mixup"`` at all, ``"keep-mixup"`` on, or ``"undecided"``.
        sentence: the same for people.
        condition: name of the condition that is recommended, if one is.
        switch_epoch: where to switch.
        safe: epochs between which every tested switch is about as good; ``None`` unless several were tested.
        turning: interval of the turning epoch of Mixup's own curve, if it over-trains.
        gain_over_erm: final error of ERM minus that of the recommended condition, a fraction.
        gain_ci: its interval.
    """

    kind: Kind
    sentence: str
    condition: str | None = None
    switch_epoch: int | None = None
    safe: Interval | None = None
    turning: Interval | None = None
    gain_over_erm: float | None = None
    gain_ci: Interval | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        plain = asdict(self)
        return {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}


def advise(evidence: Sequence[Evidence], comparisons: Mapping[tuple[str, str], Comparison]) -> Advice:
    """Turn the conditions of a study into one piece of advice.

    A switch is recommended only if the switched condition ends below always-Mixup and below ERM, each by at least the
    practical size and with an interval that excludes 0. Mixup is advised against if no tested form of it can gain more
    than the practical size over ERM. Where the intervals allow both, the advice is "undecided". A condition of another
    kind that ends lower still is named.

    Args:
        evidence: the conditions; those with the role ``"other"`` are not judged.
        comparisons: per pair of names (a, b) the difference of final errors, a minus b, seeds paired.

    Example:
        >>> def at(final, verdict, turn):
        ...     return Diagnosis(verdict=verdict, turning_epoch=turn, turning_epoch_ci=(64, 128), lowest=0.068,
        ...         lowest_ci=None, final=final, final_ci=None, depth=0.0, depth_ci=None, delta=0.005, n_seeds=16,
        ...         n_samples=1000)
        >>> found = advise(
        ...     [Evidence("ERM", "erm", None, at(0.072, "monotone", 900)),
        ...      Evidence("Mixup", "mixup", None, at(0.095, "u-shaped", 79)),
        ...      Evidence("switched", "switched", 128, at(0.060, "monotone", 900))],
        ...     {("switched", "ERM"): Comparison(-0.012, (-0.019, -0.006), 0.0004, 16),
        ...      ("switched", "Mixup"): Comparison(-0.035, (-0.045, -0.027), 1e-9, 16),
        ...      ("Mixup", "ERM"): Comparison(0.023, (0.014, 0.033), 1e-5, 16)})
        >>> found.kind, found.switch_epoch, found.turning
        ('switch', 128, (64, 128))
    """
    study = _Study([e for e in evidence if e.diagnosis is not None], comparisons)
    advice = _judge(study)
    chosen = next((e for e in study.evidence if e.name == advice.condition), None)
    better = [e for e in study.evidence if e.role == "other" and study.below(e, chosen)]
    if not better:
        return advice
    best = min(better, key=_final)
    gap = 100 * (_final(chosen) - _final(best)) if chosen is not None else 0.0
    return replace(advice, sentence=f"{advice.sentence} But {best.name} ends {gap:.1f} points lower still.")


def _judge(study: _Study) -> Advice:
    if not study.mixing:
        return Advice("undecided", "Undecided: no condition mixes here, or every run diverged.")
    seeds = min(_seeds(e) for e in study.evidence if e.role != "other")
    if seeds < MIN_SEEDS:
        return Advice("undecided", f"Undecided: too few seeds ({seeds}) to tell; use at least {MIN_SEEDS}.")
    if study.switched and study.better_than_all_others(study.best_switched):
        return _switch(study)
    if study.erm is None:
        return _without_erm(study)
    if study.best_mixing is study.mixup and study.below(study.mixup, study.erm):
        return _mixup_helps(study)
    if study.best_mixing in study.switched and study.below(study.best_mixing, study.erm):
        return _switch_or_keep(study)
    if not study.switched and _turning(study.mixup) is not None:
        assert study.mixup is not None
        return _untested_switch(study.mixup, "trained to the end it does not beat ERM, and no switch was tested here")
    return _no_gain(study)


@dataclass(frozen=True)
class _Study:
    evidence: list[Evidence]
    comparisons: Mapping[tuple[str, str], Comparison]

    def _best(self, role: Role) -> Evidence | None:
        return min((e for e in self.evidence if e.role == role), key=_final, default=None)

    @property
    def erm(self) -> Evidence | None:
        return self._best("erm")

    @property
    def mixup(self) -> Evidence | None:
        return self._best("mixup")

    @property
    def switched(self) -> list[Evidence]:
        return [e for e in self.evidence if e.role == "switched"]

    @property
    def mixing(self) -> list[Evidence]:
        return [e for e in self.evidence if e.role in ("mixup", "switched")]

    @property
    def best_mixing(self) -> Evidence:
        return min(self.mixing, key=_final)

    @property
    def best_switched(self) -> Evidence:
        return min(self.switched, key=_final)

    def difference(self, a: Evidence | None, b: Evidence | None) -> Comparison | None:
        """Return the final error of a minus that of b."""
        if a is None or b is None:
            return None
        if (a.name, b.name) in self.comparisons:
            return self.comparisons[a.name, b.name]
        found = self.comparisons.get((b.name, a.name))
        if found is None:
            return None
        ci = None if found.ci is None else (-found.ci[1], -found.ci[0])
        return Comparison(-found.difference, ci, found.p_value, found.n, found.level)

    def below(self, a: Evidence | None, b: Evidence | None) -> bool:
        """Whether a ends below b by what matters, with an interval that excludes 0."""
        found = self.difference(a, b)
        if a is None or found is None or found.ci is None:
            return False
        return found.ci[1] < 0 and -found.difference >= _delta(a)

    def better_than_all_others(self, best: Evidence) -> bool:
        """Whether a switched condition ends below always-Mixup and ERM, as far as they were trained."""
        others = [e for e in (self.erm, self.mixup) if e is not None]
        return bool(others) and all(self.below(best, other) for other in others)

    def gain(self, recommended: Evidence) -> dict[str, Any]:
        found = self.difference(self.erm, recommended)
        if found is None:
            return {}
        return {"gain_over_erm": found.difference, "gain_ci": found.ci}


def _final(e: Evidence) -> float:
    assert e.diagnosis is not None  # those without were left out
    return e.diagnosis.final


def _seeds(e: Evidence) -> int:
    assert e.diagnosis is not None
    return e.diagnosis.n_seeds


def _delta(e: Evidence) -> float:
    assert e.diagnosis is not None
    return e.diagnosis.delta


def _switch(study: _Study) -> Advice:
    best, safe, turning = study.best_switched, _safe_range(study), _turning(study.mixup)
    around = ""
    if safe is not None:
        around = f" (safe {safe[0]:g}–{safe[1]:g})" if safe[0] < safe[1] else " (no other switch tested is as good)"
    elif turning is not None:
        around = f" (its own curve turns between {turning[0]:g} and {turning[1]:g})"
    subject = "Mixup over-trains: switch it off" if turning is not None else "Switch Mixup off"
    return Advice(
        "switch",
        f"{subject} at epoch {best.switch_epoch}{around}.",
        condition=best.name,
        switch_epoch=best.switch_epoch,
        safe=safe,
        turning=turning,
        **study.gain(best),
    )


def _safe_range(study: _Study) -> Interval | None:
    """Return the tested switches around the best one that end within delta of it."""
    if len(study.switched) < 2:
        return None
    best = study.best_switched
    tested = sorted(study.switched, key=lambda e: e.switch_epoch or 0)
    good = [_final(e) <= _final(best) + _delta(best) for e in tested]
    low = high = tested.index(best)
    while low > 0 and good[low - 1]:
        low -= 1
    while high + 1 < len(tested) and good[high + 1]:
        high += 1
    return float(tested[low].switch_epoch or 0), float(tested[high].switch_epoch or 0)


def _turning(mixup: Evidence | None) -> Interval | None:
    """Return the interval of the epoch at which Mixup's own curve turns, if it does."""
    if mixup is None or mixup.diagnosis is None or mixup.diagnosis.verdict != "u-shaped":
        return None
    return mixup.diagnosis.turning_epoch_ci


def _without_erm(study: _Study) -> Advice:
    mixup = study.mixup
    if mixup is not None and mixup.diagnosis is not None and mixup.diagnosis.verdict == "u-shaped":
        return _untested_switch(mixup, "whether it beats plain training is not tested here")
    return Advice("undecided", "Undecided: add a condition without Mixup (recipe: NoMixup) to compare with.")


def _untested_switch(mixup: Evidence, caveat: str, **gain: Any) -> Advice:
    found = mixup.diagnosis
    assert found is not None
    ci = found.turning_epoch_ci
    between = "" if ci is None else f" ({ci[0]:g}–{ci[1]:g})"
    turn = round(found.turning_epoch)
    return Advice(
        "switch",
        f"Mixup over-trains from epoch {turn} on{between}: switch it off near there; {caveat}.",
        switch_epoch=turn,
        turning=ci,
        **gain,
    )


def _mixup_helps(study: _Study) -> Advice:
    mixup = study.mixup
    assert mixup is not None
    assert mixup.diagnosis is not None
    verdict = mixup.diagnosis.verdict
    if verdict == "u-shaped" and not study.switched:
        return _untested_switch(mixup, "no switch was tested here", **study.gain(mixup))
    if verdict == "monotone":
        sentence = "Keep Mixup on: it ends below ERM and does not over-train within this budget."
    elif verdict == "u-shaped":
        sentence = "Keep Mixup on: it over-trains, but still ends below ERM and below every switch tested."
    else:
        sentence = "Keep Mixup on for now: it ends below ERM; whether it over-trains is undecided."
    return Advice("keep-mixup", sentence, condition=mixup.name, **study.gain(mixup))


def _switch_or_keep(study: _Study) -> Advice:
    """Mixing pays, but a switched condition is not clearly below always-Mixup."""
    best = study.best_switched
    if study.mixup is None or not study.below(study.mixup, study.erm):
        return _undecided(study, best, study.mixup, "whether to switch Mixup off")
    found = study.difference(study.mixup, best)
    if found is not None and found.ci is not None and found.ci[1] < _delta(best):
        return _mixup_helps(study)
    return _undecided(study, best, study.mixup, "whether to switch Mixup off")


def _no_gain(study: _Study) -> Advice:
    best, erm = study.best_mixing, study.erm
    found = study.difference(erm, best)
    if found is None or found.ci is None:
        return Advice("undecided", "Undecided: one seed cannot tell; use at least five.")
    size = 100 * _delta(best)
    if found.ci[1] < _delta(best):
        tested = "in no form tested" if len(study.mixing) > 1 else "as tested it does not"
        gains = "does it gain" if len(study.mixing) > 1 else "gain"
        return Advice(
            "no-mixup",
            f"No Mixup here: {tested} {gains} {size:.1f} points over ERM.",
            condition=erm.name if erm is not None else None,
        )
    return _undecided(study, best, erm, "whether Mixup helps")


def _undecided(study: _Study, a: Evidence, b: Evidence | None, question: str) -> Advice:
    found = study.difference(a, b)
    more = None if found is None else _seeds_to_tell(found)
    remedy = f"about {more} more seeds would tell" if more else "more seeds alone would hardly tell"
    return Advice("undecided", f"Undecided {question}: {remedy}.", **study.gain(a))


def _seeds_to_tell(found: Comparison) -> int | None:
    """Return how many more seeds would make the interval exclude 0, if the difference stays what it is.

    The interval's half width falls like ``1 / sqrt(n)``, so ``n' = n (half width / difference)^2`` seeds are needed in
    all. The part that comes from the test set does not fall, which makes this a lower estimate.
    """
    if found.ci is None or found.difference == 0 or found.ci[0] > 0 or found.ci[1] < 0:
        return None
    half = (found.ci[1] - found.ci[0]) / 2
    needed = found.n * (half / abs(found.difference)) ** 2 - found.n
    return max(1, math.ceil(needed)) if needed <= _TOO_MANY_SEEDS else None
