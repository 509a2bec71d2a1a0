"""overmix on a GPU: is it right there, does it wait for nothing, and how fast is it; one JSON in at most eight minutes.

    python benchmarks/gpu.py --out results/gpu.json
    python benchmarks/gpu.py --device cpu --smoke         # no GPU: only shows that the script still runs

It needs the core alone (torch, NumPy, SciPy) and makes its own data; timm, torchvision and kornia are measured beside
it where they are installed. A check that fails does not stop the others: the JSON says which, and why. Sections that no
longer fit into the time are named as left out.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import overmix
from overmix.mix import Streams
from overmix.recipes import CutMix
from overmix.switch.policies import AutoSwitch
from overmix.train import (
    SGD,
    DecidingTraining,
    LRSchedule,
    Normalization,
    Replica,
    ResidentData,
    StackTraining,
)

SECONDS = 480.0
PEERS = ("timm", "torchvision", "kornia")


def mlp() -> nn.Module:
    """Return the demo's model."""
    layers = [nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)]
    return nn.Sequential(nn.Flatten(), *layers)


def convnet() -> nn.Module:
    """Return a small convolutional network with BatchNorm, for 28 x 28."""
    blocks = [(1, 32), (32, 64)]
    layers = [
        layer
        for before, after in blocks
        for layer in (nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2))
    ]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 49, 10))


MODELS = {"mlp": mlp, "convnet": convnet}


def data_on(device: torch.device, samples: int = 512) -> ResidentData:
    """Return images in which each class has a pattern of its own under noise."""
    drawn = torch.Generator().manual_seed(0)
    patterns = torch.rand(10, 1, 28, 28, generator=drawn)
    y, y_test = (torch.randint(10, (samples,), generator=drawn) for _ in range(2))
    x, x_test = (patterns[labels] + torch.randn(samples, 1, 28, 28, generator=drawn) for labels in (y, y_test))
    return ResidentData(x, y, x_test, y_test, 10).to(device)


def replicas(count: int, recipe: Any = None, samples: int = 256, held_out: int = 64) -> list[Replica]:
    """Return training runs that differ in their seed."""
    return [
        Replica(
            streams=Streams(replica_seed=seed),
            recipe=recipe or overmix.Mixup(1.0),
            schedule=overmix.always(),
            train_index=np.arange(samples),
            val_index=np.arange(samples, samples + held_out),
            lr=0.05,
            lr_schedule=LRSchedule("constant"),
            weight_decay=0.0,
        )
        for seed in range(count)
    ]


def training_of(
    kind: Callable[..., StackTraining], model: str, runs: Sequence[Replica], device: torch.device, **settings: Any
) -> StackTraining:
    """Return a stack that is ready to train."""
    flat = (len(runs), 1, 1, 1)
    defaults: dict[str, Any] = {"epochs": 3, "batch_size": 64, "execution": "stacked"}
    return kind(
        factory=MODELS[model],
        data=data_on(device),
        replicas=list(runs),
        normalization=Normalization(torch.zeros(flat, device=device), torch.ones(flat, device=device)),
        optimizer=SGD(momentum=0.9),
        **{**defaults, **settings},
    )


# Is it right?


def stack_equals_loop(device: torch.device) -> None:
    """A stack of three is three trainings one after the other, up to the rounding of other kernels."""
    for model in MODELS:
        stacked, looped = (
            training_of(StackTraining, model, replicas(3), device, epochs=1, execution=execution).train()
            for execution in ("stacked", "looped")
        )
        np.testing.assert_allclose(stacked.mix_loss, looped.mix_loss, rtol=1e-3, err_msg=model)


def training_repeats_and_twins_are_alike(device: torch.device) -> None:
    """The same training twice is the same, and a replica's samples and weights do not depend on its company."""
    first, second = (training_of(StackTraining, "mlp", replicas(2), device).train() for _ in range(2))
    assert np.array_equal(first.mix_loss, second.mix_loss)
    company = training_of(StackTraining, "mlp", replicas(4), device).train()
    np.testing.assert_allclose(company.mix_loss[:2], first.mix_loss, rtol=1e-3)


def resumed_is_uninterrupted(device: torch.device) -> None:
    """A state that is saved in the middle of an epoch and loaded elsewhere goes on to the same bits."""
    whole = training_of(StackTraining, "mlp", replicas(2), device).train()
    states: list[dict[str, Tensor]] = []

    def save(training: StackTraining) -> None:
        if training.epoch == 1 and training.step == 2:
            states.append(training.state_dict())

    training_of(StackTraining, "mlp", replicas(2), device).train(save)
    resumed = training_of(StackTraining, "mlp", replicas(2), device)
    resumed.load_state_dict(states[0])
    assert np.array_equal(resumed.train().mix_loss, whole.mix_loss)


def switch_by_itself_is_the_set_switch(device: torch.device) -> None:
    """A stack that decides ends as the run of ``off_at`` at the epoch that it decided on."""
    settings: dict[str, Any] = {"epochs": 16}
    decided = training_of(partial(DecidingTraining, AutoSwitch()), "mlp", replicas(1), device, **settings).train()
    assert decided.switch_at is not None
    runs = [replace(run, schedule=overmix.off_at(int(decided.switch_at[0]))) for run in replicas(1)]
    told = training_of(StackTraining, "mlp", runs, device, **settings).train()
    assert np.array_equal(decided.wrong, told.wrong)


def going_back_is_in_place(device: torch.device) -> None:
    """AutoSwitch sets back the very tensors that a captured graph trains; without a GPU the same loop, not captured."""
    torch.manual_seed(0)
    model = mlp().to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    data, x = data_on(device), torch.zeros(64, 1, 28, 28, device=device)
    target = torch.zeros(64, 10, device=device)

    def step() -> None:
        optimizer.zero_grad(set_to_none=False)
        nn.functional.cross_entropy(model(x), target).backward()
        optimizer.step()

    train = _captured(step) if device.type == "cuda" else step
    places = [parameter.data_ptr() for parameter in model.parameters()]
    run = overmix.Epochs(
        16, mix=overmix.Mixup(1.0), switch=overmix.AutoSwitch(), state={"model": model, "optimizer": optimizer}
    )
    for epoch in run:
        for at in range(0, 256, 64):
            mixed, labels = epoch.mix(data.x[at : at + 64], data.y[at : at + 64])
            x.copy_(mixed)
            target.copy_(labels.soft(10))
            train()
        with torch.no_grad():
            epoch.observe(model(data.x_test[:64]), data.y_test[:64])
    assert places == [parameter.data_ptr() for parameter in model.parameters()]
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())


def _captured(step: Callable[[], None]) -> Callable[[], None]:
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def no_step_waits(device: torch.device) -> None:
    """No step of an epoch asks the device for a value; where an epoch begins, its plan is sent."""
    for model in MODELS:
        training = training_of(StackTraining, model, replicas(4), device, epochs=2)
        plan, lr = training.planner.epoch(0), torch.full((4,), 0.05, device=device)
        training.model.train()
        training.take_step(plan, 0, lr, 0)  # the first one may build what is kept
        with _no_sync(device):
            for step in range(1, training.steps_per_epoch):
                training.take_step(plan, step, lr, step)
    x, y = torch.rand(64, 3, 32, 32, device=device), torch.randint(10, (64,), device=device)
    for recipe in (overmix.Mixup(1.0), CutMix()):
        draws = recipe.draw(Streams(), 64).to(device)
        with _no_sync(device):
            recipe.mix(x, y, recipe.plan(draws, y, sample_shape=(3, 32, 32)))


@contextmanager
def _no_sync(device: torch.device) -> Iterator[None]:
    if device.type != "cuda":
        yield
        return
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


CHECKS = (
    stack_equals_loop,
    training_repeats_and_twins_are_alike,
    resumed_is_uninterrupted,
    switch_by_itself_is_the_set_switch,
    going_back_is_in_place,
    no_step_waits,
)


# How fast is it?


def seconds_of(call: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Return the mean time of a call, the device waited for at both ends."""
    call()
    _wait(device)
    begin = time.perf_counter()
    for _ in range(repeats):
        call()
    _wait(device)
    return (time.perf_counter() - begin) / repeats


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def stack_rate(model: str, count: int, device: torch.device, repeats: int) -> dict[str, float]:
    """Return replica-steps per second of whole epochs, plans included, and the memory that it took at most."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    training = training_of(StackTraining, model, replicas(count), device, epochs=1)
    lr = torch.full((count,), 0.05, device=device)
    training.model.train()

    def epoch() -> None:
        plan = training.planner.epoch(0)
        for step in range(training.steps_per_epoch):
            training.take_step(plan, step, lr, step)

    rate = count * training.steps_per_epoch / seconds_of(epoch, device, repeats)
    peak = torch.cuda.max_memory_allocated() if device.type == "cuda" else 0
    return {"replica_steps_per_s": rate, "peak_mib": peak / 2**20}


def loop_rate(model: str, device: torch.device, repeats: int) -> float:
    """Return steps per second of one training as one writes it: data on the device, timm's Mixup if it is there."""
    network = MODELS[model]().to(device)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    data = data_on(device)
    mix = _timm_mixup() or overmix.Mixup(1.0)

    def epoch() -> None:
        order = torch.randperm(256, device=device)
        for index in order.split(64):
            x, target = mix(data.x[index], data.y[index])
            soft = target if isinstance(target, Tensor) else target.soft(10)
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(x), soft).backward()
            optimizer.step()

    return 4 / seconds_of(epoch, device, repeats)


def _timm_mixup(**settings: Any) -> Any:
    try:
        from timm.data import Mixup
    except ImportError:
        return None
    return Mixup(**{"mixup_alpha": 1.0, "label_smoothing": 0.0, "num_classes": 10, **settings})


def mixing(device: torch.device, repeats: int) -> dict[str, float]:
    """Return microseconds to mix a batch of 256 x 3 x 32 x 32, by whom; timm with the copy that keeps the batch."""
    x, y = torch.rand(256, 3, 32, 32, device=device), torch.randint(10, (256,), device=device)
    partner = torch.randperm(256, device=device)
    calls: dict[str, Callable[[], object]] = {
        "limit: gather and one pass": lambda: x.index_select(0, partner).lerp_(x, 0.3),
        "overmix Mixup": partial(overmix.Mixup(1.0), x, y),
        "overmix CutMix": partial(CutMix(), x, y),
    }
    timm = {"Mixup": _timm_mixup(), "CutMix": _timm_mixup(mixup_alpha=0.0, cutmix_alpha=1.0)}
    calls |= {f"timm {name}": lambda mix=mix: mix(x.clone(), y) for name, mix in timm.items() if mix is not None}
    try:
        from torchvision.transforms import v2

        calls |= {"torchvision Mixup": partial(v2.MixUp(num_classes=10), x, y)}
        calls |= {"torchvision CutMix": partial(v2.CutMix(num_classes=10), x, y)}
    except ImportError:
        pass
    try:
        from kornia.augmentation import RandomCutMixV2, RandomMixUpV2

        calls |= {"kornia Mixup": partial(RandomMixUpV2(p=1.0), x, y)}
        calls |= {"kornia CutMix": partial(RandomCutMixV2(p=1.0), x, y)}
    except ImportError:
        pass
    return {name: 1e6 * seconds_of(call, device, repeats) for name, call in calls.items()}


def measured(device: torch.device, smoke: bool, left: Callable[[], float]) -> dict[str, Any]:
    """Return all rates, and the names of those for which no time was left."""
    repeats, sizes = (1, (2,)) if smoke else (20, (8, 32, 128))
    rates: dict[str, Any] = {"stacks": [], "left_out": []}
    for model in MODELS:
        if left() > 0:
            loop = loop_rate(model, device, repeats)
        for count in sizes:
            if left() <= 0:
                rates["left_out"].append(f"{model}, {count} replicas")
                continue
            row = stack_rate(model, count, device, repeats)
            ratio = row["replica_steps_per_s"] / loop
            rates["stacks"].append({"model": model, "replicas": count, **row, "loop_steps_per_s": loop, "ratio": ratio})
    rates["mixing_us"] = mixing(device, 1 if smoke else 200) if left() > 0 else None
    return rates


def check_all(device: torch.device) -> dict[str, str]:
    """Return ``"passed"`` or what went wrong, by check."""
    results = {}
    for check in CHECKS:
        try:
            check(device)
            results[check.__name__] = "passed"
        except Exception as error:
            results[check.__name__] = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
        print(f"{check.__name__:45s} {results[check.__name__]}", flush=True)
    return results


def main() -> int:
    """Check, measure, print, and write it if asked; 1 if a check failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--smoke", action="store_true", help="smallest sizes, once: shows only that it runs")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    arguments = parser.parse_args()
    device, begin = torch.device(arguments.device), time.perf_counter()
    if device.type == "cuda" and not torch.cuda.is_available():
        parser.error("there is no CUDA device here: use --device cpu --smoke to see whether the script runs")
    torch.backends.cuda.matmul.allow_tf32 = False
    checks = check_all(device)
    rates = measured(device, arguments.smoke, lambda: SECONDS - (time.perf_counter() - begin))
    content = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "cpu",
        "smoke": arguments.smoke,
        "checks": checks,
        **rates,
        "seconds": round(time.perf_counter() - begin, 1),
        "versions": {"torch": torch.__version__, **{name: _version(name) for name in PEERS}},
    }
    print(json.dumps(content, indent=2))
    if arguments.out:
        arguments.out.write_text(json.dumps(content, indent=2) + "\n")
    return int(any(result != "passed" for result in checks.values()))


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    raise SystemExit(main())
