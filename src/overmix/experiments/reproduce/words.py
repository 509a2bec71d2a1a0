"""The numbers of an experiment in words, the same on its page, in the documentation and in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from overmix.diagnose.numerals import written
from overmix.experiments.reproduce.check import Check
from overmix.report.numbers import NONE, decimal, decimal_range, percent, points, points_range

NOTES = {
    "random-features": "The bound takes every mixture for the noisiest one and every feature vector for the longest: "
    "where its growing term is large from the first step on, its lowest point is the beginning, and it says nothing "
    "about when the risk turns. The risk itself is exact, from the closed form.",
    "data-size": "Fewer data make fewer steps an epoch, so that equal epochs are not equal steps; both are compared. "
    "That the smaller set over-trains at all was added to the rules of the first two claims after the first results: "
    "without it a falling curve could be called earlier than another.",
    "label-noise": "A mixture is called noisy if the label of the larger weight is not the class that teachers, who "
    "never saw its samples, give the mixed point. The teachers' own errors are in no interval.",
    "switching": "It was written for 16 seeds, cut to 8 for want of time, and read once with 8 before the other 8 were "
    "trained as first planned: with 8 its three claims were undecided. On the ConvNet and on mnist1d the right switch "
    "is the latest one that the study has, so that nothing is later; the rule first compared it with itself and said "
    '"not confirmed". How Mixup to the end compares is in the claim above. The claim about AutoSwitch and the '
    "residual network's further settings were written down before they were trained.",
    "mse": "On the ConvNet the training was 400 epochs long at first: its error still fell at the end, so that nothing "
    "could have turned. It was made 1,000, as with the cross-entropy, and trained again.",
    "teacher-student": "Settings of the toy that are not public are our choice, and so are its controls.",
}
"""What a reader needs to know to read an experiment's numbers."""

CONDITION_COLUMNS = ("condition", "error at the end", "lowest, at epoch", "depth", "verdict", "at lowest training loss")
LOWEST_LOSS = (
    "the error at each run's lowest training loss, which is how the paper is said to report (our recollection); losses "
    "are compared by what they lie above the entropy of their own labels"
)
"""What the last of the columns means."""


NUMBER_COLUMNS = {
    "name": "Where",
    "rise": "Rise of the loss at distance 0.5",
    "top_eigenvalue": "Top eigenvalue of the Hessian",
    "trace": "Trace of the Hessian",
    "floor": "Formula",
    "simulated": "Simulated",
}
"""What else was measured, in a table's order: key of a row, and its heading."""

MINIMA = (
    "each network's loss is the one that it trains on: Mixup's on 1,000 fixed mixtures, ERM's on its clean training "
    "samples. ERM's may fall to nearly zero, and its curvature at that point with it: what is compared is how each "
    "changes from early to late, and no claim rests on ERM's numbers. The coloured planes are of one seed"
)
"""What the numbers around the solutions are of."""


def numbers_of(check: Check) -> tuple[str, str, str]:
    """Return a check's estimate, its interval (empty if it has none), and the bound it is held against.

    Example:
        >>> numbers_of(Check("turn", -1.0, (-2.0, 0.0), "below", 0.0, "doublings"))
        ('× 0.50', '0.25 to 1.00', 'below 1.00')
    """
    if check.exact:
        return decimal(check.value, 2), "", f"{check.side} {decimal(check.bound, 2)}"
    if check.unit == "points":
        interval = "" if check.ci is None else points_range(*check.ci)
        return f"{points(check.value)} points", interval, f"{check.side} {points(check.bound)}"
    if check.unit == "doublings":
        # A ratio reads better than its logarithm.
        interval = "" if check.ci is None else f"{decimal(2 ** check.ci[0], 2)} to {decimal(2 ** check.ci[1], 2)}"
        return f"× {decimal(2**check.value, 2)}", interval, f"{check.side} {decimal(2**check.bound, 2)}"
    interval = "" if check.ci is None else decimal_range(*check.ci, digits=3).replace("–", " to ")
    return decimal(check.value, 3), interval, f"{check.side} {decimal(check.bound, 3)}"


def in_words(check: Check) -> str:
    """Return a check in words: what, the number with its interval, and the bound it is held against.

    Example:
        >>> in_words(Check("depth of Mixup", 0.028, (0.02, 0.036), "above", 0.005, "points", 16)).replace(chr(160), " ")
        'depth of Mixup: 2.80 points [2.00 to 3.60] (above 0.50)'
    """
    estimate, interval, bound = numbers_of(check)
    return f"{check.what}: {estimate}{f' [{interval}]' if interval else ''} ({bound})"


def condition_cells(row: Mapping[str, Any]) -> list[str]:
    """Return a condition of a study as a row of text, under :data:`CONDITION_COLUMNS`."""
    by_loss = row["lowest_loss"]
    return [
        row["name"],
        f"{percent(row['final'])}{_interval(row['final_ci'])}",
        f"{percent(row['lowest'])} at {row['turning_epoch']:,g}",
        f"{points(row['depth'])}{_interval(row['depth_ci'], 2)}",
        row["verdict"],
        NONE if not by_loss else percent(by_loss["error"]),
    ]


def number_cell(value: str | float, interval: Sequence[float] | None = None) -> str:
    """Return a measured number and its interval, or a name, as text.

    Example:
        >>> number_cell(-0.5, (-1.0, 2.0)), number_cell("epoch 8")
        ('−0.5 (−1 to 2)', 'epoch 8')
    """
    if isinstance(value, str):
        return value
    within = "" if interval is None else f" ({written(interval[0], '.3g')} to {written(interval[1], '.3g')})"
    return f"{written(value, '.4g')}{within}"


def set_up(setting: Mapping[str, Any]) -> str:
    """Return seeds, set-up and digest of a setting."""
    lost = f", {setting['n_lost']} diverged seeds left out" if setting["n_lost"] else ""
    return f"n = {setting['n']}{lost}; {setting['set_up']}; digest `{setting['digest'][:12]}`"


def measured_with(setting: Mapping[str, Any]) -> str:
    """Return the versions and the processor that a setting was measured with."""
    versions = setting["versions"]
    return f"overmix {versions['overmix']}, torch {versions['torch']}, {versions['cpu']}"


def same_run(result: Mapping[str, Any]) -> str:
    """Return the command that gives a result again."""
    return f"overmix reproduce {result['name']} --scale {result['scale']}"


def _interval(ci: Sequence[float] | None, digits: int = 1) -> str:
    return "" if ci is None else f" [{points_range(ci[0], ci[1], digits=digits)}]"
