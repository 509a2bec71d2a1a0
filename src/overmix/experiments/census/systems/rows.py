"""The rows of all systems, from the modules of this package."""

from __future__ import annotations

import importlib
import pkgutil

from overmix.experiments.census import systems
from overmix.experiments.census.collection import Collection
from overmix.experiments.census.row import Row


def system_rows() -> tuple[Row, ...]:
    """Return the rows of every module that has ``ROWS``, modules in the order of their names.

    Modules import what they need of the extra ``systems`` when a row is trained, so that rows can be listed without it.
    """
    names = sorted(module.name for module in pkgutil.iter_modules(systems.__path__) if module.name != "rows")
    modules = (importlib.import_module(f"{systems.__name__}.{name}") for name in names)
    return tuple(row for module in modules for row in getattr(module, "ROWS", ()))


SYSTEMS = Collection("systems", seeds=8, rows=system_rows)
"""A small but real system for every work that cites over-training."""
