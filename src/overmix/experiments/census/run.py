"""Run the census: what is finished is not run again, and nothing is ever half written."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from overmix.errors import ConfigError, did_you_mean
from overmix.experiments.census.driver import Arrays, run_seed
from overmix.experiments.census.row import Row, Scale
from overmix.experiments.census.rows import ROWS
from overmix.experiments.census.summary import summarize
from overmix.report.numbers import duration
from overmix.study.run.worker import set_up_process
from overmix.study.store.files import locked, read_json, remove_temporaries, write_bytes, write_json

SEEDS: dict[Scale, int] = {"smoke": 2, "laptop": 12}

FOLDERS: dict[Scale, Path] = {"smoke": Path("runs/census-smoke"), "laptop": Path("runs/census")}


def choose(recipes: Sequence[str] | None) -> list[Row]:
    """Return the rows of some recipes, by the names of recipes or rows; all by default.

    Raises:
        ConfigError: for a name that has no row, with the nearest one that has.
    """
    if recipes is None:
        return list(ROWS)
    for name in recipes:
        known = {row.recipe_name for row in ROWS} | {row.name for row in ROWS}
        if name not in known:
            raise ConfigError("recipes", name, did_you_mean(name, known))
    return [row for row in ROWS if row.recipe_name in recipes or row.name in recipes]


@dataclass(frozen=True)
class Census:
    """The files of a census in one folder: one JSON for each row, and its seeds below, until they are summed up.

    Args:
        out: the folder.
        scale: of all rows.
    """

    out: Path
    scale: Scale
    seeds: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "seeds", SEEDS[self.scale])

    def row_file(self, row: Row) -> Path:
        """Return the file of a row."""
        return self.out / f"{row.name}.json"

    def seed_file(self, row: Row, seed: int) -> Path:
        """Return the file of one seed of a row; another version of the row has other files."""
        return self.out / "seeds" / f"{row.name}-{row.digest()}-{seed}.npz"

    def is_done(self, row: Row) -> bool:
        """Return whether a row was finished as it is now."""
        path = self.row_file(row)
        if not path.exists():
            return False
        found = read_json(path)
        return bool(found["digest"] == row.digest() and found["n_seeds"] >= self.seeds)

    def missing(self, row: Row) -> list[int]:
        """Return the seeds of a row that were not run yet."""
        return [seed for seed in range(self.seeds) if not self.seed_file(row, seed).exists()]

    def sum_up(self, row: Row) -> dict[str, Any]:
        """Write the file of a row whose seeds are complete."""
        found = summarize(row, [_read(self.seed_file(row, seed)) for seed in range(self.seeds)], self.scale)
        write_json(self.row_file(row), found)
        return found


def run_census(
    out: Path,
    scale: Scale = "laptop",
    recipes: Sequence[str] | None = None,
    workers: int = 2,
    tell: Callable[[str], None] = print,
) -> list[dict[str, Any]]:
    """Run what is missing, and return the rows.

    Args:
        out: the folder; one file for each row.
        scale: ``"smoke"`` only shows that everything runs.
        recipes: names of recipes or rows; all by default.
        workers: processes, with one thread each; results do not depend on their number.
        tell: called with a line after each row.

    Raises:
        ConfigError: for an unknown recipe.
        RunDirectoryError: if the folder cannot be written, or another process does.
    """
    rows, census = [row.at(scale) for row in choose(recipes)], Census(out, scale)
    (out / "seeds").mkdir(parents=True, exist_ok=True)
    with locked(out):
        remove_temporaries(out)
        remove_temporaries(out / "seeds")
        _run(census, [row for row in rows if not census.is_done(row)], workers, tell)
    return [read_json(census.row_file(row)) for row in rows]


def _run(census: Census, rows: list[Row], workers: int, tell: Callable[[str], None]) -> None:
    waiting = {row.name: len(census.missing(row)) for row in rows}
    jobs = [(row, seed) for row in rows for seed in census.missing(row)]
    done = 0

    def close(row: Row) -> None:
        nonlocal done
        found, done = census.sum_up(row), done + 1
        said = found["diagnosis"]["on"]["verdict"]
        tell(f"{done}/{len(rows)} {row.name}: {said}, {duration(found['core_seconds'])} of one core")

    for row in rows:
        if not waiting[row.name]:
            close(row)
    if workers == 1:
        for row, seed in jobs:
            run_and_write(row, seed, census)
            waiting[row.name] -= 1
            if not waiting[row.name]:
                close(row)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=set_up_process) as pool:
        running: dict[Future[None], Row] = {pool.submit(run_and_write, row, seed, census): row for row, seed in jobs}
        try:
            for job in as_completed(running):
                job.result()
                row = running[job]
                waiting[row.name] -= 1
                if not waiting[row.name]:
                    close(row)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def run_and_write(row: Row, seed: int, census: Census) -> None:
    """Train one seed of a row and write its file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **run_seed(row, seed))  # type: ignore[arg-type]
    write_bytes(census.seed_file(row, seed), buffer.getvalue())


def _read(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
