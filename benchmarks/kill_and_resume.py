"""Kills a study with SIGKILL at several moments, resumes it, and compares the bytes of its curves.

    python benchmarks/kill_and_resume.py                       # the demo: about six minutes on two cores
    python benchmarks/kill_and_resume.py --study study.yaml --shares 0.2 0.9

The reference is an undisturbed run with two workers. A run with one worker, and runs whose whole process group is
killed after a share of the reference's time and then resumed, must leave the same ``curves.parquet``. Exit code 1 if
one does not.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path


def begin(study: Path, out: Path, workers: int) -> subprocess.Popen[bytes]:
    """Start a run in a process group of its own."""
    command = [sys.executable, "-m", "overmix.cli", "run", str(study), "--out", str(out), "--workers", str(workers)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def digest(out: Path) -> str:
    """Return the hash of a run's curves."""
    return hashlib.sha256((out / "curves.parquet").read_bytes()).hexdigest()[:16]


def main() -> None:
    """Run, kill, resume, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, default=Path(str(files("overmix.study") / "studies" / "demo.yaml")))
    parser.add_argument("--shares", type=float, nargs="+", default=[0.2, 0.4, 0.6, 0.9])
    parser.add_argument("--out", type=Path, help="write what was found as JSON")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        begin(arguments.study, Path(folder) / "reference", 2).wait()
        seconds = time.perf_counter() - started
        reference = digest(Path(folder) / "reference")
        begin(arguments.study, Path(folder) / "one", 1).wait()
        rows.append({"run": "one worker", "same": digest(Path(folder) / "one") == reference})
        for share in arguments.shares:
            out = Path(folder) / f"killed-{share}"
            run = begin(arguments.study, out, 2)
            time.sleep(share * seconds)
            alive = run.poll() is None
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
            begin(arguments.study, out, 2).wait()
            rows.append({"run": f"killed at {share:.0%}", "was running": alive, "same": digest(out) == reference})
    for row in rows:
        print(row, flush=True)
    if arguments.out:
        found = {"study": arguments.study.name, "seconds": seconds, "sha256": reference, "rows": rows}
        arguments.out.write_text(json.dumps(found, indent=2) + "\n")
    sys.exit(0 if all(row["same"] for row in rows) else 1)


if __name__ == "__main__":
    main()
