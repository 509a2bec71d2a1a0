"""A small training as people write it, and the register of those that are like it but for one thing."""

import random

import numpy as np
import torch
from torch import nn
from torch.optim import lr_scheduler as schedulers
from torch.utils.data import DataLoader, TensorDataset

EPOCHS, STEPS, BATCH = 4, 2, 8
SITUATIONS = {}


def situation(name, refused=None, in_place=True):
    """Register a training; ``refused`` is the pattern of the one line that refuses it."""

    def register(kind):
        assert name not in SITUATIONS
        kind.refused, kind.in_place = refused, in_place
        SITUATIONS[name] = kind
        return kind

    return register


@situation("plain")
class Base:
    """BatchNorm, dropout, momentum, a cosine rate per step, a loader that shuffles by the global generator."""

    told = STEPS  # steps_per_epoch
    goes_back = False  # also tried: a policy that goes back by some epochs
    keeps_gradients = False  # set to zero, not to None: then they are the same tensors all along

    def __init__(self):
        torch.manual_seed(7)
        random.seed(7)
        np.random.seed(7)  # noqa: NPY002
        self.model = self.make_model()
        self.optimizer = self.make_optimizer()
        self.scheduler = self.make_scheduler()
        self.data = TensorDataset(torch.randn(STEPS * BATCH, 5), torch.randint(3, (STEPS * BATCH,)))
        self.held_out = torch.randn(6, 5), torch.randint(3, (6,))
        self.loader = DataLoader(self.data, batch_size=BATCH, shuffle=True)
        self.prepare()

    def make_model(self):
        return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3))

    def make_optimizer(self):
        return torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3)

    def make_scheduler(self):
        return schedulers.CosineAnnealingLR(self.optimizer, EPOCHS * STEPS)

    def prepare(self):
        """Whatever else there is."""

    def state(self):
        return {"model": self.model, "optimizer": self.optimizer, "scheduler": self.scheduler}

    def body(self, epoch):
        self.begin(epoch)
        self.model.train()
        for x, y in self.loader:
            x, target = epoch.mix(x, y)
            self.step(epoch, x, target)
        self.end(epoch)
        if epoch.scored:
            self.model.eval()
            with torch.no_grad():
                epoch.observe(self.model(self.held_out[0]), self.held_out[1])

    def begin(self, epoch):
        """Before the batches of an epoch."""

    def end(self, epoch):
        """After them."""

    def loss(self, x, target):
        return target.cross_entropy(self.model(x))

    def step(self, epoch, x, target):
        self.optimizer.zero_grad()
        self.loss(x, target).backward()
        self.update(epoch)
        if epoch.kind != "probe":
            self.scheduler.step()

    def update(self, epoch):
        self.optimizer.step()
