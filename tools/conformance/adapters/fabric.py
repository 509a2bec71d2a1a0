"""Lightning Fabric: ``Epochs`` over what ``setup`` returned."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import nn
from torch.utils.data import DataLoader

import overmix
from overmix.integrations.fabric import counter
from overmix.switch import Policy, Schedule
from tools.conformance.task import BATCHES, EPOCHS, Setting, Trained, called, cosine, loaders, net, outcome, seeded, sgd

logging.getLogger("lightning.fabric").setLevel(logging.ERROR)

Loaders = tuple[DataLoader[Any], DataLoader[Any]]


def fit(switch: Schedule | Policy, setting: Setting) -> Trained:
    """Train the task with Fabric."""
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed" if setting.bf16 else "32-true")
    return trained(fabric, switch, setting, net, loaders(setting))


def trained(
    fabric: Fabric, switch: Schedule | Policy, setting: Setting, made: Callable[[], nn.Module], data: Loaders
) -> Trained:
    """Train the task in a loop over what Fabric set up."""
    seeded()
    raw = made()
    bare, (train, held_out) = sgd(raw), data
    scheduler = cosine(bare, setting, BATCHES)
    model, optimizer = fabric.setup(called(raw, setting), bare)
    train, held_out = fabric.setup_dataloaders(train, held_out, use_distributed_sampler=False)
    state = {"model": model, "optimizer": optimizer, "scheduler": scheduler, "order": counter(train)}
    run = overmix.Epochs(EPOCHS, mix=overmix.Mixup(alpha=1.0), switch=switch, seed=0, state=state)
    for epoch in run:
        model.train()
        for index, (x, y) in enumerate(train, start=1):
            x, target = epoch.mix(x, y)
            fabric.backward(target.cross_entropy(model(x)) / setting.accumulate)
            if index % setting.accumulate == 0 or index == len(train):
                optimizer.step()
                optimizer.zero_grad()
                if epoch.kind != "probe":
                    scheduler.step()
        if epoch.scored:
            model.eval()
            with torch.no_grad():
                for x, y in held_out:
                    epoch.observe(model(x), y)
    return outcome(raw, run)
