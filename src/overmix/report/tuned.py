"""How the conditions of a fair comparison came to their settings."""

from __future__ import annotations

from overmix.report.numbers import NONE, count
from overmix.report.shown import Report
from overmix.report.table import Table
from overmix.study.analyse.record import Tuned


def tuned_table(report: Report) -> Table | None:
    """Return the chosen settings and the number of trials; None where nothing was tuned."""
    tuned = report.summary.tuned
    if not tuned:
        return None
    rows = [
        [
            one.arm,
            NONE if one.alpha is None else f"{one.alpha:g}",
            f"{one.weight_decay:g}",
            report.error.text(one.held_out_error),
            f"{count(one.trials)} × {count(one.seeds)} seeds",
        ]
        for one in tuned
    ]
    columns = ["Condition", "alpha", "Weight decay", "Held-out error", "Trials"]
    return Table("Settings chosen by held-out error, with as many trials for each condition", columns, rows)


def tuned_words(one: Tuned) -> str:
    """Say what was chosen, from how many trials, and where larger values may do better still.

    Example:
        >>> mixup = Tuned("Mixup", 5e-4, 0.2, trials=6, seeds=3, held_out_error=0.06)
        >>> tuned_words(mixup)
        'alpha 0.2, weight decay 0.0005; the best of 6 trials on 3 seeds by held-out error'
    """
    alpha = "" if one.alpha is None else f"alpha {one.alpha:g}, "
    chosen = f"{alpha}weight decay {one.weight_decay:g}"
    said = f"{chosen}; the best of {one.trials} trials on {one.seeds} seeds by held-out error"
    return "; ".join([said, *_at_an_end(one)])


def tuned_notes(report: Report) -> list[str]:
    """Return a sentence for each condition whose best setting lies at the end of what was tried."""
    return [f"{one.arm}: {'; '.join(notes)}." for one in report.summary.tuned if (notes := _at_an_end(one))]


def _at_an_end(one: Tuned) -> list[str]:
    """Say where the best may lie beyond what was tried; below a weight decay of 0 there is nothing."""
    said = []
    if one.decays and one.weight_decay == one.decays[-1]:
        said.append(
            f"the best weight decay is the largest of {len(one.decays)} tried; try larger ones, with "
            "train.optimizer.weight_decay in the study"
        )
    # Of two, either is an end.
    if len(one.alphas) > 2 and one.alpha in (one.alphas[0], one.alphas[-1]):
        side, further = ("smallest", "smaller") if one.alpha == one.alphas[0] else ("largest", "larger")
        said.append(
            f"the best alpha is the {side} of {len(one.alphas)} tried; try {further} ones, with the recipe's alpha"
        )
    return said
