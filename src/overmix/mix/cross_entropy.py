"""Cross-entropy of mixed labels, without a dense target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from overmix._typing import Float, Int, Shaped
from overmix.errors import ConfigError, DataError
from overmix.mix.precision import at_least_float32, in_loss_precision, over_samples
from overmix.real_numbers import is_real

IGNORE_INDEX = -100
"""The class index that counts for nothing, as in PyTorch's losses."""

Reduction: TypeAlias = Literal["mean", "sum", "none"]
"""What becomes of the losses of a batch, as in PyTorch."""


def mixed_cross_entropy(
    logits: Float[Tensor, "*stack batch classes"],
    a: Int[Tensor, "*stack batch"],
    b: Int[Tensor, "*stack batch"],
    lam: Float[Tensor, "*stack batch"],
) -> Float[Tensor, "*stack batch"]:
    """Per sample, ``-lam * log p[a] - (1 - lam) * log p[b]`` with ``p = softmax(logits)``.

    One log-softmax and two gathers: no dense target is built.

    Args:
        logits: shape (..., B, C).
        a: the samples' own classes, shape (..., B), int64.
        b: the partners' classes, shape (..., B), int64.
        lam: weight of ``a``, shape (..., B).

    Returns:
        The loss of each sample, shape (..., B).

    Example:
        >>> logits = torch.zeros(1, 4)
        >>> mixed_cross_entropy(logits, torch.tensor([0]), torch.tensor([2]), torch.tensor([0.3]))   # log 4
        tensor([1.3863])
    """
    log_p = F.log_softmax(in_loss_precision(logits), dim=-1)
    log_p_a = log_p.gather(-1, a.unsqueeze(-1)).squeeze(-1)
    log_p_b = log_p.gather(-1, b.unsqueeze(-1)).squeeze(-1)
    return -mixture(log_p_a, log_p_b, lam.to(log_p.dtype))


def mixture(of_a: Tensor, of_b: Tensor, lam: Tensor) -> Tensor:
    """``lam * of_a + (1 - lam) * of_b`` of losses, or log-likelihoods; a side without a share is :func:`counted` 0.

    Example:
        >>> mixture(torch.tensor([2.0, 2.0]), torch.tensor([4.0, torch.inf]), lam=torch.tensor([0.5, 1.0]))
        tensor([3., 2.])
    """
    return torch.lerp(counted(of_b, 1 - lam), counted(of_a, lam), lam)


def counted(losses: Tensor, share: Tensor) -> Tensor:
    """Return the losses, and 0 where their share is 0.

    What does not count may be infinite, as the loss of a class that the model rules out is, and 0 times that is NaN.
    """
    return torch.where(share == 0, 0.0, losses)


class Terms(NamedTuple):
    """The losses of all labels of a batch, and how much each of them counts.

    Args:
        losses: shape (B, ...), already multiplied by what they count.
        counts: shape (B, ...).
    """

    losses: Tensor
    counts: Tensor

    def mean(self) -> Float[Tensor, ""]:
        """Return ``sum(losses) / sum(counts)``; 0 if the counts sum to exactly 0, NaN if one of them is NaN."""
        return quotient(self.losses.sum(), self.counts.sum(), of_nothing=0.0)

    def times(self, weight: Float[Tensor, " batch"] | None) -> Terms:
        """Return the terms with a weight of each sample."""
        if weight is None:
            return self
        weight = over_samples(weight.to(self.losses.dtype), self.losses)
        return Terms(self.losses * weight, self.counts * weight)


def quotient(part: Tensor, whole: Tensor, of_nothing: Tensor | float) -> Tensor:
    """Return ``part / whole``, and ``of_nothing`` where ``whole`` is exactly 0; what is NaN stays NaN.

    Example:
        >>> quotient(torch.tensor([1.0, 0.0]), torch.tensor([-4.0, 0.0]), of_nothing=0.5)
        tensor([-0.2500,  0.5000])
    """
    # The inner one keeps 0 / 0 out of the gradient too.
    return torch.where(whole == 0, of_nothing, part / torch.where(whole == 0, 1.0, whole))


class Side(NamedTuple):
    """The class indices of one side of a mixture.

    Args:
        labels: shape (B, ...), all of them classes: an ignored one, which may lie outside, is class 0 here.
        valid: which are not ignored.
        counts: how much each counts: the weight of its class, 0 if it is ignored.
    """

    labels: Tensor
    valid: Tensor
    counts: Tensor

    @classmethod
    def of(cls, labels: Tensor, weight: Tensor | None, ignore_index: int | None) -> Side:
        """Return the side of these labels."""
        labels = labels.long()
        valid = torch.ones_like(labels, dtype=torch.bool) if ignore_index is None else labels != ignore_index
        labels = labels.masked_fill(~valid, 0)
        return cls(labels, valid, valid.float() if weight is None else valid * weight[labels])


def class_terms(
    logits: Float[Tensor, "batch classes *position"],
    a: Shaped[Tensor, "batch *position"],
    b: Shaped[Tensor, "batch *position"],
    lam: Float[Tensor, " batch"],
    *,
    weight: Float[Tensor, " classes"] | None,
    ignore_index: int,
    label_smoothing: float,
) -> Terms:
    """Return the terms of ``sum(lam w[a] CE(a) + (1 - lam) w[b] CE(b)) / sum(lam w[a] + (1 - lam) w[b])``.

    ``w`` is the weight of a class, and 0 for an ignored label; smoothing is PyTorch's: ``w[y] CE(y)`` becomes
    ``(1 - s) w[y] CE(y) + s / C sum_c w[c] CE(c)``.

    Args:
        logits: shape (B, C, ...).
        a: the samples' own classes, shape (B, ...), integers or booleans.
        b: the partners' classes, shape (B, ...).
        lam: weight of ``a``, shape (B,).
        weight: class weights, shape (C,).
        ignore_index: the class index that counts for nothing.
        label_smoothing: s, in [0, 1].
    """
    log_p = F.log_softmax(at_least_float32(logits), dim=1)
    weight = None if weight is None else weight.to(log_p.dtype)
    side_a, side_b = Side.of(a, weight, ignore_index), Side.of(b, weight, ignore_index)
    lam = over_samples(lam.to(log_p.dtype), a)
    share_a, share_b = lam * side_a.counts, (1 - lam) * side_b.counts
    of_a, of_b = (log_p.gather(1, side.labels.unsqueeze(1)).squeeze(1) for side in (side_a, side_b))
    losses = share_a * counted(of_a, share_a) + share_b * counted(of_b, share_b)
    if label_smoothing:
        mass = lam * side_a.valid + (1 - lam) * side_b.valid
        every_class = log_p if weight is None else log_p * weight.view(-1, *[1] * (log_p.dim() - 2))
        losses = torch.lerp(losses, mass * every_class.sum(1) / log_p.shape[1], label_smoothing)
    return Terms(-losses, share_a + share_b)


def row_terms(
    logits: Float[Tensor, "batch classes *position"],
    rows: Float[Tensor, "batch classes *position"],
    *,
    weight: Float[Tensor, " classes"] | None,
    label_smoothing: float,
) -> Terms:
    """Return the terms of PyTorch's cross-entropy with class probabilities; each sample and position counts 1."""
    logits = at_least_float32(logits)
    weight = None if weight is None else weight.to(logits.dtype)
    losses = F.cross_entropy(
        logits, rows.to(logits.dtype), weight=weight, reduction="none", label_smoothing=label_smoothing
    )
    return Terms(losses, torch.ones_like(losses))


def unmixed_cross_entropy(
    logits: Float[Tensor, "batch classes *position"],
    y: Shaped[Tensor, "batch *label"],
    *,
    weight: Float[Tensor, " classes"] | None,
    ignore_index: int,
    label_smoothing: float,
    reduction: Reduction,
) -> Float[Tensor, "..."]:
    """Return PyTorch's own cross-entropy, to the bit, of labels that are not mixed; 0 where it says 0 / 0.

    Args:
        logits: shape (B, C, ...).
        y: class indices, shape (B, ...), or rows of the logits' shape, of any dtype.
        weight: class weights, shape (C,).
        ignore_index: the class index that counts for nothing.
        label_smoothing: s, in [0, 1].
        reduction: as PyTorch's.
    """
    weight = None if weight is None else weight.to(logits.dtype)
    if y.dim() == logits.dim():
        y = y.to(logits.dtype)
        return F.cross_entropy(logits, y, weight=weight, label_smoothing=label_smoothing, reduction=reduction)
    return unmixed_class_loss(
        lambda classes: F.cross_entropy(
            *(logits, classes, weight), ignore_index=ignore_index, label_smoothing=label_smoothing, reduction=reduction
        ),
        *(y, weight, ignore_index, reduction),
    )


def unmixed_class_loss(
    loss: Callable[[Int[Tensor, "batch *position"]], Tensor],
    y: Shaped[Tensor, "batch *position"],
    weight: Float[Tensor, " classes"] | None,
    ignore_index: int,
    reduction: Reduction,
) -> Float[Tensor, "..."]:
    """Return one of PyTorch's losses of class indices that are not mixed, and 0 for its mean where nothing counts.

    Args:
        loss: takes class indices, shape (B, ...), int64.
        y: the class indices, of any dtype.
        weight: the loss' class weights, shape (C,).
        ignore_index: the loss' ignored class index.
        reduction: the loss' reduction.
    """
    y = y.long()
    if reduction != "mean":
        return loss(y)
    nothing = Side.of(y, weight, ignore_index).counts.sum() == 0
    # With every label ignored PyTorch's gradient is 0; with weights of 0 alone it would be 0 / 0.
    return torch.where(nothing, 0.0, loss(y.masked_fill(nothing, ignore_index)))


def check_logits(logits: object) -> None:
    """Refuse what is no output of shape (B, C, ...) in a floating dtype that losses are taken in.

    Raises:
        DataError: naming what was given.
    """
    if not isinstance(logits, Tensor):
        raise DataError(f"logits: found {type(logits).__name__}: give a tensor of shape (B, C), or (B, C, ...)")
    if logits.dim() < 2:
        raise DataError(f"logits have shape {tuple(logits.shape)}: give (B, C), a row of classes for each sample")
    if not logits.is_floating_point() or logits.dtype.itemsize == 1:
        raise DataError(f"logits have dtype {logits.dtype}: give floats, logits.float()")


def check_cross_entropy(weight: object, label_smoothing: float, num_classes: int) -> None:
    """Refuse what is no weight of classes, and no smoothing.

    Raises:
        ConfigError: if there are not as many weights as classes, or the smoothing lies outside of [0, 1].
    """
    check_weight(weight, num_classes)
    if not is_real(label_smoothing) or not 0 <= label_smoothing <= 1:
        raise ConfigError("label_smoothing", label_smoothing, "use a number in [0, 1]")


def check_weight(weight: object, num_classes: int | None) -> None:
    """Refuse what is no tensor of one weight for each class, or None.

    Args:
        weight: what was given.
        num_classes: C; None if nobody knows.

    Raises:
        ConfigError: naming its shape, or what it is.
    """
    if weight is None:
        return
    if not isinstance(weight, Tensor):
        raise ConfigError("weight", weight, "give a tensor of one for each class, torch.tensor([...])")
    if weight.dim() != 1 or num_classes not in (None, len(weight)):
        shape = "(C,)" if num_classes is None else f"({num_classes},)"
        raise ConfigError("weight", tuple(weight.shape), f"give one for each class, shape {shape}")


def check_reduction(reduction: object) -> None:
    """Refuse what is none of PyTorch's reductions.

    Raises:
        ConfigError: naming them.
    """
    if reduction not in get_args(Reduction):
        raise ConfigError("reduction", reduction, "use 'mean', 'sum' or 'none'")
