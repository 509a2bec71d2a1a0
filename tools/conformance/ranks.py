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
from torch import nn
from torch.utils.data import DataLoader, DistributedSampler

import overmix
from overmix.integrations.lightning import Mix
from tools.conformance.adapters.lightning import Module, trainer
from tools.conformance.task import (
    BATCH,
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


class _Keep(lightning.Callback):
    """Writes down what came out of each rank."""

    def __init__(self, mix: Mix, folder: Path) -> None:
        self._mix, self._folder = mix, folder

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        assert self._mix.run is not None
        _write(self._folder, trainer.global_rank, outcome(pl_module.model, self._mix.run))


def lightning_ranks(switch: str) -> list[Trained]:
    """Train with Lightning's DDP, and return what came out of each rank."""

    def train(folder: Path) -> None:
        mp.start_processes(_lightning_rank, (folder, switch, _port()), nprocs=PROCESSES, start_method="spawn")

    return _collected(train)


def plain_ranks(switch: str) -> list[Trained]:
    """Train in a loop of one's own under DDP, and return what came out of each rank."""

    def train(folder: Path) -> None:
        mp.start_processes(_plain_rank, (folder, switch, _port()), nprocs=PROCESSES, start_method="spawn")

    return _collected(train)


def _collected(train: Callable[[Path], None]) -> list[Trained]:
    with tempfile.TemporaryDirectory() as folder:
        train(Path(folder))
        paths = sorted(Path(folder).glob("*.rank"))
        return [_read(path) for path in paths]


def _write(folder: Path, rank: int, trained: Trained) -> None:
    (folder / f"{rank}.rank").write_text(json.dumps(asdict(trained)))


def _read(path: Path) -> Trained:
    values = json.loads(path.read_text())
    return Trained(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _join(rank: int, port: int) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=PROCESSES)


def _part() -> None:
    """Leave together: a process that ends while the group's threads live is aborted."""
    dist.barrier()
    dist.destroy_process_group()


def _loaders(rank: int) -> tuple[DataLoader[Any], DataLoader[Any]]:
    train, held_out = data()
    order: DistributedSampler[Any] = DistributedSampler(train, PROCESSES, rank, shuffle=True)
    return (
        DataLoader(train, BATCH, sampler=order),
        DataLoader(held_out, HELD_OUT_BATCH, sampler=DistributedSampler(held_out, PROCESSES, rank, shuffle=False)),
    )


def _lightning_rank(rank: int, folder: Path, switch: str, port: int) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_RANK": str(rank)}
    os.environ |= {"NODE_RANK": "0", "WORLD_SIZE": str(PROCESSES), "RANK": str(rank)}
    torch.set_num_threads(1)
    seeded()
    mix, model = Mix(overmix.Mixup(alpha=1.0), SWITCHES[switch], seed=0), net(dropout=0.0)
    train, held_out = _loaders(rank)
    settings: dict[str, Any] = {"strategy": "ddp", "devices": PROCESSES, "use_distributed_sampler": False}
    one = trainer(mix, callbacks=[_Keep(mix, folder)], num_sanity_val_steps=0, **settings)
    one.fit(Module(mix, model, SETTINGS["plain"]), train, held_out)
    _part()


def _plain_rank(rank: int, folder: Path, switch: str, port: int) -> None:
    _join(rank, port)
    seeded()
    model = net(dropout=0.0)
    wrapped, optimizer = nn.parallel.DistributedDataParallel(model), sgd(model)
    train, held_out = _loaders(rank)
    scheduler = cosine(optimizer, SETTINGS["plain"], 7)
    state = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    run = overmix.Epochs(EPOCHS, mix=overmix.Mixup(alpha=1.0), switch=SWITCHES[switch], seed=0, state=state)
    for epoch in run:
        model.train()
        assert isinstance(train.sampler, DistributedSampler)
        train.sampler.set_epoch(epoch.index)
        for x, y in train:
            x, target = epoch.mix(x, y)
            optimizer.zero_grad()
            target.cross_entropy(wrapped(x)).backward()
            optimizer.step()
            if epoch.kind != "probe":
                scheduler.step()
        if epoch.scored:
            with evaluating(wrapped):
                for x, y in held_out:
                    epoch.observe(wrapped(x), y)  # whose forward gives all ranks one set of statistics
    _write(folder, rank, outcome(model, run))
    _part()
