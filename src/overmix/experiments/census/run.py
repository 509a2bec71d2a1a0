"""Run the census: what is finished is not run again, and nothing is ever half written."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

import overmix
from overmix.experiments.census.collection import Collection, check_packages
from overmix.experiments.census.loop import run_seed
from overmix.experiments.census.loop_row import LoopRow
from overmix.experiments.census.row import Row, Scale
from overmix.experiments.census.rows import SMALL_TASKS
from overmix.experiments.census.study_row import StudyRow
from overmix.experiments.census.summary import summarize
from overmix.files.folders import made_folder
from overmix.report.numbers import duration
from overmix.study.plan.shards import Shard
from overmix.study.run.missing import Done, FileJob, held, run_missing
from overmix.study.store.arrays import npz_bytes, read_npz
from overmix.study.store.files import (
    is_whole_json,
    read_whole_json,
    remove_temporaries,
    set_aside,
    write_sealed_json,
)


@dataclass(frozen=True)
class Census:
    """The files of a census in one folder: one JSON for each row, and below it the studies, and seeds of loops.

    Args:
        out: the folder.
        scale: of all rows.
        collection: says how many seeds a row has.
    """

    out: Path
    scale: Scale
    collection: Collection = SMALL_TASKS

    def seeds(self, row: Row) -> int:
        """Return the number of seeds of a row."""
        return self.collection.seeds_of(row, self.scale)

    def row_file(self, row: Row) -> Path:
        """Return the file of a row."""
        return self.out / f"{row.name}.json"

    def study_folder(self, row: StudyRow) -> Path:
        """Return the run directory of a row's study; another version of the row has another one."""
        return self.out / "studies" / f"{row.name}-{row.digest()}"

    def seed_file(self, row: LoopRow, seed: int) -> Path:
        """Return the file of one seed of a row; another version of the row has other files."""
        return self.out / "seeds" / f"{row.name}-{row.digest()}-{seed}.npz"

    def is_done(self, row: Row) -> bool:
        """Return whether a row was finished as it is now."""
        path = self.row_file(row)
        if not path.exists():
            return False
        summary = read_whole_json(path)
        return bool(summary["digest"] == row.digest() and summary["n_seeds"] >= self.seeds(row))

    def missing(self, row: LoopRow) -> list[int]:
        """Return the seeds of a row that were not run yet."""
        return [seed for seed in range(self.seeds(row)) if not self.seed_file(row, seed).exists()]

    def job(self, row: LoopRow, seed: int) -> FileJob:
        """Return what makes one seed of a row."""
        return FileJob(f"{row.name}, seed {seed}", self.seed_file(row, seed), partial(packed_seed, row, seed))

    def write(self, row: Row, said: dict[str, Any]) -> dict[str, Any]:
        """Write the file of a row: where its numbers come from, and what they say."""
        content = {
            "name": row.name,
            "recipe": row.recipe_name,
            "variant": row.variant,
            "scale": self.scale,
            "digest": row.digest(),
            "task": row.about,
            "off": row.off,
            "erm": row.erm,
            "n_seeds": self.seeds(row),
            "grid": row.grid,
            "third": row.third,
            **said,
            "versions": {"overmix": overmix.__version__, "torch": torch.__version__, "cpu": platform.machine()},
        }
        write_sealed_json(self.row_file(row), content)
        return content


def run_census(
    out: Path,
    scale: Scale = "laptop",
    recipes: Sequence[str] | None = None,
    workers: int = 2,
    tell: Callable[[str], None] = print,
    progress: Callable[[Done], None] = lambda _: None,
    collection: Collection = SMALL_TASKS,
    shard: Shard | None = None,
) -> list[dict[str, Any]]:
    """Run what is missing, and return the rows that are finished: all, unless only a shard is run.

    Args:
        out: the folder; one file for each row.
        scale: ``"smoke"`` only shows that everything runs.
        recipes: names of recipes or rows; all by default.
        workers: processes, with one thread each; results do not depend on their number.
        tell: called with a line after each row, and for each file that was damaged, which is made again.
        progress: called after each seed of a row.
        collection: of which rows.
        shard: which part of the work to do: of seeds, and of studies as wholes. All shards may write to one folder; the
            call without one sums up what they left.

    Raises:
        ConfigError: for an unknown recipe.
        MissingExtraError: if a package that a row needs is not installed.
        RunDirectoryError: if the folder cannot be written, or another process does.
        StudyInterrupted: after Ctrl-C; finished seeds are kept.
    """
    rows, census = [row.at(scale) for row in collection.choose(recipes)], Census(out, scale, collection)
    check_packages(rows)
    made_folder(out / "seeds")
    with held(out, shard):
        if shard is None:
            remove_temporaries(out / "seeds")
        for row in rows:
            if census.row_file(row).exists() and not is_whole_json(census.row_file(row)):
                aside = set_aside(census.row_file(row), out)
                tell(f"{row.name}: damaged since it was written, set aside as {aside}; it is summed up again")
        _run(census, rows, workers, tell, progress, shard)
        return [read_whole_json(census.row_file(row)) for row in rows if census.is_done(row)]


def _run(
    census: Census,
    rows: Sequence[Row],
    workers: int,
    tell: Callable[[str], None],
    progress: Callable[[Done], None],
    shard: Shard | None,
) -> None:
    studies, seeds = _part(census, rows, shard)

    def close(row: Row, said: dict[str, Any]) -> None:
        content = census.write(row, said)
        verdict = content["diagnosis"]["on"]["verdict"]
        tell(f"{row.name}: {verdict}, {duration(content['core_seconds'])} of one core")

    for study in studies:
        close(study, study.run(census.study_folder(study), census.seeds(study), workers))
    # Other shards may be at work on the same row.
    to_close = [row for row in rows if isinstance(row, LoopRow) and shard is None and not census.is_done(row)]

    def close_complete() -> None:
        for row in list(to_close):
            if not census.missing(row):
                to_close.remove(row)
                files = [census.seed_file(row, seed) for seed in range(census.seeds(row))]
                close(row, summarize(row, [read_npz(file) for file in files]))

    def after(done: Done) -> None:
        progress(done)
        close_complete()

    run_missing(seeds, workers=workers, tell=after, say=tell)
    close_complete()


def _part(census: Census, rows: Sequence[Row], shard: Shard | None) -> tuple[list[StudyRow], list[FileJob]]:
    """Return studies and seeds of the rows that are not finished, of one shard if one is given."""
    jobs: list[tuple[Row, FileJob | None]] = [(row, None) for row in rows if isinstance(row, StudyRow)]
    loops = [row for row in rows if isinstance(row, LoopRow)]
    jobs += [(row, census.job(row, seed)) for row in loops for seed in range(census.seeds(row))]
    if shard is not None:  # a function of the rows alone, not of what is finished
        jobs = shard.of_jobs(jobs, [census.seeds(row) if job is None else 1.0 for row, job in jobs])
    left = [(row, job) for row, job in jobs if not census.is_done(row)]
    studies = [row for row, _ in left if isinstance(row, StudyRow)]
    return studies, [job for _, job in left if job is not None]


def packed_seed(row: LoopRow, seed: int) -> bytes:
    """Train one seed of a row, and return its arrays as a file's content."""
    return npz_bytes(run_seed(row, seed))
