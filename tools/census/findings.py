"""The census in words, which its numbers choose."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from overmix.diagnose import holm
from overmix.experiments.census.cells import RowSummary, change, final, is_share, last
from overmix.experiments.census.rows import ROWS
from overmix.experiments.census.study_row import StudyRow
from overmix.experiments.census.systems.rows import system_rows
from overmix.report.numbers import decimal, duration, percent
from tools.census.cells import at_epoch, best_switch, compared, gain, markdown

LEVEL = 0.05
STUDIES = {row.name for row in ROWS if isinstance(row, StudyRow)}
STAYS = {row.name for row in (*ROWS, *system_rows()) if row.recipe.off_doubt}
"""Rows in which AutoSwitch goes on mixing unless told to decide all the same, as it is told here."""
MINDEYE = ("MixCo", "BiMixCo", "GroupedMixCo", "M3Co")
"""Recipes whose authors switch them off after a third, or inherit it from those who do."""


def findings(rows: Sequence[RowSummary]) -> list[str]:
    """Return the verdicts and what helps, as a list in Markdown."""
    total, turned = len(rows), _with_verdict(rows, "u-shaped")
    both = [row for row in turned if row["diagnosis"]["erm"]["verdict"] == "u-shaped"]
    cost = [float(np.median(row["auto"]["cost"])) for row in rows]
    return [
        f"- **U-shaped**, {len(turned)} of {total}: {_names(turned)}."
        + (f" Plain training has a U too in {_names(both)}." if both else ""),
        f"- **Monotone**, {len(_with_verdict(rows, 'monotone'))}: {_names(_with_verdict(rows, 'monotone'))}.",
        f"- **Undecided**, {len(_with_verdict(rows, 'undecided'))}: {_names(_with_verdict(rows, 'undecided'))}. The"
        " interval of the depth holds the smallest difference that matters, which is not the same as monotone.",
        f"- **The best switch against the recipe all along**: {_against(rows, 'best', 'on')}. The best is never to"
        f" switch off in {_names(_where(rows, lambda row: row['best'] == last(row)))}; never to mix in"
        f" {_names(_where(rows, lambda row: row['best'] == 0))}.",
        f"- **AutoSwitch against the recipe all along**: {_against(rows, 'auto', 'on')}; **against plain training**:"
        f" {_against(rows, 'auto', 'erm')}. It costs {decimal(min(cost), 2)} to {decimal(max(cost), 2)} runs.",
        *_by_default(rows),
        f"- **The recipe all along against plain training**: {_against(rows, 'on', 'erm')}.",
        "",
        f"Better and worse: p < {LEVEL} after Holm's correction over all rows; *small* if below δ, the smallest"
        " difference that matters (0.5 points or 5 % of the lowest error, the larger one; 5 % of the lowest value).",
    ]


def _by_default(rows: Sequence[RowSummary]) -> list[str]:
    """Say what AutoSwitch does where nobody tells it to decide anywhere."""
    stays = _where(rows, lambda row: row["name"] in STAYS)
    if not stays:
        return []
    _, worse = _told_apart(rows, "auto", "on")
    harmed = {name: written for name, written in worse.items() if name not in STAYS}
    return [
        f"- **By default** AutoSwitch goes on mixing to the end in {_names(stays)}, and says why: contrastive learning,"
        " a shift between domains, regression. There it was told to decide all the same (`anywhere=True`). As it comes,"
        f" it is worse than the recipe all along in {len(harmed)} ({_listed(harmed)})."
    ]


def decided_anyway(rows: Sequence[RowSummary]) -> str:
    """Say how AutoSwitch ended against mixing to the end where it stays mixed unless it is told to decide."""
    told_apart = _told_apart(rows, "auto", "on")
    stays = _where(rows, lambda row: row["name"] in STAYS)
    better, worse = ([row for row in stays if row["name"] in side] for side in told_apart)
    rest = _where(stays, lambda row: not any(row["name"] in side for side in told_apart))
    return (
        f"Told to decide all the same in the [census](census.md), it ended above mixing to the end with {_by(worse)}; "
        f"below it with {_by(better)}; with {_names(rest)} the two are not told apart (p < {LEVEL} after Holm's "
        "correction over all rows)."
    )


def _by(rows: Sequence[RowSummary]) -> str:
    """Name rows, each with how far AutoSwitch ended from mixing to the end."""
    return ", ".join(f"{row['name']} (by {_distance(row)})" for row in rows) or "none"


def _distance(row: RowSummary) -> str:
    apart = abs(compared(row, "auto", "on")["difference"])
    if is_share(row):
        return f"{change(row, apart)} points"
    return f"{percent(apart / row['final'][f'off@{last(row)}']['mean'], 0)} of the error"


def mindeye(rows: Sequence[RowSummary], limits: str) -> list[str]:
    """Return what the contrastive rows say of switching off after one third.

    Args:
        rows: all rows that p-values are corrected over.
        limits: what the answer says nothing of, as a sentence.
    """
    own = [row for row in rows if row["recipe"] in MINDEYE]
    if not own:
        return ["Not measured yet."]
    header = ["row", "mixed all along", "off at a third", "SoftCLIP all along", "plain contrast", "best switch"]
    return [
        "MindEye stops mixing after the first third of its training, because Mixup can over-train; MindEye2 and M3CoL",
        "keep the rule. Off means here what it means there: SoftCLIP without mixing.",
        "",
        *markdown([*header, "gain of a third over all along", "over the best switch"], [_third(row) for row in own]),
        "",
        f"{_answer(rows, own)} {limits}",
    ]


def _third(row: RowSummary) -> list[str]:
    conditions = (f"off@{last(row)}", f"off@{row['third']}", "off@0", row["erm"])
    return [
        row["name"],
        *(final(row, name) for name in conditions),
        best_switch(row),
        gain(row, "third", "on"),
        gain(row, "third", "best"),
    ]


def _answer(rows: Sequence[RowSummary], own: Sequence[RowSummary]) -> str:
    helps, harms = (
        {row["name"]: found[row["name"]] for row in own if row["name"] in found}
        for found in _told_apart(rows, "third", "on")
    )
    yes = "Yes" if len(helps) == len(own) else "In part" if helps else "No"
    best = (f"{row['name']} {at_epoch(row, row['best'])} of {last(row)}" for row in own)
    deeper = [row for row in own if _is_deeper(row["diagnosis"]["erm"], row["diagnosis"]["on"])]
    remedy = (
        " Plain contrast over-trains more than mixing does (the intervals of the depth do not meet) in"
        f" {_names(deeper)}: there mixing is a remedy for over-training, and switching it off gives the remedy up."
    )
    return (
        f"**Does it hold here?** {yes}: off at a third is better than mixing all along in {_listed(helps)},"
        f" worse in {_listed(harms)} (p < {LEVEL} after Holm's correction over all rows). The best"
        f" switch: {', '.join(best)}.{remedy if deeper else ''}"
    )


def _is_deeper(one: RowSummary, other: RowSummary) -> bool:
    return bool(one["depth_ci"] and other["depth_ci"] and one["depth_ci"][0] > other["depth_ci"][1])


def cost_of_it(rows: Sequence[RowSummary]) -> list[str]:
    """Return how long it took, where, and how to run it."""
    seconds = sum(row["core_seconds"] for row in rows)
    versions = sorted({(v["overmix"], v["torch"], v["cpu"]) for v in (row["versions"] for row in rows)})
    measured = "; ".join(f"overmix {own}, torch {torch}, {cpu}" for own, torch, cpu in versions)
    return [
        "## Run it",
        "",
        "```",
        "overmix census                     # goes on where it stopped; --recipes MixCo,LISA for some of it",
        "```",
        "",
        f"It took {duration(seconds)} of one core in {len(rows)} rows, where a study trains by the clock and with other"
        f" work beside it; the longest row {duration(max(row['core_seconds'] for row in rows))}. {measured}.",
        "",
        f"{_names(_where(rows, lambda row: row['name'] in STUDIES))} are studies: `overmix report` opens their run"
        " directories, `runs/census/studies/...`. All others are trained by a user's loop over `overmix.Epochs`.",
    ]


def _against(rows: Sequence[RowSummary], a: str, b: str) -> str:
    better, worse = _told_apart(rows, a, b)
    return f"better in {len(better)} ({_listed(better)}), worse in {len(worse)} ({_listed(worse)})"


def _told_apart(rows: Sequence[RowSummary], a: str, b: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the rows where a is better than b, and where it is worse, after Holm's correction over the rows.

    By name, with the name as it is written: differences below δ are marked.
    """
    found = [compared(row, a, b) for row in rows]
    corrected = holm([comparison["p_value"] for comparison in found])
    better: dict[str, str] = {}
    worse: dict[str, str] = {}
    for row, comparison, p in zip(rows, found, corrected, strict=True):
        difference, name = comparison["difference"], row["name"]
        if p is not None and p < LEVEL:
            small = abs(difference) < row["diagnosis"]["on"]["delta"]
            (better if difference < 0 else worse)[name] = f"{name} (small)" if small else name
    return better, worse


def _listed(written: Mapping[str, str]) -> str:
    return ", ".join(written.values()) or "none"


def _with_verdict(rows: Sequence[RowSummary], verdict: str) -> list[RowSummary]:
    return _where(rows, lambda row: row["diagnosis"]["on"]["verdict"] == verdict)


def _where(rows: Sequence[RowSummary], holds: Callable[[RowSummary], bool]) -> list[RowSummary]:
    return [row for row in rows if holds(row)]


def _names(rows: Sequence[RowSummary]) -> str:
    return ", ".join(str(row["name"]) for row in rows) or "none"
