"""What a study will cost, before it starts: runs, steps, FLOPs, memory, disk, and time from a short calibration."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from overmix.study.data import Dataset
from overmix.study.plan.cells import Cell, StackTask
from overmix.study.plan.forks import with_forks
from overmix.study.plan.process import as_a_worker
from overmix.study.plan.study_plan import plan_study
from overmix.study.plan.trainings import by_pool, model_factory, open_dataset, pool_key, training_of
from overmix.study.plan.workers import worker_count
from overmix.study.spec.schema import StudySpec
from overmix.switch import HeldOut, Policy
from overmix.train import TRACKS, StackTraining
from overmix.train.stacked_model import seeded_model
from overmix.train.track import FIXED_MIXTURES

PROCESS_BYTES = 550 << 20
"""What Python with PyTorch takes in each worker, roughly; much of it is libraries that workers share."""

_PAGE_BYTES = 4 << 20  # the page with its figures
_PROFILED = 2  # samples; BatchNorm wants more than one


@dataclass(frozen=True)
class Profile:
    """What one sample costs one model.

    Args:
        parameters: number of them.
        step_flops: of a forward and a backward pass, per sample.
        forward_flops: of a forward pass, per sample.
        activation_bytes: kept for the backward pass, per sample.
    """

    parameters: int
    step_flops: float
    forward_flops: float
    activation_bytes: float


@dataclass(frozen=True)
class StackCost:
    """What one stack costs, epochs of probes left out.

    Args:
        steps: of all its runs together.
        shared: of these, how many another stack trains, whose state it goes on from.
        probe_steps: how many more its runs take at most to decide by themselves.
        flops: of all its runs together.
        state_bytes: of a checkpoint.
        activation_bytes: of one step of all its runs.
        result_bytes: on disk.
        seconds: on one worker; ``None`` without calibration.
    """

    steps: int
    shared: int
    probe_steps: int
    flops: float
    state_bytes: int
    activation_bytes: float
    result_bytes: int
    seconds: float | None


def plan_cost(
    spec: StudySpec,
    *,
    allow_code: bool = False,
    calibration_seconds: float = 4.0,
    is_done: Callable[[StackTask], bool] = lambda _: False,
) -> dict[str, Any]:
    """Return what a study will cost, as plain values. Nothing is written.

    Counts are exact where the study does not decide by itself; FLOPs are those of matrix products and convolutions
    (a multiplication and an addition are two), with as many for a backward pass as PyTorch counts. Memory and disk are
    estimates, and time is a guess from a few steps of each kind of stack here and now.

    Args:
        spec: the study.
        allow_code: whether models may come from an import path.
        calibration_seconds: how long to train for the guess; 0 leaves it out.
        is_done: whether the result of a stack is there already, so that it costs nothing.

    Raises:
        OvermixError: for whatever running the study would be refused for.
    """
    plan = plan_study(spec, allow_code=allow_code)
    tasks = list({task.id: task for task in plan.tasks if not is_done(task)}.values())
    shared = _shared_epochs(tasks)
    kinds = {_kind(task) for task in tasks}
    costs: dict[str, StackCost] = {}
    data_bytes, n_test = 0, 0
    # Pool by pool, so that one data set is in memory at a time.
    for key, cells in by_pool(plan.cells).items():
        drawing = [task for task in tasks if pool_key(task.cells[0].data) == key]
        dataset = open_dataset(cells[0].data)
        data_bytes = max(data_bytes, sum(t.nbytes for t in (dataset.x, dataset.y, dataset.x_test, dataset.y_test)))
        n_test = max(n_test, len(dataset.y_test))
        known: dict[str, tuple[Profile, StackTraining, tuple[float, float] | None]] = {}
        # The largest stack of a kind stands for the others.
        for task in sorted(drawing, key=lambda task: -len(task.cells)):
            if _kind(task) not in known:
                training = training_of(task, dataset, allow_code=allow_code)
                timed = calibrate(training, calibration_seconds / len(kinds)) if calibration_seconds else None
                if timed is not None:
                    timed = timed[0] / len(task.cells), timed[1] / len(task.cells)
                known[_kind(task)] = profile(task.cells[0], dataset, allow_code=allow_code), training, timed
            costs[task.id] = _stack_cost(task, *known[_kind(task)], shared.get(task.id, 0))
    workers = min(worker_count(plan.spec.executor.workers, plan.spec.device), max(1, len(tasks)))
    done = sum(len(task.cells) for task in plan.tasks if is_done(task))
    report = _report(spec, plan.tasks, list(costs.values()), workers, data_bytes, plan.spec.device)
    return report | {"runs_done": done, "test_samples": n_test}


def _kind(task: StackTask) -> str:
    return task.cells[0].shape_key


def _shared_epochs(tasks: Sequence[StackTask]) -> dict[str, int]:
    """Return, per stack that goes on from another one's state, after how many epochs."""
    return {task.id: at for _, forks in with_forks(tasks) for at, branches in forks.items() for task in branches}


def profile(cell: Cell, dataset: Dataset, *, allow_code: bool = False) -> Profile:
    """Return what one sample costs a cell's model, counted on a batch of two."""
    model = seeded_model(model_factory(cell, dataset, allow_code=allow_code), seed=0)
    x = dataset.x[:_PROFILED].to(torch.float32)
    kept: dict[int, int] = {}
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    forward, whole = FlopCounterMode(display=False), FlopCounterMode(display=False)
    with whole:
        with forward, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            output = model(x)
        output.square().sum().backward()
    return Profile(
        parameters=sum(p.numel() for p in model.parameters()),
        step_flops=whole.get_total_flops() / len(x),
        forward_flops=forward.get_total_flops() / len(x),
        activation_bytes=sum(kept.values()) / len(x),
    )


def calibrate(training: StackTraining, seconds: float) -> tuple[float, float]:
    """Return how long a step of a stack takes, and a forward pass per sample of each of its runs, in seconds.

    Args:
        training: fresh; it is of no use afterwards.
        seconds: how long to try, roughly; at least two steps are made.
    """
    with as_a_worker():
        training.model.train()
        plan, number = training.planner.epoch(0), 0
        begin = None
        while begin is None or number < 2 or time.perf_counter() - begin < seconds:
            training.take_step(plan, number % training.steps_per_epoch, training.lr[0], number)
            number += 1
            # The first step warms up.
            begin = begin or time.perf_counter()
        _wait_for_device(training)
        step = (time.perf_counter() - begin) / (number - 1)
        training.model.eval()
        x = training.batches.of(plan, 0, training.model).clean
        with torch.no_grad():
            begin, passes = time.perf_counter(), 0
            while passes < 1 or time.perf_counter() - begin < seconds / 4:
                training.model(x)
                passes += 1
        _wait_for_device(training)
        return step, (time.perf_counter() - begin) / passes / x.shape[1]


def _wait_for_device(training: StackTraining) -> None:
    training.looks.loss_sum.cpu()


def _stack_cost(
    task: StackTask,
    one: Profile,
    training: StackTraining,
    timed: tuple[float, float] | None,
    shared_epochs: int,
) -> StackCost:
    """Return the cost of a stack, with the training of the largest one of its kind."""
    runs, train = len(task.cells), task.cells[0].train
    in_training = len(training.planner.replicas)
    per_epoch, batch, looks = training.steps_per_epoch, training.planner.batch_size, len(training.evaluation_epochs)
    replica = training.planner.replicas[0]
    scored = len(training.data.y_test) + len(replica.train_index) + len(replica.val_index)
    track = train.track
    passed = FIXED_MIXTURES + len(replica.train_index) if "gradient_norm" in track else 0  # forward and backward
    scored += FIXED_MIXTURES if "memorization" in track else 0
    steps, skipped = per_epoch * training.epochs, per_epoch * shared_epochs
    samples = (steps - skipped) * batch + looks * passed
    state = sum(tensor.nbytes for tensor in training.state_dict().values()) * runs / in_training
    columns = len(training.evaluator.columns) + 4 + sum(len(TRACKS[name]) for name in track)
    return StackCost(
        steps=runs * steps,
        shared=runs * skipped,
        probe_steps=sum(_probe_epochs(cell) * per_epoch for cell in task.cells),
        flops=runs * (samples * one.step_flops + looks * scored * one.forward_flops),
        state_bytes=round(state),
        activation_bytes=runs * batch * one.activation_bytes,
        result_bytes=runs * looks * (_error_bytes(training) + 4 * columns) + 1600,  # a header
        seconds=None if timed is None else runs * (samples / batch * timed[0] + looks * scored * timed[1]),
    )


def _error_bytes(training: StackTraining) -> int:
    """Return what the errors of all test samples take at one look: a bit each for classes, else four bytes."""
    n_test = len(training.data.y_test)
    return math.ceil(n_test / 8) if training.data.labels == "classes" else 4 * n_test


def _probe_epochs(cell: Cell) -> int:
    """Return how many epochs a run that decides by itself takes at most beyond those of one run."""
    schedule, epochs = cell.schedule.build(), cell.train.epochs
    policy = schedule.policy if isinstance(schedule, HeldOut) else schedule
    if not isinstance(policy, Policy):
        return 0
    return epochs + len(policy.probe_epochs(epochs)) * policy.tail_epochs(epochs)


def _report(
    spec: StudySpec,
    tasks: Sequence[StackTask],
    costs: Sequence[StackCost],
    workers: int,
    data_bytes: int,
    device: str,
) -> dict[str, Any]:
    state, activations = (
        max((getattr(cost, name) for cost in costs), default=0) for name in ("state_bytes", "activation_bytes")
    )
    seconds = [cost.seconds for cost in costs if cost.seconds is not None]
    steps = {
        "separate": sum(cost.steps for cost in costs),
        "trained": sum(cost.steps - cost.shared for cost in costs),
        "probes_at_most": sum(cost.probe_steps for cost in costs),
    }
    # Weights, their gradients and what the optimizer remembers, the gradients being about as large as the weights.
    memory = {
        "process": PROCESS_BYTES,
        "data": data_bytes,
        "weights": 2 * state,
        "activations": round(2 * activations),
    }
    results = sum(cost.result_bytes for cost in costs)
    return {
        "name": spec.name,
        "device": device,
        "conditions": len(spec.condition_names),
        "runs": sum(len(task.cells) for task in tasks),
        "stacks": len(costs),
        "workers": workers,
        "steps": steps,
        "flops": sum(cost.flops for cost in costs),
        "memory_bytes": {**memory, "per_worker": sum(memory.values()), "all": workers * sum(memory.values())},
        "disk_bytes": {
            "results": results,
            "page": _PAGE_BYTES,
            "checkpoints_at_most": workers * state,
            "all": results + _PAGE_BYTES + workers * state,
        },
        # The last stacks may leave workers idle: no study is faster than its longest stack.
        "seconds": max(max(seconds), sum(seconds) / workers) if seconds else None if costs else 0.0,
    }


def as_rows(cost: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return a cost in words, as names and values."""
    steps, memory, disk = cost["steps"], cost["memory_bytes"], cost["disk_bytes"]
    trained = f"{steps['trained']:,}"
    if steps["trained"] < steps["separate"]:
        trained += f" ({steps['separate'] - steps['trained']:,} more are shared between runs)"
    if steps["probes_at_most"]:
        trained += f", and at most {steps['probes_at_most']:,} to decide when to switch"
    rows = [
        ("runs", _runs(cost)),
        ("steps", trained),
        ("FLOPs", _scaled(cost["flops"], ("", "k", "M", "G", "T", "P", "E"), 1000)),
        ("memory", f"about {_bytes(memory['per_worker'])} per worker, {_bytes(memory['all'])} in all"),
        (
            "disk",
            f"about {_bytes(disk['all'])}, of which {_bytes(disk['checkpoints_at_most'])} for checkpoints at most",
        ),
    ]
    if cost["seconds"] is not None:
        where = f"{cost['workers']} worker{'s' if cost['workers'] != 1 else ''} on {cost['device']}"
        parts = cost.get("seconds_of", {})
        of_that = [f"{name} {_duration(seconds)}" for name, seconds in parts.items() if seconds >= 1]
        listed = f" ({', '.join(of_that)})" if of_that else ""
        rows.append(
            ("time", f"about {_duration(cost['seconds'])} with {where}{listed}, as fast as this machine is just now")
        )
    return rows


def _runs(cost: Mapping[str, Any]) -> str:
    done = f", {cost['runs_done']:,} of them finished already" if cost.get("runs_done") else ""
    return f"{cost['runs']:,} of {cost['conditions']} conditions{done}; {cost['stacks']:,} stacks to train"


def _bytes(count: float) -> str:
    return f"{_scaled(count, ('', 'k', 'M', 'G', 'T'), 1000)}B"


def _scaled(number: float, prefixes: Sequence[str], base: int) -> str:
    power = 0 if number < 1 else min(int(math.log(number, base)), len(prefixes) - 1)
    return f"{number / base**power:.3g} {prefixes[power]}"


def _duration(seconds: float) -> str:
    for name, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.2g} {name}" if seconds < 10 * length else f"{seconds / length:.0f} {name}"
    return f"{max(seconds, 1):.0f} seconds"
