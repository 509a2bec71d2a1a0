"""When to look at a training, and what is kept of the look."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from overmix._typing import Int
from overmix.diagnose import scores
from overmix.train.resident import Normalization, ResidentData, gather
from overmix.train.stacked_model import StackedModel

SPLITS = ("test", "val", "train")
"""``train`` is the clean training subset: what the model says about samples that it saw only in mixtures."""

METRICS = (*(f"{split}_{name}" for split in SPLITS for name in scores.Scores._fields), "train_margin")

_SAMPLES_AT_ONCE = 8192


def evaluation_epochs(epochs: int, per_octave: int = 4) -> Int[np.ndarray[Any, Any], " evaluations"]:
    """Return the 1-based epochs after which a training is looked at: log-spaced, the first and the last included.

    Over-training shows on a logarithmic axis, and evaluation is what a long training of a small model would otherwise
    spend most of its time on.

    Args:
        epochs: length of the training.
        per_octave: how many per doubling of the epoch.

    Example:
        >>> evaluation_epochs(10).tolist()
        [1, 2, 3, 4, 5, 6, 7, 8, 10]
        >>> len(evaluation_epochs(1000))
        36
    """
    if epochs == 1:
        return np.array([1])
    count = int(np.ceil(per_octave * np.log2(epochs))) + 1
    return np.unique(np.round(np.geomspace(1, epochs, count)).astype(np.int64))


class Evaluator:
    """Scores a stack on test, validation and clean training data without waiting for the device.

    Args:
        data: on the device.
        normalization: each replica's own.
        train_index: indices into the pool, shape (R, n).
        val_index: indices into the pool, shape (R, v), perhaps with v = 0.
    """

    def __init__(
        self,
        data: ResidentData,
        normalization: Normalization,
        train_index: Int[Tensor, "replicas train"],
        val_index: Int[Tensor, "replicas val"],
    ) -> None:
        self.data, self.normalization = data, normalization
        n_replicas = train_index.shape[0]
        test_index = torch.arange(len(data.y_test), device=data.y_test.device).expand(n_replicas, -1)
        self._splits = {
            "test": (data.x_test, data.y_test, test_index),
            "val": (data.x, data.y, val_index),
            "train": (data.x, data.y, train_index),
        }
        self._chunk = max(1, _SAMPLES_AT_ONCE // n_replicas)

    @torch.no_grad()
    def __call__(self, model: StackedModel) -> tuple[Tensor, Tensor]:
        """Return the metrics, shape (len(METRICS), R), and which test samples are misclassified, shape (R, M) bool."""
        model.eval()
        rows: list[Tensor] = []
        wrong_on_test = margin = torch.empty(0)
        for split in SPLITS:
            x, y, index = self._splits[split]
            if index.shape[1] == 0:
                rows += [torch.full((index.shape[0],), torch.nan, device=y.device)] * len(scores.Scores._fields)
                continue
            total, wrong, margins = self._score(model, x, y, index, margins=split == "train")
            rows += [value.to(torch.float32) for value in scores.finish(total)]
            if split == "test":
                wrong_on_test = wrong
            margin = margins / index.shape[1]
        rows.append(margin)  # of the last split, the training samples
        model.train()
        return torch.stack(rows), wrong_on_test

    @torch.no_grad()
    def val_brier(self, model: StackedModel) -> Tensor:
        """Return ``|p - onehot(y)|^2`` of each validation sample, shape (R, v)."""
        model.eval()
        x, y, index = self._splits["val"]
        parts = []
        for part in torch.split(index, self._chunk, dim=1):
            logits = model(self.normalization.apply_(gather(x, part)))
            parts.append(scores.brier(logits, y.index_select(0, part.reshape(-1)).view_as(part)))
        model.train()
        return torch.cat(parts, dim=1)

    def _score(
        self, model: StackedModel, x: Tensor, y: Tensor, index: Tensor, *, margins: bool
    ) -> tuple[scores.ScoreSums, Tensor, Tensor]:
        """Return the sums, which samples are misclassified, and the sum of the margins, if they are asked for."""
        total, wrong = None, []
        margin = torch.zeros(index.shape[0], device=y.device)
        for part in torch.split(index, self._chunk, dim=1):
            logits = model(self.normalization.apply_(gather(x, part)))
            labels = y.index_select(0, part.reshape(-1)).view_as(part)
            chunk, missed = scores.sums(logits, labels)
            total = chunk if total is None else scores.add(total, chunk)
            wrong.append(missed)
            if margins:
                margin += scores.margins(logits, labels).sum(dim=-1)
        assert total is not None  # the index is not empty
        return total, torch.cat(wrong, dim=1), margin
