"""Record what is not recorded yet: every cell, and its first runs without a validation set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from overmix.experiments.switch_benchmark.cells import CELLS, BenchmarkCell
from overmix.experiments.switch_benchmark.first_run import first_run_file, record_first_run
from overmix.experiments.switch_benchmark.record import record, record_file
from overmix.study.plan.shards import Shard
from overmix.study.run.missing import Done, FileJob, held, run_missing


def record_all(
    out: Path,
    cells: Sequence[BenchmarkCell] = CELLS,
    workers: int = 2,
    tell: Callable[[Done], None] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
    shard: Shard | None = None,
) -> None:
    """Record all cells that are not in a folder yet.

    Args:
        out: the folder; two files per cell.
        cells: the trainings.
        workers: processes; the records do not depend on it.
        tell: called after each file.
        say: called with a line for each file that was damaged, which is made again.
        shard: which part of the files to make; all shards may write to one folder.

    Raises:
        RunDirectoryError: if the folder cannot be written, or another process does.
        StudyInterrupted: after Ctrl-C; finished files are kept.
    """
    kinds = ((record, record_file), (record_first_run, first_run_file))
    files = [(name(out, cell), partial(make, cell, out)) for make, name in kinds for cell in cells]
    jobs = [FileJob(file.name, file, make) for file, make in files]
    with held(out, shard):
        run_missing(jobs, workers=workers, tell=tell, say=say, shard=shard)
