"""Record what is not recorded yet: every cell, and its first runs without a validation set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from overmix.experiments.switch_benchmark.cells import CELLS, BenchmarkCell
from overmix.experiments.switch_benchmark.first_run import first_run_file, record_first_run
from overmix.experiments.switch_benchmark.record import record, record_file
from overmix.study.run.worker import set_up_process


def record_all(
    out: Path, cells: Sequence[BenchmarkCell] = CELLS, workers: int = 2, tell: Callable[[str], None] = print
) -> None:
    """Record all cells that are not in a folder yet.

    Args:
        out: the folder; two files per cell.
        cells: the trainings.
        workers: processes.
        tell: called with a line after each file.
    """
    out.mkdir(parents=True, exist_ok=True)
    kinds = ((record, record_file), (record_first_run, first_run_file))
    missing = [(make, name(out, cell), cell) for make, name in kinds for cell in cells if not name(out, cell).exists()]
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=set_up_process) as pool:
        jobs = {pool.submit(make, cell, out): file for make, file, cell in missing}
        for number, job in enumerate(as_completed(jobs), 1):
            job.result()
            tell(f"{number}/{len(missing)} {jobs[job].name}")
