"""Feeds mutated files to everything that reads what a user gives: study files, logs, npz, run directories, tensors.

    python benchmarks/fuzz.py --inputs 10000 --out results/fuzz.json      # a few minutes
    python benchmarks/fuzz.py --inputs 200 --seed 7

Each input is a valid one with bytes flipped, cut out, doubled, or put in from a list of hostile pieces. Right is a
result or one of overmix's own errors in a single line, within five seconds and a gigabyte, with nothing written outside
of the folder. Exit code 1 if anything else comes out; the input is kept in the folder ``fuzz-failures``.
"""

# ruff: noqa: E501  (one input, one line)

from __future__ import annotations

import argparse
import collections
import io
import json
import os
import random
import resource
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from overmix.diagnose.logs import read_curves
from overmix.errors import OvermixError
from overmix.study import load_result, parse_study, plan_study, read_study, run_study
from overmix.study.data import load_dataset
from overmix.study.store.checkpoint import load_tensors, save_tensors

SECONDS, BYTES = 5.0, 1 << 30
PIECES = [
    b"\0", b"\xff\xfe", b"\x1b[31m", b"-1", b"1e999", b"1e-320", b".inf", b".nan", b"9" * 400, b"[" * 3000, b"{a: " * 500,
    b"&a [*a]", b"*a", b"<<: ", b"!!python/object:os.system ", b"!!bool x", b"null", b"true", b'"', b"'", b"\xed\xa0\x80",
    b"../../x", b"/dev/zero", b"999999999", b"\xe2\x80\xae", b"\r\n", b",,,,", b"{}", b"[]", b"x" * 5000, b"%", b"__proto__",
]  # fmt: skip
STUDIES = [
    b"name: a\ndata: {name: digits, train_size: 128, val_size: 64}\nmodel: {hidden: [8]}\ntrain: {epochs: 20}\n",
    b"compare:\n- {name: ERM, recipe: NoMixup}\n- {recipe: {Mixup: {alpha: 0.4}}, schedule: {off_at: 0.5}}\nseeds: [0, 3]",
    b'{"data": {"name": "npz", "path": "d.npz"}, "train": {"batch_size": 16, "optimizer": {"name": "adamw", "lr": 1e-3}}}',
    b"train: {epochs: 50, lr_schedule: {name: cosine, warmup: 2}, augment: {crop: 2}}\nmodel: convnet\nseeds: 1\n",
]
ROWS = range(30)
LOGS = [
    (
        ".csv",
        b"epoch,loss,val_loss,val_acc\n" + b"".join(b"%d,0.%d,0.%d,%d\n" % (e, 900 - e, 800 - e, e) for e in ROWS),
    ),
    (".json", json.dumps({"val_loss": [1 / (e + 1) for e in ROWS], "epoch": list(ROWS)}).encode()),
    (".jsonl", b"".join(b'{"epoch": %d, "val_error": 0.%d}\n' % (e, 90 - e) for e in ROWS)),
]


def mutated(content: bytes, random: random.Random) -> bytes:
    """Return content with a few mutations."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 4, 16))):
        at = random.randrange(len(changed) + 1)
        to = min(len(changed), at + random.choice((1, 1, 2, 8, 64)))
        how = random.randrange(5)
        if how == 0 and at < len(changed):
            changed[at] ^= 1 << random.randrange(8)
        elif how == 1:
            changed[at:at] = random.choice(PIECES)
        elif how == 2:
            del changed[at:to]
        elif how == 3:
            changed[at:at] = changed[at:to] * random.choice((1, 2, 50))
        else:
            changed[at:to] = random.choice(PIECES)
    return bytes(changed)


def members() -> dict[str, bytes]:
    """Return the files of a small data set."""
    arrays = {"x.npy": np.random.default_rng(0).random((60, 4)), "y.npy": np.arange(60) % 3}
    buffers = {name: io.BytesIO() for name in arrays}
    for name, array in arrays.items():
        np.save(buffers[name], array)
    return {name: buffer.getvalue() for name, buffer in buffers.items()}


def npz(files: dict[str, bytes]) -> bytes:
    """Return an archive of them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


class Targets:
    """What is fuzzed, each with its valid inputs."""

    def __init__(self, home: Path) -> None:
        self.home, self.npz = home, npz(members())
        self.run = home / "run"
        spec = {
            "data": {"train_size": 64},
            "model": {"hidden": [4]},
            "train": {"epochs": 2},
            "seeds": 2,
            "device": "cpu",
        }
        run_study(parse_study(spec | {"executor": {"workers": 1}}), self.run)
        tensors = home / "tensors"
        save_tensors(tensors, {"a": torch.arange(6.0)}, {"stack": "id"})
        self.tensors = tensors.read_bytes()
        self.result = {
            name: (self.run / name).read_bytes() for name in ("study.json", "summary.json", "curves.parquet")
        }

    def study(self, random: random.Random) -> tuple[bytes, str, Callable[[Path], object]]:
        """Return a study file, and what reads and plans it."""

        def read(path: Path) -> object:
            spec = read_study(path)
            small = spec.data.name != "digits" or len(spec.compare) * len(spec.seed_list) > 50
            return spec if small else plan_study(spec)

        return mutated(random.choice(STUDIES), random), ".yaml", read

    def log(self, random: random.Random) -> tuple[bytes, str, Callable[[Path], object]]:
        """Return a log, and what reads it."""
        suffix, content = random.choice(LOGS)
        return mutated(content, random), suffix, lambda path: read_curves([path])

    def arrays(self, random: random.Random) -> tuple[bytes, str, Callable[[Path], object]]:
        """Return arrays, and what reads them."""
        files = members()
        name = random.choice(list(files))
        # Half of the time within the archive, whose checksums would hide what is in there.
        inner = npz(files | {name: mutated(files[name][:200], random) + files[name][200:]})
        content = random.choice((inner, mutated(self.npz, random)))
        return content, ".npz", lambda path: load_dataset("npz", path=str(path))

    def checkpoint(self, random: random.Random) -> tuple[bytes, str, Callable[[Path], object]]:
        """Return tensors, and what reads them."""

        def read(path: Path) -> None:
            loaded = load_tensors(path, "id")
            assert loaded is None or path.read_bytes() == self.tensors, "damaged tensors were taken for whole ones"

        return mutated(self.tensors, random), ".safetensors", read

    def directory(self, random: random.Random) -> tuple[bytes, str, Callable[[Path], object]]:
        """Return a file of a run directory, and what reads the whole of it."""
        name = random.choice(list(self.result))

        def read(path: Path) -> None:
            place = self.run / name
            place.write_bytes(path.read_bytes())
            try:
                load_result(self.run)
            finally:
                place.write_bytes(self.result[name])

        return mutated(self.result[name], random), f"-{name}", read


def outcome(path: Path, read: Callable[[Path], object]) -> tuple[str, str]:
    """Return what came out, and the details if it is wrong."""
    began = time.perf_counter()
    try:
        read(path)
        kind, details = "read", ""
    except OvermixError as error:
        told = str(error)
        kind, details = ("refused", "") if len(told.splitlines()) == 1 else ("several lines", told)
        if len(told) > 2000:
            kind, details = "a long line", told[:500]
    except BaseException as error:
        kind, details = f"{type(error).__name__}", traceback.format_exc()[-1500:]
    seconds = time.perf_counter() - began
    return ("slow", f"{seconds:.1f} s") if seconds > SECONDS else (kind, details)


def snapshot(folder: Path) -> set[str]:
    """Return the names of all files in a folder."""
    return {str(path) for path in folder.rglob("*")}


def main() -> None:
    """Mutate, read, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--targets", nargs="+", default=["study", "log", "arrays", "checkpoint", "directory"])
    parser.add_argument("--out", type=Path, help="write what was seen as JSON")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    counts: collections.Counter[str] = collections.Counter()
    failures: list[dict[str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        targets, around = Targets(home), home / "cwd"
        around.mkdir()
        (around / "d.npz").write_bytes(targets.npz)
        kept = Path("fuzz-failures").absolute()
        os.chdir(around)
        before, begun = snapshot(home), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for number in range(arguments.inputs):
            name = arguments.targets[number % len(arguments.targets)]
            content, suffix, read = getattr(targets, name)(random.Random(f"{arguments.seed} {number}"))
            path = around / f"input{suffix}"
            path.write_bytes(content)
            kind, details = outcome(path, read)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            if (peak - begun) << 10 > BYTES:
                kind, details, begun = "memory", f"{(peak - begun) >> 10} MiB", peak
            path.unlink()
            if snapshot(around) != {str(around / "d.npz")}:
                kind, details = "written outside", str(snapshot(around))
            counts[f"{name}: {kind}"] += 1
            if kind not in ("read", "refused"):
                kept.mkdir(exist_ok=True)
                (kept / f"{name}-{number}{suffix}").write_bytes(content)
                failures.append({"input": f"{name}-{number}", "kind": kind, "details": details})
                print(name, number, kind, details[-700:], flush=True)
        if (after := snapshot(home)) != before:
            failures.append({"input": "all", "kind": "written outside", "details": str(after ^ before)})
        os.chdir("/")
    seen = {
        "inputs": arguments.inputs,
        "seed": arguments.seed,
        "counts": dict(sorted(counts.items())),
        "wrong": failures,
    }
    print(json.dumps({**seen, "wrong": len(failures)}, indent=2))
    if arguments.out:
        arguments.out.write_text(json.dumps(seen, indent=2) + "\n")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
