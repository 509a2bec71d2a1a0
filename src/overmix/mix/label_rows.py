"""What labels are beside a model's output, class indices or rows of classes, and rows of their mixture."""

from __future__ import annotations

from typing import NoReturn

import torch
from torch import Tensor

from overmix._typing import Bool, Float, Shaped
from overmix.errors import ConfigError, DataError
from overmix.mix.cross_entropy import IGNORE_INDEX
from overmix.mix.precision import over_samples


def are_rows_of(labels: Tensor, output: Tensor) -> bool:
    """Return whether labels are rows of the output's classes: of its own shape, of two dimensions or more.

    Example:
        >>> logits = torch.zeros(4, 3)
        >>> are_rows_of(torch.zeros(4, 3), logits), are_rows_of(torch.zeros(4, dtype=torch.long), logits)
        (True, False)
    """
    return labels.dim() > 1 and labels.shape == output.shape


def check_class_indices(labels: Tensor, logits: Tensor) -> None:
    """Refuse labels that are no class indices of shape (B, ...) for logits of shape (B, C, ...).

    Raises:
        DataError: if they are of another shape, or floats.
    """
    expected = tuple(logits.shape[:1] + logits.shape[2:])
    if labels.is_floating_point():
        raise DataError(
            f"cross_entropy: soft labels must have the logits' shape {tuple(logits.shape)}, "
            f"but y has {tuple(labels.shape)}; for regression use .loss(criterion, output)"
        )
    if labels.shape != expected:
        raise DataError(
            f"cross_entropy: logits of shape {tuple(logits.shape)} need class indices of shape {expected}, or rows "
            f"of the logits' shape, but y has {tuple(labels.shape)}"
        )


def refuse_classes_beyond(num_classes: int, ignore_index: int, *sides: Shaped[Tensor, "batch *position"]) -> None:
    """Refuse class indices that the logits have no column for, where looking does not wait for a device.

    Raises:
        DataError: naming the first one.
    """
    for labels in (side.long() for side in sides):  # -100 is 156 in uint8
        proper = ((labels >= 0) & (labels < num_classes)) | (labels == ignore_index)
        if holds(proper) is False:
            raise DataError(
                f"cross_entropy: y holds the class index {int(labels[~proper][0])}, but the logits have {num_classes} "
                f"classes: give indices from 0 to {num_classes - 1}, or {ignore_index} for a label to be ignored"
            )


def refuse_index_of_rows(ignore_index: int) -> None:
    """Refuse to leave a class index out of rows, which hold none.

    Raises:
        ConfigError: unless it is the default.
    """
    if ignore_index != IGNORE_INDEX:
        raise ConfigError("ignore_index", ignore_index, "leave it out: rows hold no class index")


def check_one_class_each(*sides: Shaped[Tensor, "batch classes *position"]) -> None:
    """Refuse rows of integers or booleans that mark no class or several: a cross-entropy is of one.

    Floats are shares, whatever they sum to, as in PyTorch. Looked at on the CPU only.

    Raises:
        DataError: for the first such row.
    """
    for labels in sides:
        if labels.is_floating_point():
            continue
        # Numbers of 0 and more that sum to 1 are one 1 and zeros.
        proper = (labels.sum(1) == 1) & (labels.amin(1) >= 0)
        if holds(proper) is False:
            sample, *position = (~proper).nonzero()[0].tolist()
            row = labels[(sample, slice(None), *position)]
            place = f"row {sample} of y" + (f" at position {tuple(position)}" if position else "")
            raise DataError(f"cross_entropy: {place} {_no_class(row)}")


def _no_class(row: Shaped[Tensor, " classes"]) -> str:
    """Return what is wrong with a row that does not mark one class, and what to do."""
    row = row.long()
    marks = int(row.sum())
    if not bool(((row == 0) | (row == 1)).all()):
        other = int(row[(row != 0) & (row != 1)][0])
        return f"holds {other}: give ones and zeros, or shares as floats, y / y.sum(1, keepdim=True)"
    if marks == 0:
        return (
            "marks no class: give class indices, with ignore_index where there is none, or y.float(), whose empty rows "
            "cost 0; for any number of labels at once use a binary loss, torch.nn.BCEWithLogitsLoss()(logits, target)"
        )
    return (
        f"marks {marks} classes, not one: for several labels at once use a binary loss, "
        "torch.nn.BCEWithLogitsLoss()(logits, target)"
    )


def mixed_rows(
    a: Shaped[Tensor, "*stack batch *row"],
    b: Shaped[Tensor, "*stack batch *row"],
    lam: Float[Tensor, "*stack batch"],
) -> Float[Tensor, "*stack batch *row"]:
    """``lam * a + (1 - lam) * b`` of rows or values of any dtype, of stacks too, in the wider of their and lam's dtype.

    Labels of half precision so are mixed, and summed after, in lam's float32.

    Example:
        >>> a, b = torch.tensor([[1, 0]]), torch.tensor([[0, 0]])
        >>> mixed_rows(a, b, torch.tensor([0.25]))
        tensor([[0.2500, 0.0000]])
    """
    dtype = torch.promote_types(a.dtype, lam.dtype)
    return torch.lerp(b.to(dtype), a.to(dtype), over_samples(lam, a).to(dtype))


def soft_labels(
    a: Shaped[Tensor, "batch *label"],
    b: Shaped[Tensor, "batch *label"],
    lam: Float[Tensor, " batch"],
    num_classes: int | None,
) -> Float[Tensor, "batch *row"]:
    """``lam * a + (1 - lam) * b`` of rows, or of the one-hot rows of class indices.

    Args:
        a: labels of the samples themselves: floats are rows or values; for others see :meth:`MixedTarget.soft`.
        b: labels of their partners, same shape.
        lam: weight of ``a``, shape (B,).
        num_classes: C, needed for class indices.

    Raises:
        ConfigError: if class indices come without ``num_classes``, or one of them is not below it.
        DataError: if a class index is negative, or rows hold anything but 0 and 1. On another device than the CPU
            nothing waits to see: the rows of such a label are NaN there.
    """
    if a.is_floating_point():
        return mixed_rows(a, b, lam)
    sides = torch.stack([a, b]).long()
    if _are_multi_label(a, num_classes):
        proper = (sides == 0) | (sides == 1)
        seen = holds(proper)
        if seen is False:
            raise DataError(
                f"soft: y has shape {tuple(a.shape)}, as multi-label rows of {a.shape[1]} classes, but holds "
                f"{int(sides[~proper][0])}: of as many positions as classes, give F.one_hot rows"
            )
    else:
        if num_classes is None:
            raise ConfigError("num_classes", None, "give the number of classes: the labels are class indices")
        proper = (sides >= 0) & (sides < num_classes)
        seen = holds(proper)
        if seen is False:
            _refuse_classes(sides, num_classes)
        # F.one_hot would look at the values, and take eight times the memory.
        classes = torch.arange(num_classes, device=a.device).view(-1, *[1] * (a.dim() - 1))
        sides, proper = sides.unsqueeze(2) == classes, proper.unsqueeze(2)
    rows = mixed_rows(sides[0], sides[1], lam)
    return rows if seen else torch.where(proper.all(0), rows, torch.nan)


def holds(proper: Bool[Tensor, "..."]) -> bool | None:
    """Return whether a condition holds throughout; None where looking would wait for a device, or cannot be compiled.

    Example:
        >>> holds(torch.tensor([True, False]))
        False
        >>> holds(torch.tensor([True, False], device="meta")) is None
        True
    """
    if proper.device.type != "cpu" or torch.compiler.is_compiling():
        return None
    try:
        return bool(proper.all())
    except RuntimeError:  # under torch.func.vmap there are no values
        return None


def _refuse_classes(classes: Tensor, num_classes: int) -> NoReturn:
    lowest, highest = (int(bound) for bound in classes.aminmax())
    if lowest < 0:
        raise DataError(f"soft: y holds the class index {lowest}: an ignored label has no row")
    raise ConfigError("num_classes", num_classes, f"use at least {highest + 1}: label {highest} occurs")


def _are_multi_label(labels: Tensor, num_classes: int | None) -> bool:
    """Whether labels that are no floats are rows of so many classes, by their shape."""
    if num_classes is None or labels.dim() < 2:
        return labels.dim() > 1
    return labels.shape[1] == num_classes and (labels.dim() == 2 or labels.dtype == torch.bool)
