"""accelerate: ``Epochs`` over what ``prepare`` returned, and ``counter(loader)`` for a seedable order."""

from __future__ import annotations

from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState
from accelerate.utils import DataLoaderConfiguration
from torch.utils.data import DataLoader

import overmix
from overmix.integrations.accelerate import counter
from overmix.switch import Policy, Schedule
from tools.conformance.task import EPOCHS, Setting, Trained, called, cosine, loaders, net, outcome, seeded, sgd


def fit(switch: Schedule | Policy, setting: Setting) -> Trained:
    """Train the task with accelerate."""
    return trained(switch, setting, seedable=False)


def fit_seedable(switch: Schedule | Policy, setting: Setting) -> Trained:
    """Train the task in an order that follows from the loader's own count of passes."""
    return trained(switch, setting, seedable=True)


def reference_seedable(switch: Schedule | Policy, setting: Setting) -> Trained:
    """Train the task likewise, but told the epoch, in the place of a registered counter."""
    return trained(switch, setting, seedable=True, tell_epoch=True)


def trained(
    switch: Schedule | Policy,
    setting: Setting,
    *,
    seedable: bool,
    tell_epoch: bool = False,
    spread: tuple[DataLoader[Any], DataLoader[Any]] | None = None,
) -> Trained:
    """Train the task in a loop over what accelerate prepared, which spreads other loaders than the task's if given."""
    AcceleratorState._reset_state(True)
    GradientState._reset_state()
    seeded()
    accelerator = Accelerator(
        cpu=True,
        gradient_accumulation_steps=setting.accumulate,
        mixed_precision="bf16" if setting.bf16 else "no",
        dataloader_config=DataLoaderConfiguration(use_seedable_sampler=seedable),
    )
    raw = net(dropout=0.2 if spread is None else 0.0)
    optimizer, (train, held_out) = sgd(raw), spread or loaders(setting)
    scheduler = cosine(optimizer, setting, len(train))
    model, optimizer, train, held_out, scheduler = accelerator.prepare(
        called(raw, setting), optimizer, train, held_out, scheduler
    )
    state = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    if seedable and not tell_epoch:
        state["order"] = counter(train)
    elif spread is not None and spread[0].generator is not None:
        state["order"] = spread[0].generator
    run = overmix.Epochs(EPOCHS, mix=overmix.Mixup(alpha=1.0), switch=switch, seed=0, state=state)
    for epoch in run:
        model.train()
        if tell_epoch:
            train.set_epoch(epoch.index)
        for x, y in train:
            with accelerator.accumulate(model):
                x, target = epoch.mix(x, y)
                accelerator.backward(target.cross_entropy(model(x)))
                optimizer.step()
                if epoch.kind != "probe":
                    scheduler.step()
                optimizer.zero_grad()
        if epoch.scored:
            model.eval()
            with torch.no_grad():
                for x, y in held_out:
                    epoch.observe(model(x), y)
    return outcome(raw, run)
