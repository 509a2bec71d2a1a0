from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from overmix.mix import Streams
from overmix.recipes import Mixup
from overmix.switch import always
from overmix.train import SGD, LRSchedule, Normalization, Replica, ResidentData, StackTraining

FEATURES, CLASSES, POOL, TEST = 6, 3, 120, 50
TRAIN, VAL = 40, 30


class DropoutTwice(nn.Module):
    """One dropout layer inside a block that is called twice, next to another one."""

    def __init__(self):
        super().__init__()
        self.block = nn.Sequential(nn.Linear(FEATURES, FEATURES), nn.Tanh(), nn.Dropout(0.3))
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(FEATURES, CLASSES)

    def forward(self, x):
        return self.head(self.drop(self.block(self.block(x))))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(2, 5, batch_first=True)
        self.head = nn.Linear(5, CLASSES)

    def forward(self, x):
        return self.head(self.lstm(x.view(-1, 3, 2))[0][:, -1])


class OwnRandomness(nn.Module):
    """Draws from PyTorch's generator behind the engine's back, and in evaluation mode too: a common slip."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(FEATURES, CLASSES)

    def forward(self, x):
        return self.head(nn.functional.dropout(x, 0.5))


class RunningMean(nn.Module):
    """Replaces its buffer instead of updating it in place."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(FEATURES, CLASSES)
        self.register_buffer("mean", torch.zeros(FEATURES))

    def forward(self, x):
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
        return self.head(x - self.mean)


class UnusedLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.head, self.unused = nn.Linear(FEATURES, CLASSES), nn.Linear(2, 2)

    def forward(self, x):
        return self.head(x)


def mlp():
    return nn.Sequential(nn.Linear(FEATURES, 8), nn.ReLU(), nn.Linear(8, CLASSES))


def batch_norm():
    return nn.Sequential(nn.Linear(FEATURES, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, CLASSES))


def dropout():
    return nn.Sequential(nn.Dropout(0.1), nn.Linear(FEATURES, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, CLASSES))


def shared_dropout():
    drop = nn.Dropout(0.4)
    return nn.Sequential(nn.Linear(FEATURES, 8), drop, nn.Linear(8, 8), drop, nn.Linear(8, CLASSES))


def batch_norm_dropout():
    return nn.Sequential(nn.Linear(FEATURES, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, CLASSES))


def convnet():
    return nn.Sequential(
        nn.Unflatten(1, (1, 2, 3)), nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(24, CLASSES)
    )


def convnet_dropout2d():
    return nn.Sequential(
        nn.Unflatten(1, (1, 2, 3)),
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.Dropout2d(0.4),
        nn.Flatten(),
        nn.Linear(24, CLASSES),
    )


def tied():
    first, second = nn.Linear(FEATURES, FEATURES), nn.Linear(FEATURES, FEATURES)
    second.weight = first.weight
    return nn.Sequential(first, nn.Tanh(), second)


MODELS = {
    "mlp": mlp,
    "batch_norm": batch_norm,
    "dropout": dropout,
    "dropout_twice": DropoutTwice,
    "shared_dropout": shared_dropout,
    "batch_norm_dropout": batch_norm_dropout,
    "convnet": convnet,
    "convnet_dropout2d": convnet_dropout2d,
    "tied": tied,
    "running_mean": RunningMean,
    "unused_layer": UnusedLayer,
    "recurrent": Recurrent,
    "own_randomness": OwnRandomness,
}


@pytest.fixture
def models() -> dict[str, Callable[[], nn.Module]]:
    return MODELS


def _resident(dtype: torch.dtype = torch.float32) -> ResidentData:
    generator = torch.Generator().manual_seed(7)
    y = torch.randint(CLASSES, (POOL + TEST,), generator=generator)
    x = 40 * torch.randn(POOL + TEST, FEATURES, generator=generator) + 60 + 25 * y[:, None]
    x = x.clamp(0, 255).to(torch.uint8).to(dtype)
    return ResidentData(x[:POOL], y[:POOL], x[POOL:], y[POOL:], CLASSES)


@pytest.fixture
def resident() -> Callable[..., ResidentData]:
    return _resident


def _replica(seed: int = 0, **overrides) -> Replica:
    streams = Streams(replica_seed=seed)
    picked = streams.generator("subset").permutation(POOL)
    fields = {
        "streams": streams,
        "recipe": Mixup(alpha=1.0),
        "schedule": always(),
        "train_index": picked[:TRAIN],
        "val_index": picked[TRAIN : TRAIN + VAL],
        "lr": 0.05,
        "lr_schedule": LRSchedule(),
        "weight_decay": 0.0,
    }
    return Replica(**{**fields, **overrides})


@pytest.fixture
def replica() -> Callable[..., Replica]:
    return _replica


def _training(replicas, factory=mlp, execution="stacked", **overrides) -> StackTraining:
    data = overrides.pop("data", None) or _resident()
    subsets = [data.x[torch.from_numpy(np.asarray(r.train_index))].float() for r in replicas]
    fields = {
        "factory": factory,
        "data": data,
        "replicas": replicas,
        "normalization": Normalization(
            torch.stack([s.mean(0) for s in subsets]), torch.stack([s.std(0) + 1 for s in subsets])
        ),
        "optimizer": SGD(momentum=0.9),
        "epochs": 4,
        "batch_size": 12,
        "execution": execution,
    }
    kind = overrides.pop("kind", StackTraining)
    return kind(**{**fields, **overrides})


@pytest.fixture
def training() -> Callable[..., StackTraining]:
    return _training
