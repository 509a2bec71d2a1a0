"""Speed of mixing one batch of 256 x 3 x 32 x 32 floats, on one thread, against peers in the same run.

    python benchmarks/mix_speed.py --out results/mix_speed.json

Every round times all of them in turn; the figure is the median over rounds, in milliseconds. timm mixes in place, which
changes the caller's batch: it is timed with the copy that keeps it, and without. The machine's own limit is one gather
and one pass over the batch.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import torch

import overmix
from overmix.recipes import CutMix


def entries(x: torch.Tensor, y: torch.Tensor) -> dict[str, Callable[[], object]]:
    """Return what is timed, by name."""
    from timm.data import Mixup as TimmMixup
    from torchvision.transforms import v2

    ours = {
        "overmix Mixup": overmix.Mixup(1.0),
        "overmix Mixup, lam per sample": overmix.Mixup(1.0, per="sample"),
        "overmix CutMix": CutMix(),
    }
    timm = {
        "Mixup": TimmMixup(mixup_alpha=1.0, label_smoothing=0.0, num_classes=10),
        "Mixup, lam per sample": TimmMixup(mixup_alpha=1.0, label_smoothing=0.0, num_classes=10, mode="elem"),
        "CutMix": TimmMixup(mixup_alpha=0.0, cutmix_alpha=1.0, label_smoothing=0.0, num_classes=10),
    }
    vision = {"Mixup": v2.MixUp(alpha=1.0, num_classes=10), "CutMix": v2.CutMix(alpha=1.0, num_classes=10)}
    scratch = x.clone()
    partner = torch.randperm(len(x))
    return {
        "limit: gather and one pass": lambda: x.index_select(0, partner).lerp_(x, 0.3),
        **{name: lambda mix=mix: mix(x, y) for name, mix in ours.items()},
        **{f"torchvision {name}": lambda mix=mix: mix(x, y) for name, mix in vision.items()},
        **{f"timm {name}, batch kept": lambda mix=mix: mix(x.clone(), y) for name, mix in timm.items()},
        **{f"timm {name}, in place": lambda mix=mix: mix(scratch, y) for name, mix in timm.items()},
    }


def milliseconds(call: Callable[[], object], repeats: int) -> float:
    """Return the mean time of a call."""
    begin = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - begin) / repeats * 1e3


def main() -> None:
    """Measure, print a table, and write it if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    timed = entries(torch.rand(256, 3, 32, 32), torch.randint(10, (256,)))
    rounds: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(arguments.rounds):
        for name, call in timed.items():
            milliseconds(call, 2)
            rounds[name].append(milliseconds(call, arguments.repeats))
    rows = {
        name: {"median_ms": statistics.median(times), "lowest_ms": min(times), "highest_ms": max(times)}
        for name, times in rounds.items()
    }
    for name, row in rows.items():
        print(f"{name:38s} {row['median_ms']:7.3f} ms   [{row['lowest_ms']:.3f} to {row['highest_ms']:.3f}]")
    versions = {name: version(name) for name in ("torch", "timm", "torchvision")}
    print(f"{arguments.rounds} rounds of {arguments.repeats}, one thread, {versions}")
    if arguments.out:
        found = {"rows": rows, "rounds": arguments.rounds, "versions": versions}
        arguments.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
