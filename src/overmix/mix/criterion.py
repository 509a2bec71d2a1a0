"""Any loss of mixed labels: the mixture of the losses of the two sides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from overmix._typing import Float
from overmix.errors import ConfigError, DataError
from overmix.mix.cross_entropy import Side, Terms, counted, mixture
from overmix.mix.precision import at_least_float32, over_samples


def mixed_criterion(
    criterion: Callable[..., Tensor],
    output: Any,
    a: Any,
    b: Any,
    lam: Float[Tensor, " batch"],
    *,
    sample_weight: Float[Tensor, " batch"] | None = None,
    weight: Float[Tensor, " classes"] | None = None,
    ignore_index: int | None = None,
) -> Float[Tensor, ""]:
    """Mean over samples of ``lam * criterion(output, a) + (1 - lam) * criterion(output, b)``.

    Args:
        criterion: a function of output and labels that returns one value per sample, shape (B, ...).
        output: what the model returned.
        a: the samples' own labels: a tensor, or whatever the criterion takes.
        b: the partners' labels.
        lam: weight of ``a``, shape (B,).
        sample_weight: shape (B,).
        weight: the class weights that the criterion multiplied its values by: the mean divides by them.
        ignore_index: the class index whose values do not count.

    Raises:
        ConfigError: if the criterion reduces.
        DataError: if it broadcasts (B, 1) against (B,).
    """
    values = [_values(criterion, output, side, lam.shape[0], (a, b)) for side in (a, b)]
    if weight is None and ignore_index is None:
        loss_a, loss_b = (value.flatten(1).mean(1) if value.dim() > 1 else value for value in values)
        losses = mixture(loss_a, loss_b, lam.to(loss_a.dtype))
        terms = Terms(losses, torch.ones_like(losses))
    else:
        terms = _class_terms(values, (a, b), lam, weight, ignore_index)
    return terms.times(sample_weight).mean()


def _values(
    criterion: Callable[..., Tensor], output: Any, label: Any, batch_size: int, sides: tuple[Any, Any]
) -> Tensor:
    """Return the criterion's value for each sample, shape (B, ...), in float32 at least."""
    if isinstance(criterion, _OF_DIFFERENCES):
        check_one_shape(output, label)
    value = criterion(output, label)
    if value.dim() == 0 or value.shape[0] != batch_size:
        raise ConfigError(
            "criterion",
            tuple(value.shape),
            f"return one loss per sample, shape ({batch_size}, ...): use reduction='none'",
        )
    shapes = [tuple(side.shape) for side in (output, sides[0]) if isinstance(side, Tensor)]
    column_against_none = sorted(shapes) == [(batch_size,), (batch_size, 1)]
    if column_against_none and value.shape == (batch_size, batch_size):
        raise DataError(
            f"output has shape {shapes[0]} but y has {shapes[1]}, and the criterion broadcast them to all pairs: "
            "squeeze or unsqueeze one of them"
        )
    return at_least_float32(value)


_OF_DIFFERENCES = (nn.HuberLoss, nn.L1Loss, nn.MSELoss, nn.SmoothL1Loss)
"""PyTorch's losses that compare value by value."""


LOSSES_OF_CLASSES = (nn.CrossEntropyLoss, nn.NLLLoss)
"""PyTorch's losses that have weights of classes and an ignored index."""


def check_one_shape(output: Any, label: Any) -> None:
    """Refuse labels that a loss of differences would compare with the outputs of other samples.

    Classes of shape (B,) against an output of shape (B, C) are broadcast without a word where B is C.

    Raises:
        DataError: if the labels are no tensor of the output's shape.
    """
    shapes = [tuple(part.shape) if isinstance(part, Tensor) else type(part).__name__ for part in (output, label)]
    if shapes[0] != shapes[1]:
        raise DataError(
            f"output has shape {shapes[0]} but y has {shapes[1]}, and the criterion compares value by value: give "
            "labels of the output's shape, squeeze or unsqueeze one of them, or use a cross-entropy for classes"
        )


def _class_terms(
    values: list[Tensor], labels: tuple[Tensor, Tensor], lam: Tensor, weight: Tensor | None, ignore_index: int | None
) -> Terms:
    for value, label in zip(values, labels, strict=True):
        if not isinstance(label, Tensor) or label.is_floating_point() or value.shape != label.shape:
            raise ConfigError(
                "criterion", tuple(value.shape), "return one loss per class index, or leave out weight and ignore_index"
            )
    side_a, side_b = (
        Side.of(label, None if weight is None else weight.to(values[0].dtype), ignore_index) for label in labels
    )
    lam = over_samples(lam.to(values[0].dtype), values[0])
    # Not by the weights of classes, which the values have in them: a smoothed label of weight 0 has a loss.
    of_a, of_b = counted(values[0], lam * side_a.valid), counted(values[1], (1 - lam) * side_b.valid)
    return Terms(lam * of_a + (1 - lam) * of_b, lam * side_a.counts + (1 - lam) * side_b.counts)


def counts_read_from(criterion: object) -> tuple[Tensor | None, int | None]:
    """Return the class weights and the ignored index of PyTorch's losses of classes, whose mean divides by them."""
    if isinstance(criterion, LOSSES_OF_CLASSES):
        return criterion.weight, criterion.ignore_index
    return None, None
