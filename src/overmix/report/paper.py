"""A study for a manuscript: its table, a paragraph of methods, and what to cite."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

from overmix.recipes import registered
from overmix.report.metrics import Metric
from overmix.report.numbers import NONE
from overmix.report.shown import report_of
from overmix.study import StudyResult
from overmix.study.analyse.record import ConditionSummary, Estimate

TableForm = Literal["text", "markdown", "latex"]

_HEADINGS = ("Condition", "Error at the end", "Lowest", "At epoch", "Depth", "Verdict", "Seeds")


def results_table(result: StudyResult, form: TableForm) -> str:
    """Return one row per condition: error at the end, lowest error with its epoch, depth of the U, verdict, seeds.

    Intervals of 95 % stand in brackets; the lowest error at the end is bold where the form knows that.

    Args:
        result: a finished study.
        form: ``"text"`` (columns of equal width), ``"markdown"`` or ``"latex"`` (booktabs).
    """
    report = report_of(result)
    rows = [_row(condition, report.error) for condition in report.conditions]
    best = [condition.name == result.summary.best for condition in report.conditions]
    if form == "latex":
        return _latex(report.name, rows, best)
    return _markdown(rows, best) if form == "markdown" else _text(rows)


def _row(condition: ConditionSummary, error: Metric) -> list[str]:
    turn = condition.turning_epoch.value
    verdict = condition.verdict or NONE
    return [
        condition.name,
        _estimate(condition.final, error),
        error.text(condition.lowest.value),
        NONE if turn is None else f"{turn:g}",
        _estimate(condition.depth, error),
        verdict + (f", {condition.n_diverged} diverged" if condition.n_diverged else ""),
        str(condition.n_seeds),
    ]


def _estimate(estimate: Estimate, error: Metric) -> str:
    if estimate.lo is None or estimate.hi is None:
        return error.text(estimate.value)
    return f"{error.text(estimate.value)} [{error.number(estimate.lo)}, {error.number(estimate.hi)}]"


def _text(rows: Sequence[Sequence[str]]) -> str:
    table = [_HEADINGS, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table)
    return "\n".join(lines).replace("\u00a0", " ")


def _markdown(rows: Sequence[Sequence[str]], best: Sequence[bool]) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    shown = [[row[0], f"**{row[1]}**" if top else row[1], *row[2:]] for row, top in zip(rows, best, strict=True)]
    return "\n".join([line(_HEADINGS), line(["---", *["---:"] * (len(_HEADINGS) - 1)]), *map(line, shown)])


def _latex(name: str, rows: Sequence[Sequence[str]], best: Sequence[bool]) -> str:
    lines = [
        " & ".join([_tex(row[0]), rf"\textbf{{{_tex(row[1])}}}" if top else _tex(row[1]), *map(_tex, row[2:])]) + r" \\"
        for row, top in zip(rows, best, strict=True)
    ]
    return "\n".join(
        [
            "% needs \\usepackage{booktabs}",
            r"\begin{table}",
            rf"\caption{{{_tex(name)}. Brackets: 95\,\% intervals over seeds and test samples.}}",
            rf"\begin{{tabular}}{{l{'r' * (len(_HEADINGS) - 1)}}}",
            r"\toprule",
            " & ".join(_HEADINGS) + r" \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


_TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "→": r"$\to$", "−": "$-$", "–": "--", "\u00a0": "~",
    "α": r"$\alpha$", "λ": r"$\lambda$", "×": r"$\times$",
}  # fmt: skip


def _tex(text: str) -> str:
    return "".join(_TEX.get(character, character) for character in text)


def methods(result: StudyResult) -> str:
    """Return a paragraph on how the study was done: data, model, training, conditions, seeds, statistics, versions."""
    study, summary = result.spec, result.summary
    seeds = len(study["seeds"])
    several = seeds > 1
    intervals = "seeds and test samples" if seeds >= 5 else "test samples"
    versions = dict(summary.versions)
    said = [
        f"We trained {_model_words(study)} on {_data_words(study)} for {study['train']['epochs']} epochs in batches of "
        f"{study['train']['batch_size']}, with {_optimizer_words(study['train'])}.",
        f"We compared {len(study['compare'])} conditions ({_listed([c['name'] for c in study['compare']])}), each with "
        f"{seeds} random seed{'s' if several else ''}; with one seed, all conditions start from the same weights and "
        "see the same samples in the same order, so that differences are paired.",
        f"Errors are means over seeds on {summary.n_test:,} test samples, which chose nothing; brackets are 95 % "
        f"bootstrap intervals over {intervals}."
        if summary.n_test
        else "",
        "Depth is the error at the end minus the lowest error of the mean curve, cross-fitted over test samples; a "
        "curve is called U-shaped if the interval of its depth lies above a practical size (for shares, the larger of "
        "0.5 points and 5 % of the lowest error). Differences between conditions are corrected by Holm's method.",
        f"We used overmix {versions.get('overmix', '?')} with PyTorch {versions.get('torch', '?')}, NumPy "
        f"{versions.get('numpy', '?')} and Python {versions.get('python', '?')} on {versions.get('device', '?')} "
        f"({versions.get('cpu', '?')}).",
    ]
    return " ".join(part for part in said if part)


def _data_words(study: dict[str, Any]) -> str:
    data = study["data"]
    size = data.get("train_size")
    name = str(data["name"])
    if data.get("path"):
        file = re.split(r"[/\\]", data["path"])[-1]
        name = f"{name} data ({file})"
    count = ", all of its training samples" if size is None else f", {size} training samples drawn for each seed"
    return f"{name}{count}{_held_out_words(data)}"


def _held_out_words(data: dict[str, Any]) -> str:
    held = data.get("val_size")
    if not held:
        return ""
    much = f"{held:.0%}" if isinstance(held, float) else str(held)
    if data.get("train_size") is None:
        return f", of which {much} held out for decisions"
    return f", and {much}{' as many' if isinstance(held, float) else ' more'} held out for decisions"


def _model_words(study: dict[str, Any]) -> str:
    options = {key: value for key, value in study["model"].items() if key != "name"}
    settings = f" ({', '.join(f'{key} {value}' for key, value in options.items())})" if options else ""
    return f"the model {study['model']['name']}{settings}"


def _optimizer_words(train: dict[str, Any]) -> str:
    optimizer, schedule = train["optimizer"], train["lr_schedule"]
    name = {"sgd": "stochastic gradient descent", "adamw": "AdamW"}[optimizer["name"]]
    settings = [f"learning rate {optimizer['lr']:g}, {schedule['name']}"]
    settings += [f"momentum {optimizer['momentum']:g}"] if optimizer.get("momentum") else []
    settings += [f"weight decay {optimizer['weight_decay']:g}"] if optimizer.get("weight_decay") else []
    return f"{name} ({'; '.join(settings)})"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def bibtex(result: StudyResult) -> str:
    """Return what to cite: overmix, the paper on over-training, and where the study's recipes were published."""
    version = result.summary.versions.get("overmix", "")
    entries = [
        "@software{overmix,\n  title = {overmix: the instrument for over-training with {Mixup}},\n"
        f"  author = {{{{The overmix developers}}}},\n  version = {{{version}}},\n  year = {{2026}}\n}}",
        "@inproceedings{liu2023overtraining,\n  title = {Over-Training with {Mixup} May Hurt Generalization},\n"
        "  author = {Liu, Zixuan and Wang, Ziqiao and Guo, Hongyu and Mao, Yongyi},\n"
        "  booktitle = {International Conference on Learning Representations},\n  year = {2023}\n}",
    ]
    used = {_recipe_name(condition["recipe"]) for condition in result.spec["compare"]} - {"NoMixup"}
    sources = [f"% {name}: {registered()[name].source}" for name in sorted(used) if name in registered()]
    return "\n\n".join([*entries, *(["\n".join(["% the methods' own sources", *sources])] if sources else [])])


def _recipe_name(recipe: str | dict[str, Any]) -> str:
    return recipe if isinstance(recipe, str) else next(iter(recipe))
