"""The task in two processes that talk by gloo."""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from lightning.fabric import Fabric
from torch import nn
from torch.utils.data import DataLoader, DistributedSampler

import overmix
from overmix.integrations.lightning import Mix
from overmix.switch import Policy, Schedule
from tools.conformance.adapters import accelerate, fabric, transformers
from tools.conformance.adapters.lightning import Module, trainer
from tools.conformance.task import (
    BATCH,
    BATCHES,
    EPOCHS,
    HELD_OUT_BATCH,
    SETTINGS,
    SWITCHES,
    Trained,
    cosine,
    data,
    evaluating,
    net,
    outcome,
    seeded,
    sgd,
)

PROCESSES = 2

Loaders = tuple[DataLoader[Any], DataLoader[Any]]
Train = Callable[[int, Schedule | Policy], Trained]
"""Trains the task in one of the processes, whose rank it is given."""


def in_two_processes(name: str, switch: str) -> list[Trained]:
    """Train by one of :data:`RANKS`, and return what came out of each process.

    Each run has a port of its own; processes leave their group before they end, and hand their results over as JSON.
    """
    with tempfile.TemporaryDirectory() as folder:
        arguments = (Path(folder), name, switch, _free_port())
        mp.start_processes(_in_process, arguments, nprocs=PROCESSES, start_method="spawn")
        return [_read(Path(folder, f"{rank}.json")) for rank in range(PROCESSES)]


def _in_process(rank: int, folder: Path, name: str, switch: str, port: int) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_RANK": str(rank)}
    os.environ |= {"NODE_RANK": "0", "WORLD_SIZE": str(PROCESSES), "RANK": str(rank)}
    # accelerate sets PyTorch's threads itself where the environment does not, and products by two add up otherwise.
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    # Before the frameworks do, which take the group that is there.
    dist.init_process_group("gloo", rank=rank, world_size=PROCESSES)
    trained = RANKS[name](rank, SWITCHES[switch])
    (folder / f"{rank}.json").write_text(json.dumps(asdict(trained)))
    # Together: a process that ends while the group's threads live is aborted.
    dist.barrier()
    dist.destroy_process_group()


def _read(path: Path) -> Trained:
    values = json.loads(path.read_text())
    fields: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in values.items()}
    return Trained(**fields)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _without_dropout() -> nn.Sequential:
    return net(dropout=0.0)


def _sharded(rank: int) -> Loaders:
    """Return loaders whose samplers give each process its part."""
    train, held_out = data()
    order: DistributedSampler[Any] = DistributedSampler(train, PROCESSES, rank, shuffle=True)
    return (
        DataLoader(train, BATCH, sampler=order),
        DataLoader(held_out, HELD_OUT_BATCH, sampler=DistributedSampler(held_out, PROCESSES, rank, shuffle=False)),
    )


def _whole(order: torch.Generator | None = None) -> Loaders:
    """Return loaders of all samples, of whose batches each process takes every second; all of them are full."""
    train, held_out = data()
    return DataLoader(train, BATCH, shuffle=True, drop_last=True, generator=order), DataLoader(held_out, HELD_OUT_BATCH)


def _lightning(rank: int, switch: Schedule | Policy) -> Trained:
    seeded()
    mix, model = Mix(overmix.Mixup(alpha=1.0), switch, seed=0), _without_dropout()
    train, held_out = _sharded(rank)
    settings: dict[str, Any] = {"strategy": "ddp", "devices": PROCESSES, "use_distributed_sampler": False}
    keeps = _Keeps(mix, model)
    trainer(mix, callbacks=[keeps], **settings).fit(Module(mix, model, SETTINGS["plain"]), train, held_out)
    assert keeps.trained is not None
    return keeps.trained


class _Keeps(lightning.Callback):
    """Keeps what came out, at the end of the training."""

    def __init__(self, mix: Mix, model: nn.Module) -> None:
        self._mix, self._model = mix, model
        self.trained: Trained | None = None

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        assert self._mix.run is not None
        self.trained = outcome(self._model, self._mix.run)


def _fabric(rank: int, switch: Schedule | Policy) -> Trained:
    two = Fabric(accelerator="cpu", devices=PROCESSES, strategy="ddp")
    two.launch()
    return fabric.trained(two, switch, SETTINGS["plain"], _without_dropout, _sharded(rank))


def _accelerate(rank: int, switch: Schedule | Policy) -> Trained:
    order = torch.Generator().manual_seed(0)
    return accelerate.trained(switch, SETTINGS["plain"], seedable=False, spread=_whole(order))


def _accelerate_seedable(rank: int, switch: Schedule | Policy) -> Trained:
    return accelerate.trained(switch, SETTINGS["plain"], seedable=True, spread=_whole())


def _accelerate_told(rank: int, switch: Schedule | Policy) -> Trained:
    return accelerate.trained(switch, SETTINGS["plain"], seedable=True, tell_epoch=True, spread=_whole())


def _transformers(rank: int, switch: Schedule | Policy) -> Trained:
    return transformers.fit(switch, SETTINGS["plain"], ddp_backend="gloo")


def _trainers_loader(rank: int, switch: Schedule | Policy) -> Trained:
    return transformers.own_loop(switch, SETTINGS["plain"], ddp_backend="gloo")


def _plain_sharded(rank: int, switch: Schedule | Policy) -> Trained:
    """A loop of one's own under DDP, over samplers that are told the epoch."""
    loaders = _sharded(rank)
    assert isinstance(loaders[0].sampler, DistributedSampler)
    return _plain(switch, loaders, loaders[0].sampler.set_epoch, mine=lambda batch: True)


def _plain_whole(rank: int, switch: Schedule | Policy) -> Trained:
    """A loop of one's own under DDP, that takes every second batch."""
    loaders = _whole(torch.Generator().manual_seed(0))
    return _plain(switch, loaders, lambda epoch: None, lambda batch: batch % PROCESSES == rank, scheduled=PROCESSES)


def _plain(
    switch: Schedule | Policy,
    loaders: Loaders,
    set_epoch: Callable[[int], None],
    mine: Callable[[int], bool],
    scheduled: int = 1,
) -> Trained:
    """Train on the batches that are this process's; the scheduler is called ``scheduled`` times a step."""
    seeded()
    model, (train, held_out) = _without_dropout(), loaders
    wrapped, optimizer = nn.parallel.DistributedDataParallel(model), sgd(model)
    scheduler = cosine(optimizer, SETTINGS["plain"], len(train) if scheduled > 1 else BATCHES)
    state = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    if train.generator is not None:
        state["order"] = train.generator
    run = overmix.Epochs(EPOCHS, mix=overmix.Mixup(alpha=1.0), switch=switch, seed=0, state=state)
    for epoch in run:
        model.train()
        set_epoch(epoch.index)
        for x, y in (batch for number, batch in enumerate(train) if mine(number)):
            x, target = epoch.mix(x, y)
            optimizer.zero_grad()
            target.cross_entropy(wrapped(x)).backward()
            optimizer.step()
            if epoch.kind != "probe":
                for _ in range(scheduled):
                    scheduler.step()
        if epoch.scored:
            with evaluating(wrapped):
                for x, y in (batch for number, batch in enumerate(held_out) if mine(number)):
                    epoch.observe(wrapped(x), y)  # whose forward gives all ranks one set of statistics
    return outcome(model, run)


RANKS: dict[str, Train] = {
    "Lightning": _lightning,
    "Fabric": _fabric,
    "accelerate": _accelerate,
    "accelerate, seedable order": _accelerate_seedable,
    "accelerate, seedable order, told the epoch": _accelerate_told,
    "transformers": _transformers,
    "transformers, own loop": _trainers_loader,
    "plain, sharded samplers": _plain_sharded,
    "plain, every second batch": _plain_whole,
}
