"""Speed of a study against an idiomatic PyTorch loop, interleaved in one run, and where the study's time goes.

    python benchmarks/study_speed.py                            # three rounds of each setting, about 15 minutes
    python benchmarks/study_speed.py --settings mlp --rounds 1

The unit is the replica-step: one optimizer step of one training run on a batch of 64. The study's figure is that of the
whole command: starting the workers, drawing plans, evaluation, checkpoints and writing are all in its time. The loop's
figure is its training alone, with PyTorch's default threads. The machine's own limit is the number of such steps that
the processors could do if matrix products were all there is, at the speed of a large product. The profile is of one
process: which share of its time is planning, making batches, forward and backward, and looking; and how fast the steps'
own products are when nothing else is done, which no way of calling them exceeds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from overmix.study import parse_study, read_study, resolved, run_study
from overmix.study.models import build_model
from overmix.study.plan.study_plan import plan_study
from overmix.study.plan.trainings import open_dataset, training_of
from overmix.study.plan.workers import worker_count
from overmix.train.kernels import products

BATCH = 64
PARTS = ("plans", "batches", "steps", "looks")


@dataclass(frozen=True)
class Setting:
    """A model, its data, and how long the study is.

    Args:
        model: its name in a study.
        options: its options.
        sample_shape: of the data.
        samples: that are trained on.
        epochs: of each run.
        seeds: of each condition.
        seconds: of the loop, before and after each study.
    """

    model: str
    options: dict[str, Any]
    sample_shape: tuple[int, ...]
    samples: int
    epochs: int
    seeds: int
    seconds: float

    def module(self) -> nn.Module:
        """Return the model."""
        return build_model(self.model, sample_shape=self.sample_shape, num_classes=10, allow_code=False, **self.options)

    def flops(self) -> int:
        """Return those of one step: two per multiply-add, forward and both gradients; none below the first layer."""
        seen: list[int] = []

        def count(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
            seen.append(2 * output.numel() * module.weight[0].numel())

        model = self.module()
        for module in model.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                module.register_forward_hook(count)
        model(torch.zeros(BATCH, *self.sample_shape))
        return 3 * sum(seen) - seen[0]


SETTINGS = {
    "mlp": Setting("mlp", {"hidden": [256, 256]}, (64,), 200, 1000, 16, 15.0),
    "convnet": Setting("convnet", {"width": 32}, (1, 28, 28), 512, 60, 4, 10.0),
    "resnet18": Setting("resnet18", {}, (3, 32, 32), 256, 6, 1, 15.0),
}
"""The demo's study, and two of images: noise, as speed does not depend on what is on them."""


def study_content(setting: Setting, folder: Path) -> dict[str, Any]:
    """Return the study file of a setting: ERM, Mixup, and in the demo's own Mixup that is switched off."""
    demo = Path(str(files("overmix.study") / "studies" / "demo.yaml"))
    content: dict[str, Any] = resolved(read_study(demo))
    content["train"]["epochs"], content["seeds"] = setting.epochs, setting.seeds
    # Without the condition that decides by itself: its probes and discarded epochs are no steps of a run.
    content["compare"] = content["compare"][:3]
    if setting.model != "mlp":
        # An even number of runs, as many for each worker: too few to share what is left over.
        content["compare"] = content["compare"][:2]
        rng = np.random.default_rng(0)
        x, x_test = (
            rng.integers(256, size=(count, *setting.sample_shape), dtype=np.uint8) for count in (setting.samples, BATCH)
        )
        y, y_test = (np.arange(len(images)) % 10 for images in (x, x_test))
        np.savez(folder / "images.npz", x=x, y=y, x_test=x_test, y_test=y_test)
        content["data"] = {
            "name": "npz",
            "path": str(folder / "images.npz"),
            "train_size": setting.samples,
            "val_size": 0,
        }
        content["model"] = {"name": setting.model, **setting.options}
    return content


def study_rate(setting: Setting, workers: int) -> float:
    """Return replica-steps per second of a study, everything included."""
    with tempfile.TemporaryDirectory() as folder:
        content = study_content(setting, Path(folder))
        content["executor"]["workers"] = workers
        spec = parse_study(content)
        begin = time.perf_counter()
        summary = run_study(spec, Path(folder) / "run")
        seconds = time.perf_counter() - begin
    steps = sum((condition.steps or 0) * condition.n_seeds for condition in summary.conditions)
    return steps / seconds


def loop_rate(setting: Setting) -> float:
    """Return steps per second of a DataLoader, timm's Mixup and torch.optim.SGD, with PyTorch's default threads."""
    # Here and not above: the study's workers read this file again, and are not to load what they do not use.
    from timm.data import Mixup
    from timm.loss import SoftTargetCrossEntropy

    data = TensorDataset(torch.rand(setting.samples, *setting.sample_shape), torch.randint(10, (setting.samples,)))
    loader = DataLoader(data, batch_size=BATCH, shuffle=True, drop_last=True)
    mix = Mixup(mixup_alpha=1.0, label_smoothing=0.0, num_classes=10)
    model = setting.module()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    criterion = SoftTargetCrossEntropy()
    steps, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < setting.seconds:
        for x, y in loader:
            x, target = mix(x, y)
            optimizer.zero_grad()
            criterion(model(x), target).backward()
            optimizer.step()
            steps += 1
    return steps / (time.perf_counter() - begin)


def product_flops(size: int = 1024) -> float:
    """Return floating-point operations per second of a large product, on all threads that PyTorch takes."""
    a, b = torch.rand(size, size), torch.rand(size, size)
    multiply = products.product if products.has_fast_products() else torch.mm
    for _ in range(3):
        multiply(a, b)
    begin = time.perf_counter()
    for _ in range(10):
        multiply(a, b)
    return 10 * 2 * size**3 / (time.perf_counter() - begin)


def own_products(setting: Setting) -> list[Callable[[], Any]]:
    """Return the products of one step, each alone and on memory that is there: forward, and both gradients."""
    calls: list[Callable[[], Any]] = []

    def note(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        x, weight, grad = inputs[0].detach(), module.weight.detach(), torch.randn_like(output)
        lowest = not calls
        if isinstance(module, nn.Linear):
            products_of = [(x, weight.T), (grad.T, x)] + ([] if lowest else [(grad, weight)])
            calls.extend(lambda a=a, b=b: torch.mm(a, b) for a, b in products_of)
            return
        place = (module.stride, module.padding, module.dilation)
        calls.append(lambda: torch.conv2d(x, weight, None, *place))
        backward = torch.ops.aten.convolution_backward
        calls.append(lambda: backward(grad, x, weight, None, *place, False, [0, 0], 1, [not lowest, True, False]))

    model = setting.module().to(memory_format=torch.channels_last)
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            module.register_forward_hook(note)
    with torch.no_grad():
        model(torch.rand(BATCH, *setting.sample_shape))
    return calls


def seconds_per_call(calls: Sequence[Callable[[], Any]], least: float = 1.0) -> float:
    """Return the processor time of all calls, one after the other, over at least a second of them."""
    rounds, begin = 0, time.process_time()
    while time.process_time() - begin < least:
        for call in calls:
            call()
        rounds += 1
    return (time.process_time() - begin) / rounds


@contextmanager
def timed(owner: Any, method: str, spent: dict[str, float], name: str) -> Iterator[None]:
    """Add up the processor time of a method, one instance's, under a name."""
    original = getattr(owner, method)
    spent[name] = 0.0

    def call(*arguments: Any, **settings: Any) -> Any:
        begin = time.process_time()
        try:
            return original(*arguments, **settings)
        finally:
            spent[name] += time.process_time() - begin

    setattr(owner, method, call)
    yield
    delattr(owner, method)


def profile(setting: Setting) -> dict[str, float]:
    """Return where the time of one of the study's stacks goes in one process: the one that mixes all along."""
    with tempfile.TemporaryDirectory() as folder:
        spec = parse_study(study_content(setting, Path(folder)))
        task = next(task for task in plan_study(spec).tasks if task.cells[0].condition == "Mixup")
        training = training_of(task, open_dataset(task.cells[0].data), allow_code=False)
    spent: dict[str, float] = {}
    begin = time.process_time()
    with (
        timed(training.planner, "epoch", spent, "plans"),
        timed(training.stepper, "batch", spent, "batches"),
        timed(training.stepper, "take", spent, "steps"),
        timed(training.looks, "take", spent, "looks"),
    ):
        training.train()
    spent["whole"] = time.process_time() - begin
    steps = training.steps_per_epoch * training.epochs * len(task.cells)
    one = seconds_per_call(own_products(setting))
    limit = setting.flops() / product_flops(512)
    return {**spent, "replica_steps": steps, "products": one * steps, "limit": limit * steps}


def measured(setting: Setting, rounds: int, workers: int) -> dict[str, Any]:
    """Measure a setting, and print a line a round."""
    threads, rows = torch.get_num_threads(), []
    for _ in range(rounds):
        limit, before = product_flops() / setting.flops(), loop_rate(setting)
        study = study_rate(setting, workers)
        loop = (before + loop_rate(setting)) / 2
        rows.append({"study": study, "loop": loop, "limit": limit, "ratio": study / loop, "of_limit": study / limit})
        told = (
            f"study {study:7.1f}/s   loop {loop:7.1f}/s   ratio {study / loop:.2f}   {study / limit:.0%} of the limit"
        )
        print(f"{setting.model:9} {told}", flush=True)
    torch.set_num_threads(1)
    shares = profile(setting)
    torch.set_num_threads(threads)
    parts = ", ".join(f"{name} {shares[name] / shares['whole']:.0%}" for name in PARTS)
    alone = shares["products"] / shares["steps"]
    print(f"{setting.model:9} {parts}; the steps' products alone {alone:.0%} of the steps", flush=True)
    medians = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
    return {"rows": rows, "median": medians, "profile": shares}


def main() -> None:
    """Measure, and print one line per round and the shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=worker_count("auto", "cpu"))
    parser.add_argument("--out", type=Path, help="write the figures as JSON, beside other settings' that are there")
    arguments = parser.parse_args()
    settings = {name: measured(SETTINGS[name], arguments.rounds, arguments.workers) for name in arguments.settings}
    versions = {"torch": torch.__version__, "timm": version("timm"), "cpu": processor()}
    print(f"{arguments.workers} workers, {versions}")
    if arguments.out:
        settings = {**_measured_before(arguments.out, versions), **settings}
        content = {"settings": settings, "workers": arguments.workers, "versions": versions}
        arguments.out.write_text(json.dumps(content, indent=2) + "\n")


def _measured_before(out: Path, versions: dict[str, str]) -> dict[str, Any]:
    """Return the settings of a file that were measured with the same versions on such a machine."""
    before: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {}
    return before["settings"] if before.get("versions") == versions else {}


def processor() -> str:
    """Return what sort of processor this is: what the fast products are chosen by, and the number of cores."""
    wide = "products by oneDNN" if products.has_fast_products() else "products by PyTorch's default"
    return f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, {os.cpu_count()} cores, {wide}"


if __name__ == "__main__":
    main()
