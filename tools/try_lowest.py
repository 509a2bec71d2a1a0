"""Runs tests with the lowest versions, PyTorch's included, and keeps what came out; by hand, its wheels are large.

    python3.10 -m venv lowest
    lowest/bin/python -m pip install -r <(.venv/bin/python tools/lowest.py study)
    lowest/bin/python -m pip install pytest hypothesis jaxtyping beartype mpmath
    lowest/bin/python -m pip install kornia==0.8.2 timm==1.0.3 torchvision==0.19
    PYTHONPATH=src lowest/bin/python tools/try_lowest.py

It writes ``results/lowest_torch.json``.
"""

from __future__ import annotations

import json
import platform
import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "results" / "lowest_torch.json"
ROOMS = ("mix", "switch", "recipes", "diagnose", "explain", "train", "study")
LEFT_OUT = {
    "torchvision": "the peer's way to draw its parameters changed in 0.21, which needs a newer PyTorch",
    "mnist1d": "it is in the extra data",
}
"""Tests whose names have this in them, and why."""

PACKAGES = (
    *("torch", "numpy", "scipy", "pydantic", "PyYAML", "typer", "rich", "polars", "safetensors", "scikit-learn"),
    *("vl-convert-python", "jinja2"),
)


class Counted:
    """Counts outcomes, and remembers what failed."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.failed: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in how a phase of a test ended."""
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[report.outcome] += 1
        if report.failed:
            self.failed.append(report.nodeid)


def main() -> int:
    """Run the tests, write the result, and return pytest's exit code."""
    counted = Counted()
    left_out = " or ".join(LEFT_OUT)
    arguments = ["-q", "-p", "no:cacheprovider", "-W", "ignore::DeprecationWarning", "-m", "not slow"]
    # PyTorch's own warm-up steps its schedules in a way that it warns of, before 2.5.
    arguments += ["-W", "ignore:The epoch parameter"]
    arguments += ["-k", f"not ({left_out})", "--ignore", str(ROOT / "tests/study/data/test_mnist1d.py")]
    code = pytest.main([*arguments, *(str(ROOT / "tests" / room) for room in ROOMS)], plugins=[counted])
    result = {
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
        "rooms": ROOMS,
        "outcomes": dict(sorted(counted.outcomes.items())),
        "failed": counted.failed,
        "left_out": LEFT_OUT,
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
