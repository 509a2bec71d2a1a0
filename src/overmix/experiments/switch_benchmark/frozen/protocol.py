"""What is compared and how: written down before any training of the list was recorded.

**Question.** Is AutoSwitch worth its price, against a free schedule and a tuned weight decay?

**Primary endpoint.** Test error of a free schedule minus that of AutoSwitch, in absolute points, at equal total
steps: the free schedule is frozen as "off at half of the training", and trains :data:`LONGER` times as long as the run
that AutoSwitch decides in, which is what AutoSwitch may cost. Mean over a training's seeds, then over a data set's
trainings, then over data sets; the interval is a bootstrap over data sets, since trainings of one share its test
samples. It gains if the lower bound is above 0, and is "as good" if the interval lies within :data:`AS_GOOD`.

AutoSwitch is the second generation of :mod:`~overmix.experiments.switch_benchmark.frozen.candidates`; it becomes the
default if it must not be feared (below) and its mean regret is not above that of the first generation, which is
reported beside it.

**Must not harm.** Over the user's own recipe (mixing to the end) and over plain training, each at its own steps: the
upper bound of the same interval must be below the margin, and no training may be worse by more than its margin,
one-sided test over paired seeds, Holm-corrected over trainings.

**Secondary.** Regret against the other seeds' oracle: the switch epoch of the grid with the lowest mean test error of
the other seeds, the policy's error minus that epoch's, relative to ``max(error, 5 %)``. Share of the trainings within
the margin of the oracle. Cost: epochs trained, tails and discarded ones included, over those of one run.

**A study** decides together: of AutoSwitch, plain training and "off at 75 %" the one whose held-out error, averaged
over seeds, is lowest.

**Any prefix counts.** The trainings are recorded in a shuffled order; a table of the first n says so. No stopping rule
looks at results: what is recorded when a session ends is reported.

**Fewer than ten data sets** say nothing: a bootstrap over them is too narrow, so that there is neither an interval nor
a verdict. (Written after the first two trainings were looked at; it can only withhold a claim.)

**Added later**, when all results were known, and so confirming nothing: the best look since AutoSwitch's switch.

Fashion-MNIST is the one data set that earlier policies were chosen on, in another size; the primary endpoint is
therefore also given without it.
"""

from __future__ import annotations

from collections.abc import Mapping

AS_GOOD = 0.005
"""Half a point of error: what is called no difference that matters, for the mean over data sets."""

LEVEL, DRAWS, DRAW_SEED = 0.95, 10_000, 0
"""Of the bootstrap over data sets."""

FEWEST = 10
"""Data sets that an interval over them needs."""

BASE_ERROR = 0.05
"""Regret is relative to the oracle's error, but to no less than this."""

STUDY = ("AutoSwitch", "ERM", "off at 0.75")
"""What a study of several seeds chooses between."""

FREE: Mapping[str, str] = {
    "plain training": "ERM",
    "Mixup to the end": "Mixup",
    "off at 25 %": "off at 0.25",
    "off at 50 %": "off at 0.5",
    "off at 75 %": "off at 0.75",
    "fade from 50 % to 75 %": "fade",
}
"""Schedules that cost nothing, by their names on the page, and in records; recorded at 1.3 times the length as well."""

AT_ONE_LENGTH: Mapping[str, str] = {
    "linear decay": "linear decay",
    "hesitation": "hesitation",
    "RegMixup": "RegMixup",
}
"""Rivals that are recorded at the usual length."""

PRIMARY_RIVAL = "longer off at 0.5"
"""As records call it."""

RULES: Mapping[str, str] = {
    "Mixup, its weight decay tuned": "of Mixup to the end at each weight decay, the lowest held-out error over seeds",
    "averaged weights, Mixup": "Mixup to the end, its averaged weights are tested",
    "averaged weights, off at 50 %": "off at 50 %, its averaged weights are tested",
    "averaged weights, plain training": "plain training, its averaged weights are tested",
    "best look of Mixup": "weights of Mixup to the end at the look with the lowest held-out Brier score",
    "best look of plain training": "weights of plain training at the look with the lowest held-out Brier score",
    "best checkpoint, cooled down": "the best held-out Brier score where long tails are, then a plain tail of 20 %",
}
"""Further rivals, and what each one is."""
