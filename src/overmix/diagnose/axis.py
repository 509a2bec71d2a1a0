"""What the places of a curve are called: epochs, optimizer steps, or by the name that their column has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

AXES: Mapping[str, Literal["epochs", "steps", "rows"]] = {
    "epoch": "epochs",
    "epochs": "epochs",
    "step": "steps",
    "global_step": "steps",
    "steps": "steps",
    "iteration": "steps",
    "iterations": "steps",
    "iter": "steps",
    "trainer/global_step": "steps",
    "_step": "rows",
    "train/epoch": "epochs",
    "train/global_step": "steps",
    "index": "rows",
}
"""Names of axes, in lower case, and what they count; of several in a log the first is preferred."""


def axis_noun(axis: str) -> str:
    """Return what stands before a place on an axis.

    Example:
        >>> axis_noun("Epochs"), axis_noun("global_step")
        ('epoch', 'global_step')
    """
    return "epoch" if counts_epochs(axis) else axis


def counts_epochs(axis: str) -> bool:
    """Whether an axis counts epochs, by its name."""
    return AXES.get(axis.lower()) == "epochs"


def counts_steps(axis: str) -> bool:
    """Whether an axis may count optimizer steps, by its name; loggers count their own calls under it too."""
    return AXES.get(axis.lower()) == "steps"


def counted_by(axis: str) -> str:
    """Return what an axis counts, equal for names of one meaning; of an unknown name the name.

    Example:
        >>> counted_by("Epoch") == counted_by("train/epoch"), counted_by("step"), counted_by("Hours")
        (True, 'steps', 'hours')
    """
    return AXES.get(axis.lower(), axis.lower())


def written_place(place: float) -> str:
    """Write a place on an axis, whole numbers with all their digits.

    Example:
        >>> written_place(1234567.0), written_place(0.25)
        ('1234567', '0.25')
    """
    return f"{place:.0f}" if float(place).is_integer() and abs(place) < 1e15 else f"{place:g}"
