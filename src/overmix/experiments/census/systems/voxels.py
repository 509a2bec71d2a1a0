"""Simulated fMRI: what a subject's voxels answer to an image, and how well each of them can be predicted at best."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from overmix._typing import Bool, Float, Int

DIM = 64
"""Of the embedding of images."""

BEST = 0.2
"""Noise ceiling of the best voxel: the share of its variance that images explain."""

TRIAL = 0.5
"""Standard deviation of what a trial adds to an embedding, attention say: noise in the signal's own place."""

SHARED = 24
"""Sources of noise that all voxels of a subject share, such as breath and motion; half of the noise is theirs."""

NEIGHBOURS = 15
"""Voxels over which a noise ceiling hardly changes."""


@dataclass(frozen=True)
class Subject:
    """One subject; the same for all seeds.

    Args:
        ceiling: noise ceiling of each voxel, in [0, 1].
        response: weights of the embedding on each voxel.
        is_complex: whether a voxel only answers to the size of what its filter says.
        shared: weights of the shared noise on each voxel.
    """

    ceiling: Float[Tensor, " voxels"]
    response: Float[Tensor, "dim voxels"]
    is_complex: Bool[Tensor, " voxels"]
    shared: Float[Tensor, "sources voxels"]

    def look(self, images: Float[Tensor, "images dim"], rng: np.random.Generator) -> Float[Tensor, "images voxels"]:
        """Return answers, of variance 1: ``sqrt(c) signal + sqrt(1 - c) noise``, c the noise ceiling.

        The signal of half of the voxels saturates with what a linear filter says of the image, as the trial sees it;
        that of the others is its size alone, as of complex cells. Half of the noise is shared between voxels.
        """
        seen = (images + TRIAL * _normal(rng, *images.shape)) / (1 + TRIAL**2) ** 0.5
        filtered = seen @ self.response
        signal = torch.where(self.is_complex, (filtered.abs() - _ABS[0]) / _ABS[1], torch.tanh(filtered) / _TANH)
        common = _normal(rng, len(images), SHARED) @ self.shared
        alone = _normal(rng, len(images), len(self.ceiling))
        return self.ceiling.sqrt() * signal + (1 - self.ceiling).sqrt() * (common + alone) / 2**0.5


_TANH, _ABS = 0.6279, (0.7979, 0.6028)
"""Standard deviation of tanh of a normal number; mean and standard deviation of its absolute value."""


@lru_cache(maxsize=4)
def subject(number: int, voxels: int, seeing: float) -> Subject:
    """Return a subject.

    Args:
        number: tells subjects apart.
        voxels: how many it has.
        seeing: share of the voxels that answer to images at all, in patches; 1 within the visual cortex.
    """
    rng = np.random.default_rng([number, voxels])
    field = smooth(_normal(rng, voxels), NEIGHBOURS)
    rank = field.argsort().argsort().double() / voxels
    # The variance that component k explains falls as 1 / k, as in the visual cortex.
    spectrum = torch.arange(1, DIM + 1).rsqrt()
    response = spectrum[:, None] / spectrum.norm() * smooth(_normal(rng, DIM, voxels), 3) * 3**0.5
    ceiling = BEST * ((rank - (1 - seeing)).clamp_min(0) / seeing).square()
    return Subject(
        ceiling.float(),
        response,
        torch.from_numpy(rng.random(voxels) < 0.5),
        _normal(rng, SHARED, voxels) / SHARED**0.5,
    )


def smooth(x: Float[Tensor, "*rows voxels"], width: int) -> Float[Tensor, "*rows voxels"]:
    """Return the mean over each voxel and its neighbours, an odd number of them; the ends are repeated."""
    padded = F.pad(x.reshape(-1, 1, x.shape[-1]), (width // 2, width // 2), mode="replicate")
    return F.avg_pool1d(padded, width, stride=1).reshape(x.shape)


def which(subjects: int, count: int) -> Int[Tensor, " samples"]:
    """Return the subject of each of some samples: equally many of each, one subject after the other."""
    return torch.arange(count) * subjects // count


def _normal(rng: np.random.Generator, *shape: int) -> Tensor:
    return torch.from_numpy(rng.normal(size=shape)).float()
