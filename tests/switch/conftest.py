"""A user's training, and policies whose answers are known beforehand."""

import io
from dataclasses import dataclass

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import overmix
from overmix.switch import Decision

SAMPLES, BATCH = 24, 8
STEPS = SAMPLES // BATCH


@dataclass(frozen=True)
class Scripted:
    """Probes where it is told to, and decides once ``decide_at`` epochs of Mixup are done."""

    probes: tuple[int, ...] = ()
    tail: int = 2
    decide_at: int | None = None
    switch_at: int | None = None

    def probe_epochs(self, epochs):
        return self.probes

    def tail_epochs(self, epochs):
        return self.tail

    def decide(self, history):
        if self.decide_at is not None and history.done >= self.decide_at:
            return Decision(self.switch_at, "so it was told")
        keep = self.switch_at if self.switch_at is not None and history.done >= self.switch_at else None
        return Decision(None, "it was told to wait", keep=keep)


class Training:
    """BatchNorm, dropout, momentum, a scheduler, and a loader that shuffles by PyTorch's global generator."""

    def __init__(self, optimizer="sgd", schedule="cosine", epochs=6, order="global"):
        torch.manual_seed(1)
        self.order, self.lrs, self.targets, self.epochs = order, [], [], []
        x, y = torch.randn(SAMPLES, 5), torch.randint(3, (SAMPLES,))
        self.held_out = torch.randn(12, 5), torch.randint(3, (12,))
        self.data = TensorDataset(x, y)
        self.loader = DataLoader(self.data, batch_size=BATCH, shuffle=True)
        self.model = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3))
        parameters = self.model.parameters()
        if optimizer == "sgd":
            self.optimizer = torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=1e-3)
        else:
            self.optimizer = torch.optim.AdamW(parameters, lr=0.01)
        self.scheduler = None
        if schedule == "cosine":
            self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, epochs * STEPS)
        if schedule == "multi-step":
            self.scheduler = torch.optim.lr_scheduler.MultiStepLR(self.optimizer, [2 * STEPS, 4 * STEPS], gamma=0.3)

    @property
    def state(self):
        parts = {"model": self.model, "optimizer": self.optimizer}
        return parts if self.scheduler is None else {**parts, "scheduler": self.scheduler}

    def batches(self, epoch):
        if self.order == "global":
            yield from self.loader
            return
        # As a distributed sampler does: the order is a function of the epoch.
        order = torch.randperm(SAMPLES, generator=torch.Generator().manual_seed(epoch.index))
        for step in range(epoch.step, STEPS):
            yield self.data[order[step * BATCH : (step + 1) * BATCH]]

    def step(self, epoch, x, y):
        x, target = epoch.mix(x, y)
        self.lrs.append(self.optimizer.param_groups[0]["lr"])
        self.targets.append((epoch.kind, target))
        loss = target.cross_entropy(self.model(x))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        if self.scheduler is not None:
            self.scheduler.step()

    def validate(self, epoch):
        self.model.eval()
        with torch.no_grad():
            epoch.observe(self.model(self.held_out[0]), self.held_out[1])

    def body(self, epoch):
        self.epochs.append((epoch.kind, epoch.index))
        self.model.train()
        for x, y in self.batches(epoch):
            self.step(epoch, x, y)
        self.validate(epoch)

    def drive(self, run):
        for epoch in run:
            self.body(epoch)
        return self

    def everything(self):
        """All that a later epoch depends on."""
        objects = {name: part.state_dict() for name, part in self.state.items()}
        return {**objects, "torch": torch.get_rng_state()}

    def checkpoint(self, run_state):
        file = io.BytesIO()
        torch.save({"run": run_state, **self.everything()}, file)
        return file

    def resume(self, file, run):
        """What a user does: build all anew, then load."""
        file.seek(0)
        saved = torch.load(file, weights_only=True)
        for name, part in self.state.items():
            part.load_state_dict(saved[name])
        run.load_state_dict(saved["run"])
        torch.set_rng_state(saved["torch"])


def same(one, other):
    """Whether two nested states are equal to the bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return one == other


def start(training, switch, epochs=6, **settings):
    settings = {"state": training.state, "steps_per_epoch": STEPS, **settings}
    return overmix.Epochs(epochs, mix=overmix.Mixup(alpha=1.0), switch=switch, seed=0, **settings)


@pytest.fixture
def loops():
    """The helpers above."""

    class Helpers:
        pass

    helpers = Helpers()
    helpers.Scripted, helpers.Training, helpers.same, helpers.start = Scripted, Training, same, start
    helpers.STEPS = STEPS
    return helpers
