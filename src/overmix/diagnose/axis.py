"""What the places of a curve are called: epochs, optimizer steps, or by the name that their column has."""

from __future__ import annotations

_EPOCHS = ("epoch", "epochs", "train/epoch")
_STEPS = (
    "step", "steps", "global_step", "iteration", "iterations", "iter", "trainer/global_step", "train/global_step"
)  # fmt: skip


def axis_noun(axis: str) -> str:
    """Return what stands before a place on an axis.

    Example:
        >>> axis_noun("Epochs"), axis_noun("global_step")
        ('epoch', 'global_step')
    """
    return "epoch" if counts_epochs(axis) else axis


def counts_epochs(axis: str) -> bool:
    """Whether an axis counts epochs, by its name."""
    return axis.lower() in _EPOCHS


def counts_steps(axis: str) -> bool:
    """Whether an axis may count optimizer steps, by its name; loggers count their own calls under it too."""
    return axis.lower() in _STEPS


def written_place(place: float) -> str:
    """Write a place on an axis, whole numbers with all their digits.

    Example:
        >>> written_place(1234567.0), written_place(0.25)
        ('1234567', '0.25')
    """
    return f"{place:.0f}" if float(place).is_integer() and abs(place) < 1e15 else f"{place:g}"
