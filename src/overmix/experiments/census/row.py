"""A row of the census: a recipe, what it is trained on, and what it is compared with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from overmix.diagnose.interval import t_interval
from overmix.mix import Recipe

SHARES = (1 / 24, 1 / 12, 1 / 6, 1 / 3, 2 / 3)
"""Where the recipe is switched off, as shares of the training, beside never on and never off: log-spaced, with 1/3."""

Scale = Literal["smoke", "laptop"]

SMOKE_EPOCHS = 10


@dataclass(frozen=True, kw_only=True)
class Row(ABC):
    """What all rows have, whether a study or a loop trains them.

    Conditions are ``off@<epoch>`` (0 is never mixed, the last epoch the recipe all along), controls, and ``auto``.

    Args:
        recipe_name: as ``overmix recipes`` lists it.
        variant: tells rows of one recipe apart.
        off: what "off" means in this row.
        erm: the condition that mixes nothing: never on, or a control where being off is another method.
        shares: where the recipe is switched off, as shares of the training.
        seeds: how many, if not as many as the collection of rows has.
        needs: packages of the extra ``systems`` that it imports.
        lacks: what it still lacks against the paper's own system.
    """

    recipe_name: str
    variant: str = ""
    off: str = "plain training"
    erm: str = "off@0"
    shares: tuple[float, ...] = SHARES
    seeds: int | None = None
    needs: tuple[str, ...] = ()
    lacks: str = ""

    @property
    @abstractmethod
    def recipe(self) -> Recipe:
        """The method with its parameters."""

    @property
    @abstractmethod
    def epochs(self) -> int:
        """Length of the training."""

    @property
    @abstractmethod
    def control_names(self) -> list[str]:
        """Further trainings to compare with."""

    @property
    def baseline_names(self) -> list[str]:
        """What the field would compare with and no training of the row is; measured once for each seed."""
        return []

    @property
    @abstractmethod
    def about(self) -> dict[str, Any]:
        """What is trained: ``title``, ``metric``, ``kind`` and the settings, as JSON has them."""

    @abstractmethod
    def at(self, scale: Scale) -> Row:
        """Return the row at a scale: ``"smoke"`` only shows that it runs."""

    @abstractmethod
    def digest(self) -> str:
        """Return what tells this row from another version of itself."""

    @property
    def name(self) -> str:
        """A name usable as that of a file."""
        return f"{self.recipe_name}-{self.variant}" if self.variant else self.recipe_name

    @property
    def grid(self) -> list[int]:
        """Switch epochs, 0 (never mixed) and the last (never off) included."""
        inner = {int(round(share * self.epochs, 6)) for share in self.shares}
        return sorted({0, self.epochs} | {epoch for epoch in inner if 0 < epoch < self.epochs})

    @property
    def third(self) -> int:
        """The epoch of the grid after one third of the training."""
        return int(round(self.epochs / 3, 6))

    @property
    def conditions(self) -> list[str]:
        """Names of all trainings."""
        return [*(f"off@{epoch}" for epoch in self.grid), *self.control_names, "auto"]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """What is compared, by the names that :meth:`condition` knows."""
        others = [name for name in [*self.control_names, *self.baseline_names] if name != self.erm]
        ends = [("on", "erm"), ("best", "erm"), ("best", "on"), ("auto", "erm"), ("auto", "on")]
        return [*ends, ("third", "on"), ("third", "best"), *((a, b) for b in others for a in ("on", "best"))]

    def condition(self, name: str, best: int) -> str:
        """Return the training that a name stands for.

        Args:
            name: ``erm``, ``on``, ``best``, ``third``, or a condition.
            best: the best switch epoch.
        """
        known = {"erm": self.erm, "on": f"off@{self.epochs}", "best": f"off@{best}", "third": f"off@{self.third}"}
        return known.get(name, name)


def number(value: Any) -> float | None:
    """Return a number as JSON holds it: none where a run diverged."""
    return float(value) if np.isfinite(value) else None


def interval(values: np.ndarray) -> list[float] | None:
    """Return Student's interval of a mean over seeds, as JSON holds it."""
    ci = t_interval(values)
    return None if ci is None else list(ci)
