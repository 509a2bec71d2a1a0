"""The plain loop that integrations are held against."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.utils.data import DataLoader

import overmix
from overmix.switch import Epoch, Policy, Schedule
from tools.conformance.task import (
    EPOCHS,
    Setting,
    Trained,
    autocast,
    called,
    cosine,
    evaluating,
    loaders,
    net,
    outcome,
    seeded,
    sgd,
)


def plain(switch: Schedule | Policy, setting: Setting) -> Trained:
    """Train the task in a loop of one's own."""
    seeded()
    model = net()
    optimizer, (train, held_out), compiled = sgd(model), loaders(setting), called(model, setting)
    scheduler = cosine(optimizer, setting, len(train))
    state = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    run = overmix.Epochs(EPOCHS, mix=overmix.Mixup(alpha=1.0), switch=switch, seed=0, state=state)
    for epoch in run:
        model.train()
        for index, (x, y) in enumerate(train, start=1):
            (_loss(compiled, epoch, x, y, setting) / setting.accumulate).backward()
            if index % setting.accumulate == 0 or index == len(train):
                optimizer.step()
                optimizer.zero_grad()
                if epoch.kind != "probe":
                    scheduler.step()
        if epoch.scored:
            look(epoch, model, compiled, held_out, setting)
    return outcome(model, run)


def _loss(compiled: Any, epoch: Epoch, x: Tensor, y: Tensor, setting: Setting) -> Tensor:
    x, target = epoch.mix(x, y)
    with autocast(setting):
        loss: Tensor = target.cross_entropy(compiled(x))
    return loss


def look(epoch: Epoch, model: nn.Module, compiled: Any, held_out: DataLoader[Any], setting: Setting) -> None:
    """Observe the held-out samples."""
    with evaluating(model):
        for x, y in held_out:
            with autocast(setting):
                epoch.observe(compiled(x), y)
