"""Random crops and flips of a whole stack's batch at once, where the data lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from overmix._typing import Int, Shaped
from overmix.errors import ConfigError
from overmix.mix import StreamSource


@dataclass(frozen=True)
class CropFlip:
    """``x'[c, i, j] = x[c, i + top - p, j' + left - p]``, 0 outside of the image, ``j' = W - 1 - j`` where it flips.

    That is: pad by p pixels on every side, cut out a window of the old size (``top`` and ``left`` uniform in 0..2p),
    and mirror it with probability 1/2.

    Padding is 0 in the units in which the images are stored, before they are normalised: black.

    Args:
        crop: p, in pixels; 0 leaves the window where it is.
        flip: whether images are mirrored left to right.

    Raises:
        ConfigError: if p is negative, or nothing would be done.

    Example:
        >>> x = torch.tensor([[[[1, 2], [3, 4]]]], dtype=torch.uint8)
        >>> CropFlip(crop=1).apply(x, torch.tensor([[0, 1, 1]])).tolist()  # one pixel down, then mirrored
        [[[[0, 0], [2, 1]]]]
    """

    crop: int = 4
    flip: bool = True

    def __post_init__(self) -> None:
        if self.crop < 0:
            raise ConfigError("augment.crop", self.crop, "use a number of pixels >= 0")
        if not self.crop and not self.flip:
            raise ConfigError("augment", {"crop": 0, "flip": False}, "leave it out: it would change nothing")

    def check(self, sample_shape: tuple[int, ...]) -> None:
        """Refuse samples that are no images, and a padding in which a whole image could be lost.

        Args:
            sample_shape: shape of one sample.

        Raises:
            ConfigError: saying what fits.
        """
        if len(sample_shape) != 3:
            raise ConfigError(
                "train.augment",
                {"crop": self.crop, "flip": self.flip},
                f"it needs images (channels, height, width), these samples have shape {sample_shape}: leave it out",
            )
        side = min(sample_shape[1:])
        if self.crop >= side:
            remedy = f"use at most {side - 1}: images of shape {sample_shape} could vanish"
            raise ConfigError("train.augment.crop", self.crop, remedy)

    def draw(self, source: StreamSource, batch_size: int, *, epoch: int, step: int) -> Int[np.ndarray, "batch 3"]:
        """Return ``(top, left, flip)`` of each sample of a batch, from its address in the stream "augmentation".

        The same uniform numbers whatever the settings, so that trainings with one seed are twins under any of them.
        """
        uniform = source.generator("augmentation", epoch=epoch, step=step).random((3, batch_size))
        top, left = np.floor(uniform[:2] * (2 * self.crop + 1))
        return np.stack([top, left, (uniform[2] < 0.5) & self.flip], axis=-1).astype(np.int64)

    def apply(
        self, x: Shaped[Tensor, "samples channels height width"], draws: Int[Tensor, "samples 3"]
    ) -> Shaped[Tensor, "samples channels height width"]:
        """Return the augmented images, of the same type and place: pixels are moved, not computed with."""
        height, width = x.shape[2:]
        top, left, flip = draws.T.unsqueeze(-1)
        rows = torch.arange(height, device=x.device) + top
        columns = torch.arange(width, device=x.device)
        columns = torch.where(flip == 1, width - 1 - columns, columns) + left
        pixel = rows.unsqueeze(2) * (width + 2 * self.crop) + columns.unsqueeze(1)
        padded = F.pad(x, (self.crop,) * 4).flatten(2)
        return padded.gather(2, pixel.flatten(1).unsqueeze(1).expand(-1, x.shape[1], -1)).view_as(x)
