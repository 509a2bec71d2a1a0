"""Disturbs a study in every way that we know, resumes it, and compares the bytes of its curves.

    python benchmarks/kill_and_resume.py --out results/kill_and_resume.json     # 100 kills: about fifteen minutes
    python benchmarks/kill_and_resume.py --kills 3

The reference is an undisturbed run. Then the study is run again and again: each run is stopped at a random moment, by
SIGKILL of all its processes, of the parent alone or of one worker, by SIGTERM or by Ctrl-C, and the next one goes on in
the same folder; one that comes to its end is compared with the reference, and a new folder is begun. Checkpoints are
written all the time, so that many moments lie in the middle of a write. After them come a disk that is full (a limit on
the size of files), a folder that cannot be written, two processes at once, damaged files, and a folder of an earlier
version. Exit code 1 if anything is not as it should be.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

STUDY = {
    "data": {"name": "digits", "train_size": 128, "val_size": 64},
    "model": {"hidden": [16]},
    "train": {"epochs": 24, "batch_size": 64},
    "compare": [
        {"name": "ERM", "recipe": "NoMixup"},
        {"name": "Mixup"},
        {"name": "off", "schedule": {"off_at": 0.5}},
        {"name": "auto", "schedule": "auto"},
    ],
    "seeds": 8,
    "device": "cpu",
    "executor": {"workers": 2},
}

# The command line's own way to stop, around a study that writes a checkpoint at every turn.
DRIVER = """
import json, sys
from pathlib import Path
from overmix.cli.stopping import deafen, listen, stopped

def main():
    from overmix.errors import OvermixError, StudyInterrupted
    from overmix.study import parse_study, run_study
    try:
        run_study(parse_study(json.loads(sys.argv[1])), Path(sys.argv[2]), checkpoint_seconds=0.05)
    except StudyInterrupted:
        return stopped() or 130
    except OvermixError as error:
        print(error, file=sys.stderr)
        return 2
    return 0

if __name__ == "__main__":
    listen()
    try:
        code = main()
    except BaseException:
        if stopped() is None:
            raise
        code = stopped()
    deafen()
    sys.exit(code)
"""


class Harness:
    """Starts the study in a folder and looks at what it leaves."""

    def __init__(self, home: Path, seed: int) -> None:
        self.home, self.random = home, random.Random(seed)
        self.script = home / "driver.py"
        self.script.write_text(DRIVER)
        self.wrong: list[str] = []
        self.counts: collections.Counter[str] = collections.Counter()

    def start(self, out: Path, limit: Callable[[], None] | None = None) -> subprocess.Popen[str]:
        """Start a run in a process group of its own."""
        command = [sys.executable, str(self.script), json.dumps(STUDY), str(out)]
        return subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=limit,
        )

    def finish(self, out: Path) -> str:
        """Run to the end, and return what is told on standard error."""
        run = self.start(out)
        _, told = run.communicate()
        self.check("runs to its end", run.returncode == 0, f"{run.returncode}: {told[-500:]}")
        return told

    def check(self, what: str, holds: bool, details: str = "") -> None:
        """Count what holds, and keep what does not."""
        self.counts[what] += holds
        if not holds:
            self.wrong.append(f"{what}: {details}")
            print("WRONG", self.wrong[-1], flush=True)

    def compare(self, what: str, out: Path, reference: str) -> None:
        """Check that a finished folder holds the reference's bytes, and nothing that was left behind."""
        left = [path.name for path in out.rglob("*.tmp")] + [path.name for path in (out / "checkpoints").iterdir()]
        self.check(f"{what}: same bytes", digest(out) == reference)
        self.check(f"{what}: nothing left behind", not left, str(left))

    def disturb(self, run: subprocess.Popen[str], way: str) -> None:
        """Stop a run in one of the ways."""
        if way == "kill all":
            os.killpg(run.pid, signal.SIGKILL)
        elif way == "kill the parent":
            run.kill()
        elif way == "kill a worker":
            for worker in children(run.pid)[-1:]:
                os.kill(worker, signal.SIGKILL)
        elif way == "Ctrl-C":
            os.killpg(run.pid, signal.SIGINT)
        else:
            os.killpg(run.pid, signal.SIGTERM)


WAYS = {
    "kill all": (-signal.SIGKILL,),
    "kill the parent": (-signal.SIGKILL,),
    "kill a worker": (2,),
    "Ctrl-C": (130,),
    "SIGTERM": (143,),
}
"""Ways to stop a run, and the exit codes that say so."""


def children(pid: int) -> list[int]:
    """Return the processes that a process started; none if it is gone."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def digest(out: Path) -> str:
    """Return the hash of a run's curves."""
    file = out / "curves.parquet"
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16] if file.exists() else "none"


def kill(harness: Harness, kills: int, seconds: float, reference: str) -> dict[str, int]:
    """Stop runs at random moments until there were enough of them; return how many of each way there were."""
    done: collections.Counter[str] = collections.Counter()
    number, out = 0, harness.home / "killed-0"
    ways = list(WAYS)
    while sum(done.values()) < kills:
        way = ways[sum(done.values()) % len(ways)]
        run = harness.start(out)
        moment = harness.random.uniform(0.2, seconds)
        try:
            run.wait(timeout=moment)
        except subprocess.TimeoutExpired:
            began = bool(children(run.pid))
            harness.disturb(run, way)
            _, told = run.communicate()
            code = run.returncode
            # A signal in the first instant finds Python without any handler; a worker that is not there is not killed.
            early = {-signal.SIGINT, -signal.SIGTERM, 1} if moment < 1 else set()
            expected = {*WAYS[way], 0, *early} | ({130, 143} if not began else set())
            harness.check(
                "stopped as it should be", code in expected, f"{way} after {moment:.2f} s: {code} {told[-800:]}"
            )
            done[way] += 1
            print(f"{sum(done.values())}/{kills} {way} after {moment:.2f} s: {code}", flush=True)
            wait_for_the_lock(out)
        if digest(out) != "none":
            harness.finish(out)
            harness.compare("killed", out, reference)
            number += 1
            out = harness.home / f"killed-{number}"
    harness.finish(out)
    harness.compare("killed", out, reference)
    return dict(done)


def wait_for_the_lock(out: Path) -> None:
    """Give workers whose parent is gone the time to save and leave."""
    time.sleep(0.3)


def full_disk(harness: Harness, seconds: float, reference: str) -> None:
    """Files may not grow beyond a limit: what does not fit is told in one line, and a later run goes on."""
    out = harness.home / "full"
    for limit in (100, 4_000, 60_000):
        run = harness.start(out, lambda limit=limit: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        _, told = run.communicate()
        lines = told.strip().splitlines()
        harness.check(
            "a full disk is one line", run.returncode == 2 and len(lines) == 1 and "cannot be" in told, told[-500:]
        )
    harness.finish(out)
    harness.compare("full disk", out, reference)


def read_only(harness: Harness) -> None:
    """A place where nothing can be written is told in one line."""
    run = harness.start(Path("/proc/self/run"))
    _, told = run.communicate()
    harness.check("a read-only folder is one line", run.returncode == 2 and len(told.splitlines()) == 1, told)


def two_at_once(harness: Harness, reference: str) -> None:
    """Of two processes one is refused, and the other one is not disturbed."""
    out = harness.home / "two"
    runs = [harness.start(out), harness.start(out)]
    told = [run.communicate()[1] for run in runs]
    codes = sorted(run.returncode for run in runs)
    harness.check("of two, one is refused", codes == [0, 2] and "another overmix process" in "".join(told), str(told))
    harness.compare("two at once", out, reference)


def damaged(harness: Harness, reference: str) -> None:
    """A flipped bit anywhere in a stack, or a folder of a version without seals: trained again, to the same bytes."""
    out = harness.home / "two"
    for file in sorted((out / "stacks").iterdir()):
        content = bytearray(file.read_bytes())
        content[harness.random.randrange(len(content))] ^= 1 << harness.random.randrange(8)
        file.write_bytes(content)
    harness.finish(out)
    harness.compare("damaged", out, reference)
    study = json.loads((out / "study.json").read_text())
    del study["seal"]
    (out / "study.json").write_text(json.dumps(study | {"format": 1}))
    for file in (out / "stacks").iterdir():
        file.write_bytes(file.read_bytes().replace(b"overmix-sha256:", b"xxxxxxx-sha256:"))
    harness.finish(out)
    harness.compare("an earlier version", out, reference)


def main() -> None:
    """Run, disturb, resume, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only-kills", action="store_true", help="leave out what comes after the kills")
    parser.add_argument("--out", type=Path, help="write what was seen as JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        harness = Harness(Path(folder), arguments.seed)
        began = time.perf_counter()
        harness.finish(harness.home / "reference")
        seconds = time.perf_counter() - began
        reference = digest(harness.home / "reference")
        ways = kill(harness, arguments.kills, seconds, reference)
        if not arguments.only_kills:
            full_disk(harness, seconds, reference)
            read_only(harness)
            two_at_once(harness, reference)
            damaged(harness, reference)
    seen: dict[str, Any] = {
        "kills": ways,
        "seconds_of_one_run": round(seconds, 1),
        "curves_sha256": reference,
        "held": dict(sorted(harness.counts.items())),
        "wrong": harness.wrong,
    }
    print(json.dumps(seen, indent=2))
    if arguments.out:
        arguments.out.write_text(json.dumps(seen, indent=2) + "\n")
    sys.exit(1 if harness.wrong else 0)


if __name__ == "__main__":
    main()
