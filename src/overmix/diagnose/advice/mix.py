"""Mix? The gain over plain training, and how well it is known."""

from __future__ import annotations

from dataclasses import replace

from overmix.diagnose.compare import Comparison
from overmix.diagnose.evidence import Compared, Evidence, strength_below, weaker
from overmix.diagnose.practical import MIN_SEEDS, SHOWN, format_size
from overmix.diagnose.sentences import PLAIN, Part, Strength, between_sides, bracket, likely, mix_part, size_of


def cannot_say(study: Compared) -> str:
    """Return why nothing is said about mixing; empty if there is no reason."""
    if not study.candidates:
        return "no condition mixes here, or every run diverged"
    judged = [*study.candidates, *([study.erm] if study.erm else [])]
    fewest = min(e.judged.n_seeds for e in judged)
    if fewest < MIN_SEEDS:
        return f"{fewest} seed{' is' if fewest == 1 else 's are'} too few to tell, use at least {MIN_SEEDS}"
    if under_trained(study):
        return "every curve still falls at the last epoch"
    return ""


def under_trained(study: Compared) -> bool:
    """Whether every curve of the setting that is judged still falls at the last epoch."""
    judged = [*study.candidates, *([study.erm] if study.erm else [])]
    return bool(judged) and all(e.still_falls for e in judged)


def answer_mix(study: Compared) -> Part:
    """Say whether to mix, from the best candidate's gain over plain training and from those of all candidates."""
    reason = cannot_say(study)
    if reason:
        return mix_part("unsaid", "open", detail=f": {reason}")
    if study.erm is None:
        return mix_part("open", "open", detail=": no condition here trains plainly (recipe: NoMixup)")
    best, erm = study.best, study.erm
    unit = best.judged.unit
    gain = study.difference(erm, best)
    lower = study.plain_difference(best, erm)
    strength = strength_below(lower, looks=study.looks)
    if gain is not None and gain.difference >= best.delta and strength != "open":
        return mix_part("mix", strength, gain.difference, gain.ci, unit=unit, detail=_which(study, best))
    none_gains = weaker(*(strength_below(study.plain_difference(erm, e), e.delta) for e in study.candidates))
    worse = _worse_to_the_end(study, none_gains)
    if worse is not None:
        return worse
    if none_gains == "open" or gain is None:
        if gain is None:
            return mix_part("open", "open")
        return mix_part("open", "open", gain.difference, gain.ci, unit=unit, detail=_another_form(study))
    if -gain.difference >= best.delta and strength_below(gain) != "open":
        return mix_part("plain", weaker(none_gains, strength_below(gain)), gain.difference, gain.ci, unit=unit)
    size = f": {_in_what_form(study)} gains {format_size(best.delta, unit)}"
    part = mix_part("same", none_gains, gain.difference, gain.ci, unit=unit)
    return replace(part, sentence=part.sentence.replace(": train", f"{size}; train"))


def blocking(study: Compared) -> list[Evidence]:
    """Return the candidates that keep open whether mixing helps: the best, or those that may gain what matters yet."""
    gain = study.plain_difference(study.erm, study.best)
    if gain is not None and gain.difference >= study.best.delta:
        return [study.best]
    return [
        e for e in study.candidates if strength_below(study.plain_difference(study.erm, e), e.delta, looks=1) != "shown"
    ]


def _another_form(study: Compared) -> str:
    """Name the form that may gain what matters, where the best on held-out samples is known not to."""
    blockers = [(e, study.plain_difference(study.erm, e)) for e in blocking(study) if e is not study.best]
    if not blockers or strength_below(study.plain_difference(study.erm, study.best), study.best.delta) == "open":
        return ""
    e, gain = max(blockers, key=lambda pair: pair[1].upper(SHOWN / 2) if pair[1] else 0.0)
    if gain is None or gain.ci is None:
        return ""
    return f"; {e.name} may gain {format_size(gain.ci[1], e.judged.unit)}"


def _which(study: Compared, best: Evidence) -> str:
    """Name the recipe where a study compares several."""
    return f"by {best.recipe}" if len({e.family for e in study.candidates}) > 1 else ""


def _in_what_form(study: Compared) -> str:
    return "as tested it never" if len(study.candidates) == 1 else "none of its forms"


def _worse_to_the_end(study: Compared, none_gains: Strength) -> Part | None:
    """Say what is known of mixing to the end, where that is worse, and what is known of switches beside it."""
    assert study.erm is not None
    ends = [(e, study.plain_difference(e, study.erm)) for e in study.candidates if e.role == "mixup"]
    known = [(e, loss) for e, loss in ends if loss is not None and loss.difference >= e.delta]
    if len(known) != len(ends) or not known:
        return None
    e, loss = min(known, key=lambda pair: pair[1].difference)
    strength = strength_below(loss.swapped())
    if strength == "open":
        return None
    switched = len(study.candidates) > len(ends)
    if not switched:
        none_gains = "open" if e.u_shaped else "shown"
    together = weaker(strength, none_gains)
    unit, turned = e.judged.unit, loss.swapped()
    worse = f"{size_of(loss.difference, unit)} worse than {PLAIN}{bracket(loss.ci, unit)}"
    if together == "open":
        rest = _switched(study) if switched else "and no switch was tested"
        sentence = f"Mix or not is open: to the end it is {worse}, {rest}."
        return Part("open", "open", sentence, turned.difference, turned.ci)
    rest = {"shown": "no switch gains: train plainly", "likely": "likely no switch gains: train plainly"}[none_gains]
    sentence = f"Do not mix to the end{likely(strength)}: {worse}; {rest if switched else 'train plainly'}."
    return Part("plain", together, sentence, turned.difference, turned.ci)


def _switched(study: Compared) -> str:
    """Say between what the gain of the best switch lies, where it is open."""
    gain: Comparison | None = study.difference(study.erm, study.best)
    if gain is None or gain.ci is None or study.best.role == "mixup":
        return "and whether a switch gains is not known"
    return f"switched off {between_sides(gain.ci, study.best.judged.unit)}"
