"""One number for each held-out sample, lower is better: what ``epoch.observe(scores=...)`` takes, for any task.

A score that changes smoothly with the prediction, such as Brier's, tells two models apart on far fewer samples than one
that only counts what is right or wrong. All are taken in float32, without a gradient, on the device of the prediction.
A prediction that is not finite has a score that is not finite: its training has diverged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from overmix._typing import Float, Int, Shaped
from overmix.diagnose.scores import brier
from overmix.errors import ConfigError, DataError

IGNORE_INDEX = -100
"""The class of positions without a label, as in PyTorch's losses."""

ErrorKind: TypeAlias = Literal["squared", "absolute"]
"""How far a value is off."""


@torch.no_grad()
def multi_class(logits: Float[Tensor, "samples classes"], labels: Int[Tensor, " samples"]) -> Float[Tensor, " samples"]:
    """``|softmax(z) - onehot(y)|^2``, the Brier score, in [0, 2].

    It is what ``epoch.observe(logits, labels)`` takes by itself.

    Args:
        logits: shape (N, C).
        labels: classes, shape (N,).

    Raises:
        DataError: if the shapes do not fit.

    Example:
        >>> multi_class(torch.zeros(1, 2), torch.tensor([0]))
        tensor([0.5000])

    Source: G. W. Brier, "Verification of forecasts expressed in terms of probability", 1950.
    """
    if logits.dim() != 2 or labels.shape != logits.shape[:1]:
        raise _misfit("multi_class", logits, labels, "(N, C) and (N,)")
    return brier(logits, labels)


@torch.no_grad()
def multi_label(logits: Float[Tensor, "samples *labels"], labels: Shaped[Tensor, "samples *labels"]) -> Tensor:
    """``mean_c (sigmoid(z_c) - y_c)^2``: the Brier score of each label, averaged over the sample's labels, in [0, 1].

    Of one logit for each sample, shape (N,), it is that of two classes; of one for each pixel, that of a binary mask.

    Args:
        logits: shape (N, ...).
        labels: 0 or 1, or in between, of any dtype, same shape.

    Returns:
        Shape (N,).

    Raises:
        DataError: if the shapes do not fit.

    Example:
        >>> multi_label(torch.zeros(1, 3), torch.tensor([[1, 0, 0]]))
        tensor([0.2500])
    """
    if labels.shape != logits.shape or not logits.dim():
        raise _misfit("multi_label", logits, labels, "one shape, (N, ...)")
    return _mean_of_sample((logits.float().sigmoid() - labels.float()).square())


@torch.no_grad()
def segmentation(
    logits: Float[Tensor, "samples classes *positions"],
    labels: Shaped[Tensor, "samples *positions"],
    ignore_index: int = IGNORE_INDEX,
) -> Float[Tensor, " samples"]:
    """The Brier score of each position, averaged over the image's positions that have a label, in [0, 2].

    The overlap of regions (IoU, Dice) is not used: it is undefined for classes that an image does not show, and jumps
    where a border passes a half.

    Args:
        logits: shape (N, C, ...).
        labels: classes, shape (N, ...).
        ignore_index: the class of positions that do not count.

    Returns:
        Shape (N,); 0 for an image without any label, which so makes no difference between two models.

    Raises:
        DataError: if the shapes do not fit.

    Example:
        >>> z = torch.zeros(1, 2, 2, 2)
        >>> segmentation(z, torch.tensor([[[0, 1], [-100, -100]]]))
        tensor([0.5000])
    """
    if logits.dim() < 3 or labels.shape != logits.shape[:1] + logits.shape[2:]:
        raise _misfit("segmentation", logits, labels, "(N, C, ...) and (N, ...)")
    labels = labels.long()
    counted = labels != ignore_index
    each = brier(logits.movedim(1, -1), labels.masked_fill(~counted, 0))
    total = torch.where(counted, each, 0.0).flatten(1).sum(1)
    return total / counted.flatten(1).sum(1).clamp_min(1)


@torch.no_grad()
def regression(output: Tensor, values: Tensor, error: ErrorKind = "squared") -> Float[Tensor, " samples"]:
    """``mean_k (f_k - y_k)^2``, or ``mean_k |f_k - y_k|``, over the values of a sample, in their (squared) unit.

    Args:
        output: shape (N, ...); one value for each sample may be (N,) or (N, 1).
        values: what is right, of as many numbers.
        error: ``"squared"``, or ``"absolute"``, which outliers do not rule.

    Returns:
        Shape (N,).

    Raises:
        DataError: if the shapes do not fit.
        ConfigError: if the error is none of these.

    Example:
        >>> regression(torch.tensor([[1.0], [3.0]]), torch.tensor([0.0, 0.0]))
        tensor([1., 9.])
    """
    if error not in ("squared", "absolute"):
        raise ConfigError("error", error, "use 'squared' or 'absolute'")
    one_each = output.numel() == values.numel() == len(output) == len(values)
    if output.shape != values.shape and not one_each:
        raise _misfit("regression", output, values, "one shape, (N, ...)")
    difference = output.reshape(values.shape).float() - values.float()
    return _mean_of_sample(difference.square() if error == "squared" else difference.abs())


@torch.no_grad()
def detection(losses: Sequence[Mapping[str, Tensor] | Tensor]) -> Float[Tensor, " samples"]:
    """The loss of each image: the sum of its terms, as detectors return them (classes, boxes, masks).

    Average precision is none: it is one number for a whole set. Detectors return their losses in training mode only;
    hold their normalisation layers in evaluation mode, and give them one image at a time.

    Args:
        losses: for each image its terms by name, or their sum.

    Returns:
        Shape (N,).

    Raises:
        DataError: if there is no image, or a term is not one number.

    Example:
        >>> detection([{"boxes": torch.tensor(1.0), "classes": torch.tensor(0.5)}, torch.tensor(2.0)])
        tensor([1.5000, 2.0000])
    """
    terms = [list(loss.values()) if isinstance(loss, Mapping) else [loss] for loss in losses]
    if not terms or not all(terms):
        raise DataError("detection: no losses: give one dictionary, or one number, for each image")
    for term in (term for image in terms for term in image):
        if not isinstance(term, Tensor) or term.numel() != 1:
            shape = tuple(term.shape) if isinstance(term, Tensor) else type(term).__name__
            raise DataError(f"detection: a term is {shape}: give one number for each term of each image")
    return torch.stack([torch.stack([term.reshape(()).float() for term in image]).sum() for image in terms])


def _mean_of_sample(scores: Tensor) -> Float[Tensor, " samples"]:
    return scores.flatten(1).mean(1) if scores.dim() > 1 else scores


def _misfit(task: str, prediction: Tensor, labels: Tensor, shapes: str) -> DataError:
    return DataError(
        f"{task}: predictions of shape {tuple(prediction.shape)} and labels of shape {tuple(labels.shape)}: "
        f"give {shapes}"
    )
