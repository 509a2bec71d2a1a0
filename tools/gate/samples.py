"""Gated datasets whose samples show what the gate said: each image has one gated form and one plain form."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.data import Dataset

N, SIZE = 16, 16
RAND_AUGMENT_SEED = 3  # with which no image is left as it is


class Answers(Protocol):
    """What can be asked whether it is on."""

    @property
    def on(self) -> bool:
        """Whether it is."""
        ...


class Gated(Dataset[tuple[Tensor, int, bool]]):
    """Images of noise, changed while the gate is on; with each its index, and what the gate said.

    Args:
        gate: is asked for each sample.
    """

    def __init__(self, gate: Answers | None) -> None:
        self.gate = gate
        shape = (N, 3, SIZE, SIZE)
        self.images = torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))

    def __len__(self) -> int:
        return N

    def __getitem__(self, index: int) -> tuple[Tensor, int, bool]:
        assert self.gate is not None
        on = self.gate.on
        return self.gated(index) if on else self.images[index], index, on

    def gated(self, index: int) -> Tensor:
        """Return the image as it is while the gate is on."""
        raise NotImplementedError


class Mosaic(Gated):
    """Four images in one."""

    def gated(self, index: int) -> Tensor:
        """Return the image among three others, each at half its size."""
        others = torch.randint(N, (3,), generator=torch.Generator().manual_seed(index))
        small = self.images[torch.cat([torch.tensor([index]), others])][:, :, ::2, ::2]
        return torch.cat([torch.cat([small[0], small[1]], 2), torch.cat([small[2], small[3]], 2)], 1)


class RandAugmented(Gated):
    """torchvision's RandAugment."""

    def gated(self, index: int) -> Tensor:
        """Return the image after the operations that its index draws."""
        from torchvision.transforms import v2

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(RAND_AUGMENT_SEED * N + index)
            changed: Tensor = v2.RandAugment()(self.images[index])
        return changed


class Named(Dataset[dict[str, Any]]):
    """Gated samples by names, as a Trainer's data sets have them.

    Args:
        data: gated samples.
    """

    def __init__(self, data: Gated) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> dict[str, Any]:
        image, index, on = self.data[index]
        return {"pixel_values": image, "index": index, "on": on, "labels": index % 2}


DATASETS: dict[str, type[Gated]] = {"mosaic": Mosaic, "RandAugment": RandAugmented}
