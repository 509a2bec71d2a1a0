"""The census in the documentation, from one file for each row.

overmix census --out results/census      # runs what is missing there
python -m tools census --pictures
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from overmix.errors import DataError
from overmix.experiments.census.cells import RowSummary, last
from overmix.experiments.census.row import Row
from overmix.experiments.census.rows import ROWS
from overmix.mix import Recipe
from overmix.report.numbers import NONE
from overmix.study.store.files import read_json
from tools.census.cards import with_section
from tools.census.cells import CELLS, CONTROLS, calibration, controls, depth, markdown, turning
from tools.census.figure import picture
from tools.census.findings import cost_of_it, decided_anyway, findings, mindeye
from tools.generated import Generated, Pictures, Texts
from tools.marked import Part

RESULTS, PAGE, FIGURE, CARDS = (
    Path("results/census"),
    Path("docs/census.md"),
    Path("docs/census.png"),
    Path("docs/recipes"),
)
SWITCH_PAGE, STAYS_MIXED = Path("docs/switch.md"), Part("where it stays mixed", "census")


def read_rows(folder: Path, of: Sequence[Row] = ROWS) -> tuple[list[RowSummary], list[str]]:
    """Return the rows that were run as they are now, and the names of the others."""
    rows, missing = [], []
    for row in of:
        path = folder / f"{row.name}.json"
        summary = read_json(path) if path.exists() else {}
        if summary.get("digest") == row.digest():
            rows.append(summary)
        else:
            missing.append(row.name)
    return rows, missing


def page(rows: Sequence[RowSummary], missing: Sequence[str]) -> str:
    """Return the page as Markdown."""
    if not rows:
        raise DataError(f"none of {', '.join(missing)} is measured as it is now: run overmix census first")
    seeds = sorted({row["n_seeds"] for row in rows})
    number = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    absent = ["", f"**Not measured yet:** {', '.join(missing)}."] if missing else []
    return "\n".join(
        [
            "<!-- written by: python -m tools census -->",
            "",
            "# Which methods over-train",
            "",
            f"Each recipe on a small task of its own kind, {number} seeds: plain training, the recipe all along, the",
            "recipe switched off on a log grid of epochs, and `AutoSwitch`. Every metric is an error: lower is better.",
            *absent,
            "",
            "![Test metric against epoch, one frame for each row; the numbers are in the tables](census.png)",
            "",
            *findings(rows),
            "",
            "## The table",
            "",
            *markdown(list(CELLS), [[cell(row) for cell in CELLS.values()] for row in rows]),
            "",
            *_LEGEND,
            "",
            "## MindEye's third",
            "",
            *mindeye(rows, _SMALL),
            "",
            "[The same question of a system of their kind](systems.md).",
            "",
            "## Plain training, and calibration",
            "",
            *markdown(_OTHER, [_other(row) for row in rows]),
            "",
            "Calibration errors are expected calibration errors at the end (15 bins); regression and detection have",
            "none. Where plain training has a U of its own, a U of the recipe is no evidence against mixing.",
            "",
            "## Controls",
            "",
            *markdown(CONTROLS, controls(rows)),
            "",
            "*Resampled, not mixed* draws the same pairs and takes one of both: what it gains too, mixing does not.",
            "",
            "## Tasks",
            "",
            *markdown(_TASK, _tasks(rows)),
            "",
            "With these recipes (*half*: lam near 1/2, far from both samples, where the Hessian term is largest):",
            "",
            *markdown(["row", "pairing", "coefficient", "space", "further"], _recipes({row["name"] for row in rows})),
            "",
            *_NOT,
            "",
            *cost_of_it(rows),
            "",
        ]
    )


_LEGEND = (
    "Shares in percent, differences and depths in percentage points, intervals at 95 %. *Plain* is training without",
    "mixing (for contrastive recipes and M3Co: their own loss, never mixed). *Best switch* has the lowest mean on",
    "held-out samples; its gain is read on test samples, which chose nothing. *AutoSwitch* with its median epoch, and",
    "its cost in runs. Both gains are over the recipe all along, positive where the error is lower.",
    "[What the verdicts mean](statistics.md).",
)
_OTHER = ["row", "plain: verdict", "turns at", "depth", "calibration: plain", "recipe", "best switch", "AutoSwitch"]
_TASK = ["task", "metric", "off means", "training samples", "held-out", "batch", "epochs", "rows"]
_SMALL = (
    "These are digits and simulated voxels, small nets, a constant learning rate: it says nothing of fMRI, of"
    " embeddings with hundreds of dimensions, or of their one-cycle learning rate."
)
_NOT = (
    "## What this is not",
    "",
    "No row reproduces a result of its paper: the tasks are small, most nets are perceptrons, no learning rate decays,",
    "and nothing was tuned on the recipes; settings were chosen on plain training, with other seeds. What a row says,",
    "it says of this task. [Each card](recipes/index.md) tells which details of a method are its authors' and which",
    "are ours. `AutoSwitch` compares Brier scores of held-out samples; in regression and detection their losses, which",
    "are capped for triangles and scenes. It takes their mean, also where the metric weighs intervals alike",
    "(triangles). In prompt tuning the held-out samples have tuned classes only.",
    "What still falls at the last epoch may turn later; what is undecided needs more seeds or test samples.",
)


def _other(row: RowSummary) -> list[str]:
    conditions = (row["erm"], f"off@{last(row)}", f"off@{row['best']}", "auto")
    return [
        row["name"],
        row["diagnosis"]["erm"]["verdict"],
        turning(row, "erm"),
        depth(row, "erm"),
        *(calibration(row, name) for name in conditions),
    ]


def _tasks(rows: Sequence[RowSummary]) -> list[list[str]]:
    """Return the tasks, each with the rows that are measured on it."""
    on_task: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        task = row["task"]
        sizes = (str(task[name]) for name in ("train_size", "val_size", "batch_size", "epochs"))
        on_task.setdefault((task["title"], task["metric"], row["off"], *sizes), []).append(row["name"])
    return [[*task, ", ".join(names)] for task, names in on_task.items()]


def _recipes(names: set[str]) -> list[list[str]]:
    """Return the parts and parameters of the recipes of some rows."""
    parts = ("pairing", "coefficient", "space")
    return [
        [row.name, *(f"`{getattr(row.recipe, part)!r}`" for part in parts), _further(row.recipe)]
        for row in ROWS
        if row.name in names
    ]


def _further(recipe: Recipe) -> str:
    """Return the parameters of a recipe beside its parts."""
    said = {name: value for name, value in vars(recipe).items() if isinstance(value, float | int | str)}
    return ", ".join(f"{name} {value}" for name, value in sorted(said.items())) or NONE


def texts(root: Path) -> Texts:
    """Return ``docs/census.md``, the method cards, and "When to switch" with what was seen where it stays mixed.

    Raises:
        OvermixError: if there is no row, or a card lacks the markers.
    """
    rows, missing = read_rows(root / RESULTS)
    written = {
        PAGE: page(rows, missing),
        SWITCH_PAGE: STAYS_MIXED.within((root / SWITCH_PAGE).read_text(encoding="utf-8"), decided_anyway(rows)),
    }
    for name in sorted({row["recipe"] for row in rows}):
        card = CARDS / f"{name.lower()}.md"
        of_recipe = [row for row in rows if row["recipe"] == name]
        written[card] = with_section((root / card).read_text(encoding="utf-8"), of_recipe)
    return written


def pictures(root: Path) -> Pictures:
    """Return the picture of all rows."""
    return {FIGURE: picture(read_rows(root / RESULTS)[0])}


CENSUS = Generated("census", texts, pictures)
