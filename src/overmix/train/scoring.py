"""What outputs are worth against the labels of samples that are not mixed: one way for each kind of label."""

from __future__ import annotations

from typing import ClassVar, Protocol

import torch
from torch import Tensor

from overmix._typing import Float
from overmix.mix import LabelKind, Retrieval
from overmix.train.resident import Labels

_GALLERY = 64
"""A query has to find its view among so many, about: the samples of a split, part by part in their order."""


class Scoring(Protocol):
    """Scores of every sample, lower is better, for outputs and labels as the replicas learn them, shape (R, N, C)."""

    @property
    def also(self) -> str | None:
        """Name of what is measured beside the error."""
        ...

    def errors(self, output: Tensor, y: Tensor) -> Float[Tensor, "replicas samples"]:
        """Return the error of each sample, whose mean is what studies report."""
        ...

    def scores(self, output: Tensor, y: Tensor) -> Float[Tensor, "replicas samples"]:
        """Return the score of each sample that decisions are made by."""
        ...

    def beside(self, output: Tensor, y: Tensor, labels: Labels) -> Float[Tensor, " replicas"] | None:
        """Return what :attr:`also` names."""
        ...


class ValueScoring:
    """Values: the squared error over the variance of the training labels, and the absolute error in their unit."""

    also: ClassVar[str | None] = "mae"

    def errors(self, output: Tensor, y: Tensor) -> Tensor:
        """Return the mean over a sample's values of the squared error, in variances of the training labels."""
        return (output - y).square().mean(-1)

    def scores(self, output: Tensor, y: Tensor) -> Tensor:
        """Return the errors."""
        return self.errors(output, y)

    def beside(self, output: Tensor, y: Tensor, labels: Labels) -> Tensor:
        """Return the mean absolute error."""
        assert labels.scale is not None  # values have one
        return ((output - y).abs() * labels.scale.std.unsqueeze(1)).mean((1, 2))


class RowScoring:
    """Several labels at once: the share of a sample's labels that are wrong, and the mean average precision."""

    also: ClassVar[str | None] = "average_precision"

    def errors(self, output: Tensor, y: Tensor) -> Tensor:
        """Return the share of wrong labels of each sample; what is no number is wrong."""
        right = ((output > 0) == (y > 0.5)) & ~output.isnan()
        return 1 - right.to(torch.float32).mean(-1)

    def scores(self, output: Tensor, y: Tensor) -> Tensor:
        """Return ``sum_c (p_c - y_c)^2``, ``p = sigmoid(output)``, of each sample."""
        return (output.sigmoid() - y).square().sum(-1)

    def beside(self, output: Tensor, y: Tensor, labels: Labels) -> Tensor:
        """Return the mean over labels of the average precision."""
        return average_precision(output, y)


class ViewScoring:
    """Second views: the retrieval loss of each sample, both ways, among about 64 of its split.

    Args:
        retrieval: the loss, with its temperature.
    """

    also: ClassVar[str | None] = None

    def __init__(self, retrieval: Retrieval) -> None:
        self._retrieval = retrieval

    def errors(self, output: Tensor, y: Tensor) -> Tensor:
        """Return the retrieval loss of each sample."""
        parts = max(1, round(output.shape[1] / _GALLERY))
        pairs = zip(torch.tensor_split(output, parts, dim=1), torch.tensor_split(y, parts, dim=1), strict=True)
        return torch.cat([self._retrieval.losses(z, view, view, torch.ones(())) for z, view in pairs], dim=1)

    def scores(self, output: Tensor, y: Tensor) -> Tensor:
        """Return the errors."""
        return self.errors(output, y)

    def beside(self, output: Tensor, y: Tensor, labels: Labels) -> None:
        """Return nothing."""
        return


def scoring_of(labels: LabelKind, objective: object) -> Scoring | None:
    """Return the scoring of a kind of labels; ``None`` for classes, whose scores are :mod:`overmix.diagnose.scores`."""
    if labels == "values":
        return ValueScoring()
    if labels == "rows":
        return RowScoring()
    if labels == "views":
        return ViewScoring(objective if isinstance(objective, Retrieval) else Retrieval())
    return None


def average_precision(
    output: Float[Tensor, "replicas samples labels"], y: Float[Tensor, "replicas samples labels"]
) -> Float[Tensor, " replicas"]:
    """Return the mean over labels of ``sum_k (R_k - R_(k-1)) P_k``, precision and recall of the k highest outputs.

    Labels that no sample has are left out; with none left it is NaN.

    Args:
        output: shape (R, N, C); the higher, the more likely.
        y: shape (R, N, C), 0 or 1.

    Example:
        >>> output, y = torch.tensor([[[3.0], [2.0], [1.0]]]), torch.tensor([[[1.0], [0.0], [1.0]]])
        >>> average_precision(output, y)   # (1 + 2 / 3) / 2
        tensor([0.8333])
    """
    relevant = y.gather(1, output.argsort(dim=1, descending=True, stable=True))
    rank = torch.arange(1, y.shape[1] + 1, device=y.device).view(-1, 1)
    total = relevant.sum(1)
    precision = relevant.cumsum(1) / rank
    of_each = (precision * relevant).sum(1) / total
    return of_each.nanmean(-1)
