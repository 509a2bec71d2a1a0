"""The outcome of an experiment as an explanation, whose page is made as those of ``overmix explain``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from overmix.experiments.reproduce.catalogue import experiment
from overmix.experiments.reproduce.chart import picture_chart
from overmix.experiments.reproduce.check import Check
from overmix.experiments.reproduce.claims import claim_of
from overmix.experiments.reproduce.words import (
    CONDITION_COLUMNS,
    LOWEST_LOSS,
    MINIMA,
    NOTES,
    NUMBER_COLUMNS,
    condition_cells,
    measured_with,
    number_cell,
    numbers_of,
    same_run,
    set_up,
)
from overmix.report.charts import Chart
from overmix.report.explain import Explanation, explain_floor
from overmix.report.numbers import NONE
from overmix.report.table import Table

NUMBERS = "result.json"
_DECIDES = ("What decides", "Estimate", "95 % interval", "Holds if", "Does it?")
_CLOSED_FORMS: dict[tuple[str, str], Callable[[], Explanation]] = {
    ("loss-floor", "closed-form"): lambda: explain_floor(classes=10)
}
"""Settings that are drawn from a formula."""


def explained(result: Mapping[str, Any]) -> Explanation:
    """Return what the page of an experiment shows: claims with their verdicts and numbers, charts, and where from.

    Args:
        result: what :func:`~overmix.experiments.reproduce.run.run_experiment` returns.
    """
    name, by_key = result["name"], {setting["key"]: setting for setting in result["settings"]}
    return Explanation(
        name=f"{name}, {result['scale']} scale",
        sentence=f"{result['title']} {_counted(result)}.",
        findings=_findings(result),
        summary=result,
        charts=[chart for setting in result["settings"] for chart in _charts(name, setting)],
        tables=[*(_claim_table(name, row, by_key[row["setting"]]) for row in result["verdicts"]), *_tables(result)],
        method=_method(result),
        pages=[
            (f"The study {setting.key}: all of its curves, seeds and prices", f"{setting.key}/report.html")
            for setting in experiment(name).at(result["scale"])
            if setting.rules and setting.key in by_key
        ],
        command="reproduce",
        kicker="The paper's claims, run",
        numbers=NUMBERS,
    )


def _counted(result: Mapping[str, Any]) -> str:
    counts = Counter(row["verdict"] for row in result["verdicts"])
    verdicts = sum(counts.values())
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    return f"{verdicts} verdict{'s' * (verdicts != 1)}: {said}"


def _findings(result: Mapping[str, Any]) -> list[str]:
    smoke = "Smoke scale: everything is small, and the verdicts mean nothing."
    findings = [smoke] if result["scale"] == "smoke" else []
    for row in result["verdicts"]:
        claim = claim_of(result["name"], row["claim"])
        verdict = f"{row['verdict'][0].upper()}{row['verdict'][1:]}"
        findings.append(f"{verdict} ({row['setting']}): {claim.text} ({claim.provenance})")
    return findings


def _charts(name: str, setting: Mapping[str, Any]) -> list[Chart]:
    drawn = [picture_chart(name, setting, picture) for picture in setting["pictures"]]
    closed = _CLOSED_FORMS.get((name, setting["key"]))
    return [*drawn, *(closed().charts if closed else ())]


def _claim_table(name: str, row: Mapping[str, Any], setting: Mapping[str, Any]) -> Table:
    claim = claim_of(name, row["claim"])
    rows = []
    for content, state in zip(setting["checks"][claim.key], row["states"], strict=True):
        check = Check.from_dict(content)
        estimate, interval, bound = numbers_of(check)
        rows.append([check.what, estimate, interval or NONE, bound, state])
    caption = f"{claim.text} {row['setting']}, n = {setting['n']}: {row['verdict']}. Judged by: {claim.rule}."
    return Table(caption, _DECIDES, rows, wraps=True)


def _tables(result: Mapping[str, Any]) -> list[Table]:
    """Return each setting's own rows: the conditions of a study, or what else was measured."""
    tables = []
    for setting in result["settings"]:
        rows = setting["rows"]
        if rows and "depth" in rows[0]:
            caption = f"{setting['key']}: test errors, depths in points; 95 % intervals in brackets"
            columns = [f"{column[0].upper()}{column[1:]}" for column in CONDITION_COLUMNS]
            tables.append(Table(caption, columns, [condition_cells(row) for row in rows]))
        elif rows:
            columns = [column for column in NUMBER_COLUMNS if column in rows[0]]
            cells = [[number_cell(row[column], row.get(f"{column}_ci")) for column in columns] for row in rows]
            caption = f"{setting['key']}, means over n = {setting['n']}" if setting["n"] > 1 else setting["key"]
            caption += "; 95 % intervals in brackets" if any(key.endswith("_ci") for key in rows[0]) else ""
            tables.append(Table(caption, [NUMBER_COLUMNS[column] for column in columns], cells))
    return tables


def _method(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    # The notes are on the laptop's settings, and on what was found there.
    note = [("Note", NOTES[result["name"]])] if result["scale"] == "laptop" and result["name"] in NOTES else []
    studied = any("depth" in row for setting in result["settings"] for row in setting["rows"])
    lowest = [("At lowest training loss", f"{LOWEST_LOSS[0].upper()}{LOWEST_LOSS[1:]}.")] if studied else []
    around = any("trace" in row for setting in result["settings"] for row in setting["rows"])
    minima = [("Around the solutions", f"{MINIMA[0].upper()}{MINIMA[1:]}.")] if around else []
    return [
        *note,
        (
            "Verdict",
            "By rules that were written down before the runs were read. Confirmed: every number lies beyond its bound "
            "(one-sided 2.5 %, all numbers of the experiment corrected together after Holm). Not confirmed: the whole "
            "interval of one lies on the wrong side. Else undecided.",
        ),
        (
            "Interval",
            "95 %: over seeds and test samples together for error rates and depths, Student's over seeds else.",
        ),
        (
            "Provenance",
            "Claims are in our words. Abstract: of the paper. Second-hand: from a public review or summary. Our "
            "recollection: believed to be the paper's, not checked against its text. Ours: no claim of the paper.",
        ),
        *lowest,
        *minima,
        *(
            (setting["key"], f"{set_up(setting).replace('`', '')}; {measured_with(setting)}.")
            for setting in result["settings"]
        ),
        *((gap["key"], f"Not measured: {gap['reason']}.") for gap in result["missing"]),
        ("Same run", same_run(result)),
    ]
