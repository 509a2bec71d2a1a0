"""RegMixup."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import torch
from torch import Tensor

from overmix._typing import Float
from overmix.errors import ConfigError, DataError
from overmix.mix import (
    IGNORE_INDEX,
    BetaCoefficient,
    EntropyLoss,
    MixedTarget,
    MixPlan,
    Need,
    Objective,
    Per,
    RandomPairing,
    Recipe,
)
from overmix.mix.space import join_batches
from overmix.mix.target import Reduction
from overmix.real_numbers import is_real
from overmix.recipes.registry import register


@dataclass(frozen=True)
class CleanAndMixedTarget(MixedTarget):
    """The target of a batch that holds the clean samples first and their mixtures after them.

    Args:
        eta: weight of the mixtures' loss, >= 0; that of the clean samples is 1.
    """

    eta: float = 1.0

    def halves(self) -> tuple[MixedTarget, MixedTarget]:
        """Return the targets of the clean samples and of the mixtures."""
        size = self.lam.shape[0] // 2
        clean = MixedTarget(self.a[:size], self.b[:size], self.lam[:size])
        return clean, MixedTarget(self.a[size:], self.b[size:], self.lam[size:])

    def cross_entropy(
        self,
        logits: Float[Tensor, "batch classes *position"],
        weight: Float[Tensor, " classes"] | None = None,
        ignore_index: int = IGNORE_INDEX,
        *,
        label_smoothing: float = 0.0,
        sample_weight: Tensor | MixedTarget | None = None,
        reduction: Reduction = "mean",
    ) -> Float[Tensor, ""]:
        """``(CE(clean) + eta CE(mixed)) / (1 + eta)``.

        Args:
            logits: of clean samples and mixtures, shape (2 B, C), or (2 B, C, ...).
            weight: class weights, shape (C,).
            ignore_index: a side with this class index does not count.
            label_smoothing: see :meth:`MixedTarget.cross_entropy`.
            sample_weight: shape (B,), of each sample and its mixture, or the target that the samples' own weights were
                made by RegMixup; see :meth:`MixedTarget.cross_entropy`. Those of accuracy are the same.
            reduction: the mean only.

        Raises:
            ConfigError: if another reduction is asked for.
        """
        if reduction != "mean":
            raise ConfigError(
                "reduction", reduction, "use 'mean': clean samples and mixtures have weights of their own"
            )
        return self._mean(
            lambda half, z, weights: half.cross_entropy(
                z, weight, ignore_index, label_smoothing=label_smoothing, sample_weight=weights
            ),
            logits,
            sample_weight,
        )

    def under(self, objective: Objective, output: Tensor) -> Float[Tensor, ""]:
        """Return the objective's mean on clean samples and mixtures, weighted 1 to eta."""
        return self._mean(lambda half, out, _: half.under(objective, out), output)

    def entropy(self, loss: EntropyLoss = "cross_entropy", ignore_index: int = IGNORE_INDEX) -> Float[Tensor, " batch"]:
        """Entropy of each label, times what its half weighs in the loss, whose floor their mean is.

        Args:
            loss: see :meth:`MixedTarget.entropy`.
            ignore_index: a side with this class index does not count.

        Returns:
            Shape (2 B,): times ``2 / (1 + eta)`` of the clean samples, times ``2 eta / (1 + eta)`` of their mixtures.

        Raises:
            DataError: see :meth:`MixedTarget.entropy`.
            ConfigError: likewise.
        """
        clean, mixed = (half.entropy(loss, ignore_index) for half in self.halves())
        return torch.cat([clean, self.eta * mixed]) * (2 / (1 + self.eta))

    def loss(
        self,
        criterion: Callable[[Tensor, Tensor], Tensor],
        output: Tensor,
        *,
        sample_weight: Tensor | MixedTarget | None = None,
        **arguments: Any,
    ) -> Float[Tensor, ""]:
        """Return the mean of the criterion on clean samples and mixtures, weighted 1 to eta.

        Args:
            criterion: see :meth:`MixedTarget.loss`.
            output: what the model returned for clean samples and mixtures, shape (2 B, ...).
            sample_weight: see :meth:`cross_entropy`.
            **arguments: see :meth:`MixedTarget.loss`.
        """
        return self._mean(
            lambda half, out, weights: half.loss(criterion, out, sample_weight=weights, **arguments),
            output,
            sample_weight,
        )

    def _mean(
        self,
        loss: Callable[[MixedTarget, Tensor, _SampleWeight], Tensor],
        output: Tensor,
        sample_weight: _SampleWeight = None,
    ) -> Tensor:
        if not isinstance(output, Tensor) or output.shape[:1] != self.lam.shape:
            found = f"{output.shape[0]} rows" if isinstance(output, Tensor) and output.dim() else "no rows"
            raise DataError(
                f"output has {found}, but the batch holds {self.lam.shape[0]}: clean samples first, then their mixtures"
            )
        halves = zip(self.halves(), output.chunk(2), _of_halves(sample_weight), strict=True)
        clean, mixed = (loss(half, out, weights) for half, out, weights in halves)
        return (clean + self.eta * mixed) / (1 + self.eta)

    def _weights(self, sample_weight: _SampleWeight) -> tuple[Tensor, Tensor | None]:
        if sample_weight is None:
            return self.lam, None
        halves = zip(self.halves(), _of_halves(sample_weight), strict=True)
        lams, totals = zip(*(half._weights(weights) for half, weights in halves), strict=True)
        return torch.cat(lams), torch.cat(totals)


_SampleWeight: TypeAlias = "Tensor | MixedTarget | None"


def _of_halves(sample_weight: _SampleWeight) -> tuple[_SampleWeight, _SampleWeight]:
    """Return the weights of the clean samples and those of their mixtures."""
    if isinstance(sample_weight, CleanAndMixedTarget):
        return sample_weight.halves()
    return sample_weight, sample_weight


@register(
    source="Pinto, Yang, Lim, Torr, Dokania: RegMixup: Mixup as a Regularizer Can Surprisingly Improve Accuracy and "
    "Out Distribution Robustness (NeurIPS 2022)",
    target="clean labels, and both labels of each mixture: (CE(clean) + eta CE(mixed)) / (1 + eta)",
)
class RegMixup(Recipe):
    """``loss = (CE(f(x), y) + eta CE(f(x'), y')) / (1 + eta)``, ``(x', y')`` as in Mixup, ``lam ~ Beta(alpha, alpha)``.

    The mixed batch holds the clean samples first and their mixtures after them: it is twice as large.

    Args:
        alpha: concentration of the Beta law, >= 0; large values mix strongly, which is meant.
        eta: weight of the mixtures, >= 0; 0 is plain training.
        per: ``"batch"`` draws one lam for the batch, ``"sample"`` one for each sample.

    Raises:
        ConfigError: if alpha or eta is negative or not a number.

    Example:
        >>> x, y = torch.rand(4, 3), torch.tensor([0, 1, 1, 0])
        >>> x_both, target = RegMixup()(x, y)
        >>> model = torch.nn.Linear(3, 2)
        >>> loss = target.cross_entropy(model(x_both))
        >>> x_both.shape
        torch.Size([8, 3])
    """

    asks: ClassVar[frozenset[Need]] = frozenset({"clean"})

    def __init__(self, alpha: float = 20.0, eta: float = 1.0, per: Per = "batch") -> None:
        super().__init__(RandomPairing(), BetaCoefficient(alpha, per))
        if not is_real(eta) or not 0 <= eta < float("inf"):
            raise ConfigError("eta", eta, "use a number >= 0")
        self.eta = float(eta)

    def apply(self, plan: MixPlan, x: Any) -> Any:
        """Return the clean samples, followed by their mixtures."""
        return join_batches(self.space.unmixed(x), self.space.apply(plan, x), batch_axis=plan.lam.dim() - 1)

    def target(self, plan: MixPlan, y: Tensor) -> MixedTarget:
        """Return the labels of the clean samples, followed by those of the mixtures."""
        mixed = super().target(plan, y)
        lam = torch.cat([torch.ones_like(mixed.lam), mixed.lam])
        return CleanAndMixedTarget(torch.cat([y, mixed.a]), torch.cat([y, mixed.b]), lam, self.eta)

    def floors(self, plan: MixPlan, y: Tensor, loss: Objective) -> Tensor:
        """Return what no model's loss of each sample and its mixture is below, shape (B,)."""
        clean, mixed = loss.floors(y, y, torch.ones_like(plan.lam)), loss.floors(*self.space.labels(plan, y))
        return self.eta / (1 + self.eta) * mixed + 1 / (1 + self.eta) * clean
