"""Contrastive targets: every sample has to find its own view among those of the whole batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from overmix._typing import Float
from overmix.errors import ConfigError, DataError
from overmix.mix.label_entropy import EntropyLoss
from overmix.mix.plan import MixPlan
from overmix.mix.precision import in_loss_precision
from overmix.mix.target import IGNORE_INDEX, MixedTarget, Reduction
from overmix.real_numbers import is_real

if TYPE_CHECKING:
    from overmix.mix.objective import Objective

MatchDirection = Literal["forward", "both"]
"""Whether queries look for keys only, or keys for queries too."""


@dataclass(frozen=True)
class _ViewTarget(MixedTarget):
    """The views of a batch that queries have to find, compared by their cosines over a temperature."""

    keys: Float[Tensor, "batch dim"]
    temperature: float

    def similarity(self, queries: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch batch"]:
        """Return the cosine similarity of each query with each key over the temperature, shape (B, B)."""
        return _cosines(queries, self.keys) / self.temperature

    def under(self, objective: Objective, output: Tensor) -> Float[Tensor, ""]:
        """Return :meth:`cross_entropy`: temperature and directions are the recipe's own.

        Raises:
            ConfigError: if the objective is for labels that are no views.
        """
        if "views" not in objective.labels:
            raise ConfigError("loss", type(objective).__name__, "leave it out: matches have a loss of their own")
        return self.cross_entropy(output)

    def entropy(self, loss: EntropyLoss = "cross_entropy", ignore_index: int = IGNORE_INDEX) -> Float[Tensor, " batch"]:
        """Entropy of each sample's matches, in nats: no model's :meth:`cross_entropy` is below their mean.

        Args:
            loss: ``"cross_entropy"`` only.
            ignore_index: not used.

        Returns:
            Shape (B,).

        Raises:
            ConfigError: if the loss is another one, or what is not used is given.
        """
        _refuse_loss(loss)
        _refuse(ignore_index=(ignore_index, IGNORE_INDEX))
        return super().entropy()

    def loss(self, criterion: Callable[[Tensor, Tensor], Tensor], output: Tensor, **arguments: Any) -> Tensor:
        """Refuse a criterion: what it would be given as labels are numbers of samples.

        Raises:
            ConfigError: always.
        """
        kind = getattr(criterion, "__name__", type(criterion).__name__)
        raise ConfigError("criterion", kind, "use target.cross_entropy(queries): matches have a loss of their own")

    def accuracy(
        self,
        logits: Float[Tensor, "batch dim"],
        weight: Float[Tensor, " classes"] | None = None,
        ignore_index: int = IGNORE_INDEX,
        *,
        sample_weight: Tensor | MixedTarget | None = None,
    ) -> Float[Tensor, ""]:
        """Return the share of queries whose nearest key is their own, or with the weight 1 - lam their partner's.

        Args:
            logits: what the model made of the samples: queries of shape (B, D), of any length.
            weight: not used; matches have no classes.
            ignore_index: not used.
            sample_weight: see :meth:`MixedTarget.cross_entropy`.

        Raises:
            ConfigError: if what is not used is given.
        """
        _refuse(weight=(weight, None), ignore_index=(ignore_index, IGNORE_INDEX))
        return super().accuracy(self.similarity(logits), sample_weight=sample_weight)


@dataclass(frozen=True)
class ContrastiveTarget(_ViewTarget):
    """The views that mixed samples belong to: row i has the mass ``lam_i`` on key i and ``1 - lam_i`` on its partner's.

    The labels ``a`` and ``b`` are numbers of samples in the batch, so that what a :class:`MixedTarget` says about
    classes holds for matches: ``soft(batch_size)`` is the matrix P of targets, whose rows sum to 1 also where a sample
    is its own partner, and ``accuracy`` is the share of mass that was retrieved first.

    Args:
        keys: the unmixed other views, shape (B, D).
        temperature: divides the cosine similarities, > 0.
        direction: ``"forward"`` is the loss of the rows, ``"both"`` the mean of that and of the columns.
    """

    direction: MatchDirection

    @classmethod
    def of(cls, plan: MixPlan, keys: Tensor, temperature: float, direction: MatchDirection) -> ContrastiveTarget:
        """Return the target of a plan.

        Raises:
            DataError: if the keys are no rows of floating-point numbers, one for each sample.
        """
        check_views(keys, plan.batch_size)
        return cls(plan.itself, plan.partner, plan.lam, keys, temperature, direction)

    def cross_entropy(
        self,
        logits: Float[Tensor, "batch dim"],
        weight: Float[Tensor, " classes"] | None = None,
        ignore_index: int = IGNORE_INDEX,
        *,
        label_smoothing: float = 0.0,
        sample_weight: Tensor | MixedTarget | None = None,
        reduction: Reduction = "mean",
    ) -> Float[Tensor, ""]:
        """``-mean_i sum_j P_ij log softmax(S)_ij``, with ``S = cos(queries, keys) / temperature``; or both directions.

        The second direction is ``-mean_j sum_i P_ij log softmax(S^T)_ji``: its weights for one j sum to the mass of
        column j, which is 1 on average but not each.

        Args:
            logits: what the model made of the mixed samples: queries of shape (B, D), of any length.
            weight: not used; matches have no classes.
            ignore_index: not used.
            label_smoothing: not used.
            sample_weight: not used.
            reduction: the mean only.

        Raises:
            ConfigError: if what is not used is given.
        """
        _refuse_arguments(weight, ignore_index, label_smoothing, sample_weight, reduction)
        similarity = self.similarity(logits)
        forwards = super().cross_entropy(similarity)
        if self.direction == "forward":
            return forwards
        log_p = F.log_softmax(similarity.T, dim=-1)
        log_p_a, log_p_b = log_p[self.a, self.a], log_p[self.b, self.a]
        return (forwards - torch.lerp(log_p_b, log_p_a, self.lam.to(log_p.dtype)).mean()) / 2


@dataclass(frozen=True)
class SoftClipTarget(_ViewTarget):
    """Keys that resemble each other share the mass: ``P = softmax(cos(keys, keys) / temperature)`` by rows.

    Args:
        keys: the other views, shape (B, D).
        temperature: of targets and predictions, > 0.
    """

    @classmethod
    def of(cls, plan: MixPlan, keys: Tensor, temperature: float) -> SoftClipTarget:
        """Return the target of an unmixed batch."""
        check_views(keys, plan.batch_size)
        return cls(plan.itself, plan.itself, torch.ones_like(plan.lam), keys, temperature)

    def cross_entropy(
        self,
        logits: Float[Tensor, "batch dim"],
        weight: Float[Tensor, " classes"] | None = None,
        ignore_index: int = IGNORE_INDEX,
        *,
        label_smoothing: float = 0.0,
        sample_weight: Tensor | MixedTarget | None = None,
        reduction: Reduction = "mean",
    ) -> Float[Tensor, ""]:
        """``-1/2 mean_i sum_j P_ij (log softmax(S)_ij + log softmax(S^T)_ij)``, S = cos(queries, keys) / temperature.

        It is at least the mean entropy of P, and equal to it where the queries are the keys.

        Args:
            logits: what the model made of the samples: queries of shape (B, D), of any length.
            weight: not used; matches have no classes.
            ignore_index: not used.
            label_smoothing: not used.
            sample_weight: not used.
            reduction: the mean only.

        Raises:
            ConfigError: if what is not used is given.
        """
        _refuse_arguments(weight, ignore_index, label_smoothing, sample_weight, reduction)
        rows, similarity = self.soft(), self.similarity(logits)
        return (F.cross_entropy(similarity, rows) + F.cross_entropy(similarity.T, rows)) / 2

    def soft(self, num_classes: int | None = None) -> Float[Tensor, "batch batch"]:
        """``P = softmax(cos(keys, keys) / temperature)`` by rows, shape (B, B).

        Args:
            num_classes: not needed: there are as many as samples.

        Raises:
            ConfigError: if another number is given.
        """
        if num_classes not in (None, len(self)):
            raise ConfigError("num_classes", num_classes, f"leave it out: there are as many as samples, {len(self)}")
        return F.softmax(self.similarity(self.keys), dim=-1)

    def entropy(self, loss: EntropyLoss = "cross_entropy", ignore_index: int = IGNORE_INDEX) -> Float[Tensor, " batch"]:
        """Entropy of each row of P, in nats: their mean is what :meth:`cross_entropy` is not below.

        Args:
            loss: ``"cross_entropy"`` only.
            ignore_index: not used.

        Returns:
            Shape (B,).

        Raises:
            ConfigError: if the loss is another one, or what is not used is given.
        """
        _refuse_loss(loss)
        _refuse(ignore_index=(ignore_index, IGNORE_INDEX))
        entropies: Tensor = torch.special.entr(self.soft())
        return entropies.sum(1)


def cosine_annealed(first: float, last: float, steps: int) -> list[float]:
    """Return values from ``first`` to ``last`` along half a cosine, such as SoftCLIP's temperatures.

    Args:
        first: the first value.
        last: the last value.
        steps: how many, >= 1; a single one is ``first``.

    Raises:
        ConfigError: if there is no step.

    Example:
        >>> [round(t, 5) for t in cosine_annealed(0.004, 0.0075, steps=3)]
        [0.004, 0.00575, 0.0075]
    """
    if steps < 1:
        raise ConfigError("steps", steps, "use at least 1")
    half_turn = torch.linspace(0, torch.pi, steps, dtype=torch.float64)
    return (last + (first - last) * (1 + half_turn.cos()) / 2).tolist()


def check_views(keys: Tensor, batch_size: int) -> None:
    """Refuse what are no views, one row for each sample.

    Raises:
        DataError: if the keys are no floating-point rows.
    """
    if not keys.is_floating_point() or keys.dim() != 2 or keys.shape[0] != batch_size:
        raise DataError(
            f"y has dtype {keys.dtype} and shape {tuple(keys.shape)}, but must hold the other view of each sample: "
            f"floating-point rows of shape ({batch_size}, D)"
        )


def check_temperature(value: object, name: str = "temperature") -> None:
    """Refuse what is no temperature, by its name.

    Raises:
        ConfigError: if it is not a positive number.
    """
    if not is_real(value) or not 0 < value < float("inf"):
        raise ConfigError(name, value, "use a number > 0")


def _refuse_arguments(
    weight: object, ignore_index: object, label_smoothing: object, sample_weight: object, reduction: object
) -> None:
    """Refuse arguments of a cross-entropy of classes.

    Raises:
        ConfigError: if one of them is not its default.
    """
    _refuse(
        weight=(weight, None),
        ignore_index=(ignore_index, IGNORE_INDEX),
        label_smoothing=(label_smoothing, 0.0),
        sample_weight=(sample_weight, None),
        reduction=(reduction, "mean"),
    )


def _refuse(**arguments: tuple[object, object]) -> None:
    """Refuse arguments, each given with its default, that are not their default.

    Raises:
        ConfigError: naming the first.
    """
    for name, (value, default) in arguments.items():
        if value is not default and (not isinstance(value, float | int | str) or value != default):
            shown = value if isinstance(value, float | int | str) else type(value).__name__
            raise ConfigError(name, shown, "leave it out: matches have no classes, and compare the whole batch")


def _refuse_loss(loss: EntropyLoss) -> None:
    if loss != "cross_entropy":
        raise ConfigError("loss", loss, "use 'cross_entropy': a sample's matches share one mass")


def _cosines(queries: Tensor, keys: Tensor) -> Tensor:
    """Return the cosine of every pair, shape (B, B); under autocast in float32, as a small temperature divides it."""
    queries = in_loss_precision(queries)
    with torch.autocast(queries.device.type, enabled=False):
        return F.normalize(queries, dim=-1) @ F.normalize(keys.to(queries.dtype), dim=-1).T
