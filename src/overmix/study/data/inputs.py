"""What is fitted to a run's training samples, and to no others, before the model sees any sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from overmix._typing import Float, Int
from overmix.study.data.dataset import Dataset
from overmix.study.data.normalization import normalization_stats


@dataclass(frozen=True)
class InputFit:
    """``(x - mean) / std``, with ``fill`` in the place of what is missing.

    Args:
        mean: broadcastable to a sample.
        std: same shape, positive; infinite for a category that no training sample has, which then counts for nothing.
        fill: same shape; ``None`` where the data lack nothing.
    """

    mean: Float[Tensor, "*sample"]
    std: Float[Tensor, "*sample"]
    fill: Float[Tensor, "*sample"] | None = None


def fit_inputs(dataset: Dataset, train_index: Int[np.ndarray, " train"]) -> InputFit:
    """Return what one run's inputs are normalised with.

    Images and arrays have a mean and a standard deviation per channel or feature. Columns of a table are prepared as
    scikit-learn does it: numbers by ``SimpleImputer(strategy="median")``, then ``StandardScaler()``; categories by
    ``OneHotEncoder(handle_unknown="ignore")``, whose columns stay 0 and 1.

    Args:
        dataset: where the samples are.
        train_index: the run's training samples, indices into the pool.

    Example:
        >>> from overmix.study.data import load_dataset
        >>> digits = load_dataset("digits")
        >>> fit_inputs(digits, np.arange(200)).mean.shape
        torch.Size([1, 1, 1])
    """
    samples = dataset.x[torch.from_numpy(train_index)]
    if dataset.table is None:
        return InputFit(*normalization_stats(samples))
    return _fit_table(samples.numpy(), dataset.table.numbers, _lacks_some(dataset))


def _fit_table(samples: np.ndarray, numbers: int, fills: bool) -> InputFit:
    mean, fill = np.zeros(samples.shape[1]), np.zeros(samples.shape[1])
    # A category without a training sample: x / inf = 0, as the encoder ignores what it does not know.
    std = np.where(samples.any(0), 1.0, np.inf)
    if numbers:
        from sklearn.impute import SimpleImputer
        from sklearn.preprocessing import StandardScaler

        # float64: the sums of many float32 numbers are too coarse for a variance.
        own = samples[:, :numbers].astype(np.float64)
        imputer = SimpleImputer(strategy="median", keep_empty_features=True).fit(own)
        scaler = StandardScaler().fit(imputer.transform(own))
        mean[:numbers], std[:numbers], fill[:numbers] = scaler.mean_, scaler.scale_, imputer.statistics_
    tensors = (torch.from_numpy(values.astype(np.float32)) for values in (mean, std, fill))
    mean_of, std_of, fill_of = tensors
    return InputFit(mean_of, std_of, fill_of if fills else None)


def _lacks_some(dataset: Dataset) -> bool:
    return bool(dataset.x.isnan().any() or dataset.x_test.isnan().any())
