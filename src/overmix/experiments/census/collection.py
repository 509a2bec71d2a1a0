"""Rows that are run and shown together."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from overmix.errors import ConfigError, MissingExtraError, did_you_mean
from overmix.experiments.census.row import Row, Scale

SMOKE_SEEDS = 2
EXTRA = "systems"
"""The extra of the packages that rows may need beside those of studies."""


@dataclass(frozen=True)
class Collection:
    """Rows that are run and shown together.

    Args:
        name: of its folder below ``runs``.
        seeds: of each row that does not say otherwise.
        rows: returns the rows, whose modules are imported when somebody asks.
    """

    name: str
    seeds: int
    rows: Callable[[], tuple[Row, ...]]

    def folder(self, scale: Scale) -> Path:
        """Return where the files of a run are, unless the user says otherwise."""
        return Path("runs") / (self.name if scale == "laptop" else f"{self.name}-{scale}")

    def seeds_of(self, row: Row, scale: Scale) -> int:
        """Return the number of seeds of a row."""
        return SMOKE_SEEDS if scale == "smoke" else row.seeds or self.seeds

    def choose(self, recipes: Sequence[str] | None) -> list[Row]:
        """Return the rows of some recipes, by the names of recipes or rows; all by default.

        Raises:
            ConfigError: for a name that has no row, with the nearest one that has.
        """
        rows = self.rows()
        if recipes is None:
            return list(rows)
        known = {row.recipe_name for row in rows} | {row.name for row in rows}
        if not recipes:
            raise ConfigError("recipes", list(recipes), f"name one, or leave it out for all: {did_you_mean('', known)}")
        for name in recipes:
            if name not in known:
                raise ConfigError("recipes", name, did_you_mean(name, known))
        return [row for row in rows if row.recipe_name in recipes or row.name in recipes]


def check_packages(rows: Sequence[Row]) -> None:
    """Refuse rows whose packages are not installed.

    Raises:
        MissingExtraError: for the first package that is not there.
    """
    for package in (package for row in rows for package in row.needs):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, EXTRA)
