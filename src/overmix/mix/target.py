"""The target of a mixed batch: both sides kept whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from overmix._typing import Float, Int, Shaped
from overmix.errors import ConfigError, DataError

if TYPE_CHECKING:
    from typing_extensions import Self

    from overmix.mix.objective import Objective

IGNORE_INDEX = -100
"""The class index that counts for nothing, as in PyTorch's losses."""


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
    log_p = F.log_softmax(logits, dim=-1)
    own = log_p.gather(-1, a.unsqueeze(-1)).squeeze(-1)
    other = log_p.gather(-1, b.unsqueeze(-1)).squeeze(-1)
    return -torch.lerp(other, own, lam.to(own.dtype))


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
    entropy: Tensor = -torch.special.xlogy(lam, lam) - torch.special.xlogy(1 - lam, 1 - lam)
    # 0 - 0 has a sign, and adding 0 takes it away.
    return (entropy + 0.0) * (a != b)


@dataclass(frozen=True)
class MixedTarget:
    """The pair ``(a, b)`` with weight ``lam`` on ``a``.

    Mixing labels is left to the loss, so that nothing is lost: class indices stay indices, soft labels, multi-label
    rows, regression values stay what they are.

    Args:
        a: labels of the samples themselves, shape (B, ...).
        b: labels of their partners, same shape.
        lam: weight of ``a``, shape (B,).

    Example:
        >>> target = MixedTarget(torch.tensor([0]), torch.tensor([1]), torch.tensor([0.75]))
        >>> target.soft(num_classes=3)
        tensor([[0.7500, 0.2500, 0.0000]])
    """

    a: Shaped[Tensor, "batch *label"]
    b: Shaped[Tensor, "batch *label"]
    lam: Float[Tensor, " batch"]

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Self:
        """Return the target on another device, for batches that were mixed in a DataLoader worker."""
        return self._with(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Self:
        """Return the target in page-locked memory; a DataLoader with ``pin_memory=True`` calls this."""
        return self._with(Tensor.pin_memory)

    def _with(self, function: Callable[[Tensor], Tensor]) -> Self:
        return replace(self, **{k: function(v) for k, v in vars(self).items() if isinstance(v, Tensor)})

    def cross_entropy(
        self,
        logits: Float[Tensor, "batch classes *position"],
        weight: Float[Tensor, " classes"] | None = None,
        ignore_index: int = IGNORE_INDEX,
    ) -> Float[Tensor, ""]:
        """Mean over samples of ``lam * CE(logits, a) + (1 - lam) * CE(logits, b)``.

        With class weights w, or with ignored labels (weight 0), the mean is weighted as PyTorch's is:
        ``sum(lam w[a] CE(a) + (1 - lam) w[b] CE(b)) / sum(lam w[a] + (1 - lam) w[b])``.

        For soft labels it is PyTorch's cross-entropy of their mixture, whose mean is over samples even with weights.

        Args:
            logits: shape (B, C), or (B, C, ...) with labels of shape (B, ...).
            weight: class weights, shape (C,).
            ignore_index: a side with this class index does not count; with every label ignored the loss is 0.

        Returns:
            A scalar in the logits' dtype.

        Raises:
            DataError: if the labels are neither class indices of shape (B, ...) nor soft rows of shape (B, C, ...).
        """
        if self.a.is_floating_point():
            return self._soft_cross_entropy(logits, weight)
        if self.a.shape != logits.shape[:1] + logits.shape[2:]:
            raise DataError(
                f"cross_entropy: logits of shape {tuple(logits.shape)} need class indices of shape "
                f"{tuple(logits.shape[:1] + logits.shape[2:])}, but y has {tuple(self.a.shape)}"
            )
        a, b = self.a.long(), self.b.long()
        # Sums over a dense prediction overflow in half precision: as PyTorch's own loss, add up in float32 at least.
        dtype = torch.promote_types(logits.dtype, torch.float32)
        lam = _like(self.lam, a).to(dtype)
        log_p = F.log_softmax(logits, dim=1)
        share_a, share_b = lam * (a != ignore_index), (1 - lam) * (b != ignore_index)
        # An ignored index may lie outside of 0..C-1; it gathers class 0 with weight 0.
        a, b = a.masked_fill(a == ignore_index, 0), b.masked_fill(b == ignore_index, 0)
        if weight is not None:
            weight = weight.to(dtype)
            share_a, share_b = share_a * weight[a], share_b * weight[b]
        loss = share_a * log_p.gather(1, a.unsqueeze(1)).squeeze(1)
        loss = loss + share_b * log_p.gather(1, b.unsqueeze(1)).squeeze(1)
        total = (share_a + share_b).sum()
        mean: Tensor = -loss.sum() / total.clamp_min(torch.finfo(dtype).tiny)
        return mean.to(logits.dtype)

    def _soft_cross_entropy(self, logits: Tensor, weight: Tensor | None) -> Tensor:
        if self.a.shape != logits.shape:
            raise DataError(
                f"cross_entropy: soft labels must have the logits' shape {tuple(logits.shape)}, "
                f"but y has {tuple(self.a.shape)}; for regression use .loss(criterion, output)"
            )
        soft = torch.lerp(self.b, self.a, _like(self.lam, self.a).to(self.a.dtype))
        return F.cross_entropy(logits, soft.to(logits.dtype), weight=weight)

    def loss(self, criterion: Callable[[Tensor, Tensor], Tensor], output: Tensor) -> Float[Tensor, ""]:
        """Mean over samples of ``lam * criterion(output, a) + (1 - lam) * criterion(output, b)``.

        Args:
            criterion: a function of (output, label) that returns one value per sample, shape (B, ...), such as
                ``torch.nn.BCEWithLogitsLoss(reduction="none")``.
            output: what the model returned.

        Returns:
            A scalar: the mean over samples, after the mean over what else the criterion returns per sample.

        Raises:
            ConfigError: if the criterion reduces. The mean of the losses times the mean of lam is not the mean of their
                products, and the mistake is silent.
            DataError: if output and labels have shapes (B, 1) and (B,), which elementwise criteria broadcast to all
                pairs, (B, B).

        Example:
            >>> target = MixedTarget(torch.tensor([0.0]), torch.tensor([1.0]), torch.tensor([0.25]))
            >>> target.loss(torch.nn.MSELoss(reduction="none"), torch.tensor([1.0]))
            tensor(0.2500)
        """
        return mixed_criterion(criterion, output, self.a, self.b, self.lam)

    def under(self, objective: Objective, output: Tensor) -> Float[Tensor, ""]:
        """Return the batch's mean of ``objective.losses(output, a, b, lam)``; targets of another form say their own.

        Example:
            >>> from overmix.mix import SquaredError
            >>> target = MixedTarget(torch.tensor([0.0]), torch.tensor([1.0]), torch.tensor([0.25]))
            >>> target.under(SquaredError(), torch.tensor([0.5]))
            tensor(0.0625)
        """
        return objective.losses(output, self.a, self.b, self.lam).mean(-1)

    def soft(self, num_classes: int | None = None) -> Float[Tensor, "batch *row"]:
        """``lam * a + (1 - lam) * b`` as a dense target, with class indices turned into one-hot rows first.

        Args:
            num_classes: C, needed for class indices.

        Returns:
            Shape (B, C, ...) for class indices of shape (B, ...); the labels' own shape for floating-point labels.

        Raises:
            ConfigError: if class indices come without ``num_classes``, or one of them is not below it.
            DataError: if a class index is negative, such as an ignored one.
        """
        a, b = self.a, self.b
        if not a.is_floating_point():
            if num_classes is None:
                raise ConfigError("num_classes", None, "give the number of classes: the labels are class indices")
            lowest, highest = (int(bound) for bound in torch.stack([a, b]).long().aminmax()) if a.numel() else (0, -1)
            if lowest < 0:
                raise DataError(f"soft: y holds the class index {lowest}: an ignored label has no row")
            if highest >= num_classes:
                raise ConfigError("num_classes", num_classes, f"use at least {highest + 1}: label {highest} occurs")
            a, b = (F.one_hot(side.long(), num_classes).movedim(-1, 1).to(self.lam.dtype) for side in (a, b))
        return torch.lerp(b, a, _like(self.lam, a).to(a.dtype))

    def entropy(self) -> Float[Tensor, " batch"]:
        """Entropy of each mixed label, in nats: the part of the cross-entropy that no model can remove.

        The mean over a training's batches is its loss floor; :meth:`cross_entropy` minus it is the mean
        Kullback-Leibler divergence of the prediction from the mixed label.

        Returns:
            Shape (B,).

        Raises:
            DataError: if the labels are neither class indices of shape (B,) nor soft rows of shape (B, C).

        Example:
            >>> MixedTarget(torch.tensor([0]), torch.tensor([1]), torch.tensor([0.5])).entropy()   # log 2
            tensor([0.6931])
        """
        indices, rows = self.a.dim() == 1, self.a.dim() == 2 and self.a.is_floating_point()
        if rows:
            soft = self.soft()
            entropy: Tensor = -torch.special.xlogy(soft, soft).sum(dim=1)
            return entropy
        if not indices or self.a.is_floating_point():
            raise DataError(f"entropy: y has shape {tuple(self.a.shape)}: give class indices (B,) or soft rows (B, C)")
        return label_entropy(self.a, self.b, self.lam)

    def accuracy(self, logits: Float[Tensor, "batch classes *position"]) -> Float[Tensor, ""]:
        """Mean of ``lam * [prediction == a] + (1 - lam) * [prediction == b]``, the share of label mass predicted.

        It is at most the mean of max(lam, 1 - lam) where the two labels differ: a training accuracy under Mixup looks
        low by construction. Soft rows count as their heaviest class.

        Args:
            logits: shape (B, C), or (B, C, ...) with labels of shape (B, ...).
        """
        prediction = logits.argmax(dim=1)
        hit_a, hit_b = _hit(prediction, self.a), _hit(prediction, self.b)
        return torch.lerp(hit_b, hit_a, _like(self.lam, hit_a).to(torch.float32)).mean()


def mixed_criterion(
    criterion: Callable[..., Tensor], output: Any, a: Any, b: Any, lam: Float[Tensor, " batch"]
) -> Float[Tensor, ""]:
    """Mean over samples of ``lam * criterion(output, a) + (1 - lam) * criterion(output, b)``.

    Args:
        criterion: a function of output and labels that returns one value per sample, shape (B, ...).
        output: what the model returned.
        a: the samples' own labels: a tensor, or whatever the criterion takes.
        b: the partners' labels.
        lam: weight of ``a``, shape (B,).

    Raises:
        ConfigError: if the criterion reduces.
        DataError: if it broadcasts (B, 1) against (B,).
    """
    batch_size = lam.shape[0]
    shapes = [tuple(side.shape) for side in (output, a) if isinstance(side, Tensor)]
    column_against_none = sorted(shapes) == [(batch_size,), (batch_size, 1)]
    sides = []
    for label in (a, b):
        value = criterion(output, label)
        if value.dim() == 0 or value.shape[0] != batch_size:
            raise ConfigError(
                "criterion",
                tuple(value.shape),
                f"return one loss per sample, shape ({batch_size}, ...): use reduction='none'",
            )
        if column_against_none and value.shape == (batch_size, batch_size):
            raise DataError(
                f"output has shape {shapes[0]} but y has {shapes[1]}, and the criterion broadcast them to all pairs: "
                "squeeze or unsqueeze one of them"
            )
        sides.append(value.flatten(1).mean(1) if value.dim() > 1 else value)
    return torch.lerp(sides[1], sides[0], lam.to(sides[0].dtype)).mean()


def _hit(prediction: Tensor, label: Tensor) -> Tensor:
    """Return 1.0 where the prediction is the label (for soft rows, their heaviest class), else 0.0."""
    index = label.argmax(dim=1) if label.is_floating_point() else label
    return (prediction == index).to(torch.float32)


def _like(lam: Tensor, label: Tensor) -> Tensor:
    """Return lam of shape (B,) with trailing ones, so that it broadcasts over a label of shape (B, ...)."""
    return lam.view(-1, *[1] * (label.dim() - 1))
