"""Three views of one garment that differ in kind: pixels, edges, and a caption."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from overmix._typing import Float, Int

ANGLES, CELLS = 8, 4
"""Directions of edges that are told apart, and cells along each side of the image in which they are counted."""

NOUNS = ("top", "trousers", "top", "dress", "top", "shoe", "top", "shoe", "bag", "shoe")
"""What a caption calls the ten classes; coarser than they are."""

WORDS = (
    *("item", "top", "trousers", "dress", "shoe", "bag"),
    *("dark", "grey", "bright", "narrow", "broad", "short", "tall", "plain", "patterned", "even", "lopsided"),
)
CAPTION = 6
"""Words of a caption."""

VAGUE = 0.5
"""Share of the captions that say "item" where they could name it."""


def pixels(images: Float[Tensor, "n 1 28 28"], rng: np.random.Generator) -> Float[Tensor, "n 1 14 14"]:
    """Return images in [0, 1] at half the resolution, of which a random quarter is hidden, with noise."""
    small = F.avg_pool2d(_hidden(images, rng), 2)
    return small + torch.from_numpy(rng.normal(0, 0.2, small.shape)).float()


def edges(images: Float[Tensor, "n 1 28 28"], rng: np.random.Generator) -> Float[Tensor, "n features"]:
    """Return how strong the edges of each direction are in each cell, of which another quarter is hidden: (N, 128)."""
    grey = _hidden(images, rng)
    down, right = (torch.diff(F.pad(grey, pad), dim=dim) for pad, dim in (((0, 0, 0, 1), 2), ((0, 1, 0, 0), 3)))
    strength = (down.square() + right.square()).sqrt()
    angle = ((torch.atan2(down, right) / torch.pi + 1) / 2 * ANGLES).long() % ANGLES
    by_angle = F.one_hot(angle.squeeze(1), ANGLES).permute(0, 3, 1, 2) * strength
    return F.adaptive_avg_pool2d(by_angle, CELLS).flatten(1).sqrt()


def captions(
    images: Float[Tensor, "n 1 28 28"], y: Int[Tensor, " n"], rng: np.random.Generator
) -> Int[Tensor, "n words"]:
    """Return captions such as "dark narrow tall plain even top", as places in :data:`WORDS`; what is seen, a noun."""
    grey = images.squeeze(1)
    there = grey > 0.1
    brightness = (grey * there).sum((1, 2)) / there.sum((1, 2)).clamp_min(1)
    width, height = (there.any(dim).sum(1) for dim in (1, 2))
    pattern = (grey - F.avg_pool2d(images, 3, 1, 1).squeeze(1)).abs().mean((1, 2))
    lopsided = (grey - grey.flip(2)).abs().mean((1, 2))
    vague = torch.from_numpy(rng.random(len(y)) < VAGUE)
    noun = torch.tensor([WORDS.index(noun) for noun in NOUNS])[y].masked_fill(vague, 0)
    shade = (brightness > 0.35).long() + (brightness > 0.6).long()
    parts = [
        WORDS.index("dark") + shade,
        WORDS.index("narrow") + (width > 20).long(),
        WORDS.index("short") + (height > 20).long(),
        WORDS.index("plain") + (pattern > 0.06).long(),
        WORDS.index("even") + (lopsided > 0.1).long(),
        noun,
    ]
    return torch.stack(parts, dim=1)


def _hidden(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Return images of which a random square of half the side is black."""
    top, left = (torch.from_numpy(rng.integers(0, 15, len(images))) for _ in range(2))
    along = torch.arange(28)
    rows, columns = ((along >= start[:, None]) & (along < start[:, None] + 14) for start in (top, left))
    return images.masked_fill((rows[:, :, None] & columns[:, None, :]).unsqueeze(1), 0.0)
