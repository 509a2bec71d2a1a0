"""Fashion-MNIST for systems: images of 28 by 28 grey values, and views of them."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from overmix._typing import Float
from overmix.experiments.census.task import Samples
from overmix.study.data.fashion_mnist import fashion_mnist

Images = Float[Tensor, "images 1 28 28"]


@lru_cache(maxsize=1)
def fashion() -> tuple[Samples, Samples]:
    """Return the 60,000 images to train on and the 10,000 to test on, bytes in [0, 255], read once per process.

    Raises:
        ConfigError: if they are not there, with the way to get them.
    """
    whole = fashion_mnist()
    return Samples(whole.x, whole.y), Samples(whole.x_test, whole.y_test)


def grey(x: Tensor) -> Images:
    """Return bytes as numbers in [0, 1]."""
    return x.float() / 255


def weak_views(x: Images, rng: np.random.Generator) -> Images:
    """Return images that are flipped with probability 1/2 and moved by up to two pixels."""
    n = len(x)
    flips = torch.from_numpy(np.where(rng.random(n) < 0.5, -1.0, 1.0)).float()
    return _moved(x, _turn(torch.zeros(n)) * torch.stack([flips, torch.ones(n)], dim=1)[:, None], _shift(rng, n, 2))


def strong_views(x: Images, rng: np.random.Generator) -> Images:
    """Return weak views that are also turned, scaled, sheared, of another brightness, and have a hole of 10 x 10.

    Turned by up to 30 degrees, scaled by 0.8 to 1.2, sheared by up to 0.3, brighter by 0.5 to 1.5.
    """
    n = len(x)

    def uniform(low: float, high: float) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, n)).float()

    shear = torch.eye(2).repeat(n, 1, 1)
    shear[:, 0, 1] = uniform(-0.3, 0.3)
    linear = _turn(uniform(-math.pi / 6, math.pi / 6)) @ shear * uniform(0.8, 1.2).view(n, 1, 1)
    seen = _moved(weak_views(x, rng), linear, torch.zeros(n, 2)) * uniform(0.5, 1.5).view(n, 1, 1, 1)
    return _with_hole(seen.clamp(max=1), rng, size=10)


def _turn(angle: Tensor) -> Tensor:
    rows = [torch.stack([angle.cos(), -angle.sin()], dim=1), torch.stack([angle.sin(), angle.cos()], dim=1)]
    return torch.stack(rows, dim=1)


def _shift(rng: np.random.Generator, n: int, most: int) -> Tensor:
    return torch.from_numpy(rng.integers(-most, most + 1, (n, 2)) * (2 / 28)).float()


def _moved(x: Images, linear: Float[Tensor, "images 2 2"], shift: Float[Tensor, "images 2"]) -> Images:
    """Return the images under affine maps of the square [-1, 1] x [-1, 1]; black comes in from outside."""
    grid = F.affine_grid(torch.cat([linear, shift[:, :, None]], dim=2), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def _with_hole(x: Images, rng: np.random.Generator, size: int) -> Images:
    at = torch.from_numpy(rng.integers(0, 28, (2, len(x), 1)))
    row, column = (((torch.arange(28) - centre).abs() * 2 < size) for centre in at)
    return x.masked_fill((row[:, :, None] & column[:, None, :])[:, None], 0.0)
