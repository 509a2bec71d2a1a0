"""What policies choose in a search for the switch, and what the search cost, in words and numbers."""

from __future__ import annotations

from statistics import median

from overmix.report.numbers import NONE, count, decimal
from overmix.report.shown import Report
from overmix.report.table import Table
from overmix.study.analyse.record import PolicyChoice

BEST = "best switch of the grid"


def search_table(report: Report) -> Table | None:
    """Return where each policy switches and what that costs; ``None`` if the study is no search."""
    search = report.search
    if search is None:
        return None
    best = [BEST, count(search.best_at), report.error.text(search.best_error), NONE, NONE]
    rows = [
        [
            choice.policy,
            choice_range(choice),
            report.error.text(choice.error),
            report.error.difference_with_interval(choice.regret.value, choice.regret.lo, choice.regret.hi),
            decimal(choice.cost, 2),
        ]
        for choice in search.choices
    ]
    seeds = f"{len(search.seeds)} seed{'' if len(search.seeds) == 1 else 's'}"
    return Table(
        f"Where policies switch Mixup off, and how these runs end; {seeds}",
        [
            "Policy",
            "Switch epoch: median (range)",
            "Final error",
            report.error.difference_heading("Behind the best"),
            "Cost, runs",
        ],
        [best, *rows],
    )


def choice_range(choice: PolicyChoice) -> str:
    """Write the switch epochs of a policy over seeds.

    Example:
        >>> from overmix.study.analyse.record import Estimate
        >>> choice_range(PolicyChoice("patience", (64, 32, 128), 0.06, Estimate(), 1.0))
        '64 (32–128)'
    """
    if not choice.switch_at:
        return NONE
    low, high = min(choice.switch_at), max(choice.switch_at)
    middle = f"{median(choice.switch_at):,g}"
    return middle if low == high else f"{middle} ({count(low)}–{count(high)})"


def search_words(report: Report) -> str:
    """Say how the table came about, and what the search cost against runs of their own."""
    search = report.search
    if search is None:
        return ""
    trained = [choice.policy for choice in search.choices if choice.trained]
    parts = ["Policies are asked about the runs of Mixup; between epochs of the grid the final error is interpolated."]
    if trained:
        parts.append(f"What {' and '.join(trained)} decided was trained.")
    if any(choice.policy == "patience" for choice in search.choices):
        score = "Brier score" if report.summary.labels == "classes" else "score"
        parts.append(f"Patience and turning point look at the validation {score}.")
    else:
        parts.append("No samples were held out, so that there are no policies that look at them.")
    parts.append(
        "Brackets: 95 % intervals (Student's t, paired over seeds). The best switch was chosen on the test set."
    )
    return " ".join([*parts, _cost(report)]).strip()


def _cost(report: Report) -> str:
    steps = report.summary.steps
    one = next((c.steps for c in report.conditions if c.role == "mixup" and c.steps), None)
    if steps is None or not one:
        return ""
    trained, separate = steps.trained, steps.separate
    said = f"The whole study trained {count(trained)} optimizer steps, as many as {trained / one:.1f} runs"
    if trained == separate:
        return f"{said}; no beginnings were shared, so that separate runs would have been as dear."
    return f"{said}; separate runs would have taken {count(separate)}, {100 * (separate / trained - 1):.0f} % more."
