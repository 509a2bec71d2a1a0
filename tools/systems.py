"""The methods on small but real systems, in the documentation, from one file for each row.

overmix census --systems --out results/systems      # runs what is missing there
python -m tools systems
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from overmix.diagnose import Comparison, paired_values
from overmix.experiments.census.cells import RowSummary, change, final, last, number
from overmix.experiments.census.row import Row
from overmix.experiments.census.systems.rows import SYSTEMS
from overmix.report.numbers import NONE, decimal, duration
from tools.census.cells import CONTROLS, auto_switch, best_switch, controls, gain, interval, markdown
from tools.census.findings import findings, mindeye
from tools.census.page import CARDS, read_rows
from tools.generated import Generated, Texts
from tools.marked import Part

RESULTS, PAGE = Path("results/systems"), Path("docs/systems.md")
PART = Part("systems", "systems")

_HEAD = (
    "<!-- written by: python -m tools systems -->",
    "",
    "# The methods on systems of their fields",
    "",
    "The [census](census.md) asks which methods over-train on tasks that fit on a page. Here each method stands in",
    "a small but real system: the parts, the libraries and the baseline that its field uses, on data that need no",
    "account. The protocol is ours and no number is a paper's: plain training, the recipe all along, switched off",
    "on a grid of epochs that includes a third, and `AutoSwitch`. Every metric is an error: lower is better.",
)
_LEGEND = (
    "Shares in percent, differences in percentage points, intervals at 95 % over seeds (and test samples where the",
    "metric is an error). *Plain* is training without mixing (for contrastive recipes their own loss, never mixed).",
    "*Best switch* has the lowest mean on held-out samples; its gain is read on test samples, which chose nothing.",
    "Gains are over the recipe all along, positive where the error is lower. *Minutes* are of one core, for all",
    "trainings of the row.",
)
_LIMITS = (
    "Voxels are simulated and views are of small images, nets have at most two million weights, SoftCLIP's"
    " temperature is constant and there is no diffusion prior: it says nothing of real fMRI or of CLIP's embeddings."
)
_RUN = (
    "## Run it",
    "",
    "```",
    "pip install '.[systems]'                     # in a checkout, until there is a release",
    "apt-get install dataset-fashion-mnist        # or let torchvision download it into data/",
    "overmix census --systems --recipes MixCo     # goes on where it stopped; --scale smoke shows that it runs",
    "```",
    "",
    "Tables of R packages come with Debian's `r-cran-...`, whose name the error says where one is missing; with",
    "`OVERMIX_R_LIBRARY` they are read from another folder. Each system is an example too, in `examples/systems/`.",
)


def page(rows: Sequence[RowSummary], of: Sequence[Row]) -> str:
    """Return the page as Markdown.

    Args:
        rows: those that are recorded.
        of: all rows.
    """
    known = {row["name"]: row for row in rows}
    missing = [row.name for row in of if row.name not in known]
    absent = ["", f"**Not recorded yet:** {', '.join(missing)}."] if missing else []
    return "\n".join(
        [
            *_HEAD,
            *absent,
            "",
            "## The systems",
            "",
            *markdown(_SYSTEM, [_system(row, known.get(row.name)) for row in of]),
            "",
            *(_measured(rows, of) if rows else []),
            "## What each still lacks",
            "",
            *(f"- **{row.name}**: {row.lacks}" for row in of),
            "",
            *_RUN,
            "",
        ]
    )


_SYSTEM = ["row", "task", "libraries", "metric", "baseline of the field", "samples", "epochs", "seeds", "minutes"]


def _system(row: Row, summary: RowSummary | None) -> list[str]:
    about = row.about
    minutes = NONE if summary is None else f"{summary['core_seconds'] / 60:.0f}"
    seeds = str(row.seeds or SYSTEMS.seeds)
    libraries = ", ".join(["torch", *row.needs])
    baselines = "; ".join([*row.baseline_names, *(name for name in row.control_names if name != row.erm)]) or NONE
    samples = f"{about['train_size']} + {about['val_size']}"
    return [row.name, about["title"], libraries, about["metric"], baselines, samples, str(row.epochs), seeds, minutes]


def _measured(rows: Sequence[RowSummary], of: Sequence[Row]) -> list[str]:
    by_name, known = {row.name: row for row in of}, {row["name"] for row in rows}
    header = ["row", *_MEASURED, "off at a third", "gain of a third", "gain of AutoSwitch"]
    lines = [
        [
            f"[{row['name']}]({(Path('recipes') / row['recipe'].lower()).as_posix()}.md)",
            *_cells(row, by_name[row["name"]]),
            final(row, f"off@{row['third']}"),
            gain(row, "third", "on"),
            gain(row, "auto", "on"),
        ]
        for row in rows
    ]
    further = [line for row in rows for line in _further(row, by_name[row["name"]])]
    return [
        "## What was measured",
        "",
        *markdown(header, lines),
        "",
        *_LEGEND,
        "",
        *what_plain_is([row for row in of if row.name in known]),
        *findings(rows),
        "",
        "## MindEye's third",
        "",
        *mindeye(rows, _LIMITS),
        "",
        "## Controls and baselines",
        "",
        *markdown([*CONTROLS, "plain − control"], _controls(rows)),
        "",
        "Intervals of *plain − control* are over seeds alone.",
        "",
        *(_other(further) if further else []),
        f"It took {duration(sum(row['core_seconds'] for row in rows))} of one core in {len(rows)} rows.",
        "",
    ]


def what_plain_is(of: Sequence[Row]) -> list[str]:
    """Return a line on rows in which plain training is a method of its own, and an empty one."""
    names: dict[str, list[str]] = {}
    for row in of:
        if row.erm == "off@0" and row.off != Row.off:
            names.setdefault(row.off, []).append(row.name)
    said = "; ".join(f"in {', '.join(those)}: {off}" for off, those in names.items())
    return [f"*Plain* {said}.", ""] if said else []


def _controls(rows: Sequence[RowSummary]) -> list[list[str]]:
    """Return the lines of controls, each with what plain training has more: where it is a method, it has a control."""
    by_name = {row["name"]: row for row in rows}
    return [[*line, plain_over(by_name[line[0]], line[1])] for line in controls(rows)]


def plain_over(row: RowSummary, name: str) -> str:
    """Write ``plain - control`` with its interval over seeds; negative where plain training is better."""
    said = against_plain(row, name)
    return f"{change(row, said.difference)} {interval(row, said.ci)}"


def against_plain(row: RowSummary, name: str) -> Comparison:
    """Return ``plain - control``, paired by seed."""
    plain, control = (np.array(row["final"][key]["values"], dtype=float) for key in (row["erm"], name))
    both = np.isfinite(plain) & np.isfinite(control)
    return paired_values(plain[both], control[both])


_MEASURED = ["baseline", "plain", "recipe", "best switch", "its gain", "AutoSwitch"]


def _cells(row: RowSummary, of: Row) -> list[str]:
    baseline = "; ".join(f"{name} {final(row, name)}" for name in of.baseline_names) or NONE
    ends = (final(row, row["erm"]), final(row, f"off@{last(row)}"))
    return [baseline, *ends, best_switch(row), gain(row, "best", "on"), auto_switch(row)]


def _other(lines: Sequence[Sequence[str]]) -> list[str]:
    header = ["row", "number", "baseline", "plain", "recipe", "best switch", "AutoSwitch"]
    return ["## Further numbers of the field", "", *markdown(header, lines), ""]


def _further(row: RowSummary, of: Row) -> list[list[str]]:
    """Return a line for each further metric of a row."""
    conditions = [row["erm"], f"off@{last(row)}", f"off@{row['best']}", "auto"]
    metrics = row["final"]["auto"].get("further", {})

    def cell(name: str, metric: str) -> str:
        said = row["final"][name].get("further", {}).get(metric)
        return NONE if said is None else _with_interval(row, metric, said)

    return [
        [
            row["name"],
            f"{metric} ({_UNITS[metric]})" if metric in _UNITS else metric,
            "; ".join(f"{name} {cell(name, metric)}" for name in of.baseline_names) or NONE,
            *(cell(name, metric) for name in conditions),
        ]
        for metric in metrics
    ]


_UNITS = {"cross-entropy": "nats", "cross-entropy after temperature scaling": "nats"}
"""Further metrics that are no share even where their row's own is one."""


def _with_interval(row: RowSummary, metric: str, said: dict[str, Any]) -> str:
    if metric not in _UNITS:
        return f"{number(row, said['mean'])} {interval(row, said['ci'])}"
    low, high = said["ci"]
    return f"{decimal(said['mean'])} [{decimal(low)} to {decimal(high)}]"


def section(rows: Sequence[RowSummary], of: Sequence[Row]) -> str:
    """Return what a card says of its method's systems.

    Args:
        rows: those that are recorded.
        of: all rows of the method.
    """
    known = {row["name"]: row for row in rows}
    titles = [row.about["title"] for row in of]
    unknown = ["not recorded yet", *_NOTHING]
    lines = [
        [_told_apart(row, titles), *(_cells(known[row.name], row) if row.name in known else unknown)] for row in of
    ]
    return "\n".join(
        [
            "**On a system of its field.**",
            "",
            *markdown(["system", *_MEASURED], lines),
            "",
            *what_plain_is(of),
            *(f"What {row.name} still lacks against the paper's own system: {row.lacks}\n" for row in of),
            "Lower is better; seeds, controls and intervals: [systems](../systems.md).",
        ]
    )


def _told_apart(row: Row, titles: Sequence[str]) -> str:
    """Return a row's title, with its name where others have the same."""
    title = str(row.about["title"])
    return title if titles.count(title) == 1 else f"{title} ({row.name})"


_NOTHING = [NONE] * (len(_MEASURED) - 1)


def texts(root: Path) -> Texts:
    """Return ``docs/systems.md`` and the method cards.

    Raises:
        OvermixError: if a card lacks the markers.
    """
    of = SYSTEMS.rows()
    rows, _ = read_rows(root / RESULTS, of)
    written = {PAGE: page(rows, of)}
    for name in sorted({row.recipe_name for row in of}):
        card = CARDS / f"{name.lower()}.md"
        text = (root / card).read_text(encoding="utf-8")
        recorded = [row for row in rows if row["recipe"] == name]
        written[card] = PART.within(text, section(recorded, [row for row in of if row.recipe_name == name]))
    return written


SYSTEMS_PAGE = Generated("systems", texts)
