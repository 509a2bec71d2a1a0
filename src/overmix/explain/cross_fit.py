"""Label noise by teachers that never saw the samples of the mixture.

A teacher that was trained on a sample repeats its label, noise and all. With teachers trained on different parts of
the data, each mixture can be judged by those that saw neither of its two samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from overmix._typing import Bool, Float, Int, Shaped
from overmix.errors import ConfigError, DataError
from overmix.explain.noise import LabelLaw, LabelNoise, Teacher, measure_mixtures


def cross_fitted_label_noise(
    teachers: Sequence[Teacher],
    saw: Bool[np.ndarray, "teachers samples"],
    x: Shaped[Tensor, "samples ..."],
    y: Int[Tensor, " samples"],
    partner: Int[Tensor, " mixtures"],
    lam: Float[Tensor, " mixtures"],
    *,
    index: Int[Tensor, " mixtures"] | None = None,
    law: LabelLaw = "labels",
    chunk_size: int = 512,
) -> LabelNoise:
    """Measure as :func:`label_noise`, asking for each mixture only teachers that saw neither of its samples.

    The distribution at a point is the mean over those teachers.

    Args:
        teachers: each maps inputs (batch, ...) to class probabilities (batch, C).
        saw: whether a teacher was trained on a sample; :func:`leave_two_folds_out` makes a design that suffices.
        x: as for :func:`label_noise`.
        y: as for :func:`label_noise`.
        partner: as for :func:`label_noise`.
        lam: as for :func:`label_noise`.
        index: as for :func:`label_noise`.
        law: as for :func:`label_noise`.
        chunk_size: as for :func:`label_noise`.

    Raises:
        DataError: if every teacher saw one of a mixture's samples, and as for :func:`label_noise`.
        ConfigError: as for :func:`label_noise`.
    """
    if saw.shape != (len(teachers), len(x)):
        raise DataError(f"saw has shape {saw.shape}: use {len(teachers)} teachers by {len(x)} samples")
    first = torch.arange(len(partner)) if index is None else index.cpu()
    unseen = torch.from_numpy(~saw)
    eligible = unseen[:, first] & unseen[:, partner.cpu()]
    if not bool(eligible.any(0).all()):
        m = int((~eligible.any(0)).nonzero()[0])
        raise DataError(
            f"mixture {m} of samples {int(first[m])} and {int(partner[m])}: every teacher saw one of them; leave two "
            "folds out of each teacher, or mix within folds"
        )

    def predict(inputs: Tensor, rows: slice) -> Tensor:
        allowed = eligible[:, rows].to(inputs.device)
        total: Tensor | None = None
        for teacher, mask in zip(teachers, allowed, strict=True):
            if not bool(mask.any()):
                continue
            probs = teacher(inputs[mask])
            if total is None:
                total = probs.new_zeros((len(inputs), *probs.shape[1:]))
            total[mask] += probs
        assert total is not None  # every mixture has a teacher, checked above
        return total / allowed.sum(0)[:, None]

    return measure_mixtures(predict, x, y, partner, lam, index, law, chunk_size)


def leave_two_folds_out(folds: Int[np.ndarray, " samples"]) -> Bool[np.ndarray, "teachers samples"]:
    """Return who sees what when each teacher leaves out another pair of folds.

    With K folds this takes K (K - 1) / 2 teachers, and every pair of samples has one that saw neither; samples of one
    fold have K - 1.

    Args:
        folds: fold of each sample.

    Raises:
        ConfigError: with fewer than three folds, when a teacher would see nothing.

    Example:
        >>> leave_two_folds_out(np.array([0, 1, 2])).astype(int)
        array([[0, 0, 1],
               [0, 1, 0],
               [1, 0, 0]])
    """
    names = np.unique(folds)
    if len(names) < 3:
        raise ConfigError("folds", len(names), "use at least 3 folds: each teacher leaves two out")
    left_out = [(p, q) for k, p in enumerate(names) for q in names[k + 1 :]]
    return np.stack([(folds != p) & (folds != q) for p, q in left_out])
