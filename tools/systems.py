"""The methods on small but real systems, in the documentation, from one file for each row.

overmix census --systems --out results/systems      # runs what is missing there
python -m tools systems
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from overmix.experiments.census.cells import RowSummary, final, last, number
from overmix.experiments.census.row import Row
from overmix.experiments.census.systems.rows import SYSTEMS
from overmix.report.numbers import NONE, duration
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
_ABSENT = (
    "## What is not here",
    "",
    "**MaskMatch's parts**: a small ViT that a masked autoencoder pretrained on Fashion-MNIST, FixMatch, and confident",
    "Mixup beside it. A system has to give known answers first: here, FixMatch must beat labels alone, and shuffled",
    "pseudo-labels must not. With 25 labels of each class shuffled ones do not help, but the first is not shown;",
    "with 4, FixMatch is ahead, and shuffled ones were not run. Gains of FixMatch over labels alone, in points",
    "of test error (2,000 images), paired by seed, intervals at 95 %; views of other tones, learning rate 0.002,",
    "threshold 0.95, 480 steps, 1,600 images without a label:",
    "",
    "| FixMatch from | seeds | gain | seed by seed |",
    "| --- | --- | --- | --- |",
    "| 25 labels, classes alike often | 8 | 0.3 [−0.6 to 1.1] | 0.15, −0.75, 1.10, −0.30, 0.30, 2.25, 0.05, −0.75 |",
    "| the same, pseudo-labels shuffled | 3 | −1.4 [−3.9 to 1.0] | −1.10, −2.55, −0.65 |",
    "| 25 labels, six classes twice | 8 | 1.0 [0.4 to 1.6] | 1.60, 2.00, 0.95, −0.15, 0.75, 1.60, 0.60, 0.70 |",
    "| the same, pseudo-labels shuffled | 4 | −1.1 [−1.9 to −0.2] | −0.45, −1.00, −1.00, −1.80 |",
    "| 4 labels of each class | 8 | 2.3 [0.7 to 3.8] | 0.20, −0.25, 2.65, 1.90, 4.80, 2.95, 1.30, 4.65 |",
    "",
    "The fifth of the samples that has labels is 400, so 250 labels had to be repeated. At first the first six",
    "classes came twice and the others once, and FixMatch was ahead; with all classes alike often it is not. The gain",
    "of one seed moves by up to three points between the two. Four seeds were planned, and four more",
    "added, once, where an interval from four held 0. Views, threshold and learning rate were",
    "chosen by test errors of the first seed.",
    "",
    "Before that, test errors in percent from 4 and 25 labels of each class:",
    "",
    "| what was tried | seeds | 4 labels | 25 labels |",
    "| --- | --- | --- | --- |",
    "| logistic regression on pixels | 5 | 35.6 | 23.1 |",
    "| the same on the mean of the ViT's patches (pretrained 3,000 steps, 3/4 masked) | 5 | 40.1 | 28.0 |",
    "| the same on all patches side by side, which keep what is where | 5 | 36.3 | 23.0 |",
    "| the same, pretrained 6,000 steps, 6/10 masked | 5 | 34.6 | 22.0 |",
    "| ViT, labels alone, mean of patches, views flipped and moved by two pixels | 1 | 40.5 | 30.6 |",
    "| ViT, labels alone, patches side by side, the same views | 2 | 37.6 | 25.3 |",
    "| ViT, labels alone, patches side by side, moved by one pixel | 2 | 35.7 | 22.1 |",
    "| FixMatch, beliefs aligned, views turned and brighter (labels alone: 38.0, 21.9) | 1 | 40.7 | 21.4 |",
    "| FixMatch, views of other tones too, learning rate 0.001 (labels alone: 38.1, 22.8) | 1 | 36.8 | 22.2 |",
    "| FixMatch, the same, learning rate 0.002 (labels alone: 39.1, 21.9) | 1 | 37.0 | 20.8 |",
    "",
    "Labels alone reach the regression on pixels where patches stand side by side and views are not flipped. Of the",
    "pseudo-labels that FixMatch is sure of (from 0.9 or 0.95 on), 92 to 94 % are right with 25 labels of each class,",
    "69 to 75 % with 4. Pretraining takes 133 s of one core (6,000 steps), a training with FixMatch 21 s (500 steps).",
    "",
)
_RUN = (
    "## Run it",
    "",
    "```",
    "pip install 'overmix[systems]'",
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
            *_ABSENT,
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
    baselines = ", ".join([*row.baseline_names, *(name for name in row.control_names if name != row.erm)]) or NONE
    samples = f"{about['train_size']} + {about['val_size']}"
    return [row.name, about["title"], libraries, about["metric"], baselines, samples, str(row.epochs), seeds, minutes]


def _measured(rows: Sequence[RowSummary], of: Sequence[Row]) -> list[str]:
    by_name = {row.name: row for row in of}
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
        *findings(rows),
        "",
        "## MindEye's third",
        "",
        *mindeye(rows, _LIMITS),
        "",
        "## Controls and baselines",
        "",
        *markdown(CONTROLS, controls(rows)),
        "",
        *(_other(further) if further else []),
        f"It took {duration(sum(row['core_seconds'] for row in rows))} of one core in {len(rows)} rows.",
        "",
    ]


_MEASURED = ["baseline", "plain", "recipe", "best switch", "its gain", "AutoSwitch"]


def _cells(row: RowSummary, of: Row) -> list[str]:
    baseline = ", ".join(f"{name} {final(row, name)}" for name in of.baseline_names) or NONE
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
        return NONE if said is None else f"{number(row, said['mean'])} {interval(row, said['ci'])}"

    return [
        [
            row["name"],
            metric,
            ", ".join(f"{name} {cell(name, metric)}" for name in of.baseline_names) or NONE,
            *(cell(name, metric) for name in conditions),
        ]
        for metric in metrics
    ]


def section(rows: Sequence[RowSummary], of: Sequence[Row]) -> str:
    """Return what a card says of its method's systems.

    Args:
        rows: those that are recorded.
        of: all rows of the method.
    """
    known = {row["name"]: row for row in rows}
    lines = [
        [row.about["title"], *(_cells(known[row.name], row) if row.name in known else ["not recorded yet", *_NOTHING])]
        for row in of
    ]
    return "\n".join(
        [
            "**On a system of its field.**",
            "",
            *markdown(["system", *_MEASURED], lines),
            "",
            *(f"What {row.name} still lacks against the paper's own system: {row.lacks}\n" for row in of),
            "Lower is better; seeds, controls and intervals: [systems](../systems.md).",
        ]
    )


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
