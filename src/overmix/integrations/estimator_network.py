"""The perceptron of the scikit-learn estimators, and how what it takes is standardised."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from overmix.divisors import usable_std


def mean_and_std(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each feature, shape (features,) of values of shape (n, features)."""
    spread = (values.std(axis=0), values.min(axis=0), values.max(axis=0))
    return values.mean(axis=0), usable_std(*(torch.as_tensor(numbers) for numbers in spread)).numpy()


def made_perceptron(features: int, hidden: Sequence[int], classes: int | None, seed: int) -> nn.Sequential:
    """Return the network that PyTorch makes after ``torch.manual_seed(seed)``, and leave its global generator alone.

    That one is the user's, and other threads may draw from it meanwhile.

    Args:
        features: how many numbers a sample has.
        hidden: width of each hidden layer.
        classes: its outputs have shape (B, classes); without them shape (B,), as values have.
        seed: of the weights.
    """
    generator = torch.Generator().manual_seed(seed)
    sizes = [features, *hidden]
    layers: list[nn.Module] = []
    for width, next_width in pairwise(sizes):
        layers += [_linear(width, next_width, generator), nn.ReLU()]
    if classes is None:
        return nn.Sequential(*layers, _linear(sizes[-1], 1, generator), nn.Flatten(0))
    return nn.Sequential(*layers, _linear(sizes[-1], classes, generator))


def _linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """Return a layer with the weights that ``nn.Linear`` gives itself, drawn from a generator."""
    layer = nn.utils.skip_init(nn.Linear, int(inputs), int(outputs))  # type: ignore[no-untyped-call]
    assert isinstance(layer, nn.Linear)
    nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5), generator=generator)
    bound = 1 / math.sqrt(inputs)
    nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
    return layer
