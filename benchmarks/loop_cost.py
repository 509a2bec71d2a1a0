"""What a switch, tracking and curves cost in a user's own loop, against the same training bare.

    python benchmarks/loop_cost.py --out results/loop_cost.json

The bare loop mixes by hand; the others are the same loop driven by overmix: mixing, mixing that is off from half of the
training on, and AutoSwitch with its probes. Rounds are interleaved; the figure is the processor time of this process,
so that other work on the machine counts little. Evaluation is in none of the times.

The steps that AutoSwitch trains for its probes, and again after going back, are its price and are named apart: times
are per optimizer step, whatever it was done for. A probe's own cost is in them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import torch
from torch import nn

import overmix

SAMPLES, BATCH, INPUTS, CLASSES = 2048, 256, 784, 10


class Training:
    """A model, its optimizer and data; counts the steps that it did."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        layers = [nn.Linear(INPUTS, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, CLASSES)]
        self.model = nn.Sequential(*layers)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.05, momentum=0.9)
        self.x, self.y = torch.rand(SAMPLES, INPUTS), torch.randint(CLASSES, (SAMPLES,))
        self.held_out = torch.rand(256, INPUTS), torch.randint(CLASSES, (256,))
        self.steps = 0

    def batches(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield the batches of one epoch."""
        order = torch.randperm(SAMPLES)
        for at in range(0, SAMPLES, BATCH):
            index = order[at : at + BATCH]
            yield self.x[index], self.y[index]

    def step(self, loss: torch.Tensor) -> None:
        """Do one optimizer step."""
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.steps += 1


def bare(training: Training, epochs: int) -> float:
    """Train with Mixup as one writes it by hand."""
    begin = time.process_time()
    for _ in range(epochs):
        for x, y in training.batches():
            lam, partner = float(torch.distributions.Beta(1.0, 1.0).sample()), torch.randperm(len(y))
            logits = training.model(torch.lerp(x[partner], x, lam))
            loss = lam * nn.functional.cross_entropy(logits, y)
            training.step(loss + (1 - lam) * nn.functional.cross_entropy(logits, y[partner]))
    return time.process_time() - begin


def driven(training: Training, run: overmix.Epochs, *, observes: bool) -> float:
    """Train the same by overmix; what is observed is scored outside of the time, as it would be in the bare loop."""
    began, aside = time.process_time(), 0.0
    for epoch in run:
        for x, y in training.batches():
            mixed, target = epoch.mix(x, y)
            training.step(target.cross_entropy(training.model(mixed)))
        if observes:
            paused = time.process_time()
            with torch.no_grad():
                logits = training.model(training.held_out[0])
            aside += time.process_time() - paused
            epoch.observe(logits, training.held_out[1])
    return time.process_time() - began - aside


def with_overmix(training: Training, epochs: int, **settings: object) -> float:
    """Train by a run with these settings."""
    if "switch" in settings:
        settings["state"] = {"model": training.model, "optimizer": training.optimizer}
    return driven(training, overmix.Epochs(epochs, mix=overmix.Mixup(1.0), **settings), observes=True)


def loops(epochs: int) -> dict[str, Callable[[Training], float]]:
    """Return what is timed, by name."""
    return {
        "bare": lambda training: bare(training, epochs),
        "mixing, observed": lambda training: with_overmix(training, epochs),
        "off at half": lambda training: with_overmix(training, epochs, switch=overmix.off_at(epochs // 2)),
        "AutoSwitch": lambda training: with_overmix(training, epochs, switch=overmix.AutoSwitch()),
    }


def main() -> None:
    """Measure, print a table, and write it if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    bare(Training(), 2)
    seconds: dict[str, list[float]] = {name: [] for name in loops(1)}
    steps: dict[str, int] = {}
    for _ in range(arguments.rounds):
        for name, loop in loops(arguments.epochs).items():
            training = Training()
            seconds[name].append(loop(training) / training.steps)
            steps[name] = training.steps
    rows = {
        name: {
            "ms_per_step": 1e3 * statistics.median(taken),
            "ratio": statistics.median(one / plain for one, plain in zip(taken, seconds["bare"], strict=True)),
            "lowest_ratio": min(taken) / min(seconds["bare"]),
            "steps": steps[name],
        }
        for name, taken in seconds.items()
    }
    for name, row in rows.items():
        print(
            f"{name:20s} {row['ms_per_step']:7.3f} ms a step   {row['ratio']:.3f} of bare "
            f"(lowest {row['lowest_ratio']:.3f})   {row['steps']} steps"
        )
    if arguments.out:
        content = {"rows": rows, "rounds": arguments.rounds, "epochs": arguments.epochs}
        content["versions"] = {"torch": version("torch")}
        arguments.out.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
