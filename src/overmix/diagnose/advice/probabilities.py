"""What the error does not say: better probabilities at an equal error, or worse ones at a lower."""

from __future__ import annotations

from collections.abc import Mapping

from overmix.diagnose.compare import Comparison
from overmix.diagnose.evidence import Compared, strength_below
from overmix.diagnose.practical import RELATIVE_DELTA
from overmix.diagnose.sentences import PLAIN, Part, likely

Scores = Mapping[str, Mapping[tuple[str, str], Comparison]]
"""By name of a score of probabilities, the paired differences of conditions."""


def answer_probabilities(study: Compared, scores: Scores, mix: Part) -> Part | None:
    """Compare the probabilities of the best candidate with those of plain training, if they are known.

    By the first score that tells them apart by 5 % at least; they are worth a sentence where the error does not decide
    the same way.
    """
    if mix.answer == "unsaid" or study.erm is None:
        return None
    best, erm = study.best, study.erm
    for name, differences in scores.items():
        difference = Compared(study.evidence, differences).plain_difference(best, erm)
        if difference is None or name not in best.scores or name not in erm.scores:
            continue
        here, there = best.scores[name], erm.scores[name]
        if abs(difference.difference) < RELATIVE_DELTA * min(here, there):
            continue
        better = difference.difference < 0
        strength = strength_below(difference if better else difference.swapped())
        if strength == "open" or better == (mix.answer == "mix") or (not better and mix.answer != "mix"):
            continue
        verdict, then = (
            ("better", f"where probabilities matter, {_do(best.role)}")
            if better
            else ("worse", "where probabilities matter, calibrate them")
        )
        numbers = f"{name} {here:.3f} against {there:.3f} of {PLAIN}"
        sentence = f"Its probabilities are {verdict}{likely(strength)}, {numbers}: {then}."
        if better:
            lowest = min((e for e in study.evidence if name in e.scores), key=lambda e: e.scores[name])
            if lowest.scores[name] < here:
                sentence = f"{sentence[:-1]} (the lowest has {lowest.name}, {lowest.scores[name]:.3f})."
            head = "At about equal error the" if mix.answer in ("same", "open") else "The"
            sentence = sentence.replace("Its probabilities", f"{head} probabilities of {best.name}")
        return Part(verdict, strength, sentence, -difference.difference, difference.swapped().ci)
    return None


def _do(role: str) -> str:
    return "mix" if role == "mixup" else "mix and switch off"
