"""When to look at a training, and what is kept of the look."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor

from overmix._typing import Int
from overmix.diagnose import scores
from overmix.mix import LabelKind, Objective
from overmix.train.resident import Labels, Normalization, ResidentData, gather_samples
from overmix.train.scoring import Scoring, scoring_of
from overmix.train.stacked_model import Execution, StackedModel, loops_on_cpu

SPLITS = ("test", "val", "train")
"""``train`` is the clean training subset: what the model says about samples that it saw only in mixtures."""

METRICS = (*(f"{split}_{name}" for split in SPLITS for name in scores.Scores._fields), "train_margin")

_SAMPLES_AT_ONCE = 8192
"""Of a stack, for all replicas together."""

_SAMPLES_IN_CACHE = 64
"""Of one replica, where they are looped over on the CPU: what a convolution returns of more leaves the cache before the
next layer reads it."""


def samples_at_once(execution: Execution, device: torch.device, n_replicas: int) -> int:
    """Return how many samples of each replica are scored in one pass; it bounds the memory."""
    return _SAMPLES_IN_CACHE if loops_on_cpu(execution, device) else max(1, _SAMPLES_AT_ONCE // n_replicas)


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


def also_measured(labels: LabelKind) -> tuple[str, ...]:
    """Return the columns that a kind of labels has beside :data:`METRICS`.

    Example:
        >>> also_measured("values")
        ('test_score', 'val_score', 'train_score', 'test_mae', 'val_mae', 'train_mae')
    """
    names = {"classes": (), "values": ("score", "mae"), "rows": ("score", "average_precision"), "views": ("score",)}
    return tuple(f"{split}_{name}" for name in names[labels] for split in SPLITS)


ALSO_MEASURED = tuple(dict.fromkeys(name for kind in get_args(LabelKind) for name in also_measured(kind)))
"""All columns that some kind of labels has."""


class Evaluator:
    """Scores a stack on test, validation and clean training data without waiting for the device.

    Args:
        data: on the device.
        normalization: each replica's own.
        labels: as the replicas learn them.
        train_index: indices into the pool of samples with a label, shape (R, n).
        val_index: indices into the pool, shape (R, v), perhaps with v = 0.
        objective: what is minimised.
        at_once: how many samples of each replica are scored in one pass, see :func:`samples_at_once`.
    """

    def __init__(
        self,
        data: ResidentData,
        normalization: Normalization,
        labels: Labels,
        train_index: Int[Tensor, "replicas train"],
        val_index: Int[Tensor, "replicas val"],
        objective: Objective,
        at_once: int,
    ) -> None:
        self.data, self.normalization, self.labels = data, normalization, labels
        self.scoring, self.columns = scoring_of(data.labels, objective), (*METRICS, *also_measured(data.labels))
        n_replicas = train_index.shape[0]
        test_index = torch.arange(len(data.y_test), device=data.y_test.device).expand(n_replicas, -1)
        self._splits = {
            "test": (data.x_test, data.y_test, test_index),
            "val": (data.x, data.y, val_index),
            "train": (data.x, data.y, train_index),
        }
        self._chunk = at_once

    @torch.no_grad()
    def __call__(self, model: StackedModel) -> tuple[Tensor, Tensor]:
        """Return the metrics, shape (columns, R), and the error of each test sample, shape (R, M).

        The errors are bool for classes, which are right or wrong, and float32 for all other labels.
        """
        model.eval()
        metrics = self._of_classes(model) if self.scoring is None else self._of_others(model, self.scoring)
        model.train()
        return metrics

    @torch.no_grad()
    def val_scores(self, model: StackedModel) -> Tensor:
        """Return the score of each validation sample, shape (R, v): the Brier score of classes."""
        model.eval()
        output, y = self._outputs(model, "val")
        model.train()
        return scores.brier(output, y) if self.scoring is None else self.scoring.scores(output, y)

    @torch.no_grad()
    def val_outputs(self, model: StackedModel) -> Tensor:
        """Return what the model says of each validation sample, shape (R, v, ...)."""
        model.eval()
        output, _ = self._outputs(model, "val")
        model.train()
        return output

    def _outputs(self, model: StackedModel, split: str) -> tuple[Tensor, Tensor]:
        """Return the outputs for a split and its labels, shapes (R, N, ...)."""
        x, y, index = self._splits[split]
        parts = [
            model(self.normalization.apply_(gather_samples(x, part))) for part in torch.split(index, self._chunk, dim=1)
        ]
        return torch.cat(parts, dim=1), self.labels.at(index, y)

    def _of_others(self, model: StackedModel, scoring: Scoring) -> tuple[Tensor, Tensor]:
        index_of = {name: at for at, name in enumerate(self.columns)}
        n_replicas, device = self._splits["train"][2].shape[0], self.data.y.device
        metrics = torch.full((len(self.columns), n_replicas), torch.nan, device=device)
        on_test = torch.empty(0)
        for split in SPLITS:
            if self._splits[split][2].shape[1] == 0:
                continue
            output, y = self._outputs(model, split)
            errors = scoring.errors(output, y)
            if split == "test":
                on_test = errors
            metrics[index_of[f"{split}_error"]] = errors.mean(1)
            metrics[index_of[f"{split}_score"]] = scoring.scores(output, y).mean(1)
            if scoring.also is not None:
                beside = scoring.beside(output, y, self.labels)
                assert beside is not None
                metrics[index_of[f"{split}_{scoring.also}"]] = beside
        return metrics, on_test

    def _of_classes(self, model: StackedModel) -> tuple[Tensor, Tensor]:
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
        return torch.stack(rows), wrong_on_test

    def _score(
        self, model: StackedModel, x: Tensor, y: Tensor, index: Tensor, *, margins: bool
    ) -> tuple[scores.ScoreSums, Tensor, Tensor]:
        """Return the sums, which samples are misclassified, and the sum of the margins, if they are asked for."""
        total, wrong = None, []
        margin = torch.zeros(index.shape[0], device=y.device)
        for part in torch.split(index, self._chunk, dim=1):
            logits = model(self.normalization.apply_(gather_samples(x, part)))
            labels = y.index_select(0, part.reshape(-1)).view_as(part)
            chunk, missed = scores.sums(logits, labels)
            total = chunk if total is None else scores.add(total, chunk)
            wrong.append(missed)
            if margins:
                margin += scores.margins(logits, labels).sum(dim=-1)
        assert total is not None  # the index is not empty
        return total, torch.cat(wrong, dim=1), margin
