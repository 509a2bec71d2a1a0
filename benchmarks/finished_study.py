"""What it costs to show a finished study: its statistics and page, and the same command given again.

    overmix switch study.yaml --out runs/search
    python benchmarks/finished_study.py study.yaml runs/search --out results/finished_study.json

Processor seconds, of one process, so that other work on the machine counts little.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from overmix.report import write_report
from overmix.study import parse_study, plan_study
from overmix.study.analyse.result import write_results
from overmix.study.store.directory import RunDirectory


def analysed(path: Path) -> tuple[float, float]:
    """Return processor seconds of statistics and page."""
    directory = RunDirectory(path)
    content = directory.read()
    spec = parse_study(content["study"])
    plan = plan_study(spec)
    begin = time.process_time()
    result = write_results(plan.spec, plan.tasks, directory, content["marks"])
    between = time.process_time()
    write_report(result, path)
    return between - begin, time.process_time() - between


def command(*arguments: str) -> float:
    """Return processor seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "overmix.cli", *arguments], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure, print, and write it if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="the study file, as it was given to 'overmix switch'")
    parser.add_argument("directory", type=Path, help="its finished run directory")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    arguments = parser.parse_args()
    statistics, page = analysed(arguments.directory)
    summary = json.loads((arguments.directory / "summary.json").read_text())
    again = ("switch", str(arguments.study), "--out", str(arguments.directory))
    command(*again)  # writes the receipt of this very request
    content = {
        "conditions": len(summary["conditions"]),
        "seeds": summary["conditions"][0]["n_seeds"],
        "statistics_cpu_s": round(statistics, 2),
        "page_cpu_s": round(page, 2),
        "again_cpu_s": round(command(*again), 2),
        "report_cpu_s": round(command("report", str(arguments.directory)), 2),
        "floor_cpu_s": round(command("explain", "floor", "--classes", "10"), 2),
        "versions": {"torch": version("torch")},
    }
    print(json.dumps(content, indent=2))
    if arguments.out:
        arguments.out.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
