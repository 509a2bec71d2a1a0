"""Mixup in the pool of labelled and confident samples."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from overmix._typing import Float, Int, Shaped
from overmix.errors import ConfigError, DataError
from overmix.mix import IGNORE_INDEX, BetaCoefficient, LabelledPairing, Need, Per, Recipe
from overmix.real_numbers import is_real
from overmix.recipes.registry import register


@register(
    source="inspired by the synthetic data training of Zhang et al.: MaskMatch (arXiv 2405.06227); the formula is ours",
    target="both labels or pseudo-labels with their weights, cross-entropy",
)
class ConfidentMixup(Recipe):
    """``x' = lam x_i + (1 - lam) x_j``, ``y'`` likewise, i and j both labelled or confidently pseudo-labelled.

    For semi-supervised learning: samples without a label, and with no confident one, carry the ignored class index.
    They stay themselves, are nobody's partner, and have no part in the loss. :func:`confident_labels` makes the labels:
    in a study the engine asks for them at every step, from the model in evaluation mode; in a loop of one's own, call
    it before mixing.

    Args:
        alpha: concentration of the Beta law, >= 0; ``alpha=0`` mixes nothing.
        per: ``"batch"`` draws one lam for the batch, ``"sample"`` one for each sample.
        threshold: in studies, the probability from which on a prediction is a label, > 0; above 1 none is.

    Raises:
        ConfigError: if alpha is negative or not a number, or the threshold is not positive.

    Example:
        >>> x, y = torch.rand(4, 3), torch.tensor([0, 1, -100, -100])
        >>> p = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.97, 0.03], [0.6, 0.4]])
        >>> x_mixed, target = ConfidentMixup()(x, confident_labels(p, y, threshold=0.95))
        >>> target.a
        tensor([   0,    1,    0, -100])
    """

    asks: ClassVar[frozenset[Need]] = frozenset({"predictions"})
    for_labels = ("classes",)

    def __init__(self, alpha: float = 1.0, per: Per = "batch", threshold: float = 0.95) -> None:
        super().__init__(LabelledPairing(), BetaCoefficient(alpha, per))
        if not is_real(threshold) or not threshold > 0:
            raise ConfigError("threshold", threshold, "use a probability > 0, such as 0.95")
        self.threshold = float(threshold)

    def relabelled(self, y: Tensor, output: Tensor) -> Tensor:
        """Return the labels, and for samples without one what the model is sure of."""
        return confident_labels(output.softmax(dim=-1), y, self.threshold)


def confident_labels(
    probabilities: Float[Tensor, "batch classes"],
    y: Shaped[Tensor, " batch"],
    threshold: float | Float[Tensor, " classes"] = 0.95,
) -> Int[Tensor, " batch"]:
    """Return the labels, with the most probable class of each unlabelled sample where it reaches its threshold.

    Args:
        probabilities: what the model believes of each sample, shape (B, C); no gradient flows through them.
        y: classes, integers of shape (B,); -100 for unlabelled samples.
        threshold: a number, or one for each class, shape (C,). 0 labels everybody, above 1 nobody.

    Returns:
        Shape (B,), int64; -100 for who stays unlabelled.

    Raises:
        ConfigError: if there are not as many thresholds as classes.
        DataError: if the shapes do not fit.
    """
    if probabilities.dim() != 2 or y.shape != probabilities.shape[:1]:
        raise DataError(
            f"probabilities have shape {tuple(probabilities.shape)} and y {tuple(y.shape)}: give (B, C) and (B,)"
        )
    y = y.long()  # -100 is a class of uint8, else
    highest, likely = probabilities.max(dim=1)
    bound = torch.as_tensor(threshold, dtype=highest.dtype, device=highest.device)
    if bound.dim() > 1 or (bound.dim() == 1 and bound.shape[0] != probabilities.shape[1]):
        raise ConfigError(
            "threshold", tuple(bound.shape), f"give one number, or {probabilities.shape[1]}, one per class"
        )
    needed = bound[likely] if bound.dim() else bound
    pseudo = torch.where(highest >= needed, likely, IGNORE_INDEX)
    return torch.where(y == IGNORE_INDEX, pseudo, y)
