"""What a training minimises: the loss of an output against a mixed label, and what no model's loss is below.

One vocabulary for all: recipes mix under it, plain training is it with lam = 1, and an objective that writes out its
gradient with respect to the output lets the engine leave automatic differentiation aside.
"""

from __future__ import annotations

from typing import ClassVar, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor

from overmix._typing import Float, Int, Shaped
from overmix._typing import LabelKind as LabelKind
from overmix.errors import ConfigError, did_you_mean
from overmix.mix.cross_entropy import counted
from overmix.mix.label_entropy import binary_entropy
from overmix.mix.label_rows import mixed_rows
from overmix.mix.target import IGNORE_INDEX, label_entropy, mixed_cross_entropy
from overmix.real_numbers import is_real


class Objective(Protocol):
    """A loss of mixed labels, one value for each sample; ``lam = 1`` is plain training."""

    labels: ClassVar[tuple[LabelKind, ...]]
    """The kinds of labels that it is for."""

    def losses(self, output: Tensor, a: Tensor, b: Tensor, lam: Tensor) -> Tensor:
        """Return the loss of each sample, shape (..., B), for outputs of shape (..., B, C); differentiable."""
        ...

    def floors(self, a: Tensor, b: Tensor, lam: Tensor) -> Tensor:
        """Return what no model's loss of each sample is below, shape (..., B)."""
        ...


@runtime_checkable
class WithGradient(Protocol):
    """An objective that writes out its gradient: for a small model the bookkeeping around a loss costs more than it."""

    def with_gradient(self, output: Tensor, a: Tensor, b: Tensor, lam: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean loss over the batch, shape (...,), and its gradient, shape (..., B, C)."""
        ...


class CrossEntropy:
    """``-lam log p[a] - (1 - lam) log p[b]`` with ``p = softmax(logits)``; its gradient is ``p`` minus the target.

    Example:
        >>> loss, gradient = CrossEntropy().with_gradient(
        ...     torch.zeros(1, 2), torch.tensor([0]), torch.tensor([1]), torch.tensor([0.75])
        ... )
        >>> gradient
        tensor([[-0.2500,  0.2500]])
    """

    labels: ClassVar[tuple[LabelKind, ...]] = ("classes",)

    def losses(
        self,
        logits: Float[Tensor, "*stack batch classes"],
        a: Int[Tensor, "*stack batch"],
        b: Int[Tensor, "*stack batch"],
        lam: Float[Tensor, "*stack batch"],
    ) -> Float[Tensor, "*stack batch"]:
        """Return the loss of each sample."""
        return mixed_cross_entropy(logits, a, b, lam)

    @torch.no_grad()
    def with_gradient(
        self,
        logits: Float[Tensor, "*stack batch classes"],
        a: Int[Tensor, "*stack batch"],
        b: Int[Tensor, "*stack batch"],
        lam: Float[Tensor, "*stack batch"],
    ) -> tuple[Float[Tensor, "*stack"], Float[Tensor, "*stack batch classes"]]:
        """Return the mean loss and its gradient."""
        a, b, lam = a.unsqueeze(-1), b.unsqueeze(-1), lam.unsqueeze(-1)
        log_p = F.log_softmax(logits, dim=-1)
        # Not mixture(), whose care for what is infinite takes half as long again: the engine's own models are finite.
        loss = torch.lerp(log_p.gather(-1, b), log_p.gather(-1, a), lam).mean(dim=(-2, -1)).neg_()
        gradient = log_p.exp_().scatter_add_(-1, a, -lam).scatter_add_(-1, b, lam - 1)
        return loss, gradient.div_(logits.shape[-2])

    def floors(
        self, a: Int[Tensor, "*stack batch"], b: Int[Tensor, "*stack batch"], lam: Float[Tensor, "*stack batch"]
    ) -> Float[Tensor, "*stack batch"]:
        """Return the entropy of each mixed label."""
        return label_entropy(a, b, lam)


class PartlyLabelled:
    """The cross-entropy of the samples that have a label, ``B / n`` times it: the batch's mean is over these n.

    A side with the ignored class index counts for nothing, and a batch without any label costs 0.
    """

    labels: ClassVar[tuple[LabelKind, ...]] = ("classes",)

    def losses(self, logits: Tensor, a: Tensor, b: Tensor, lam: Tensor) -> Tensor:
        """Return the loss of each sample, 0 for those without a label."""
        weight_a, weight_b = lam * (a != IGNORE_INDEX), (1 - lam) * (b != IGNORE_INDEX)
        count = (weight_a + weight_b).sum(-1, keepdim=True)
        log_p = F.log_softmax(logits, dim=-1)
        of_a, of_b = (log_p.gather(-1, y.clamp_min(0).unsqueeze(-1)).squeeze(-1) for y in (a, b))
        of_both = weight_a * counted(of_a, weight_a) + weight_b * counted(of_b, weight_b)
        return -of_both * (lam.shape[-1] / count.clamp_min(1e-6))

    def floors(self, a: Tensor, b: Tensor, lam: Tensor) -> Tensor:
        """Return the entropy of each mixed label, 0 where one side has none."""
        return label_entropy(a, b, lam) * ((a != IGNORE_INDEX) & (b != IGNORE_INDEX))


class SquaredError:
    """``mean_c (output[c] - target[c])^2`` against ``lam a + (1 - lam) b``: mixed values, rows, or one-hot classes.

    Example:
        >>> SquaredError().losses(
        ...     torch.zeros(1, 2), torch.tensor([0]), torch.tensor([1]), torch.tensor([0.5])
        ... )
        tensor([0.2500])
    """

    labels: ClassVar[tuple[LabelKind, ...]] = ("classes", "rows", "values")

    def losses(self, output: Tensor, a: Tensor, b: Tensor, lam: Tensor) -> Float[Tensor, "*stack batch"]:
        """Return the loss of each sample."""
        return _per_sample(self._residual(output, a, b, lam).square(), lam)

    @torch.no_grad()
    def with_gradient(
        self, output: Float[Tensor, "*stack batch width"], a: Tensor, b: Tensor, lam: Float[Tensor, "*stack batch"]
    ) -> tuple[Float[Tensor, "*stack"], Float[Tensor, "*stack batch width"]]:
        """Return the mean loss and its gradient."""
        residual = self._residual(output, a, b, lam)
        batch, width = output.shape[-2:]
        residual = residual.view(output.shape)
        return residual.square().mean(dim=(-2, -1)), residual.mul_(2 / (batch * width))

    def floors(self, a: Tensor, b: Tensor, lam: Tensor) -> Tensor:
        """Return 0: each mixed label alone can be met exactly."""
        return torch.zeros_like(lam)

    @staticmethod
    def _residual(output: Tensor, a: Tensor, b: Tensor, lam: Tensor) -> Tensor:
        if a.is_floating_point():
            # One number of each sample may come as (B, 1) or as (B,).
            return output.reshape(a.shape) - mixed_rows(a, b, lam).to(output.dtype)
        target = torch.zeros_like(output, requires_grad=False)
        target.scatter_add_(-1, a.unsqueeze(-1), lam.to(output.dtype).unsqueeze(-1))
        target.scatter_add_(-1, b.unsqueeze(-1), 1 - lam.to(output.dtype).unsqueeze(-1))
        return output - target


class AbsoluteError:
    """``mean_k |output[k] - target[k]|`` against the mixed value ``lam a + (1 - lam) b``.

    Example:
        >>> y = torch.tensor([0.0, 4.0])
        >>> AbsoluteError().losses(torch.zeros(2), y, y.flip(0), torch.tensor([0.75, 0.75]))
        tensor([1., 3.])
    """

    labels: ClassVar[tuple[LabelKind, ...]] = ("values",)

    def losses(self, output: Tensor, a: Tensor, b: Tensor, lam: Tensor) -> Float[Tensor, "*stack batch"]:
        """Return the loss of each sample."""
        return _per_sample((output.reshape(a.shape) - mixed_rows(a, b, lam).to(output.dtype)).abs(), lam)

    def floors(self, a: Tensor, b: Tensor, lam: Tensor) -> Tensor:
        """Return 0: each mixed value alone can be met exactly."""
        return torch.zeros_like(lam)


class BinaryCrossEntropy:
    """``mean_c -t_c log p_c - (1 - t_c) log(1 - p_c)`` with ``t = lam a + (1 - lam) b``, ``p = sigmoid(output)``.

    Example:
        >>> row = torch.tensor([[1.0, 0.0]])
        >>> BinaryCrossEntropy().losses(torch.zeros(1, 2), row, row, torch.ones(1))   # log 2
        tensor([0.6931])
    """

    labels: ClassVar[tuple[LabelKind, ...]] = ("rows",)

    def losses(self, output: Tensor, a: Tensor, b: Tensor, lam: Tensor) -> Float[Tensor, "*stack batch"]:
        """Return the loss of each sample."""
        target = mixed_rows(a, b, lam).to(output.dtype)
        return _per_sample(F.binary_cross_entropy_with_logits(output, target, reduction="none"), lam)

    def floors(self, a: Tensor, b: Tensor, lam: Tensor) -> Tensor:
        """Return the mean binary entropy of each mixed row."""
        return _per_sample(binary_entropy(mixed_rows(a, b, lam)), lam)


class Retrieval:
    """``-1/2 log softmax_j(S_ij)_i - 1/2 log softmax_j(S_ji)_i``, ``S_ij = cos(output_i, view_j) / temperature``.

    Each output has to find its own view among those of the batch, and each view its own output. It is the plain loss of
    recipes that mix samples of two views; it mixes nothing itself, so that only ``a``, the own views, is looked at.

    Args:
        temperature: divides the cosines, > 0.

    Raises:
        ConfigError: if it is not positive.
    """

    labels: ClassVar[tuple[LabelKind, ...]] = ("views",)

    def __init__(self, temperature: float = 0.1) -> None:
        if not is_real(temperature) or not temperature > 0:
            raise ConfigError("temperature", temperature, "use a number > 0")
        self.temperature = float(temperature)

    def losses(self, output: Tensor, a: Tensor, b: Tensor, lam: Tensor) -> Float[Tensor, "*stack batch"]:
        """Return the loss of each sample."""
        cosines = F.normalize(output, dim=-1) @ F.normalize(a.to(output.dtype), dim=-1).mT
        similarity = cosines / self.temperature
        forward = torch.log_softmax(similarity, dim=-1).diagonal(dim1=-2, dim2=-1)
        backward = torch.log_softmax(similarity, dim=-2).diagonal(dim1=-2, dim2=-1)
        return -(forward + backward) / 2

    def floors(self, a: Tensor, b: Tensor, lam: Tensor) -> Tensor:
        """Return 0, which is not reached: cosines are bounded."""
        return torch.zeros_like(lam)


def _per_sample(
    values: Shaped[Tensor, "*stack batch *label"], lam: Float[Tensor, "*stack batch"]
) -> Float[Tensor, "*stack batch"]:
    """Return the mean over each sample's values."""
    return values.flatten(lam.dim()).mean(-1) if values.dim() > lam.dim() else values


_OBJECTIVES: dict[str, type] = {
    "absolute_error": AbsoluteError,
    "binary_cross_entropy": BinaryCrossEntropy,
    "cross_entropy": CrossEntropy,
    "retrieval": Retrieval,
    "squared_error": SquaredError,
}

_USUAL: dict[LabelKind, str] = {
    "classes": "cross_entropy",
    "rows": "binary_cross_entropy",
    "values": "squared_error",
    "views": "retrieval",
}


def usual_objective(labels: LabelKind) -> str:
    """Return the name of the objective that a kind of labels is usually trained with.

    Example:
        >>> usual_objective("rows")
        'binary_cross_entropy'
    """
    return _USUAL[labels]


def make_objective(name: str) -> Objective:
    """Return the objective that a study file names.

    Raises:
        ConfigError: for an unknown name, with the nearest known one.

    Example:
        >>> type(make_objective("squared_error")).__name__
        'SquaredError'
    """
    if name not in _OBJECTIVES:
        raise ConfigError("train.objective", name, did_you_mean(name, list(_OBJECTIVES)))
    objective: Objective = _OBJECTIVES[name]()
    return objective
