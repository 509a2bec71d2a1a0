"""Run the census: what is finished is not run again, and nothing is ever half written."""

from __future__ import annotations

import io
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import overmix
from overmix.experiments.census.collection import Collection, check_packages
from overmix.experiments.census.loop import Arrays, run_seed
from overmix.experiments.census.loop_row import LoopRow
from overmix.experiments.census.row import Row, Scale
from overmix.experiments.census.rows import SMALL_TASKS
from overmix.experiments.census.study_row import StudyRow
from overmix.experiments.census.summary import summarize
from overmix.report.numbers import duration
from overmix.study.run.missing import Done, FileJob, run_missing
from overmix.study.store.files import locked, read_json, remove_temporaries, write_json


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
        summary = read_json(path)
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
        write_json(self.row_file(row), content)
        return content


def run_census(
    out: Path,
    scale: Scale = "laptop",
    recipes: Sequence[str] | None = None,
    workers: int = 2,
    tell: Callable[[str], None] = print,
    progress: Callable[[Done], None] = lambda _: None,
    collection: Collection = SMALL_TASKS,
) -> list[dict[str, Any]]:
    """Run what is missing, and return the rows.

    Args:
        out: the folder; one file for each row.
        scale: ``"smoke"`` only shows that everything runs.
        recipes: names of recipes or rows; all by default.
        workers: processes, with one thread each; results do not depend on their number.
        tell: called with a line after each row.
        progress: called after each seed of a row.
        collection: of which rows.

    Raises:
        ConfigError: for an unknown recipe.
        MissingExtraError: if a package that a row needs is not installed.
        RunDirectoryError: if the folder cannot be written, or another process does.
        StudyInterrupted: after Ctrl-C; finished seeds are kept.
    """
    rows, census = [row.at(scale) for row in collection.choose(recipes)], Census(out, scale, collection)
    check_packages(rows)
    (out / "seeds").mkdir(parents=True, exist_ok=True)
    with locked(out):
        remove_temporaries(out)
        remove_temporaries(out / "seeds")
        left = [row for row in rows if not census.is_done(row)]

        def close(row: Row, said: dict[str, Any]) -> None:
            content = census.write(row, said)
            verdict = content["diagnosis"]["on"]["verdict"]
            tell(f"{row.name}: {verdict}, {duration(content['core_seconds'])} of one core")

        for row in left:
            if isinstance(row, StudyRow):
                close(row, row.run(census.study_folder(row), census.seeds(row), workers))
        _run_loops(census, [row for row in left if isinstance(row, LoopRow)], workers, close, progress)
    return [read_json(census.row_file(row)) for row in rows]


def _run_loops(
    census: Census,
    rows: Sequence[LoopRow],
    workers: int,
    close: Callable[[Row, dict[str, Any]], None],
    progress: Callable[[Done], None],
) -> None:
    """Run the seeds of some rows that are missing, and sum each row up as soon as it is complete."""
    open_rows = list(rows)

    def close_complete() -> None:
        for row in list(open_rows):
            if not census.missing(row):
                open_rows.remove(row)
                close(row, summarize(row, [_read(census.seed_file(row, seed)) for seed in range(census.seeds(row))]))

    def after(done: Done) -> None:
        progress(done)
        close_complete()

    close_complete()
    jobs = [census.job(row, seed) for row in rows for seed in range(census.seeds(row))]
    run_missing(jobs, workers=workers, tell=after)


def packed_seed(row: LoopRow, seed: int) -> bytes:
    """Train one seed of a row, and return its arrays as a file's content."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **run_seed(row, seed))  # type: ignore[arg-type]
    return buffer.getvalue()


def _read(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
