"""What next? The cheapest action that would help; those that cost nothing come first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median, quantiles

from overmix.diagnose.advice.mix import blocking, under_trained
from overmix.diagnose.advice.seeds import seeds_to_tell
from overmix.diagnose.compare import Comparison
from overmix.diagnose.evidence import Compared, Evidence, strength_below
from overmix.diagnose.interval import Interval
from overmix.diagnose.practical import MIN_SEEDS
from overmix.diagnose.sentences import PLAIN, Part, Strength, bracket, likely, next_part, seeds_sentence, size_of

_FEW_SAMPLES = 0.5  # of the variance that comes from seeds; where it is less, the test set is what is small
_SAME_STEPS = 0.02  # conditions whose steps differ by less cost the same


def answer_next(study: Compared, mix: Part, until: Part, recommended: Evidence | None) -> Part:
    """Return the first of the actions that would help."""
    blocked = _unsaid(study) if mix.answer == "unsaid" else None
    if blocked is not None:
        return blocked
    part = (
        _stop_plain_training(study, mix, recommended)
        or _something_better(study, recommended)
        or _add_a_condition(study, mix, until)
        or _train_longer(study, mix)
        or _tell_apart(study, mix, until)
    )
    return part or next_part(
        "use", "shown", f"Nothing more is needed: use {recommended.name if recommended else PLAIN}."
    )


def _unsaid(study: Compared) -> Part | None:
    judged = [*study.candidates, *([study.erm] if study.erm else [])]
    if not study.candidates:
        return next_part(
            "compare", "shown", "Compare plain training with a condition that mixes, and does not diverge."
        )
    fewest = min(e.judged.n_seeds for e in judged)
    if fewest < MIN_SEEDS:
        more = MIN_SEEDS - fewest
        sentence = f"Run {more} more seed{'' if more == 1 else 's'} ({MIN_SEEDS} in all)."
        return next_part("seeds", "shown", sentence, more)
    if under_trained(study):
        return _longer(min(judged, key=lambda e: e.fall.difference if e.fall else 0.0), "every curve still falls")
    return None


def _longer(e: Evidence, why: str) -> Part:
    assert e.fall is not None
    twice = f", {2 * e.epochs} epochs for example" if e.epochs else ""
    fall = f"{size_of(e.fall.difference, e.judged.unit)}{bracket(e.fall.ci, e.judged.unit)}"
    sentence = f"Train longer{twice}: {why}, by {fall} or more over the last quarter."
    return next_part("longer", "shown", sentence, None if e.epochs is None else 2 * e.epochs)


def _stop_plain_training(study: Compared, mix: Part, recommended: Evidence | None) -> Part | None:
    """Say where plain training should end, if its own curve turns, and mixing does not help far beyond that."""
    erm = study.erm
    if erm is None:
        return None
    stop = plain_stop(erm)
    if stop is None:
        return None
    mixing_is_better_still = mix.answer == "mix" and (mix.value or 0.0) - stop.loss >= erm.delta
    if recommended is not None and recommended is not erm and mixing_is_better_still:
        return None
    unit = erm.judged.unit
    span = "" if stop.span is None or stop.span[0] == stop.span[1] else f" ({stop.span[0]:g}–{stop.span[1]:g})"
    sentence = (
        f"Stop plain training at about epoch {stop.epoch:g}{span}{likely(stop.strength)}: its own curve turns, and it "
        f"ends {size_of(stop.loss, unit)} worse than its best{bracket(stop.interval, unit)}"
        f"{'; stopped there it may do as well as mixing' if mix.answer == 'mix' else ''}."
    )
    return next_part("stop", stop.strength, sentence, stop.epoch, stop.span)


@dataclass(frozen=True)
class Stop:
    """Where plain training should end.

    Args:
        loss: what it loses by going on: error at the end minus that at its best.
        interval: of the loss.
        epoch: where it is best.
        span: epochs between which that lies: for half of the runs, or an interval of the mean curve.
        strength: of its turning at all.
    """

    loss: float
    interval: Interval | None
    epoch: float
    span: Interval | None
    strength: Strength


def plain_stop(erm: Evidence) -> Stop | None:
    """Return where plain training should end, or ``None`` if its own curve is not known to turn.

    The checkpoints that held-out samples choose are compared with the end, where there are some; otherwise its curve's
    own verdict has to be U-shaped.
    """
    judged = erm.judged
    if erm.stopping is not None and erm.stopping_epochs and erm.stopping.difference >= erm.delta:
        strength = strength_below(erm.stopping.swapped())
        if strength != "open":
            low, _, high = quantiles(erm.stopping_epochs, n=4, method="inclusive")
            return Stop(
                erm.stopping.difference,
                erm.stopping.ci,
                round(median(erm.stopping_epochs)),
                (round(low), round(high)),
                strength,
            )
    if not erm.u_shaped:
        return None
    return Stop(judged.depth, judged.depth_ci, float(judged.turning_epoch), judged.turning_epoch_ci, "shown")


def _something_better(study: Compared, recommended: Evidence | None) -> Part | None:
    if recommended is None:
        return None
    better = study.better_alternatives(recommended)
    if not better:
        return None
    gap = study.plain_difference(recommended, better[0])
    assert gap is not None
    unit = recommended.judged.unit
    sentence = (
        f"Use {with_steps(better[0], recommended)}: it ends {size_of(gap.difference, unit)} lower still"
        f"{bracket(gap.ci, unit)}."
    )
    return next_part("other", "shown", sentence, gap.difference, gap.ci)


def with_steps(e: Evidence, beside: Evidence) -> str:
    """Return a condition's name, and how its price compares where it is another."""
    if not e.steps or not beside.steps or abs(e.steps / beside.steps - 1) < _SAME_STEPS:
        return e.name
    return f"{e.name} ({e.steps / beside.steps:.2g} × the steps)"


def _add_a_condition(study: Compared, mix: Part, until: Part) -> Part | None:
    if study.erm is None:
        return next_part("compare", "shown", "Add a condition that trains plainly (recipe: NoMixup).")
    untested = study.forms(study.best) == [study.best] and study.best.role == "mixup"
    if until.answer == "turn" or (untested and mix.answer == "mix"):
        return next_part(
            "search", "shown", "Find the switch: overmix switch with this study file tries a grid of them."
        )
    return None


def _train_longer(study: Compared, mix: Part) -> Part | None:
    """Say that mixing had too little time, where its curve still falls and that of plain training does not."""
    falling = [e for e in study.candidates if e.still_falls and e.role == "mixup"]
    if mix.answer == "mix" or not falling:
        return None
    return _longer(falling[0], f"{falling[0].name} still falls")


def _tell_apart(study: Compared, mix: Part, until: Part) -> Part | None:
    """Say how many seeds the comparison asks for that blocks; or test samples, where these are what is few."""
    best, erm = study.best, study.erm
    if mix.strength != "shown":
        open_ = mix.answer == "open"
        question = "whether mixing helps" if open_ else "whether that holds"
        steps = [_more(study, study.plain_difference(e, erm), e, question) for e in blocking(study)]
        # All that blocks has to be told: the dearest of them is the price.
        return max((step for step in steps if step is not None), key=_price, default=None)
    parent = study.mixed_to_the_end(best)
    if mix.answer == "mix" and until.strength == "open" and best is not parent and parent is not None:
        difference = study.plain_difference(best, parent)
        # Where neither can gain what matters over the other, the question does not matter.
        if difference is None or (study.not_worse(parent, best) and study.not_worse(best, parent)):
            return None
        return _more(study, difference, best, "whether to switch off")
    return None


def _price(step: Part) -> float:
    return math.inf if step.value is None else step.value


def _more(study: Compared, difference: Comparison | None, best: Evidence, question: str) -> Part | None:
    if difference is None:
        return None
    more = seeds_to_tell(difference, best.delta, looks=study.looks)
    if more is not None:
        return next_part("seeds", "likely", seeds_sentence(more, question, difference.n), more)
    if difference.seed_share < _FEW_SAMPLES:
        return next_part(
            "samples", "likely", f"More test samples would likely tell {question}; more seeds alone hardly."
        )
    return next_part("seeds", "open", f"More seeds would hardly tell {question}: over a hundred are needed.")
