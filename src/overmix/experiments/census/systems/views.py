"""Weak and strong views of Fashion-MNIST, 28 by 28 grey values."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from overmix._typing import Float
from overmix.experiments.census.systems.fashion import fashion
from overmix.experiments.census.task import Samples

Images = Float[Tensor, "images 1 28 28"]


def clothes() -> tuple[Samples, Samples]:
    """Return the 60,000 images to train on and the 10,000 to test on, bytes in [0, 255].

    Raises:
        ConfigError: if they are not there, with the way to get them.
    """
    whole = fashion()
    return Samples(whole.x, whole.y), Samples(whole.x_test, whole.y_test)


def grey(x: Tensor) -> Images:
    """Return bytes as numbers in [0, 1]."""
    return x.float() / 255


def weak_views(x: Images, rng: np.random.Generator) -> Images:
    """Return images that are flipped with probability 1/2 and moved by up to two pixels."""
    n = len(x)
    flips = torch.from_numpy(np.where(rng.random(n) < 0.5, -1.0, 1.0)).float()
    return _moved(
        x, torch.eye(2).repeat(n, 1, 1) * torch.stack([flips, torch.ones(n)], dim=1)[:, None], _shift(rng, n, 2)
    )


def shifted_views(x: Images, rng: np.random.Generator, most: int = 1) -> Images:
    """Return images that are moved by up to ``most`` pixels; they keep the side that their shoes point to."""
    return _moved(x, torch.eye(2).repeat(len(x), 1, 1), _shift(rng, len(x), most))


def strong_views(x: Images, rng: np.random.Generator) -> Images:
    """Return shifted views that are also of another tone, turned, stretched, and have a hole of 8 x 8.

    Gamma from 1/e to e, brightness from 0.5 to 1, turned by up to 0.15, stretched by up to 0.15 across and 0.1
    along.
    """
    n = len(x)

    def uniform(low: float, high: float) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, n)).float()

    gamma, brightness = (value.view(n, 1, 1, 1) for value in (uniform(-1, 1).exp(), uniform(0.5, 1)))
    toned = shifted_views(x, rng).clamp_min(1e-6) ** gamma * brightness
    stretch = torch.stack([uniform(0.85, 1.15), uniform(0.9, 1.1)], dim=1)
    turned = _moved(toned, _turn(uniform(-0.15, 0.15)) * stretch[:, None], torch.zeros(n, 2))
    return _with_hole(turned, rng, size=8)


def _turn(angle: Tensor) -> Tensor:
    rows = [torch.stack([angle.cos(), -angle.sin()], dim=1), torch.stack([angle.sin(), angle.cos()], dim=1)]
    return torch.stack(rows, dim=1)


def _with_hole(x: Images, rng: np.random.Generator, size: int) -> Images:
    at = torch.from_numpy(rng.integers(0, 28, (2, len(x), 1)))
    row, column = (((torch.arange(28) - centre).abs() * 2 < size) for centre in at)
    return x.masked_fill((row[:, :, None] & column[:, None, :])[:, None], 0.0)


def _shift(rng: np.random.Generator, n: int, most: int) -> Tensor:
    return torch.from_numpy(rng.integers(-most, most + 1, (n, 2)) * (2 / 28)).float()


def _moved(x: Images, linear: Float[Tensor, "images 2 2"], shift: Float[Tensor, "images 2"]) -> Images:
    """Return the images under affine maps of the square [-1, 1] x [-1, 1]; black comes in from outside."""
    grid = F.affine_grid(torch.cat([linear, shift[:, :, None]], dim=2), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)
