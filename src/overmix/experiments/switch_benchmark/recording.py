"""Record what is not recorded yet: every cell, and its first runs without a validation set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from overmix.experiments.switch_benchmark.cells import CELLS, BenchmarkCell
from overmix.experiments.switch_benchmark.first_run import first_run_file, record_first_run
from overmix.experiments.switch_benchmark.record import record, record_file
from overmix.study.run.missing import Done, FileJob, run_missing
from overmix.study.store.files import locked, remove_temporaries


def record_all(
    out: Path,
    cells: Sequence[BenchmarkCell] = CELLS,
    workers: int = 2,
    tell: Callable[[Done], None] = lambda _: None,
) -> None:
    """Record all cells that are not in a folder yet.

    Args:
        out: the folder; two files per cell.
        cells: the trainings.
        workers: processes; the records do not depend on it.
        tell: called after each file.

    Raises:
        RunDirectoryError: if the folder cannot be written, or another process does.
        StudyInterrupted: after Ctrl-C; finished files are kept.
    """
    out.mkdir(parents=True, exist_ok=True)
    kinds = ((record, record_file), (record_first_run, first_run_file))
    files = [(name(out, cell), partial(make, cell, out)) for make, name in kinds for cell in cells]
    with locked(out):
        remove_temporaries(out)
        run_missing([FileJob(file.name, file, make) for file, make in files], workers=workers, tell=tell)
