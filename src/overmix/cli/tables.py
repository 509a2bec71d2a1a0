"""Tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from overmix.report.metrics import Metric, error_metric
from overmix.report.numbers import NONE
from overmix.report.tuned import tuned_words
from overmix.study.analyse.record import Estimate, Summary

if TYPE_CHECKING:
    from overmix.diagnose import Advice
    from overmix.recipes import RecipeEntry

_ERRORS = {"values": "; error: mean squared", "views": "; error: retrieval loss"}


def summary_table(summary: Summary) -> Table:
    """Return one row per condition: error at the end, turning epoch, depth, verdict; fits 80 columns."""
    table = Table(title=Text(_title(summary)), title_justify="left", header_style="bold", box=box.SIMPLE)
    table.add_column("condition", min_width=10)
    finals = [condition.final.value for condition in summary.conditions if condition.final.value is not None]
    error = error_metric(finals, summary.labels)
    for heading in ("error", "95 %", "lowest at", "depth", "95 %", "verdict"):
        table.add_column(Text(heading), justify="right", no_wrap=True)
    for condition in summary.conditions:
        turn = condition.turning_epoch.value
        table.add_row(
            Text(condition.name, style="bold" if condition.name == summary.advice.condition else ""),
            error.text(condition.final.value),
            _interval(condition.final, error),
            NONE if turn is None else f"{turn:g}",
            error.text(condition.depth.value),
            _interval(condition.depth, error),
            (condition.verdict or NONE) + (f", {condition.n_diverged} diverged" if condition.n_diverged else ""),
        )
    return table


def advice_lines(advice: Advice) -> list[Text]:
    """Return the answers to the three questions, a line each; of a record without them, its sentence."""
    if advice.mix is None:
        return [Text(advice.sentence, style="bold")]
    questions = {"Mix?": advice.mix, "Until when?": advice.until, "What next?": advice.next, "": advice.probabilities}
    return [
        Text.assemble((f"{question:<12}", "dim"), (part.sentence, "bold" if question == "Mix?" else ""))
        for question, part in questions.items()
        if part is not None
    ]


def tuned_lines(summary: Summary) -> list[Text]:
    """Return what each arm's trials chose, a line each; nothing where nothing was tuned."""
    return [Text(f"{one.arm}: {tuned_words(one)}", style="dim") for one in summary.tuned]


def _title(summary: Summary) -> str:
    seeds = sorted({condition.n_seeds for condition in summary.conditions})
    said = f"{summary.name}, {'–'.join(map(str, seeds))} {'seed' if seeds == [1] else 'seeds'}"
    return said + _ERRORS.get(summary.labels, "")


def _interval(estimate: Estimate, error: Metric) -> str:
    if estimate.lo is None or estimate.hi is None:
        return NONE
    return f"{error.number(estimate.lo)}…{error.number(estimate.hi)}"


def recipe_table(entries: Sequence[RecipeEntry]) -> Table:
    """Return one row per recipe."""
    table = Table(header_style="bold")
    for heading in ("recipe", "parameters", "what it does", "source"):
        table.add_column(heading)
    for entry in entries:
        parameters = ", ".join(f"{name}={value!r}" for name, value in entry.defaults.items())
        summary = entry.summary.replace("`", "")
        table.add_row(Text(entry.name, style="bold"), Text(parameters), Text(summary), Text(entry.source))
    return table
