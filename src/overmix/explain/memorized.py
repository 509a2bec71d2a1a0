"""Does the network learn Mixup's noisy labels by heart?

A mixture is noisy if the label that Mixup stands for most (the one with the larger weight) is not the true one at the
mixed point. Early in training a network predicts the truth of such mixtures, since that is the simpler pattern; when it
predicts their Mixup label instead, it has memorised noise. Mixtures with a true label say what is learnt anyway.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from overmix._typing import Float, Int
from overmix.errors import DataError


@dataclass(frozen=True)
class Memorization:
    """Counts over a fixed set of mixtures, which add up over batches; shares are derived from them.

    Leading dimensions are kept: one entry per replica, or a single one.

    Attributes:
        noisy: mixtures whose Mixup label is not the true one.
        noisy_as_labelled: of these, how many are predicted as the Mixup label.
        noisy_as_truth: of these, how many are predicted as the true label.
        clean: mixtures whose Mixup label is the true one.
        clean_as_labelled: of these, how many are predicted as that label.

    Example:
        >>> logits = torch.tensor([[2.0, 0.0], [0.0, 2.0], [0.0, 2.0]])
        >>> counts = memorization(logits, labelled=torch.tensor([0, 0, 1]), truth=torch.tensor([1, 1, 1]))
        >>> counts.memorized.item(), counts.resisted.item(), counts.learnt.item()
        (0.5, 0.5, 1.0)
    """

    noisy: Int[Tensor, "*replicas"]
    noisy_as_labelled: Int[Tensor, "*replicas"]
    noisy_as_truth: Int[Tensor, "*replicas"]
    clean: Int[Tensor, "*replicas"]
    clean_as_labelled: Int[Tensor, "*replicas"]

    def __add__(self, other: Memorization) -> Memorization:
        """Return the counts of two batches together."""
        return Memorization(
            self.noisy + other.noisy,
            self.noisy_as_labelled + other.noisy_as_labelled,
            self.noisy_as_truth + other.noisy_as_truth,
            self.clean + other.clean,
            self.clean_as_labelled + other.clean_as_labelled,
        )

    @property
    def memorized(self) -> Float[Tensor, "*replicas"]:
        """Share of the noisy mixtures predicted as their Mixup label; NaN if there are none."""
        return self.noisy_as_labelled / self.noisy

    @property
    def resisted(self) -> Float[Tensor, "*replicas"]:
        """Share of the noisy mixtures predicted as the true label; NaN if there are none."""
        return self.noisy_as_truth / self.noisy

    @property
    def learnt(self) -> Float[Tensor, "*replicas"]:
        """Share of the clean mixtures predicted as their label; NaN if there are none."""
        return self.clean_as_labelled / self.clean


def memorization(
    logits: Float[Tensor, "*replicas batch classes"],
    labelled: Int[Tensor, "*replicas batch"] | Int[Tensor, " batch"],
    truth: Int[Tensor, "*replicas batch"] | Int[Tensor, " batch"],
) -> Memorization:
    """Count how the mixtures of a batch are predicted.

    Nothing is copied to the host, so it can run inside a training loop. A mixture predicted as a third class counts as
    neither memorised nor resisted.

    Args:
        logits: outputs of the model on the mixtures.
        labelled: Mixup's label of each mixture, see :func:`dominant_label`.
        truth: the true label at the mixed point, for instance a teacher's
            (:attr:`overmix.explain.noise.LabelNoise.truth`).

    Raises:
        DataError: if the shapes do not fit.
    """
    if logits.ndim < 2 or any(
        label.shape not in (logits.shape[:-1], logits.shape[-2:-1]) for label in (labelled, truth)
    ):
        raise DataError(
            f"logits {tuple(logits.shape)}, labelled {tuple(labelled.shape)}, truth {tuple(truth.shape)}: "
            "give one label per row of logits"
        )
    predicted = logits.argmax(-1)
    noisy = (labelled != truth).expand(predicted.shape)
    as_labelled = predicted == labelled
    return Memorization(
        noisy=noisy.sum(-1),
        noisy_as_labelled=(noisy & as_labelled).sum(-1),
        noisy_as_truth=(noisy & (predicted == truth)).sum(-1),
        clean=(~noisy).sum(-1),
        clean_as_labelled=(~noisy & as_labelled).sum(-1),
    )


def dominant_label(
    a: Int[Tensor, "*batch"], b: Int[Tensor, "*batch"], lam: Float[Tensor, "*batch"]
) -> Int[Tensor, "*batch"]:
    """Return the label with the larger weight: a where ``lam >= 1/2``, b elsewhere.

    Example:
        >>> dominant_label(torch.tensor([0, 0]), torch.tensor([1, 1]), torch.tensor([0.7, 0.2])).tolist()
        [0, 1]
    """
    return torch.where(lam >= 0.5, a, b)
