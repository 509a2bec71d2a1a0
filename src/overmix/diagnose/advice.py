"""Advice: what a study's conditions, taken together, say about Mixup."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from overmix.diagnose.compare import Comparison
from overmix.diagnose.evidence import ChosenOn, Compared, Evidence
from overmix.diagnose.interval import Interval
from overmix.diagnose.practical import MIN_SEEDS, format_size, seeds_to_narrow

Kind = Literal["switch", "no-mixup", "keep-mixup", "undecided"]

_TOO_MANY_SEEDS = 100
_FEW_SAMPLES = 0.5  # of the uncertainty that comes from seeds; where it is less, the test set is what is small
_SAME_STEPS = 0.02  # conditions whose steps differ by less cost the same


@dataclass(frozen=True)
class Advice:
    """What to do.

    Args:
        kind: ``"switch"`` Mixup off, ``"no-mixup"`` at all, ``"keep-mixup"`` on, or ``"undecided"``.
        sentence: the same for people.
        condition: name of the condition that is recommended, if one is.
        switch_epoch: where to switch.
        safe: epochs between which every tested switch is shown to be about as good; ``None`` unless several were
            tested.
        turning: interval of the turning epoch of the recipe's own curve, if it over-trains.
        gain_of: name of the condition whose gain is given: the recommended one, or the best that mixes.
        gain_over_erm: final error of ERM minus that of ``gain_of``, in the unit of the errors.
        gain_ci: its interval, wide enough for the choice among the candidates.
        chosen_on: ``"validation"`` if the best candidate was chosen on held-out samples, ``"test"`` if on the test
            errors themselves, ``None`` if there was nothing to choose.
        candidates: how many conditions were chosen among.
        note: how the choice was made, and what does as well.
    """

    kind: Kind
    sentence: str
    condition: str | None = None
    switch_epoch: int | None = None
    safe: Interval | None = None
    turning: Interval | None = None
    gain_of: str | None = None
    gain_over_erm: float | None = None
    gain_ci: Interval | None = None
    chosen_on: ChosenOn | None = None
    candidates: int = 0
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        plain = asdict(self)
        return {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}


def advise(evidence: Sequence[Evidence], comparisons: Mapping[tuple[str, str], Comparison]) -> Advice:
    """Turn the conditions of a study into one piece of advice.

    The best of the candidates (what mixes) is chosen on held-out samples, if the study holds some out; the test errors
    then choose nothing. Otherwise it is chosen on the test errors, and its comparisons are corrected for the number of
    candidates. A switch is recommended only if it ends below ERM and below its own recipe's Mixup to the end, each by
    at least the practical size and with an interval that excludes 0. Mixup is advised against if every candidate is
    shown to gain less than the practical size over ERM. Where the intervals allow both, the advice is "undecided". An
    alternative (weight decay, averaged weights, ...) that ends lower still is named, corrected after Holm for their
    number, and so is one that does as well.

    Args:
        evidence: the conditions.
        comparisons: per pair of names (a, b) the difference of final errors, a minus b, seeds paired.

    Example:
        >>> from overmix.diagnose import Diagnosis
        >>> def at(final, verdict, turn):
        ...     return Diagnosis(verdict=verdict, turning_epoch=turn, turning_epoch_ci=(64, 128), best=0.068,
        ...         final=final, depth=0.0, depth_ci=None, delta=0.005, n_seeds=16, n_epochs=60)
        >>> advice = advise(
        ...     [Evidence("ERM", "erm", None, at(0.072, "monotone", 900)),
        ...      Evidence("Mixup", "mixup", None, at(0.095, "u-shaped", 79)),
        ...      Evidence("switched", "switched", 128, at(0.060, "monotone", 900))],
        ...     {("switched", "ERM"): Comparison(-0.012, (-0.019, -0.006), 0.0004, 16),
        ...      ("switched", "Mixup"): Comparison(-0.035, (-0.045, -0.027), 1e-9, 16),
        ...      ("Mixup", "ERM"): Comparison(0.023, (0.014, 0.033), 1e-5, 16)})
        >>> advice.kind, advice.switch_epoch, advice.chosen_on, advice.candidates
        ('switch', 128, 'test', 2)
    """
    study = Compared([e for e in evidence if e.diagnosis is not None], comparisons)
    if not study.candidates:
        return Advice("undecided", "Undecided: no condition mixes here, or every run diverged.")
    fewest = min([*study.candidates, *([study.erm] if study.erm else [])], key=lambda e: e.judged.n_seeds)
    if fewest.judged.n_seeds < MIN_SEEDS:
        return Advice(
            "undecided", f"Undecided: too few seeds ({fewest.judged.n_seeds}) to tell; use at least {MIN_SEEDS}."
        )
    advice = _judge(study)
    if len(study.candidates) > 1 and advice.kind != "no-mixup":
        # That no candidate gains is said of each of them, and so of none that was chosen.
        advice = replace(advice, chosen_on=study.chosen_on, candidates=len(study.candidates), note=_choice(study))
    return _beside_alternatives(study, advice)


def _judge(study: Compared) -> Advice:
    best = study.best
    parent = study.mixed_to_the_end(best)
    others = [e for e in (study.erm, parent) if e is not None]
    if best is not parent and others and all(study.below(best, other) for other in others):
        return _switch(study, best, parent)
    if study.erm is None:
        return _without_erm(study, parent or best)
    if study.below(best, study.erm):
        return _mixup_helps(study, best) if best is parent else _switch_or_keep(study, best, parent)
    if best is parent and best.u_shaped and not study.switched_forms(best):
        # Trained to the end it gains nothing; what a switch would gain is not known.
        return _untested_switch(
            study, best, "trained to the end it does not beat ERM, and no switch was tested here", confirmed=False
        )
    return _no_gain(study, best)


def _switch(study: Compared, best: Evidence, parent: Evidence | None) -> Advice:
    safe, turning = _safe_range(study, best), _turning(parent)
    subject = f"Switch {best.recipe} off"
    if parent is not None and parent.u_shaped:
        subject = f"{parent.name} over-trains: switch it off"
    if best.role == "auto":
        low, high = min(best.decided, default=0), max(best.decided, default=0)
        where = f" by itself (AutoSwitch; here at epoch {low}{f'–{high}' if high > low else ''})"
    else:
        where = f" at epoch {best.switch_epoch}{_around(safe, turning)}"
    return Advice(
        "switch",
        f"{subject}{where}.",
        condition=best.name,
        switch_epoch=best.switch_epoch,
        safe=safe,
        turning=turning,
        **_gain(study, best),
    )


def _around(safe: Interval | None, turning: Interval | None) -> str:
    if safe is not None:
        return f" (safe {safe[0]:g}–{safe[1]:g})" if safe[0] < safe[1] else " (no other is shown to be as good)"
    return "" if turning is None else f" (its own curve turns between {turning[0]:g} and {turning[1]:g})"


def _safe_range(study: Compared, best: Evidence) -> Interval | None:
    """Return the epochs around the best switch at which a switch is shown to end at most by what matters above it.

    Going outwards and stopping at the first that is not, each side is a chain of tests, which needs no correction.
    """
    tested = study.switches(best)
    if len(tested) < 2:
        return None
    good = [study.not_worse(e, best) for e in tested]
    low = high = tested.index(best)
    while low > 0 and good[low - 1]:
        low -= 1
    while high + 1 < len(tested) and good[high + 1]:
        high += 1
    return float(tested[low].switch_epoch or 0), float(tested[high].switch_epoch or 0)


def _turning(mixup: Evidence | None) -> Interval | None:
    """Return the interval of the epoch at which Mixup's own curve turns, if it does."""
    return mixup.judged.turning_epoch_ci if mixup is not None and mixup.u_shaped else None


def _without_erm(study: Compared, mixup: Evidence) -> Advice:
    if mixup.role == "mixup" and mixup.u_shaped and not study.switched_forms(mixup):
        return _untested_switch(study, mixup, "whether it beats plain training is not tested here", confirmed=False)
    return Advice("undecided", "Undecided: add a condition without Mixup (recipe: NoMixup) to compare with.")


def _untested_switch(study: Compared, mixup: Evidence, caveat: str, *, confirmed: bool) -> Advice:
    ci = mixup.judged.turning_epoch_ci
    between = "" if ci is None else f" ({ci[0]:g}–{ci[1]:g})"
    turn = round(mixup.judged.turning_epoch)
    return Advice(
        "switch",
        f"{mixup.name} over-trains from epoch {turn} on{between}: switch it off near there; {caveat}.",
        condition=mixup.name if confirmed else None,
        switch_epoch=turn,
        turning=ci,
        **_gain(study, mixup),
    )


def _mixup_helps(study: Compared, mixup: Evidence) -> Advice:
    if mixup.u_shaped and not study.switched_forms(mixup):
        return _untested_switch(study, mixup, "no switch was tested here", confirmed=True)
    if mixup.judged.verdict == "monotone":
        sentence = f"Keep {mixup.name} on: it ends below ERM and does not over-train within this budget."
    elif mixup.u_shaped:
        sentence = (
            f"Keep {mixup.name} on: it over-trains, but ends below ERM, and no tested switch is shown to be better."
        )
    else:
        sentence = f"Keep {mixup.name} on for now: it ends below ERM; whether it over-trains is undecided."
    return Advice("keep-mixup", sentence, condition=mixup.name, **_gain(study, mixup))


def _switch_or_keep(study: Compared, best: Evidence, parent: Evidence | None) -> Advice:
    """Mixing pays, but a switched condition is not clearly below Mixup to the end."""
    if parent is not None and study.below(parent, study.erm) and study.not_worse(parent, best):
        return _mixup_helps(study, parent)
    return _undecided(study, best, parent, f"whether to switch {best.recipe} off")


def _no_gain(study: Compared, best: Evidence) -> Advice:
    assert study.erm is not None
    gains = [study.plain_difference(study.erm, e) for e in study.candidates]
    if all(
        gain is not None and gain.ci is not None and gain.ci[1] < e.delta
        for gain, e in zip(gains, study.candidates, strict=True)
    ):
        several = len(study.candidates) > 1
        tested, does = ("in no form tested", "does it gain") if several else ("as tested it does not", "gain")
        size = format_size(best.delta, best.judged.unit)
        return Advice(
            "no-mixup",
            f"No Mixup here: {tested} {does} {size} over ERM.",
            condition=study.erm.name,
            **_gain_fields(best, gains[study.candidates.index(best)]),
        )
    return _undecided(study, best, study.erm, "whether Mixup helps")


def _undecided(study: Compared, a: Evidence, b: Evidence | None, question: str) -> Advice:
    difference = study.difference(a, b)
    more = None if difference is None else _seeds_to_tell(difference, a.delta)
    remedy = f"about {more} more seeds would tell" if more else "more seeds alone would hardly tell"
    if difference is not None and more is None and difference.seed_share < _FEW_SAMPLES:
        remedy = "more seeds would hardly tell, more test samples might"
    return Advice("undecided", f"Undecided {question}: {remedy}.", **_gain(study, a))


def _seeds_to_tell(difference: Comparison, delta: float) -> int | None:
    """Return how many more seeds would decide whether ``a`` ends lower by what matters, if the difference stays.

    With a difference of at least delta the interval has to exclude 0, with a smaller one it has to exclude delta.
    """
    lower = -difference.difference
    distance = lower if lower >= delta else delta - lower
    if difference.ci is None or distance <= 0:
        return None
    half = (difference.ci[1] - difference.ci[0]) / 2
    needed = seeds_to_narrow(difference.n, half_width=half, seed_share=difference.seed_share, wanted=distance)
    if needed is None or needed - difference.n > _TOO_MANY_SEEDS:
        return None
    return max(1, math.ceil(needed - difference.n))


def _gain(study: Compared, of: Evidence) -> dict[str, Any]:
    return _gain_fields(of, study.difference(study.erm, of))


def _gain_fields(of: Evidence, gain: Comparison | None) -> dict[str, Any]:
    return {} if gain is None else {"gain_of": of.name, "gain_over_erm": gain.difference, "gain_ci": gain.ci}


def _choice(study: Compared) -> str:
    """Say what the best of several candidates was chosen on."""
    chosen = f"{study.best.name} was chosen among {len(study.candidates)} conditions that mix"
    if study.chosen_on == "validation":
        return f"{chosen}, by their error on held-out samples."
    return (
        f"{chosen}, by their test errors, since no samples are held out (data.val_size); the interval of its gain is "
        "widened for that."
    )


def _beside_alternatives(study: Compared, advice: Advice) -> Advice:
    """Name what ends lower than the recommended condition, and what does as well."""
    chosen = next((e for e in study.evidence if e.name == advice.condition), None)
    if chosen is None:
        return advice
    better = study.better_alternatives(chosen)
    sentence, note = advice.sentence, advice.note
    if better:
        gap = format_size(chosen.final - better[0].final, chosen.judged.unit)
        sentence += f" But {_with_steps(better[0], chosen)} ends {gap} lower still."
    as_good = [e for e in study.alternatives if e not in better and study.not_worse(e, chosen)]
    if as_good:
        names = ", ".join(_with_steps(e, chosen) for e in as_good)
        within = f"within {format_size(chosen.delta, chosen.judged.unit)}"
        note = f"{note} Shown to be as good, {within}: {names}.".lstrip()
    return replace(advice, sentence=sentence, note=note)


def _with_steps(e: Evidence, chosen: Evidence) -> str:
    """Return a condition's name, and how its price compares where it is another."""
    if not e.steps or not chosen.steps or abs(e.steps / chosen.steps - 1) < _SAME_STEPS:
        return e.name
    return f"{e.name} ({e.steps / chosen.steps:.2g} × the steps)"
