"""The one machine that writes advice: studies, searches, diagnosed logs and a run's own decision speak by it.

Three questions are answered, each with a strength: **mix?**, **until when?**, **what next?** A strength is
``"shown"``, ``"likely"`` or ``"open"``; see :mod:`overmix.diagnose.advice` for what earns them. What is likely says so
in its sentence, and what is open says what is not known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from overmix.diagnose.axis import axis_noun, counts_steps, written_place
from overmix.diagnose.interval import Interval
from overmix.diagnose.numerals import written
from overmix.diagnose.practical import Unit, format_size

Strength = Literal["shown", "likely", "open"]
MixAnswer = Literal["mix", "plain", "same", "open", "unsaid"]
UntilAnswer = Literal["switch", "auto", "end", "turn", "never", "open"]
DecisionAnswer = Literal["fixed", "undecided", "no Mixup", "Mixup to the end", "switch", "stop"]

PLAIN = "plain training"


@dataclass(frozen=True)
class Part:
    """The answer to one of the three questions.

    Args:
        answer: in a word, for scripts.
        strength: how well it is known.
        sentence: the same for people.
        value: the number in it: a gain, an epoch, a count.
        interval: of the number: 95 %, or the epochs that may be as good.
    """

    answer: str
    strength: Strength
    sentence: str
    value: float | None = None
    interval: Interval | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        interval = None if self.interval is None else list(self.interval)
        return {
            "answer": self.answer,
            "strength": self.strength,
            "sentence": self.sentence,
            "value": self.value,
            "interval": interval,
        }


def likely(strength: Strength) -> str:
    """Return what a claim says after its verb where it is likely only."""
    return ", likely" if strength == "likely" else ""


def bracket(interval: Interval | None, unit: Unit = "fraction") -> str:
    """Write an interval after its number, in the number's own unit, which stands before it.

    Example:
        >>> bracket((0.007, 0.0163)), bracket(None), bracket((0.1, 0.25), "value")
        (' [0.7, 1.6]', '', ' [0.1, 0.25]')
    """
    if interval is None:
        return ""
    if unit == "fraction":
        low, high = (written(100 * end, ".1f") for end in interval)
    elif unit == "percent":
        low, high = (written(end, ".1f") for end in interval)
    else:
        low, high = (written(end, ".3g") for end in interval)
    return f" [{low}, {high}]"


def size_of(size: float, unit: Unit) -> str:
    """Write how large a difference is, without its sign.

    Example:
        >>> size_of(-0.057, "fraction")
        '5.7 points'
    """
    return format_size(abs(size), unit)


def mix_part(
    answer: MixAnswer,
    strength: Strength,
    gain: float | None = None,
    interval: Interval | None = None,
    *,
    unit: Unit = "fraction",
    detail: str = "",
) -> Part:
    """Answer "Mix?".

    Args:
        answer: ``"mix"``; ``"plain"``, do not; ``"same"``, no difference that matters; ``"open"``; ``"unsaid"``.
        strength: of the claim; what is open or unsaid is always ``"open"``.
        gain: error of plain training minus that of mixing: positive where mixing is better.
        interval: of the gain.
        unit: of both.
        detail: what else belongs to the claim, after the number, as half a sentence.

    Example:
        >>> mix_part("mix", "shown", 0.011, (0.007, 0.016)).sentence
        'Mix: 1.1 points better than plain training [0.7, 1.6].'
        >>> mix_part("mix", "likely", 0.011, (-0.001, 0.023)).sentence
        'Mix, likely: 1.1 points better than plain training [−0.1, 2.3].'
        >>> mix_part("plain", "shown", -0.057, (-0.067, -0.048), detail="to the end, and no switch gains").sentence
        'Do not mix: 5.7 points worse than plain training [4.8, 6.7] to the end, and no switch gains.'
        >>> mix_part("open", "open", 0.004, (-0.004, 0.012)).sentence
        'Mix or not is open: between 0.4 points worse and 1.2 points better than plain training.'
    """
    after = f" {detail}" if detail and detail[0] not in ",;:" else detail
    if answer == "mix":
        better = f"{size_of(gain or 0.0, unit)} better than {PLAIN}{bracket(interval, unit)}"
        sentence = f"Mix{likely(strength)}: {better}{after}."
    elif answer == "plain":
        turned = None if interval is None else (-interval[1], -interval[0])
        worse = f"{size_of(gain or 0.0, unit)} worse than {PLAIN}{bracket(turned, unit)}"
        sentence = f"Do not mix{likely(strength)}: {worse}{after}."
    elif answer == "same":
        head = "Likely no difference" if strength == "likely" else "No difference"
        sentence = f"{head} that matters{after}: train plainly, it is cheaper."
    elif answer == "open":
        between = "" if interval is None else f": {between_sides(interval, unit)} than {PLAIN}"
        sentence = f"Mix or not is open{between}{after}."
    else:
        sentence = f"Nothing is said about mixing{after}."
    return Part(answer, strength if answer in ("mix", "plain", "same") else "open", sentence, gain, interval)


def between_sides(gain: Interval, unit: Unit) -> str:
    """Write the ends of a gain's interval in words.

    Example:
        >>> between_sides((-0.004, 0.012), "fraction"), between_sides((0.001, 0.007), "fraction")
        ('between 0.4 points worse and 1.2 points better', 'between 0.1 and 0.7 points better')
    """
    low, high = (bracket((0.0, abs(end)), unit)[:-1].split(", ")[1] for end in gain)
    word = " points" if unit in ("fraction", "percent") else " dB" if unit == "decibel" else ""
    sides = ["better" if end >= 0 else "worse" for end in gain]
    if sides[0] == sides[1]:
        first, last = sorted((low, high), key=float)
        return f"between {first} and {last}{word} {sides[0]}"
    return f"between {low}{word} {sides[0]} and {high}{word} {sides[1]}"


def until_part(
    answer: UntilAnswer,
    strength: Strength,
    guess: float | None = None,
    reach: Interval | None = None,
    *,
    epochs: float,
    detail: str = "",
) -> Part:
    """Answer "Until when?": a best guess and a range, always.

    Args:
        answer: off at a ``"switch"``; ``"auto"``, off by AutoSwitch; to the ``"end"``; ``"turn"``, no switch was
            tested, not before its own curve turns; ``"never"``, not at all, ``guess`` is for those who mix all the
            same; ``"open"``, nothing is known.
        strength: of the claim that this end is better than another: switching than going on, going on than switching.
        guess: epochs of mixing that are the best guess.
        reach: epochs that may be as good.
        epochs: length of the training: where the range ends there, it is "the end".
        detail: what else belongs to the claim, after it.

    Example:
        >>> until_part("switch", "shown", 125, (75, 188), epochs=1000).sentence
        'Off at about 125 (75–188 may be as good).'
        >>> until_part("switch", "open", 125, (75, 1000), epochs=1000).sentence
        'Off at about 125 is the best guess; 75 to the end may be as good.'
        >>> until_part("switch", "likely", 125, (75, 1000), epochs=1000).sentence
        'Off at about 125, likely, but not switching is not ruled out (75 to the end may be as good).'
        >>> until_part("end", "shown", 1000, (1000, 1000), epochs=1000).sentence
        'To the end.'
        >>> until_part("turn", "open", 80, (56, 112), epochs=1000).sentence
        'Not before its own curve turns, at about 80 (56–112), is the best guess.'
    """
    span, after = written_range(reach, epochs), f"; {detail}" if detail else ""
    alone = reach is None or (reach[0] == reach[1] == guess)
    as_good = "" if alone else f" ({span} may be as good)"
    reaches_end = reach is not None and reach[1] >= epochs
    or_not = ", but not switching is not ruled out" if reaches_end and answer in ("switch", "auto") else ""
    guessed = "to the end" if guess is not None and guess >= epochs else f"off at about {guess or 0:g}"
    if answer == "switch" and strength == "open":
        sentence = f"Off at about {guess:g} is the best guess; {span} may be as good{after}."
    elif answer == "switch":
        sentence = f"Off at about {guess:g}{likely(strength)}{or_not}{as_good}{after}."
    elif answer == "auto":
        sentence = f"Off by AutoSwitch{likely(strength)}, here at about {guess:g}{or_not}{as_good}{after}."
        if strength == "open":
            sentence = f"Off by AutoSwitch, here at about {guess:g}, is the best guess; {span} may be as good{after}."
    elif answer == "end" and strength == "open":
        sentence = f"To the end is the best guess{'' if alone else f'; {span} may be as good'}{after}."
    elif answer == "end":
        sentence = f"To the end{likely(strength)}{as_good}{after}."
    elif answer == "turn":
        where = "" if reach is None else f" ({span})"
        is_guessed = ", is the best guess" if strength == "open" else likely(strength)
        sentence = f"Not before its own curve turns, at about {guess:g}{where}{is_guessed}{after}."
    elif answer == "never":
        all_the_same = "" if guess is None else f"; if you mix all the same, {guessed}{as_good}"
        sentence = f"Not at all{likely(strength)}{all_the_same}{after}."
    else:
        sentence = f"Not known yet{after}."
    return Part(answer, "open" if answer == "open" else strength, sentence, guess, reach)


def written_range(reach: Interval | None, epochs: float) -> str:
    """Write a range of epochs, its end by name.

    Example:
        >>> written_range((75, 188), 1000), written_range((75, 1000), 1000), written_range((64, 64), 1000)
        ('75–188', '75 to the end', '64')
    """
    if reach is None:
        return ""
    low, high = (end if end >= epochs else round(end) for end in reach)
    if low >= epochs:
        return "the end"
    if high >= epochs:
        return f"{low:g} to the end"
    return f"{low:g}" if low == high else f"{low:g}–{high:g}"


def next_part(
    answer: str, strength: Strength, sentence: str, value: float | None = None, interval: Interval | None = None
) -> Part:
    """Answer "What next?", in a sentence that begins with the action.

    Example:
        >>> next_part("seeds", "likely", seeds_sentence(1, "whether Mixup helps", 8)).sentence
        '1 more seed (9 in all) would likely tell whether Mixup helps.'
    """
    return Part(answer, strength, sentence, value, interval)


def seeds_sentence(more: int, question: str, now: int) -> str:
    """Say how many more seeds would tell.

    Example:
        >>> seeds_sentence(8, "whether to switch off", 8)
        '8 more seeds (16 in all) would likely tell whether to switch off.'
    """
    return f"{more} more seed{'' if more == 1 else 's'} ({now + more} in all) would likely tell {question}."


def after_a_turn(place: float, axis: str = "epoch") -> str:
    """Say what to do about a curve that turns, of which nobody knows how it was trained.

    The turn is no guess at the best switch, which may lie well behind it.

    Args:
        place: where it turns.
        axis: what its places are called. Where they may be optimizer steps, the switch that counts them is named.

    Example:
        >>> after_a_turn(75)
        'If Mixup was on all along, switches from about epoch 75 on are worth a try; if not, stop there.'
        >>> "OffAtStep(11730), in a study off_at_step: 11730" in after_a_turn(11730, "global_step")
        True
    """
    code = ""
    if counts_steps(axis):
        step = written_place(round(place))
        code = f" (if it counts optimizer steps: overmix.switch.OffAtStep({step}), in a study off_at_step: {step})"
    at = f"{axis_noun(axis)} {written_place(place)}"
    return f"If Mixup was on all along, switches from about {at} on are worth a try{code}; if not, stop there."


def decision_sentence(
    answer: DecisionAnswer, *, epoch: int | None = None, epochs: int | None = None, what: str = "Mixup"
) -> str:
    """Write what one run decided, without its reason, which follows after a colon.

    Args:
        answer: what was decided; ``"stop"`` ends the training where plain training over-trains.
        epoch: epochs that are mixed, or trained.
        epochs: length of the training.
        what: what is switched off, as sentences call it.

    Example:
        >>> decision_sentence("switch", epoch=128, epochs=1000)
        'Mixup off after 128 of 1000 epochs'
        >>> decision_sentence("stop", epoch=12, epochs=100), decision_sentence("no Mixup")
        ('Stop after 12 of 100 epochs', 'Do not mix')
    """
    mixing, subject = what == "Mixup", what[0].upper() + what[1:]
    return {
        "fixed": "Fixed before the training",
        "undecided": f"Open, {what} stays on",
        "no Mixup": "Do not mix" if mixing else f"No {what} here",
        "Mixup to the end": "Mix to the end" if mixing else f"{subject} to the end",
        "switch": f"{subject} off after {epoch} of {epochs} epochs",
        "stop": f"Stop after {epoch} of {epochs} epochs",
    }[answer]
