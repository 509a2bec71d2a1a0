"""How time and memory of a study grow with replicas, samples, epochs, classes and features, in one worker.

    python benchmarks/growth.py --out results/growth.json       # about five minutes

Each point is a study in a process of its own with one thread: a perceptron with two hidden layers of 256, Mixup, one
thing changed from the base. Time is processor time of its trainings, evaluation included, by replica-step and in all;
memory is what the process took at its peak beyond what it held before data and model were made.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BASE = {"replicas": 16, "samples": 800, "epochs": 32, "classes": 10, "features": 64}
AXES = {
    "replicas": (1, 4, 16, 64),
    "samples": (200, 800, 3200, 12800),
    "epochs": (8, 32, 128, 512),
    "classes": (2, 10, 50, 200),
    "features": (16, 64, 784, 3072),
}


def one(point: dict[str, int]) -> dict[str, float]:
    """Train a study and return what it took."""
    import numpy as np
    import torch

    from overmix.study import parse_study
    from overmix.study.plan.study_plan import plan_study
    from overmix.study.plan.trainings import open_dataset, training_of

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        shape, classes = (point["samples"] + 1000, point["features"]), point["classes"]
        file = Path(folder) / "data.npz"
        x = rng.standard_normal(shape, dtype=np.float32)
        y = np.arange(len(x)) % classes
        np.savez(file, x=x[1000:], y=y[1000:], x_test=x[:1000], y_test=y[:1000])
        content = {
            "data": {"name": "npz", "path": str(file), "train_size": point["samples"], "val_size": 0},
            "model": {"name": "mlp", "hidden": [256, 256]},
            "train": {"epochs": point["epochs"], "batch_size": 64},
            "compare": [{"name": "Mixup"}],
            "seeds": point["replicas"],
            "device": "cpu",
        }
        tasks = plan_study(parse_study(content)).tasks
        before, begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        dataset, steps = open_dataset(tasks[0].cells[0].data), 0
        for task in tasks:
            training = training_of(task, dataset, allow_code=False)
            training.train()
            steps += training.steps_per_epoch * training.epochs * len(task.cells)
        seconds = time.process_time() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"seconds": seconds, "microseconds": 1e6 * seconds / steps, "mib": peak / 1024}


def main() -> None:
    """Measure each point, and print a line for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--point", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.point:
        print(json.dumps(one(arguments.point)))
        return
    axes: dict[str, list[dict[str, Any]]] = {}
    for axis, values in AXES.items():
        for value in values:
            command = [sys.executable, __file__, "--point", json.dumps({**BASE, axis: value})]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            row = {"value": value, **json.loads(done.stdout)}
            axes.setdefault(axis, []).append(row)
            print(
                f"{axis:9} {value:6}   {row['microseconds']:6.0f} us a replica-step   {row['seconds']:6.1f} s   "
                f"{row['mib']:6.0f} MiB",
                flush=True,
            )
    if arguments.out:
        import torch

        content = {"base": BASE, "axes": axes, "versions": {"torch": torch.__version__}}
        arguments.out.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
