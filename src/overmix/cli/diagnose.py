"""``overmix diagnose``: did a run over-train, by the logs that other tools left."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from overmix.errors import ConfigError

if TYPE_CHECKING:
    from overmix.diagnose import Diagnosis
    from overmix.diagnose.logs import LoggedCurves

MAX_LISTED = 8  # names of a log, or notes on it, that are told to people; the rest is counted


def diagnose(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Logs: files, or folders to search. Several runs count as seeds.", metavar="PATH…"),
    ] = None,
    x: Annotated[
        str | None, typer.Option("--x", help="Column of the horizontal axis; epoch or step if not given.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="Column to judge; the held-out metric if not given.")] = None,
    lower_is_better: Annotated[
        bool | None,
        typer.Option(
            "--lower-is-better/--higher-is-better",
            help="Which way the metric is better; by its name if not given.",
            show_default=False,
        ),
    ] = None,
    unit: Annotated[
        Literal["fraction", "percent", "decibel", "value"] | None,
        typer.Option(
            help="Of the metric: fractions of 1, percent, decibels, or its own; by its name and values if not given."
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            help="Only rows whose column holds a value, of what one file has several: config=mixup, fold=0. May be "
            "given several times.",
            metavar="COLUMN=VALUE",
        ),
    ] = None,
    n_test: Annotated[
        int | None,
        typer.Option(
            "--n-test", help="Test samples behind each accuracy or error rate: tells noise from a turn better."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the picture and a page (needs overmix[study]).")
    ] = None,
    metrics: Annotated[
        bool, typer.Option("--metrics", help="List the kinds of metrics, with direction and unit, and leave.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of sentences.")] = False,
) -> None:
    """Say whether logged curves are U-shaped, where they turn, how deep they are, and what to do.

    Reads CSV, JSON lines, TensorBoard event files, MLflow runs, and histories of Hugging Face, Keras and pandas. Which
    metric is judged, which way it is better, and its unit are told by its name, and said; you may say otherwise. For
    example:

    ```
    overmix diagnose lightning_logs/version_0
    overmix diagnose seed0.csv seed1.csv seed2.csv seed3.csv seed4.csv
    overmix diagnose curve.csv --x epoch --metric test_error --n-test 1000 --json
    overmix diagnose sweep.csv --where config=mixup
    overmix diagnose runs/segmentation --metric val/quality --higher-is-better
    overmix diagnose logs/ --out diagnosis
    overmix diagnose --metrics
    ```
    """
    from overmix.diagnose.logs import read_curves

    if metrics:
        _print_kinds(as_json=as_json)
        return
    if out is not None:
        from overmix.report.explain import check_explanation_place

        check_explanation_place(out)
    curves = read_curves(paths or [], metric=metric, x=x, unit=unit, where=_pairs(where or []))
    diagnosis = curves.diagnose(lower_is_better=lower_is_better, n_test=n_test)
    page = None if out is None else _write_page(curves, diagnosis, out)
    if as_json:
        print(json.dumps(curves.to_dict() | diagnosis.to_dict(), indent=2, ensure_ascii=False))
        return
    for line in _sentences(curves, diagnosis):
        print(line)
    if page is not None:
        print(f"Page: {page}")


def _pairs(where: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for text in where:
        column, equals, value = text.partition("=")
        if not (column.strip() and equals):
            raise ConfigError("where", text, "write COLUMN=VALUE, such as config=mixup, or COLUMN= for empty cells")
        pairs[column.strip()] = value.strip()
    return pairs


def _sentences(curves: LoggedCurves, diagnosis: Diagnosis) -> list[str]:
    said = [f"{curves.describe(lower_is_better=diagnosis.lower_is_better)}: {_listed_runs(curves.runs)}"]
    if len(curves.runs) > 1:
        said.append(
            "taken as seeds of one training; if they differ in more than the seed, name one of them, by its path or by "
            "--where"
        )
    if curves.others:
        said.append(f"not looked at: {_listed(curves.others)}; name one with --metric")
    said += curves.notes[:MAX_LISTED]
    if len(curves.notes) > MAX_LISTED:
        said.append(f"and {len(curves.notes) - MAX_LISTED} more of these; --json has them all")
    if diagnosis.depth_ci is not None:
        said.append(_numbers(diagnosis, diagnosis.depth_ci))
    return [*said, diagnosis.advice]


def _numbers(diagnosis: Diagnosis, depth_ci: tuple[float, float]) -> str:
    from overmix.diagnose.axis import axis_noun, written_place
    from overmix.diagnose.numerals import written

    best, final = (written(value, ".4g") for value in (diagnosis.best, diagnosis.final))
    depth, low, high = (written(value, ".3g") for value in (diagnosis.depth, *depth_ci))
    turn = f"turning {axis_noun(diagnosis.axis)} {written_place(diagnosis.turning_epoch)}"
    return (
        f"{turn}; smoothed, the best is {best} and the end {final}; depth, their difference corrected for noise, "
        f"{depth} ({100 * diagnosis.level:g} %: {low} to {high}; {diagnosis.delta:.3g} matters)"
    )


def _listed_runs(runs: Sequence[str]) -> str:
    return runs[0] if len(runs) == 1 else f"{len(runs)} runs, {runs[0]} to {runs[-1]}"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MAX_LISTED
    return ", ".join(names[:MAX_LISTED]) + (f" and {more} more" if more > 0 else "")


def _write_page(curves: LoggedCurves, diagnosis: Diagnosis, out: Path) -> Path:
    from overmix.report.explain import write_explanation
    from overmix.report.logged import explain_logged

    return write_explanation(explain_logged(curves, diagnosis), out).page


def _print_kinds(*, as_json: bool) -> None:
    from overmix.diagnose.logs import describe_kinds

    header, *rows = describe_kinds()
    if as_json:
        print(json.dumps([dict(zip(header, row, strict=True)) for row in rows], indent=2, ensure_ascii=False))
        return
    *columns, _ = zip(header, *rows, strict=True)
    widths = [max(map(len, column)) for column in columns]
    for *cells, phrases in (header, *rows):
        print("  ".join([*(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)), phrases]))
    print("\nThe first row that has a word of the name decides; # is a number. Of a log's metrics the lowest number in")
    print("the column chosen is judged, test before validation; --metric judges another.")
