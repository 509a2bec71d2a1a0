"""timm and torchvision: a script of theirs that follows a run, beside the same script that asks the epoch to mix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import timm.loss
import timm.optim
import timm.scheduler
import timm.utils
from torch import Tensor, nn, no_grad

import overmix
from overmix.integrations.following import Follower
from overmix.integrations.timm import Mixup
from overmix.integrations.torchvision import MixUp
from overmix.switch import Epoch, Epochs, Policy, Schedule
from tools.conformance.task import CLASSES, EPOCHS, Setting, Trained, autocast, called, loaders, net, outcome, seeded

Mixed = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
Mixing = Callable[[Epochs], Iterator[tuple[Epoch, Mixed]]]
"""Yields a run's epochs, with what the script calls to mix its batches."""


def fit_timm(switch: Schedule | Policy, setting: Setting) -> Trained:
    """Train with our Mixup in the place of timm's."""
    mixup_fn = Mixup(mixup_alpha=0.8, label_smoothing=0.1, num_classes=CLASSES)
    return script(switch, setting, mixup_fn.recipe, _following(mixup_fn))


def fit_torchvision(switch: Schedule | Policy, setting: Setting) -> Trained:
    """Train with our MixUp in the place of torchvision's."""
    mixup = MixUp(alpha=0.8, num_classes=CLASSES)
    return script(switch, setting, mixup.recipe, _following(mixup))


def reference_timm(switch: Schedule | Policy, setting: Setting) -> Trained:
    """Train with ``epoch.mix`` and smoothed rows."""
    return script(switch, setting, overmix.Mixup(alpha=0.8), _asking(smoothing=0.1))


def reference_torchvision(switch: Schedule | Policy, setting: Setting) -> Trained:
    """Train with ``epoch.mix`` and rows."""
    return script(switch, setting, overmix.Mixup(alpha=0.8), _asking(smoothing=0.0))


def _following(mixer: Any) -> Mixing:
    assert isinstance(mixer, Follower)

    def epochs(run: Epochs) -> Iterator[tuple[Epoch, Mixed]]:
        for epoch in mixer.follow(run):
            yield epoch, mixer  # type: ignore[misc]

    return epochs


def _asking(smoothing: float) -> Mixing:
    def epochs(run: Epochs) -> Iterator[tuple[Epoch, Mixed]]:
        for epoch in run:

            def mix(x: Tensor, y: Tensor, epoch: Epoch = epoch) -> tuple[Tensor, Tensor]:
                x, target = epoch.mix(x, y)
                return x, target.soft(CLASSES) * (1 - smoothing) + smoothing / CLASSES

            yield epoch, mix

    return epochs


def script(switch: Schedule | Policy, setting: Setting, recipe: Any, mixing: Mixing) -> Trained:
    """Train as timm's scripts do: its optimizer, its scheduler by epoch and update, its loss, averaged weights."""
    seeded()
    model = nn.Sequential(nn.Flatten(), *net())
    train, held_out = loaders(setting)
    average = timm.utils.ModelEmaV3(model, decay=0.9)
    optimizer = timm.optim.create_optimizer_v2(model, opt="adamw", lr=3e-3, weight_decay=0.05)
    scheduler = timm.scheduler.CosineLRScheduler(optimizer, t_initial=EPOCHS, warmup_t=1, warmup_lr_init=1e-4)
    criterion, compiled = timm.loss.SoftTargetCrossEntropy(), called(model, setting)
    state = {"model": model, "average": average, "optimizer": optimizer, "scheduler": scheduler}
    run = Epochs(EPOCHS, mix=recipe, switch=switch, seed=0, state=state)
    for epoch, mix in mixing(run):
        model.train()
        for index, (x, y) in enumerate(train, start=1):
            x, rows = mix(x.view(-1, 1, 8, 8), y)
            with autocast(setting):
                loss = criterion(compiled(x), rows) / setting.accumulate
            loss.backward()
            if index % setting.accumulate == 0 or index == len(train):
                optimizer.step()
                optimizer.zero_grad()
                average.update(model)
        if epoch.kind != "probe":
            scheduler.step(epoch.index + 1)
        if epoch.scored:
            model.eval()
            with no_grad():
                for x, y in held_out:
                    with autocast(setting):
                        epoch.observe(compiled(x), y)
    return outcome(nn.ModuleList([model, average.module]), run)
