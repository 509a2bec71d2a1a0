"""Until when? A best guess for the epoch, and the range that holds the best of those tested."""

from __future__ import annotations

import math
from dataclasses import replace

from overmix.diagnose.advice.best_set import may_be_best
from overmix.diagnose.evidence import Compared, Evidence, strength_below, weaker
from overmix.diagnose.interval import Interval
from overmix.diagnose.sentences import Part, Strength, until_part


def answer_until(study: Compared, mix: Part) -> Part:
    """Say until when to mix, whatever the answer to whether: a guess is always made, and its range given."""
    if mix.answer == "unsaid":
        return until_part("open", "open", epochs=math.inf)
    best = study.best
    forms, parent = study.forms(best), study.mixed_to_the_end(best)
    epochs = float(best.epochs or max(e.mixed_epochs for e in forms))
    only_to_the_end = forms == [parent]
    if mix.answer in ("plain", "same"):
        if only_to_the_end:
            return until_part("never", mix.strength, epochs=epochs)
        return until_part("never", mix.strength, best.mixed_epochs, reach_of(study, forms), epochs=epochs)
    part = _untested(best, epochs) if only_to_the_end else _tested(study, best, forms, parent, epochs)
    if mix.answer != "open":
        return part
    return replace(part, sentence=f"If you mix: {part.sentence[0].lower()}{part.sentence[1:]}")


def _tested(study: Compared, best: Evidence, forms: list[Evidence], parent: Evidence | None, epochs: float) -> Part:
    answer = {"mixup": "end", "auto": "auto"}.get(best.role, "switch")
    return until_part(
        answer,  # type: ignore[arg-type]
        _strength(study, best, parent, forms),
        best.mixed_epochs,
        reach_of(study, forms),
        epochs=epochs,
        detail="" if parent else "mixing to the end was not tested",
    )


def reach_of(study: Compared, forms: list[Evidence]) -> Interval:
    """Return the range of epochs of the forms that may be best, the best guess always among them.

    Of runs that decide by themselves all that they decided counts.
    """
    kept = [*may_be_best(study, forms), study.best]
    ends = [epoch for e in kept for epoch in (e.decided if e.role == "auto" and e.decided else (e.mixed_epochs,))]
    return float(min(ends)), float(max(ends))


def _strength(study: Compared, best: Evidence, parent: Evidence | None, forms: list[Evidence]) -> Strength:
    """Return how well it is known that this end is better than the other: switching than going on, or going on."""
    if best is parent:
        return weaker(*(strength_below(study.plain_difference(best, e), looks=study.looks) for e in forms if e != best))
    return strength_below(study.plain_difference(best, parent), looks=study.looks)


def _untested(mixup: Evidence, epochs: float) -> Part:
    """Read the curve of Mixup to the end where no switch was tested: a guess, and no more."""
    judged = mixup.judged
    if judged.verdict == "u-shaped":
        turn, reach = judged.turning_epoch, judged.turning_epoch_ci
        return until_part("turn", "open", turn, reach, epochs=epochs, detail="no switch was tested here")
    turns = "its curve does not turn" if judged.verdict == "monotone" else "whether its curve turns is open"
    return until_part("end", "open", epochs, None, epochs=epochs, detail=f"{turns}, and no switch was tested")
