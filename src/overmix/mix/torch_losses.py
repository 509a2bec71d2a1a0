"""PyTorch's own losses, called with a mixed target in the place of labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch.nn.functional as F
from torch import Tensor, nn

from overmix.mix.cross_entropy import IGNORE_INDEX, Reduction, check_reduction, mixture, unmixed_class_loss
from overmix.mix.precision import over_samples

if TYPE_CHECKING:
    from overmix.mix.target import MixedTarget

_WHICH = (
    "say which loss is meant: of the mixed value, {name}(output, target.soft()), or the mixture of both losses, "
    "target.loss(criterion, output) with reduction='none'"
)


def loss_of_target(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
    """Return what a loss of ``torch.nn.functional`` is of a mixed target: that of the dense mixture.

    Cross-entropies are linear in the target, so that the mixture of both losses and the loss of the mixture are one.
    They are not for others, such as squared errors, which are refused.

    Args:
        function: PyTorch's function.
        args: what it was called with.
        kwargs: likewise.

    Raises:
        TypeError: if the function is no loss that is linear in the target, or the target is not where labels go.
    """
    loss = _LOSSES.get(function)
    if loss is None:
        name = getattr(function, "__name__", str(function))
        remedy = _WHICH.format(name=name) if name.endswith(("_loss", "_div")) else "use target.soft(num_classes)"
        raise TypeError(f"{name} takes no MixedTarget: {remedy}")
    return loss(*args, **kwargs)


# Arguments have the names and the order of PyTorch's, as they arrive by either.


def _cross_entropy(
    input: Tensor,
    target: MixedTarget,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = IGNORE_INDEX,
    reduce: bool | None = None,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    _check(input, target, size_average, reduce)
    return target.cross_entropy(input, weight, ignore_index, label_smoothing=label_smoothing, reduction=reduction)


def _nll_loss(
    input: Tensor,
    target: MixedTarget,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = IGNORE_INDEX,
    reduce: bool | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    _check(input, target, size_average, reduce)
    check_reduction(reduction)
    if target.is_unmixed and not target.a.is_floating_point():
        return unmixed_class_loss(
            lambda y: F.nll_loss(input, y, weight=weight, ignore_index=ignore_index, reduction=reduction),
            *(target.a, weight, ignore_index, reduction),
        )
    if reduction == "mean":
        return target.loss(nn.NLLLoss(weight=weight, ignore_index=ignore_index, reduction="none"), input)
    loss_a, loss_b = (
        F.nll_loss(input, side, weight=weight, ignore_index=ignore_index, reduction="none")
        for side in (target.a, target.b)
    )
    losses = mixture(loss_a, loss_b, over_samples(target.lam, loss_a).to(loss_a.dtype))
    return losses.sum() if reduction == "sum" else losses


def _binary_cross_entropy_with_logits(
    input: Tensor,
    target: MixedTarget,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    _check(input, target, size_average, reduce)
    return F.binary_cross_entropy_with_logits(
        input, target.rows_like(input), weight=weight, reduction=reduction, pos_weight=pos_weight
    )


def _binary_cross_entropy(
    input: Tensor,
    target: MixedTarget,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    _check(input, target, size_average, reduce)
    return F.binary_cross_entropy(input, target.rows_like(input), weight=weight, reduction=reduction)


def _check(output: object, target: object, size_average: bool | None, reduce: bool | None) -> None:
    if not isinstance(output, Tensor) or isinstance(target, Tensor):
        raise TypeError("give the model's output first and the MixedTarget second")
    if size_average is not None or reduce is not None:
        raise TypeError("size_average and reduce are deprecated, and not taken with a MixedTarget: use reduction")


_LOSSES: dict[Callable[..., Any], Callable[..., Tensor]] = {
    F.cross_entropy: _cross_entropy,
    F.nll_loss: _nll_loss,
    F.binary_cross_entropy_with_logits: _binary_cross_entropy_with_logits,
    F.binary_cross_entropy: _binary_cross_entropy,
}
