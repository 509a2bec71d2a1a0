"""The accuracy of a prediction against mixed labels."""

from __future__ import annotations

import torch
from torch import Tensor

from overmix._typing import Float, Shaped
from overmix.errors import ConfigError
from overmix.mix.cross_entropy import Side, Terms
from overmix.mix.label_rows import are_rows_of, check_class_indices, refuse_index_of_rows
from overmix.mix.precision import over_samples


def accuracy_terms(
    logits: Float[Tensor, "batch classes *position"],
    a: Shaped[Tensor, "batch *label"],
    b: Shaped[Tensor, "batch *label"],
    lam: Float[Tensor, " batch"],
    *,
    weight: Float[Tensor, " classes"] | None,
    ignore_index: int,
) -> Terms:
    """Return the terms of the mean of ``lam * [prediction == a] + (1 - lam) * [prediction == b]``.

    Args:
        logits: shape (B, C), or (B, C, ...).
        a: labels of the samples themselves: class indices, shape (B, ...), or rows of the logits' shape.
        b: labels of their partners, same shape.
        lam: weight of ``a``, shape (B,).
        weight: class weights, shape (C,).
        ignore_index: a side with this class index does not count.

    Raises:
        DataError: if the labels are neither class indices nor rows of the logits' shape.
        ConfigError: if rows have weights of classes, or an ignored index.
    """
    prediction = logits.argmax(dim=1)
    if are_rows_of(a, logits):
        refuse_index_of_rows(ignore_index)
        if weight is not None:
            raise ConfigError("weight", tuple(weight.shape), "leave it out: of rows, every sample counts 1")
        hits = [_heaviest(side, prediction) for side in (a, b)]
        counts = [torch.ones_like(hit) for hit in hits]
    else:
        check_class_indices(a, logits)
        sides = [Side.of(side, weight, ignore_index) for side in (a, b)]
        hits = [prediction == side.labels for side in sides]
        counts = [side.counts.float() for side in sides]
    lam = over_samples(lam.float(), prediction)
    shares = lam * counts[0], (1 - lam) * counts[1]
    return Terms(shares[0] * hits[0] + shares[1] * hits[1], shares[0] + shares[1])


def _heaviest(rows: Tensor, prediction: Tensor) -> Tensor:
    """Return 1.0 where the predicted class is the heaviest of its row, or one of several, shape (B, ...)."""
    rows = rows.float()
    return (rows.gather(1, prediction.unsqueeze(1)).squeeze(1) == rows.amax(dim=1)).float()
