"""The result of a study: curves, canonical and complete, read back from the stacks."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from overmix.errors import RunDirectoryError
from overmix.study.analyse.cell_result import CellResult
from overmix.study.analyse.record import Summary
from overmix.study.analyse.record_json import from_json, to_json
from overmix.study.analyse.summary import summarise
from overmix.study.plan.cells import StackTask
from overmix.study.spec.schema import StudySpec, resolved
from overmix.study.store.checkpoint import load_tensors
from overmix.study.store.directory import RunDirectory
from overmix.study.store.files import is_intact_file, locked, read_sealed_json, write_bytes, write_sealed_json
from overmix.train import ALSO_MEASURED, METRICS, TRACKED

if TYPE_CHECKING:
    # Half a second to import: workers, which read no results, are to do without.
    import polars as pl

_COLUMNS = ("condition", "seed", "epoch", "step", "mixing", "lr", "mix_loss", "mix_floor", *METRICS)
_ASKED_FOR = (*TRACKED, *ALSO_MEASURED)
"""Columns that only some studies have."""


@dataclass(frozen=True)
class StudyResult:
    """A finished study, as it lies in its run directory.

    Args:
        spec: the resolved study.
        summary: what it shows.
        curves: one row per condition, seed and evaluated epoch.
    """

    spec: dict[str, Any]
    summary: Summary
    curves: pl.DataFrame


def load_result(path: Path) -> StudyResult:
    """Read a finished run directory.

    Raises:
        RunDirectoryError: if it is none, or not finished.
    """
    import polars as pl

    directory = RunDirectory(path)
    content = directory.read()
    unfinished = RunDirectoryError(f"{path}: the study is not finished: run the same 'overmix run' again to go on")
    if not (directory.summary_file.exists() and directory.curves_file.exists()):
        raise unfinished
    if not is_intact_file(directory.summary_file):
        raise RunDirectoryError(
            f"{path}: its results are damaged, or of an earlier version that did not seal them: run the same "
            "'overmix run' again"
        )
    written = read_sealed_json(directory.summary_file)
    try:
        summary = from_json(written)
        content_of_curves = directory.curves_file.read_bytes()
        # The summary is written last: curves that are not the ones it speaks of are those of an interrupted run.
        if hashlib.sha256(content_of_curves).hexdigest() != written["curves_sha256"]:
            raise unfinished
        curves = pl.read_parquet(io.BytesIO(content_of_curves))
        # A run directory that seeds or conditions are being added to still holds the results of the smaller study.
        if not _is_complete(content["study"], summary, curves):
            raise unfinished
        return StudyResult(content["study"], summary, curves)
    except (OSError, KeyError, TypeError, ValueError, AttributeError, pl.exceptions.PolarsError):
        raise RunDirectoryError(f"{path}: its results are damaged: run the same 'overmix run' again") from None


@contextmanager
def locked_result(path: Path) -> Iterator[StudyResult]:
    """Give the result of a finished run directory, and hold the directory, so that a report can be written there.

    Raises:
        RunDirectoryError: if it is no run directory, not finished, or another process writes there.
    """
    RunDirectory(path).read()  # locking makes a file, which has no place in other folders
    with locked(path):
        yield load_result(path)


def _is_complete(study: Mapping[str, Any], summary: Summary, curves: pl.DataFrame) -> bool:
    """Return whether curves and summary hold every condition and seed of the study, and no other."""
    names, seeds = [entry["name"] for entry in study["compare"]], study["seeds"]
    wanted = {(name, seed) for name in names for seed in seeds}
    summarised = {condition.name: condition.n_seeds for condition in summary.conditions}
    present = set(curves.select("condition", "seed").unique().iter_rows())
    return present == wanted and summarised == dict.fromkeys(names, len(seeds))


def write_results(
    spec: StudySpec, tasks: Sequence[StackTask], directory: RunDirectory, marks: Mapping[str, Any]
) -> StudyResult:
    """Gather the finished stacks into ``curves.parquet`` and ``summary.json``, and return what is in them."""
    cells = [cell for task in tasks for cell in _read_stack(task, directory)]
    rank = {name: number for number, name in enumerate(spec.condition_names)}
    cells.sort(key=lambda cell: (rank[cell.condition], cell.seed))
    curves, summary = _curves(cells, rank), summarise(spec, cells, marks)
    parquet = _parquet(curves)
    write_bytes(directory.curves_file, parquet)
    digest = hashlib.sha256(parquet).hexdigest()
    write_sealed_json(directory.summary_file, {"curves_sha256": digest, **to_json(summary)})
    return StudyResult(resolved(spec), summary, curves)


def load_cells(path: Path) -> list[CellResult]:
    """Return every run of a finished study, with the correctness of each test sample.

    Raises:
        RunDirectoryError: if it is no run directory, or a stack is missing or damaged.
    """
    from overmix.study.plan.study_plan import plan_study
    from overmix.study.spec.parse import parse_study

    directory = RunDirectory(path)
    spec = parse_study(directory.read()["study"], allow_code=True)
    return [cell for task in plan_study(spec, allow_code=True).tasks for cell in _read_stack(task, directory)]


def _read_stack(task: StackTask, directory: RunDirectory) -> list[CellResult]:
    saved = load_tensors(directory.result_file(task), task.id)
    if saved is None:
        raise RunDirectoryError(f"{directory.result_file(task)}: it is missing or damaged: delete it and run again")
    tensors, header = {name: tensor.numpy() for name, tensor in saved[0].items()}, saved[1]
    forked = header.get("forked") or {"epoch": 0, "seconds": 0.0}
    return [
        CellResult(
            cell=cell,
            epochs=tensors["epochs"],
            values={name: tensors[name][r] for name in (*_COLUMNS[4:], *(c for c in _ASKED_FOR if c in tensors))},
            wrong=_errors(tensors["wrong"][r], header),
            labels=header.get("labels", "classes"),
            n_val=header["n_val"]
            if "n_val" in header
            else int(cell.data.val_size),  # numbers, before there were shares
            class_counts=header["class_counts"][r],
            steps_per_epoch=header["steps_per_epoch"],
            seconds=header["seconds"] / len(task.cells),
            switch_at=header["switch_at"][r] if header["switch_at"] else None,
            cost=header["cost"][r] if header["cost"] else 1.0,
            forked_at=int(forked["epoch"]),
            forked_seconds=forked["seconds"] / len(task.cells),
        )
        for r, cell in enumerate(task.cells)
    ]


def _errors(stored: np.ndarray, header: Mapping[str, Any]) -> np.ndarray:
    """Return the error of each test sample at each look: bits for classes, floats for other labels."""
    if header.get("labels", "classes") == "classes":
        return np.unpackbits(stored, axis=-1, count=header["n_test"])
    return stored


def _curves(cells: Sequence[CellResult], rank: Mapping[str, int]) -> pl.DataFrame:
    import polars as pl

    # What nobody asked for is no column: the file of a study without tracks is what it was before there were any.
    tracked = [name for name in _ASKED_FOR if any(name in cell.values for cell in cells)]
    frames = [
        pl.DataFrame(
            {
                "condition": [cell.condition] * len(cell.epochs),
                "seed": [cell.seed] * len(cell.epochs),
                "epoch": cell.epochs.astype(np.int64),
                "step": cell.epochs.astype(np.int64) * cell.steps_per_epoch,
                # What does not exist is null, not NaN: NaN is what a diverged run says.
                **{
                    name: [None] * len(values) if cell.is_without(name) else values
                    for name, values in cell.values.items()
                },
                **{name: [None] * len(cell.epochs) for name in tracked if name not in cell.values},
            },
            schema_overrides={"seed": pl.Int64, **dict.fromkeys((*_COLUMNS[4:], *tracked), pl.Float64)},
        )
        for cell in cells
    ]
    return pl.concat([frame.select(*_COLUMNS, *tracked) for frame in frames]).rechunk()


def _parquet(curves: pl.DataFrame) -> bytes:
    """Return the bytes of the file; fixed settings, so that equal curves are equal bytes."""
    buffer = io.BytesIO()
    curves.write_parquet(buffer, compression="zstd", compression_level=3, statistics=True, row_group_size=1 << 20)
    return buffer.getvalue()
