"""Scores of predictions: error rate, cross-entropy, Brier score, calibration error.

All work on any leading dimensions, so that a stack of replicas is scored at once, and accumulate over chunks, so that
a large set never has to be scored in one piece. Nothing here waits for the device.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from overmix._typing import Bool, Float, Int

CALIBRATION_BINS = 15
"""Number of equal-width confidence bins of the calibration error."""


class Scores(NamedTuple):
    """Means over samples, each of shape (...,)."""

    error: Tensor
    cross_entropy: Tensor
    brier: Tensor
    ece: Tensor


class ScoreSums(NamedTuple):
    """Sums over the samples seen so far; add two of them with :func:`add`, finish with :func:`finish`.

    Args:
        n: number of samples, a Python integer.
        wrong: misclassified samples, shape (...,).
        cross_entropy: sum of ``-log p[y]``, shape (...,).
        brier: sum of ``|p - onehot(y)|^2``, shape (...,).
        bins: per confidence bin the sum of (correct - confidence), shape (..., CALIBRATION_BINS).
    """

    n: int
    wrong: Tensor
    cross_entropy: Tensor
    brier: Tensor
    bins: Tensor


def sums(
    logits: Float[Tensor, "*stack samples classes"], y: Int[Tensor, "*stack samples"]
) -> tuple[ScoreSums, Bool[Tensor, "*stack samples"]]:
    """Return the sums over one chunk, and which samples were misclassified.

    Args:
        logits: shape (..., N, C).
        y: classes, shape (..., N).

    Returns:
        The sums, and a boolean tensor of shape (..., N). A sample with a NaN logit counts as misclassified.

    Example:
        >>> logits = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
        >>> finish(sums(logits, torch.tensor([0, 0]))[0]).error
        tensor(0.5000)
    """
    y = y.long()  # gather takes no other integers
    log_p = F.log_softmax(logits.float(), dim=-1)
    p = log_p.exp()
    log_p_y = log_p.gather(-1, y.unsqueeze(-1)).squeeze(-1)
    confidence, prediction = p.max(dim=-1)
    # NaN is not equal to itself: such a prediction is wrong, whatever index max returned.
    correct = (prediction == y) & (confidence == confidence)
    # |p - onehot|^2 = sum p^2 - 2 p[y] + 1
    brier = p.square().sum(-1) - 2 * log_p_y.exp() + 1
    # Bins are (0, 1/15], ..., (14/15, 1]: a confidence of exactly 1 belongs to the last one.
    index = ((confidence * CALIBRATION_BINS).ceil().long() - 1).clamp(0, CALIBRATION_BINS - 1)
    bins = torch.zeros(*confidence.shape[:-1], CALIBRATION_BINS, device=logits.device)
    bins.scatter_add_(-1, index, correct.float() - confidence)
    total = ScoreSums(y.shape[-1], (~correct).sum(-1), -log_p_y.sum(-1), brier.sum(-1), bins)
    return total, ~correct


def brier(
    logits: Float[Tensor, "*stack samples classes"], y: Int[Tensor, "*stack samples"]
) -> Float[Tensor, "*stack samples"]:
    """Return the Brier score of each sample, ``|p - onehot(y)|^2 = sum p^2 - 2 p[y] + 1``, in [0, 2].

    Args:
        logits: shape (..., N, C).
        y: classes, shape (..., N).

    Example:
        >>> brier(torch.zeros(1, 2), torch.tensor([0]))
        tensor([0.5000])
    """
    p = logits.float().softmax(dim=-1)
    return p.square().sum(-1) - 2 * p.gather(-1, y.long().unsqueeze(-1)).squeeze(-1) + 1


def margins(
    logits: Float[Tensor, "*stack samples classes"], y: Int[Tensor, "*stack samples"]
) -> Float[Tensor, "*stack samples"]:
    """Return the margin of each sample, ``p[y] - max over c != y of p[c]``, in [-1, 1]; below 0 it is misclassified.

    Args:
        logits: shape (..., N, C).
        y: classes, shape (..., N).

    Example:
        >>> margins(torch.tensor([[0.0, 0.0], [9.0, -9.0]]), torch.tensor([0, 1]))
        tensor([ 0., -1.])
    """
    p, label = logits.float().softmax(dim=-1), y.long().unsqueeze(-1)
    return p.gather(-1, label).squeeze(-1) - p.scatter(-1, label, 0.0).amax(dim=-1)


def add(first: ScoreSums, second: ScoreSums) -> ScoreSums:
    """Return the sums over both chunks."""
    return ScoreSums(
        first.n + second.n,
        first.wrong + second.wrong,
        first.cross_entropy + second.cross_entropy,
        first.brier + second.brier,
        first.bins + second.bins,
    )


def finish(total: ScoreSums) -> Scores:
    """Return the means.

    The expected calibration error is ``sum_b (n_b / n) |accuracy_b - confidence_b|`` over equal-width bins (Guo et al.,
    "On Calibration of Modern Neural Networks", 2017). The Brier score is the multi-class one, in [0, 2].
    """
    n = total.n
    return Scores(total.wrong / n, total.cross_entropy / n, total.brier / n, total.bins.abs().sum(-1) / n)
