"""What 1,000 GPUs would do with large studies: the scheduler is simulated, with stack times that were measured.

    python benchmarks/schedule.py --measure results/stack_times.json                    # trains: a few minutes
    python benchmarks/schedule.py results/stack_times.json --out results/schedule.json  # simulates: about a minute

Measured are the processor seconds of every stack of two studies, and the sizes of their files. Taken from there is how
unequal the stacks of a study are, and how far their work is from what shards assume (runs times epochs). How long the
mean stack takes on a GPU, how often GPUs are lost, and how unequal they are, is assumed, and said beside the numbers.
"""

from __future__ import annotations

import argparse
import heapq
import json
import platform
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_SEEDS = range(20)
_HOUR = 3600.0
_MARKS = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class Machines:
    """What is assumed of the GPUs; times in hours.

    Args:
        gpus: how many.
        mtbf: mean time between losses of one GPU.
        away: until a lost one is replaced, and its job begins again.
        start: of a process, before it trains.
        checkpoint: time between two checkpoints; infinite for none.
        spread: standard deviation of the logarithm of their speeds.
        slow: share of them that run at half speed.
    """

    gpus: int
    mtbf: float = 2000.0
    away: float = 0.25
    start: float = 30 / _HOUR
    checkpoint: float = 60 / _HOUR
    spread: float = 0.03
    slow: float = 0.01


@dataclass(frozen=True)
class Outcome:
    """What a simulated study took; times in hours.

    Args:
        makespan: until the last stack was done.
        work: of all stacks, on a GPU of speed 1.
        reserved: GPU-hours that were held, each GPU until nothing was left for it.
        lost: GPU-hours of training that were done twice.
        losses: how many GPUs were lost.
    """

    makespan: float
    work: float
    reserved: float
    lost: float
    losses: int


def simulate(
    hours: np.ndarray, assumed: np.ndarray, machines: Machines, *, shards: bool, rng: np.random.Generator
) -> Outcome:
    """Run stacks to their ends.

    Args:
        hours: what each stack takes on a GPU of speed 1, shape (N,).
        assumed: what shards take it for, shape (N,), in any unit.
        machines: what they run on.
        shards: whether each GPU has a part of its own, as an array of jobs; else all take the next one of one queue.
        rng: of speeds and losses.
    """
    parts = _shards(assumed, machines.gpus) if shards else None
    queue = deque(range(len(hours)))
    waiting = [deque(part) for part in parts] if parts is not None else [queue] * machines.gpus
    speeds = np.exp(rng.normal(0.0, machines.spread, machines.gpus))
    speeds[rng.random(machines.gpus) < machines.slow] *= 0.5
    free = [(0.0, gpu) for gpu in range(machines.gpus)]
    heapq.heapify(free)
    left = hours.astype(float).copy()
    ends, lost, losses = np.zeros(machines.gpus), 0.0, 0
    while free:
        now, gpu = heapq.heappop(free)
        if not waiting[gpu]:
            continue
        stack = waiting[gpu].popleft()
        needed, lives = machines.start + left[stack] / speeds[gpu], rng.exponential(machines.mtbf)
        if lives >= needed:
            ends[gpu] = now + needed
            heapq.heappush(free, (now + needed, gpu))
            continue
        trained = max(0.0, lives - machines.start)
        again = trained % machines.checkpoint if np.isfinite(machines.checkpoint) else trained
        left[stack] -= (trained - again) * speeds[gpu]
        lost, losses = lost + again, losses + 1
        waiting[gpu].appendleft(stack)
        ends[gpu] = now + lives
        heapq.heappush(free, (now + lives + machines.away, gpu))
    makespan = float(ends.max())
    # Jobs of an array end by themselves; a cluster is held until all is done.
    reserved = float(ends.sum()) if shards else makespan * machines.gpus
    return Outcome(makespan, float(hours.sum()), reserved, lost, losses)


def _shards(assumed: np.ndarray, parts: int) -> list[list[int]]:
    """Return which stacks each part has, as :class:`overmix.study.plan.shards.Shard` cuts them."""
    middles = (np.cumsum(assumed) - assumed / 2) / assumed.sum() * parts
    number = np.minimum(middles.astype(int), parts - 1)
    return [np.flatnonzero(number == part).tolist() for part in range(parts)]


def drawn(measured: Sequence[dict[str, Any]], count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return hours and assumed work of a study of so many stacks, drawn from the measured ones; the mean is an hour."""
    drawn_rows = rng.integers(len(measured), size=count)
    hours, assumed = relative(measured)
    return hours[drawn_rows] / hours[drawn_rows].mean(), assumed[drawn_rows]


def relative(measured: Sequence[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Return time and assumed work of every measured stack over the means of its own study, shape (N,) each."""
    studies = np.array([row["study"] for row in measured])
    scaled = []
    for key in ("seconds", "work"):
        values = np.array([float(row[key]) for row in measured])
        scaled.append(values / np.array([values[studies == study].mean() for study in studies]))
    return scaled[0], scaled[1]


def _row(measured: Sequence[dict[str, Any]], count: int, machines: Machines, *, shards: bool) -> dict[str, Any]:
    """Return the middle and the range of what a study takes, over studies, speeds and losses that are drawn."""
    outcomes = []
    for seed in _SEEDS:
        rng = np.random.default_rng([seed, count])  # the same study for every kind of machines
        outcomes.append(simulate(*drawn(measured, count, rng), machines, shards=shards, rng=rng))
    hours = np.quantile([outcome.makespan for outcome in outcomes], _MARKS)
    return {
        "stacks": count,
        "gpus": machines.gpus,
        "mtbf_hours": machines.mtbf,
        "checkpoint_seconds": None if np.isinf(machines.checkpoint) else round(machines.checkpoint * _HOUR, 3),
        "way": "shards" if shards else "queue",
        "hours": [round(float(mark), 3) for mark in hours],
        "used": _middle([outcome.work / outcome.reserved for outcome in outcomes]),
        "reserved_hours": _middle([outcome.reserved for outcome in outcomes]),
        "lost_hours": _middle([outcome.lost for outcome in outcomes]),
        "losses": _middle([outcome.losses for outcome in outcomes]),
    }


def _middle(values: Sequence[float]) -> float:
    return round(float(np.median(values)), 4)


def simulated(content: dict[str, Any]) -> dict[str, Any]:
    """Return the rows of the page."""
    stacks = content["stacks"]
    by_size = [
        _row(stacks, count, Machines(gpus), shards=shards)
        for count in (500, 10_000)
        for gpus in (10, 100, 1000)
        for shards in (False, True)
    ]
    by_loss = [
        _row(stacks, 10_000, Machines(1000, mtbf=mtbf, checkpoint=checkpoint), shards=False)
        for mtbf in (200.0, 2000.0, 20_000.0)
        for checkpoint in (60 / _HOUR, 600 / _HOUR, float("inf"))
    ]
    hours, assumed = relative(stacks)
    ratios = hours / assumed
    return {
        "assumed": {"mean_stack_hours": 1.0, **{k: v for k, v in vars(Machines(1)).items() if k != "gpus"}},
        "draws": len(_SEEDS),
        "measured": {
            "stacks": len(stacks),
            "longest_over_mean": round(float(hours.max()), 2),
            "off_the_assumed": [round(float(mark), 2) for mark in (ratios.min(), ratios.max())],
            "result_kib": round(_mean(stacks, "result_bytes") / 1024, 1),
            "checkpoint_kib": round(_mean(stacks, "checkpoint_bytes") / 1024, 1),
            "versions": content["versions"],
        },
        "by_size": by_size,
        "by_loss": by_loss,
    }


def _mean(rows: Sequence[dict[str, Any]], key: str) -> float:
    return float(np.mean([row[key] for row in rows]))


STUDIES = [
    {
        "name": model,
        "data": {"name": "digits", "train_size": 200, "val_size": 100},
        "model": {"name": model, **options},
        "train": {"epochs": epochs, "batch_size": 64},
        "compare": [
            {"name": "ERM", "recipe": "NoMixup"},
            {"name": "Mixup"},
            {"name": "CutMix", "recipe": "CutMix"},
            {"name": "auto", "schedule": "auto"},
            {"name": "long", "train": {"epochs": 2 * epochs}},
        ],
        "seeds": 16,
        "device": "cpu",
    }
    for model, options, epochs in (("mlp", {"hidden": [128, 128]}, 200), ("convnet", {"width": 8}, 16))
]


def measure() -> dict[str, Any]:
    """Train the stacks of :data:`STUDIES` one after another, and return what each took."""
    import torch

    from overmix.study import parse_study, plan_study
    from overmix.study.plan.process import as_a_worker
    from overmix.study.plan.trainings import open_dataset, training_of
    from overmix.study.run.worker import StackRunner
    from overmix.study.store.directory import RunDirectory

    rows = []
    for study in STUDIES:
        plan = plan_study(parse_study(study))
        dataset = open_dataset(plan.tasks[0].cells[0].data)
        with tempfile.TemporaryDirectory() as folder, as_a_worker():
            directory = RunDirectory(Path(folder))
            for name in ("stacks", "checkpoints"):
                (directory.path / name).mkdir()
            runner = StackRunner(directory, allow_code=False, tell=lambda _: None, should_stop=lambda: False)
            for task in plan.tasks:
                begin = time.process_time()
                runner.run(task)
                seconds = time.process_time() - begin
                training = training_of(task, dataset, allow_code=False)
                rows.append(
                    {
                        "study": study["name"],
                        "condition": task.cells[0].condition,
                        "work": len(task.cells) * task.cells[0].train.epochs,
                        "seconds": round(seconds, 3),
                        "result_bytes": directory.result_file(task).stat().st_size,
                        "checkpoint_bytes": sum(tensor.nbytes for tensor in training.state_dict().values()),
                    }
                )
                print(rows[-1], flush=True)
    return {"stacks": rows, "versions": {"torch": torch.__version__, "cpu": platform.machine()}}


def main() -> None:
    """Measure or simulate, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measured", type=Path, nargs="?", help="what --measure wrote")
    parser.add_argument("--measure", type=Path, metavar="OUT", help="train, and write what stacks take as JSON")
    parser.add_argument("--out", type=Path, help="write the simulation as JSON")
    arguments = parser.parse_args()
    if arguments.measure is not None:
        arguments.measure.write_text(json.dumps(measure(), indent=2) + "\n")
    if arguments.measured is not None:
        content = json.dumps(simulated(json.loads(arguments.measured.read_text())), indent=2)
        print(content)
        if arguments.out is not None:
            arguments.out.write_text(content + "\n")


if __name__ == "__main__":
    main()
