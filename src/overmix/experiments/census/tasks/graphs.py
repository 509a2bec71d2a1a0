"""Graph regression: the number of triangles, from few graphs, most of which have few."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overmix._typing import Float
from overmix.experiments.census.task import Data, Kind, Samples, Score, Task, as_classes
from overmix.mix import Streams

NODES = 12
INTERVALS = 8
TEST_SIZE = 800


def triangles(adjacency: Float[Tensor, "graphs nodes nodes"]) -> Float[Tensor, " graphs"]:
    """Return the number of triangles of each graph, ``tr(A^3) / 6``."""
    return (adjacency @ adjacency @ adjacency).diagonal(dim1=1, dim2=2).sum(1) / 6


def random_graphs(density: np.ndarray, rng: np.random.Generator) -> Float[Tensor, "graphs nodes nodes"]:
    """Return graphs without loops whose edges are there with the given probability, shape (N, nodes, nodes)."""
    upper = np.triu(rng.random((len(density), NODES, NODES)) < density[:, None, None], k=1)
    return torch.from_numpy(upper | upper.transpose(0, 2, 1)).float()


class GraphNet(nn.Module):
    """Two rounds of messages, ``h' = relu(W h + U A h / 4)``, a mean over nodes (``readout``), and a small decoder."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.own = nn.ModuleList([nn.Linear(1, hidden), nn.Linear(hidden, hidden)])
        self.messages = nn.ModuleList([nn.Linear(1, hidden, bias=False), nn.Linear(hidden, hidden, bias=False)])
        self.readout = nn.Identity()
        self.decoder = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, adjacency: Tensor) -> Tensor:
        """Return the value of each graph, shape (N, 1)."""
        h = torch.ones(*adjacency.shape[:2], 1)
        for own, message in zip(self.own, self.messages, strict=True):
            h = F.relu(own(h) + message(adjacency @ h) / 4)
        value: Tensor = self.decoder(self.readout(h.mean(1)))
        return value


@dataclass(frozen=True)
class Triangles(Task):
    """``log(1 + triangles)``, measured with noise; few training graphs are dense, test graphs of all densities.

    Args:
        hidden: width of the net.
        noise: standard deviation of what is added to the training values.
        rarity: densities of training graphs follow 0.8 Beta(1, rarity); 1 makes all equally frequent, as in the test.
    """

    epochs: int = 400
    train_size: int = 160
    val_size: int = 200
    batch_size: int = 80
    lr: float = 1e-3
    hidden: int = 64
    noise: float = 0.3
    rarity: float = 2.0

    title: ClassVar[str] = "graph regression: triangles, imbalanced"
    metric: ClassVar[str] = "mean absolute error, all intervals of the value alike"
    kind: ClassVar[Kind] = "value"

    def data(self, streams: Streams) -> Data:
        """Return graphs; the test graphs are the same for all seeds."""
        rng, test_rng = streams.generator("subset"), Streams().generator("augmentation")
        train = random_graphs(0.8 * rng.beta(1, self.rarity, self.train_size), rng)
        noise = torch.from_numpy(rng.normal(0, self.noise, self.train_size)).float()
        val = random_graphs(rng.uniform(0, 0.8, self.val_size), rng)
        test = random_graphs(test_rng.uniform(0, 0.8, TEST_SIZE), test_rng)
        y = triangles(train).log1p() + noise
        return Data(Samples(train, y), Samples(val, triangles(val).log1p()), Samples(test, triangles(test).log1p()))

    def model(self) -> nn.Module:
        """Return the message passing net."""
        return GraphNet(self.hidden)

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return Adam."""
        return torch.optim.Adam(model.parameters(), lr=self.lr)

    def plain(self, model: nn.Module, batch: Samples) -> Tensor:
        """Return the mean absolute error."""
        return F.l1_loss(model(batch.x).squeeze(1), batch.y)

    def score(self, model: nn.Module, samples: Samples) -> Score:
        """Return the mean over intervals of the value of the mean absolute error in each."""
        gap = (model(samples.x).squeeze(1) - samples.y).abs()
        place = (samples.y / samples.y.max() * INTERVALS).long().clamp_max(INTERVALS - 1)
        means = [gap[place == i].mean() for i in range(INTERVALS) if (place == i).any()]
        return Score(float(torch.stack(means).mean()))

    def look(self, model: nn.Module, samples: Samples) -> tuple[Tensor, Tensor]:
        """Return squared errors as classes."""
        return as_classes((model(samples.x).squeeze(1) - samples.y).square(), worst=4.0)
