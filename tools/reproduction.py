"""``docs/reproduction.md`` and its pictures, from the kept results of the experiments.

overmix reproduce over-training
python -m tools reproduction --pictures --keep runs/reproduce/over-training-laptop
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from overmix.errors import DataError
from overmix.experiments.reproduce.catalogue import EXPERIMENTS, experiment
from overmix.experiments.reproduce.chart import picture_chart
from overmix.experiments.reproduce.check import Check, judge_claims
from overmix.experiments.reproduce.claims import CLAIMS, Claim, claim_of
from overmix.experiments.reproduce.words import (
    CONDITION_COLUMNS,
    LOWEST_LOSS,
    MINIMA,
    NOTES,
    NUMBER_COLUMNS,
    condition_cells,
    in_words,
    measured_with,
    number_cell,
    same_run,
    set_up,
)
from overmix.report.explain import still
from overmix.report.figures import to_png
from overmix.study.store.files import read_json, write_json
from tools.generated import Generated, Pictures, Texts

RESULTS, PAGE, FIGURES = Path("results/reproduce"), Path("docs/reproduction.md"), Path("docs/reproduction")

PICTURES: tuple[tuple[str, str, str], ...] = (
    ("over-training", "digits-mlp", "test-error"),
    ("over-training", "fashion-resnet8", "test-error"),
    ("switching", "digits-mlp", "test-error"),
    ("switching", "fashion-resnet8", "test-error"),
    ("switching", "fashion-resnet8-cosine", "test-error"),
    ("switching", "fashion-resnet8-augmented", "test-error"),
    ("switching", "fashion-resnet8-augmented-cosine", "test-error"),
    ("switching", "fashion-resnet8-1000", "test-error"),
    ("teacher-student", "realizable", "risk"),
    ("gradient-norm", "digits-mlp", "norm"),
    ("landscape", "digits-mlp", "slice"),
    ("landscape", "digits-mlp", "surface-early"),
    ("landscape", "digits-mlp", "surface-late"),
)
"""Experiment, setting and name of the pictures on the page."""

_SIGNS = {"confirmed": "✓", "not confirmed": "✗", "undecided": "?", "out of reach here": "–"}

_HEAD = """# The paper's claims, at the scale that was run

Every experiment of *Over-training with Mixup May Hurt Generalization* (Liu, Wang, Guo, Mao, ICLR 2023) can be run:
`overmix reproduce --list`, `overmix reproduce over-training --scale laptop`. A run leaves its page, `report.html`, in
its folder: claims with their verdicts and numbers, and the charts; each study has a page of its own below. After an
interruption the same command goes on: what was trained and measured is kept.

The page that you read is written by `python -m tools reproduction` in a checkout, from the result files in
`results/reproduce`.

**What is compared.** No number of the paper is quoted here: we know its abstract and public reviews, not its tables.
Claims are in our words, and each says where it comes from: *abstract*; *second-hand* (a public review or summary);
*our recollection* (believed to be the paper's, not checked against its text); *ours* (no claim of the paper).

**What is trained.** Laptop scale: small networks on real data that need no download (200 digits of 8 by 8 pixels,
sequences of mnist1d), and a residual network of 8 layers on 500 images of Fashion-MNIST with three seeds, and on 1,000
(`-1000`) with five. That is not CIFAR-10 with a ResNet18: a claim that is not confirmed here may well hold there, and
the other way round. The paper's own scale is there as studies (`--scale paper`), whose specification and first steps
are tested and whose training is a GPU's work: **out of reach here** for all of them.

**How it is judged.** By rules that were written down before the runs were read; what was changed afterwards is said
where it was. Each claim rests on one or more
numbers with a 95 % interval (over seeds and test samples together for error rates and depths, over seeds else), held
against a bound: *confirmed* if all lie beyond it (one-sided 2.5 %, all numbers of one experiment corrected together
after Holm; p-values of a t-law over the seeds), *not confirmed* if the whole interval of one lies on the wrong side,
else *undecided*; fewer than five seeds decide nothing, whatever their interval. The t-law and the five seeds were
added when results were known, and took verdicts back: one that was confirmed (fewer data turn earlier in steps,
digits), and five of the residual network with three seeds that were not confirmed. δ is the smallest
difference that matters: the larger of 0.5 points and 5 % of the lowest error, 5 % of the lowest value of other
metrics ([What the verdicts mean](statistics.md)). The right switch, and the best budget, are chosen on held-out
samples.
"""


def load_results(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the kept results by experiment, in the catalogue's order, their claims judged anew."""
    kept = {entry.name: folder / f"{entry.name}.json" for entry in EXPERIMENTS}
    results = {name: _at_laptop_scale(path) for name, path in kept.items() if path.exists()}
    return {name: result | {"verdicts": judge_claims(result["settings"])} for name, result in results.items()}


def _at_laptop_scale(path: Path) -> dict[str, Any]:
    """Return a result that the documentation may be made of.

    Raises:
        DataError: for another scale.
    """
    result: dict[str, Any] = read_json(path)
    if result["scale"] != "laptop":
        raise DataError(
            f"{path}: it is of {result['scale']} scale: run overmix reproduce {result['name']} --scale laptop"
        )
    return result


def page(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the page as Markdown."""
    lines = [_HEAD, "## In short", "", _overview(results), "", *_negatives(results), ""]
    lines += [_machines(results), ""] if results else []
    for entry in EXPERIMENTS:
        lines += [f"## {entry.name}: {entry.title}", ""]
        if entry.name not in results:
            lines += ["Out of reach here: no result was measured.", ""]
            continue
        lines += [NOTES[entry.name], ""] if entry.name in NOTES else []
        lines += [*_claims(entry.name, results[entry.name]), ""]
        lines += [
            f"![{picture}](reproduction/{name}-{key}-{picture}.png)\n"
            for name, key, picture in PICTURES
            if name == entry.name and _picture(results, name, key, picture)
        ]
        measured = [setting["key"] for setting in results[entry.name]["settings"]]
        missing = [setting.key for setting in entry.at("laptop") if setting.key not in measured]
        if missing:
            lines += [f"Settings that can be run and were not measured yet: {', '.join(missing)}.", ""]
        lines += [*_rows(results[entry.name]), f"Seeds, settings: {_settings(results[entry.name])}", ""]
    return "\n".join(lines).rstrip() + "\n"


def texts(root: Path) -> Texts:
    """Return the page."""
    return {PAGE: page(load_results(root / RESULTS))}


def pictures(root: Path) -> Pictures:
    """Return the pictures of the page."""
    results, drawn = load_results(root / RESULTS), {}
    for name, key, picture in PICTURES:
        content = _picture(results, name, key, picture)
        if content:
            chart = picture_chart(name, _setting(results[name], key), content)
            drawn[FIGURES / f"{name}-{key}-{picture}.png"] = to_png(still(chart), scale=1.5)
    return drawn


def keep(run: Path, root: Path) -> None:
    """Take the settings that an experiment's folder has measured; those that it was not asked for stay as they were."""
    result = _at_laptop_scale(run / "result.json")
    path = root / RESULTS / f"{result['name']}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, _together(_at_laptop_scale(path), result) if path.exists() else result)


def _together(kept: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was kept with the settings that were measured now in their places, in the catalogue's order."""
    measured = {setting["key"]: setting for setting in (*kept["settings"], *new["settings"])}
    settings = [measured[key] for setting in experiment(new["name"]).at("laptop") if (key := setting.key) in measured]
    missing = [entry for entry in new["missing"] if entry["key"] not in measured]
    return {**new, "settings": settings, "missing": missing, "verdicts": judge_claims(settings)}


def _overview(results: Mapping[str, Mapping[str, Any]]) -> str:
    lines = ["| claim | from | verdict by setting |", "|---|---|---|"]
    for claim in CLAIMS:
        verdicts = [row for row in results.get(claim.experiment, {}).get("verdicts", []) if row["claim"] == claim.key]
        said = "; ".join(f"{_SIGNS[row['verdict']]} {row['verdict']} ({row['setting']})" for row in verdicts)
        lines.append(f"| {claim.text} | {claim.provenance} | {said or '– out of reach here'} |")
    return "\n".join(lines)


def _negatives(results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    counts = Counter(row["verdict"] for result in results.values() for row in result["verdicts"])
    theorems = sum(
        row["verdict"] == "confirmed" and claim_of(name, row["claim"]).must_hold
        for name, result in results.items()
        for row in result["verdicts"]
    )
    return [
        f"{sum(counts.values())} verdicts: {counts['confirmed']} confirmed, {counts['not confirmed']} not confirmed, "
        f"{counts['undecided']} undecided. {theorems} of the confirmed ones are theorems, which speak of our formulas "
        "and code only."
    ]


def _claims(name: str, result: Mapping[str, Any]) -> list[str]:
    lines = ["| claim | from | setting | n | numbers that decide (bound) | verdict |", "|---|---|---|---|---|---|"]
    by_key = {setting["key"]: setting for setting in result["settings"]}
    for claim in (claim for claim in CLAIMS if claim.experiment == name):
        for row in (row for row in result["verdicts"] if row["claim"] == claim.key):
            setting = by_key[row["setting"]]
            checks = [Check.from_dict(check) for check in setting["checks"][claim.key]]
            told = "<br>".join(
                f"{in_words(check)}: {state}" for check, state in zip(checks, row["states"], strict=True)
            )
            lines.append(
                f"| {_once(claim)} | {claim.provenance} | {row['setting']} | {_n(checks)} | {told} "
                f"| **{row['verdict']}** |"
            )
    return lines


def _n(checks: Sequence[Check]) -> str:
    return ", ".join(str(n) for n in dict.fromkeys(check.n for check in checks))


def _once(claim: Claim) -> str:
    return f"{claim.text} *Judged by: {claim.rule}.*"


def _rows(result: Mapping[str, Any]) -> list[str]:
    """Return the conditions of the studies as one table."""
    rows = [(setting["key"], row) for setting in result["settings"] for row in setting["rows"] if "depth" in row]
    if not rows:
        return _minima(result)
    lines = [f"| setting | {' | '.join(CONDITION_COLUMNS)} |", "|---" * (1 + len(CONDITION_COLUMNS)) + "|"]
    lines += [f"| {' | '.join([key, *condition_cells(row)])} |" for key, row in rows]
    return [*lines, "", f"*At lowest training loss*: {LOWEST_LOSS}.", ""]


def _minima(result: Mapping[str, Any]) -> list[str]:
    """Return what was measured around the solutions as one table; results from before it was kept have none."""
    rows = [(setting["key"], row) for setting in result["settings"] for row in setting["rows"] if "trace" in row]
    if not rows:
        return []
    keys = ("rise", "top_eigenvalue", "trace")
    lines = [f"| setting | where | {' | '.join(NUMBER_COLUMNS[key] for key in keys)} |", "|---|---|---|---|---|"]
    for setting, row in rows:
        cells = [number_cell(row[key], row[f"{key}_ci"]) for key in keys]
        lines.append(f"| {' | '.join([setting, row['name'], *cells])} |")
    return [*lines, "", f"*In brackets*: the 95 % t-interval of the mean over seeds; {MINIMA}.", ""]


def _settings(result: Mapping[str, Any]) -> str:
    said = [f"{setting['key']} ({set_up(setting)})" for setting in result["settings"]]
    return "; ".join(said) + f". Same run: `{same_run(result)}`."


def _machines(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return once what all was measured with, and which settings were measured with something else."""
    by_machine: dict[str, list[str]] = {}
    for name, result in results.items():
        for setting in result["settings"]:
            by_machine.setdefault(measured_with(setting), []).append(f"{name}/{setting['key']}")
    usual, *others = sorted(by_machine, key=lambda machine: -len(by_machine[machine]))
    said = "; ".join(f"{', '.join(by_machine[machine])} with {machine}" for machine in others)
    return f"Measured with {usual}{f'; {said}' if said else ''}."


def _setting(result: Mapping[str, Any], key: str) -> dict[str, Any]:
    return next(setting for setting in result["settings"] if setting["key"] == key)


def _picture(results: Mapping[str, Mapping[str, Any]], name: str, key: str, picture: str) -> dict[str, Any] | None:
    settings = results.get(name, {}).get("settings", [])
    drawn = [p for setting in settings if setting["key"] == key for p in setting["pictures"] if p["name"] == picture]
    return drawn[0] if drawn else None


REPRODUCTION = Generated("reproduction", texts, pictures, keep)
