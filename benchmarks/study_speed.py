"""Speed of the demo's study against an idiomatic PyTorch loop, interleaved in one run.

    python benchmarks/study_speed.py                # three rounds, about six minutes on two cores
    python benchmarks/study_speed.py --rounds 1 --epochs 100

The unit is the replica-step: one optimizer step of one training run (batch of 64, MLP with two hidden layers of 256).
The study's figure is that of the whole command: starting the workers, drawing plans, evaluation, checkpoints and
writing are all in its time. The loop's figure is its training alone. The machine's own limit is the number of such
steps that the processors could do if matrix products were all there is, at the speed of a large product.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from overmix.study import parse_study, read_study, resolved, run_study
from overmix.study.plan.workers import worker_count
from overmix.train.kernels import products

FLOPS_PER_STEP = 2 * 64 * (64 * 256 + 256 * 256 + 256 * 10) * 3
"""Forward, gradient of the weights, gradient of the inputs: two per multiply-add."""


def study_rate(epochs: int, workers: int) -> float:
    """Return replica-steps per second of the demo's study, everything included."""
    demo = Path(str(files("overmix.study") / "studies" / "demo.yaml"))
    content = resolved(read_study(demo))
    content["train"]["epochs"] = epochs
    # Without the condition that decides by itself: its probes and discarded epochs are no steps of a run.
    content["compare"] = content["compare"][:3]
    content["compare"][2]["schedule"] = {"off_at": min(128, epochs)}
    content["executor"]["workers"] = workers
    spec = parse_study(content)
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        summary = run_study(spec, Path(folder) / "run")
        seconds = time.perf_counter() - begin
    steps = sum((condition.steps or 0) * condition.n_seeds for condition in summary.conditions)
    return steps / seconds


def loop_rate(seconds: float) -> float:
    """Return steps per second of a DataLoader, timm's Mixup and torch.optim.SGD, with PyTorch's default threads."""
    # Here and not above: the study's workers read this file again, and are not to load what they do not use.
    from timm.data import Mixup
    from timm.loss import SoftTargetCrossEntropy

    data = TensorDataset(torch.rand(200, 64), torch.randint(10, (200,)))
    loader = DataLoader(data, batch_size=64, shuffle=True, drop_last=True)
    mix = Mixup(mixup_alpha=1.0, label_smoothing=0.0, num_classes=10)
    model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    criterion = SoftTargetCrossEntropy()
    steps, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        for x, y in loader:
            x, target = mix(x, y)
            optimizer.zero_grad()
            criterion(model(x), target).backward()
            optimizer.step()
            steps += 1
    return steps / (time.perf_counter() - begin)


def limit_rate() -> float:
    """Return steps per second if all were matrix products at the speed of a large one, on all processors."""
    a, b = torch.rand(1024, 1024), torch.rand(1024, 1024)
    multiply = products.product if products.has_fast_products() else torch.mm
    for _ in range(3):
        multiply(a, b)
    begin = time.perf_counter()
    for _ in range(10):
        multiply(a, b)
    return 10 * 2 * 1024**3 / (time.perf_counter() - begin) / FLOPS_PER_STEP


def main() -> None:
    """Measure, and print one line per round and the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=1000, help="of the study; the demo has 1,000")
    parser.add_argument("--workers", type=int, default=worker_count("auto", "cpu"))
    parser.add_argument("--seconds", type=float, default=15.0, help="of the loop, before and after each study")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    arguments = parser.parse_args()
    rows = []
    for _ in range(arguments.rounds):
        before, limit = loop_rate(arguments.seconds), limit_rate()
        study = study_rate(arguments.epochs, arguments.workers)
        loop = (before + loop_rate(arguments.seconds)) / 2
        rows.append({"study": study, "loop": loop, "limit": limit, "ratio": study / loop, "of_limit": study / limit})
        print(
            f"study {study:6.0f}/s   loop {loop:6.0f}/s   ratio {study / loop:.2f}   {study / limit:.0%} of the limit",
            flush=True,
        )
    medians = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
    print(f"median ratio {medians['ratio']:.2f}, {medians['of_limit']:.0%} of the machine's limit")
    versions = {"torch": torch.__version__, "timm": version("timm"), "cpu": platform.processor()}
    print(f"{arguments.epochs} epochs, {arguments.workers} workers, {versions}")
    if arguments.out:
        arguments.out.write_text(json.dumps({"rows": rows, "median": medians, "versions": versions}, indent=2) + "\n")


if __name__ == "__main__":
    main()
