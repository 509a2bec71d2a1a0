"""Detection: one or two digits in a scene, a small convolutional net that looks at sixteen cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overmix._typing import Bool, Float
from overmix.experiments.census.task import Data, Kind, Samples, Score, Task, as_classes
from overmix.experiments.census.tasks.classification import read_digits
from overmix.mix import Streams

SIDE, CELL = 16, 4
TEST_SIZE = 300
# The corners of an 8 by 8 digit: two never lie in one cell, as their centres are at least 8 pixels apart.
CORNERS = (((0, 4), (8, 8)), ((4, 0), (8, 8)), ((0, 0), (8, 4)), ((0, 8), (8, 0)))


def scenes(images: np.ndarray, labels: np.ndarray, count: int, rng: np.random.Generator, noise: float) -> Samples:
    """Return scenes with one or two digits, shape (N, 1, 16, 16), and what each of the 4 by 4 cells should say.

    The labels have shape (N, 6, 4, 4): whether a box's centre lies in the cell, the centre's place within it, height
    and width over 8, and the class. The box is the digit's ink.
    """
    x, y = np.zeros((count, 1, SIDE, SIDE), np.float32), np.zeros((count, 6, SIDE // CELL, SIDE // CELL), np.float32)
    for scene in range(count):
        for top, left in CORNERS[rng.integers(len(CORNERS))][: 1 + rng.integers(2)]:
            which = rng.integers(len(labels))
            x[scene, 0, top : top + 8, left : left + 8] = images[which]
            rows, columns = (np.flatnonzero((images[which] > 4).any(axis)) for axis in (1, 0))
            height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
            middle = top + rows[0] + height / 2, left + columns[0] + width / 2
            at = tuple(int(m // CELL) for m in middle)
            inside = tuple((m % CELL) / CELL for m in middle)
            y[scene, :, at[0], at[1]] = 1, *inside, height / 8, width / 8, labels[which]
    x += rng.normal(0, noise * 16, x.shape)
    return Samples(torch.from_numpy(x / 8 - 0.5).float(), torch.from_numpy(y))


def detection_loss(
    output: Float[Tensor, "images 15 4 4"], y: Float[Tensor, "images 6 4 4"]
) -> Float[Tensor, " images"]:
    """Return each scene's loss: of all cells whether there is a box, of those with one the box and its class."""
    there = y[:, 0]
    presence = F.binary_cross_entropy_with_logits(output[:, 0], there, reduction="none").sum((1, 2))
    box = (output[:, 1:5] - y[:, 1:5]).abs().sum(1)
    kind = F.cross_entropy(output[:, 5:], y[:, 5].long(), reduction="none")
    return presence + (there * (box + kind)).sum((1, 2))


def corners(box: Float[Tensor, "images 4 4 4"]) -> Float[Tensor, "images 4 4 4"]:
    """Return top, left, bottom and right in pixels of each cell's box."""
    start = CELL * torch.stack(torch.meshgrid(torch.arange(4.0), torch.arange(4.0), indexing="ij"))
    centre, half = start + CELL * box[:, :2], 4 * box[:, 2:]
    return torch.cat([centre - half, centre + half], dim=1)


def overlap(one: Float[Tensor, "images 4 4 4"], other: Float[Tensor, "images 4 4 4"]) -> Float[Tensor, "images 4 4"]:
    """Return the intersection of each cell's boxes over their union."""

    def area(box: Tensor) -> Tensor:
        return (box[:, 2:] - box[:, :2]).clamp_min(0).prod(1)

    both = torch.cat([torch.maximum(one[:, :2], other[:, :2]), torch.minimum(one[:, 2:], other[:, 2:])], dim=1)
    return area(both) / (area(one) + area(other) - area(both)).clamp_min(1e-6)


@dataclass(frozen=True)
class Scenes(Task):
    """Where are the digits, and which? Boxes of a scene are kept whole, however many there are."""

    epochs: int = 300
    train_size: int = 200
    val_size: int = 150
    batch_size: int = 40
    lr: float = 2e-3
    noise: float = 0.1

    title: ClassVar[str] = "detection: digits in scenes"
    metric: ClassVar[str] = "1 − F1 of boxes (right class, overlap at least a half)"
    kind: ClassVar[Kind] = "rate"

    def data(self, streams: Streams) -> Data:
        """Return scenes; each part has digits of its own, and the test scenes are the same for all seeds."""
        pool, rng = read_digits(), streams.generator("augmentation")
        order = streams.generator("subset").permutation(len(pool.y))
        x, y = pool.x[:, 0].numpy(), pool.y.numpy()
        train, val = order[:300], order[300:500]
        test = pool.x_test[:, 0].numpy(), pool.y_test.numpy()
        return Data(
            scenes(x[train], y[train], self.train_size, rng, self.noise),
            scenes(x[val], y[val], self.val_size, rng, self.noise),
            scenes(*test, TEST_SIZE, Streams().generator("augmentation"), self.noise),
        )

    def model(self) -> nn.Module:
        """Return the net: 15 numbers for each cell."""
        layers: list[nn.Module] = []
        for inputs, outputs, stride in ((1, 16, 2), (16, 32, 1), (32, 64, 2)):
            layers += [nn.Conv2d(inputs, outputs, 3, stride, padding=1), nn.ReLU()]
        return nn.Sequential(*layers, nn.Conv2d(64, 15, 1))

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return Adam."""
        return torch.optim.Adam(model.parameters(), lr=self.lr)

    def plain(self, model: nn.Module, batch: Samples) -> Tensor:
        """Return the mean loss of the scenes."""
        return detection_loss(model(batch.x), batch.y).mean()

    def score(self, model: nn.Module, samples: Samples) -> Score:
        """Return 1 − F1; a box is predicted where its probability is above a half."""
        output, y = model(samples.x), samples.y
        predicted, there = output[:, 0] > 0, y[:, 0] > 0
        return Score(1 - _f1(predicted, there, predicted & there & _fits(output, y)))

    def look(self, model: nn.Module, samples: Samples) -> tuple[Tensor, Tensor]:
        """Return the scenes' losses as classes."""
        return as_classes(detection_loss(model(samples.x), samples.y), worst=20.0)


def _fits(output: Tensor, y: Tensor) -> Bool[Tensor, "images 4 4"]:
    close = overlap(corners(output[:, 1:5]), corners(y[:, 1:5])) >= 0.5
    return close & (output[:, 5:].argmax(1) == y[:, 5].long())


def _f1(predicted: Tensor, there: Tensor, hit: Tensor) -> float:
    return 2 * int(hit.sum()) / max(1, int(predicted.sum()) + int(there.sum()))
