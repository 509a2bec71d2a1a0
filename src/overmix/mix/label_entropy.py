"""The entropy of mixed labels: what no model's loss is below."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor

from overmix._typing import Float, Int, Shaped
from overmix.errors import DataError
from overmix.mix.cross_entropy import IGNORE_INDEX
from overmix.mix.label_rows import holds
from overmix.mix.precision import over_samples

EntropyLoss: TypeAlias = Literal["cross_entropy", "binary_cross_entropy"]
"""The loss whose floor an entropy is."""


def label_entropy(
    a: Int[Tensor, "*stack batch"], b: Int[Tensor, "*stack batch"], lam: Float[Tensor, "*stack batch"]
) -> Float[Tensor, "*stack batch"]:
    """Per sample, ``-lam log lam - (1 - lam) log(1 - lam)`` where ``a != b``, and 0 where they are one class.

    It is the entropy of the mixed label, in nats: what no model's cross-entropy on this sample is below.

    Args:
        a: the samples' own classes, shape (..., B).
        b: the partners' classes, shape (..., B).
        lam: weight of ``a``, shape (..., B).

    Returns:
        Shape (..., B), in ``lam``'s dtype.

    Example:
        >>> label_entropy(torch.tensor([0, 0]), torch.tensor([1, 0]), torch.tensor([0.5, 0.5]))   # log 2, 0
        tensor([0.6931, 0.0000])
    """
    return binary_entropy(lam) * (a != b)


def binary_entropy(p: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """``-p log p - (1 - p) log(1 - p)``, in nats, of each number; NaN outside of [0, 1]."""
    entropy: Tensor = -torch.special.xlogy(p, p) - torch.special.xlogy(1 - p, 1 - p)
    # 0 - 0 has a sign, and adding 0 takes it away.
    return entropy + 0.0


def class_entropy(
    a: Shaped[Tensor, "batch *position"],
    b: Shaped[Tensor, "batch *position"],
    lam: Float[Tensor, " batch"],
    ignore_index: int = IGNORE_INDEX,
) -> Float[Tensor, " batch"]:
    """Per sample, the mean of :func:`label_entropy` over its positions, by how much each counts; 0 if none does.

    A label of which one side is ignored counts with the share of the other, and has no entropy.
    """
    a, b, lam = a.long(), b.long(), over_samples(lam, a)
    a_counts, b_counts = a != ignore_index, b != ignore_index
    counts = lam * a_counts + (1 - lam) * b_counts
    entropy = label_entropy(a, b, lam.expand(a.shape)) * (a_counts & b_counts)
    positions = tuple(range(1, a.dim()))
    if not positions:
        return entropy
    return entropy.sum(positions) / counts.sum(positions).clamp_min(torch.finfo(counts.dtype).tiny)


def soft_row_entropy(rows: Float[Tensor, "batch classes *position"]) -> Float[Tensor, " batch"]:
    """Per sample, ``-sum_c q_c log q_c`` of soft rows q, and the mean over positions.

    Args:
        rows: the mixed labels, >= 0, that sum to 1 over their classes.

    Raises:
        DataError: if they do not. On another device than the CPU nothing waits to see: the entropy is NaN there.
    """
    proper = (rows >= 0).all(1) & ((rows.sum(1) - 1).abs() < 1e-3)
    return _mean_where(proper, torch.special.entr(rows).sum(1), _NO_ROWS)


def multi_label_entropy(labels: Float[Tensor, "batch *label"]) -> Float[Tensor, " batch"]:
    """Per sample, the mean of ``-q log q - (1 - q) log(1 - q)`` over its labels q.

    Args:
        labels: the mixed labels, in [0, 1].

    Raises:
        DataError: if they are not. On another device than the CPU nothing waits to see: the entropy is NaN there.
    """
    return _mean_where((labels >= 0) & (labels <= 1), binary_entropy(labels), _NO_LABELS)


_NO_ROWS = (
    "entropy: rows must be >= 0 and sum to 1: for multi-label rows use entropy('binary_cross_entropy'); a regression "
    "has no floor"
)
_NO_LABELS = "entropy: labels must lie in [0, 1]: a regression has no floor"


def _mean_where(proper: Tensor, entropy: Tensor, otherwise: str) -> Float[Tensor, " batch"]:
    if holds(proper) is False:
        raise DataError(otherwise)
    mean = entropy.flatten(1).mean(1) if entropy.dim() > 1 else entropy
    return torch.where(proper.flatten(1).all(1) if proper.dim() > 1 else proper, mean, torch.nan)
