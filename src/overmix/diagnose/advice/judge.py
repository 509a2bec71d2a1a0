"""From a study's conditions to its advice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from overmix.diagnose.advice.mix import answer_mix
from overmix.diagnose.advice.next_step import answer_next, with_steps
from overmix.diagnose.advice.probabilities import Scores, answer_probabilities
from overmix.diagnose.advice.record import Advice, AdviceKind
from overmix.diagnose.advice.until import answer_until
from overmix.diagnose.compare import Comparison
from overmix.diagnose.evidence import Compared, Evidence
from overmix.diagnose.interval import Interval
from overmix.diagnose.practical import format_size
from overmix.diagnose.sentences import Part


def advise(
    evidence: Sequence[Evidence], comparisons: Mapping[tuple[str, str], Comparison], scores: Scores | None = None
) -> Advice:
    """Answer three questions about a study's conditions: mix? until when? what next?

    **Mix** if the best candidate (what mixes) ends below plain training by at least the practical size δ; **do not** if
    every candidate gains less than δ, and one loses it; **no difference that matters** if every candidate gains less.
    Each is *shown* at a two-sided p of 2.9 % (5 % over two looks, so that seeds may be added once), *likely* at 20 %,
    and else *open*. The best candidate is what has the lowest error on held-out samples, averaged over the seeds; where
    none are held out, the test errors choose, and the claim pays for their number. **Until when** is the best guess
    among the tested epochs and a confidence set for the best of them. **What next** is the cheapest action that would
    help. Where every curve still falls at the end, nothing is said about mixing.

    Args:
        evidence: the conditions.
        comparisons: per pair of names (a, b) the difference of final errors, a minus b, seeds paired.
        scores: the same of scores of probabilities, by name; the first that tells conditions apart is written about.

    Example:
        >>> from overmix.diagnose import Diagnosis
        >>> def at(final, verdict, turn):
        ...     return Diagnosis(verdict=verdict, turning_epoch=turn, turning_epoch_ci=(64, 128), best=0.068,
        ...         final=final, depth=0.0, depth_ci=None, delta=0.005, n_seeds=16, n_epochs=60)
        >>> advice = advise(
        ...     [Evidence("ERM", "erm", None, at(0.072, "monotone", 900)),
        ...      Evidence("Mixup", "mixup", None, at(0.095, "u-shaped", 79), epochs=1000),
        ...      Evidence("switched", "switched", 128, at(0.060, "monotone", 900))],
        ...     {("switched", "ERM"): Comparison(-0.012, (-0.019, -0.006), 0.0004, 16),
        ...      ("switched", "Mixup"): Comparison(-0.035, (-0.045, -0.027), 1e-9, 16),
        ...      ("Mixup", "ERM"): Comparison(0.023, (0.014, 0.033), 1e-5, 16)})
        >>> print(advice.mix.sentence, advice.until.sentence)
        Mix: 1.2 points better than plain training [0.5, 1.9]. Off at about 128.
        >>> advice.kind, advice.switch_epoch, advice.chosen_on, advice.candidates
        ('switch', 128, 'test', 2)
    """
    study = Compared([e for e in evidence if e.diagnosis is not None], comparisons)
    mix = answer_mix(study)
    until = answer_until(study, mix)
    recommended = _recommended(study, mix)
    step = answer_next(study, mix, until, recommended)
    probabilities = answer_probabilities(study, scores or {}, mix)
    return Advice(
        kind=_kind(mix, recommended),
        sentence=" ".join(part.sentence for part in (mix, until, step, probabilities) if part is not None),
        condition=recommended.name if recommended else None,
        switch_epoch=recommended.switch_epoch if recommended and recommended.role == "switched" else None,
        safe=until.interval if until.answer in ("switch", "auto", "end") else None,
        turning=_turning(study),
        chosen_on=study.chosen_on if recommended and len(study.candidates) > 1 else None,
        candidates=len(study.candidates) if recommended and len(study.candidates) > 1 else 0,
        note=_note(study, recommended),
        mix=mix,
        until=until,
        next=step,
        probabilities=probabilities,
        **_gain(study, mix),
    )


def _recommended(study: Compared, mix: Part) -> Evidence | None:
    """Return what is recommended: what the answers say, and of those that they leave the lowest."""
    if mix.answer == "unsaid":
        return None
    if mix.answer == "mix":
        return study.best
    if mix.answer in ("plain", "same"):
        return study.erm
    return study.lowest([*([study.erm] if study.erm else []), *study.candidates])


def _kind(mix: Part, recommended: Evidence | None) -> AdviceKind:
    if mix.answer == "mix" and recommended is not None:
        return "keep-mixup" if recommended.role == "mixup" else "switch"
    return "no-mixup" if mix.answer in ("plain", "same") else "undecided"


def _turning(study: Compared) -> Interval | None:
    """Return the interval of the epoch at which the best recipe's own curve turns, if it does."""
    parent = study.mixed_to_the_end(study.best) if study.candidates else None
    return parent.judged.turning_epoch_ci if parent is not None and parent.u_shaped else None


def _gain(study: Compared, mix: Part) -> dict[str, Any]:
    """Return the best candidate's gain, of which the first answer speaks."""
    if mix.answer == "unsaid" or study.erm is None:
        return {}
    gain = study.difference(study.erm, study.best)
    if gain is None:
        return {}
    return {"gain_of": study.best.name, "gain_over_erm": gain.difference, "gain_ci": gain.ci}


def _tied(study: Compared) -> list[Evidence]:
    """Return the candidates whose held-out error is that of the best, but for rounding."""
    return [e for e in study.equals(study.candidates) if e is not study.best]


def _chosen(study: Compared) -> str:
    tied = _tied(study)
    if not tied:
        return f"{study.best.name} has the lowest held-out error"
    return f"{', '.join(e.name for e in tied)} and {study.best.name} tie for the lowest held-out error"


def _tie_rule(study: Compared) -> str:
    """Say why one of several that tie is named."""
    tied = _tied(study)
    if not tied:
        return ""
    lower = all(study.best.final < e.final for e in tied)
    why = ", which has the lower test error" if lower else ""
    to_the_end = next((e.name for e in tied if e.role == "mixup"), None)
    simplest = f"; {to_the_end}, which needs no switch, does as well on held-out samples" if to_the_end else ""
    return f": named is {study.best.name}{why}{simplest}"


def _note(study: Compared, recommended: Evidence | None) -> str:
    """Say how the recommended condition was chosen, and what is shown to be as good."""
    if recommended is None:
        return ""
    notes = []
    n = len(study.candidates)
    if n > 1 and study.chosen_on == "validation":
        notes.append(f"{_chosen(study)} of {n} conditions that mix, averaged over seeds{_tie_rule(study)}.")
    elif n > 1:
        notes.append(
            f"No samples are held out (data.val_size): {study.best.name} has the lowest test error of {n} conditions "
            "that mix, and intervals and strengths pay for that choice."
        )
    better = study.better_alternatives(recommended)
    as_good = [e for e in study.alternatives if e not in better and study.not_worse(e, recommended)]
    if as_good:
        names = ", ".join(with_steps(e, recommended) for e in as_good)
        within = format_size(recommended.delta, recommended.judged.unit)
        notes.append(f"Shown to be as good, within {within}: {names}.")
    return " ".join(notes)
