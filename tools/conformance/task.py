"""The task that every integration trains: digits, a small net with batch norm and dropout, a cosine per step."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import overmix
from overmix.switch import Decision, History, Policy, Schedule

EPOCHS, BATCH, HELD_OUT_BATCH, SAMPLES, HELD_OUT, CLASSES = 12, 32, 60, 200, 120, 10
BATCHES = -(-SAMPLES // BATCH)


@dataclass(frozen=True)
class Scripted(Policy):
    """Probes at 2 and 5, keeps the state at 4, and goes back to it after 7 epochs: every move that a policy has."""

    def probe_epochs(self, epochs: int) -> tuple[int, ...]:
        """Return where it probes."""
        return (2, 5)

    def tail_epochs(self, epochs: int) -> int:
        """Return the length of a tail."""
        return 2

    def decide(self, history: History) -> Decision:
        """Return what was written down beforehand."""
        if history.done >= 7:
            return Decision(4, "so it is written")
        return Decision(None, "it waits", keep=4 if history.done >= 4 else None)


@dataclass(frozen=True)
class AtTheEnd(Scripted):
    """As :class:`Scripted`, but decides after the last epoch only."""

    def decide(self, history: History) -> Decision:
        """Return what was written down beforehand."""
        if history.done >= EPOCHS:
            return Decision(4, "so it is written")
        return Decision(None, "it waits", keep=4 if history.done >= 4 else None)


SWITCHES: dict[str, Schedule | Policy] = {
    "off_at(4)": overmix.off_at(4),
    "goes back": Scripted(),
    "goes back at the end": AtTheEnd(),
    "AutoSwitch": overmix.AutoSwitch(),
}


@dataclass(frozen=True)
class Setting:
    """How the task is trained.

    Args:
        accumulate: batches whose gradients are added up for a step.
        bf16: whether the model computes in bfloat16.
        workers: of the loader, persistent; 0: none.
        compiled: whether the model is compiled, with a backend that takes no time.
    """

    accumulate: int = 1
    bf16: bool = False
    workers: int = 0
    compiled: bool = False


SETTINGS = {
    "plain": Setting(),
    "accumulate 2": Setting(accumulate=2),
    "bf16": Setting(bf16=True),
    "2 persistent workers": Setting(workers=2),
    "torch.compile": Setting(compiled=True),
}


@dataclass(frozen=True)
class Trained:
    """What comes out of a training, as far as two of them must agree.

    Args:
        weights: a digest of all weights and buffers.
        switch_at: what was decided.
        spent: epochs trained, probes and discarded ones included.
        scores: of the held-out samples, epoch by epoch.
        mixing: share of mixed batches, epoch by epoch.
        steps: that a logger was told, in order; of integrations that log.
    """

    weights: str
    switch_at: int | None
    spent: int
    scores: tuple[float, ...]
    mixing: tuple[float, ...]
    steps: tuple[int, ...] = ()


def outcome(model: nn.Module, run: overmix.Epochs, steps: Sequence[int] = ()) -> Trained:
    """Return what came out of a run."""
    seen = run.history
    return Trained(
        digest(model),
        run.decision.switch_at,
        run.spent,
        tuple(look.score for look in seen),
        tuple(look.mixing for look in seen),
        tuple(steps),
    )


def differences(one: Trained, other: Trained, switch: Schedule | Policy) -> list[str]:
    """Return in what a training differs from its reference, or breaks what holds for any."""
    names = ("weights", "switch_at", "spent", "scores", "mixing")
    unequal = [name for name in names if getattr(one, name) != getattr(other, name)]
    at = one.switch_at
    if at is not None and any(one.mixing[at:]):
        unequal.append("mixed after the switch")
    if list(one.steps) != sorted(one.steps):
        unequal.append("the logger's steps went back")
    return unequal


def digest(model: nn.Module) -> str:
    """Return a digest of a model's weights and buffers, bit for bit."""
    sha = hashlib.sha256()
    for value in model.state_dict().values():
        sha.update(value.detach().cpu().contiguous().double().numpy().tobytes())
    return sha.hexdigest()[:16]


def seeded(seed: int = 0) -> None:
    """Seed every generator that a training may draw from."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  # frameworks draw from it
    torch.manual_seed(seed)


@cache
def _digits() -> tuple[Tensor, Tensor]:
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    return torch.from_numpy(x[order] / 16).float(), torch.from_numpy(y[order]).long()


def data() -> tuple[TensorDataset, TensorDataset]:
    """Return 200 digits to train on, and 120 held out."""
    x, y = _digits()
    end = SAMPLES + HELD_OUT
    return TensorDataset(x[:SAMPLES], y[:SAMPLES]), TensorDataset(x[SAMPLES:end], y[SAMPLES:end])


def net(dropout: float = 0.2) -> nn.Sequential:
    """Return the model."""
    layers = (nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(dropout), nn.Linear(32, CLASSES))
    return nn.Sequential(*layers)


def called(model: nn.Module, setting: Setting) -> Any:
    """Return what is called in the place of a model."""
    return torch.compile(model, backend="eager") if setting.compiled else model


def loaders(setting: Setting = SETTINGS["plain"], **sampler: Any) -> tuple[DataLoader[Any], DataLoader[Any]]:
    """Return the loaders of both parts of the data."""
    train, held_out = data()
    how: dict[str, Any] = {"num_workers": setting.workers, "persistent_workers": setting.workers > 0}
    order = sampler or {"shuffle": True}
    return DataLoader(train, BATCH, **order, **how), DataLoader(held_out, HELD_OUT_BATCH, **how)


def sgd(model: nn.Module) -> torch.optim.Optimizer:
    """Return the optimizer."""
    return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def cosine(optimizer: torch.optim.Optimizer, setting: Setting, batches: int) -> torch.optim.lr_scheduler.LRScheduler:
    """Return the scheduler, for one call per optimizer step."""
    steps = EPOCHS * -(-batches // setting.accumulate)
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)


def autocast(setting: Setting) -> torch.autocast:
    """Return the context that a model computes in."""
    return torch.autocast("cpu", torch.bfloat16, enabled=setting.bf16)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Leave out dropout, and gradients."""
    model.eval()
    with torch.no_grad():
        yield
