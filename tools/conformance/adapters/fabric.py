"""Lightning Fabric: ``Epochs`` over what ``setup`` returned."""

from __future__ import annotations

import logging

import torch
from lightning.fabric import Fabric

import overmix
from overmix.switch import Policy, Schedule
from tools.conformance.task import EPOCHS, Setting, Trained, called, cosine, loaders, net, outcome, seeded, sgd

logging.getLogger("lightning.fabric").setLevel(logging.ERROR)


def fit(switch: Schedule | Policy, setting: Setting) -> Trained:
    """Train the task with Fabric."""
    seeded()
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed" if setting.bf16 else "32-true")
    raw = net()
    bare, (train, held_out) = sgd(raw), loaders(setting)
    scheduler = cosine(bare, setting, len(train))
    model, optimizer = fabric.setup(called(raw, setting), bare)
    train, held_out = fabric.setup_dataloaders(train, held_out)
    state = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
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
