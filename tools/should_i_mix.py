"""What mixing gained over plain training in the benchmark's trainings, in the documentation.

python -m tools should-i-mix
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from overmix.diagnose import holm
from overmix.diagnose.practical import practical_size
from overmix.report.numbers import points
from overmix.study.store.files import read_json
from tools.generated import Generated, Texts
from tools.marked import Part

PAGE, README, RESULT = Path("docs/should-i-mix.md"), Path("README.md"), Path("results/switch.json")
PART = Part("should-i-mix", "should-i-mix")
POLICIES = ("Mixup to the end", "off at 50 %", "off at 75 %", "AutoSwitch")
DRAWS = 10_000


def data_set(cell: str) -> str:
    """Return the name of a training's data set.

    Example:
        >>> data_set("fashion_mnist300-mlp-Mixup-cosine-wd0.0005-300")
        'fashion_mnist'
        >>> data_set("mnist1d640-mlp-Mixup-constant-512")
        'mnist1d'
    """
    return re.sub(r"\d+$", "", cell.split("-", 1)[0])


def clustered_interval(values: Sequence[float], clusters: Sequence[str]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a mean, whole data sets drawn with all of their trainings."""
    names = sorted(set(clusters))
    sums = np.array([sum(v for v, c in zip(values, clusters, strict=True) if c == name) for name in names])
    counts = np.array([list(clusters).count(name) for name in names])
    drawn = np.random.default_rng(0).integers(len(names), size=(DRAWS, len(names)))
    low, high = np.quantile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [0.025, 0.975])
    return float(low), float(high)


def counts(result: Mapping[str, Any], policy: str) -> tuple[int, int, int]:
    """Return in how many trainings a policy ends better than plain training by more than matters, between, worse."""
    rows = [row for row in result["rows"] if row["policy"] == policy]
    signs = [np.sign(x) * (abs(x) > practical_size(row["error"] - x)) for row in rows for x in [row["over_erm"]]]
    return signs.count(-1), signs.count(0), signs.count(1)


def shown_worse(result: Mapping[str, Any], policy: str) -> int:
    """Return in how many trainings a policy is shown to be worse than plain training by more than matters."""
    corrected = holm([row["p_worse"] for row in result["rows"] if row["policy"] == policy])
    return sum(p is not None and p < 0.05 for p in corrected)


def in_short(result: Mapping[str, Any]) -> str:
    """Return a line of the README."""
    cells = result["cells"]
    to_the_end, half, auto = (counts(result, policy) for policy in ("Mixup to the end", "off at 50 %", "AutoSwitch"))
    return (
        f"  Of {len(cells)} trainings in our [benchmark](docs/should-i-mix.md), {to_the_end[2]} ended worse when mixed "
        f"to the end than without Mixup, by more\n  than matters in the mean of their seeds, and {to_the_end[0]} "
        f"better; with Mixup off at half {half[2]} ended worse and {half[0]} better;\n  with AutoSwitch "
        f"{auto[2]} worse and {auto[0]} better."
    )


def content(result: Mapping[str, Any]) -> str:
    """Return a sentence and a table: each policy against plain training, over all trainings."""
    cells = result["cells"]
    names = sorted({data_set(cell["name"]) for cell in cells})
    lengths = sorted(cell["switch_epochs"][-1] for cell in cells)
    sizes = sorted(int(re.findall(r"\d+$", cell["name"].split("-", 1)[0])[0]) for cell in cells)
    seeds = min(cell["seeds"] for cell in cells)
    lines = [
        f"{len(cells)} trainings on {len(names)} data sets ({', '.join(name.replace('_', '-') for name in names)}), "
        f"{sizes[0]} to {sizes[-1]} training samples, {lengths[0]} to {lengths[-1]:,} epochs, perceptrons and "
        f"ConvNets, at least {seeds} seeds each. Against plain training of equal length, mean over seeds; what matters "
        "is half a point or 5 % of the error, whichever is more:",
        "",
        "| | better by more than matters | in between | worse by more than matters | shown to be so "
        "| mean difference |",
        "|---|---|---|---|---|---|",
    ]
    for policy in POLICIES:
        better, between, worse = counts(result, policy)
        rows = [row for row in result["rows"] if row["policy"] == policy]
        changes = [row["over_erm"] for row in rows]
        low, high = clustered_interval(changes, [data_set(row["cell"]) for row in rows])
        change = f"{points(float(np.mean(changes)), 1)} [{points(low, 1)} to {points(high, 1)}] points"
        lines.append(f"| {policy} | {better} | {between} | {worse} | {shown_worse(result, policy)} | {change} |")
    lines += [
        "",
        "The first three numbers go by the mean of a training's seeds; *shown to be so*: worse by more than matters, "
        "significantly (5 %, over paired seeds, all trainings corrected together after Holm). "
        "Below 0 mixing has gained. Intervals: 95 %, bootstrap over data sets. AutoSwitch's settings were chosen on "
        "two of these data sets. One by one, with all other policies: [when to switch](switch.md).",
    ]
    return "\n".join(lines)


def texts(root: Path) -> Texts:
    """Return the page and the README."""
    result = read_json(root / RESULT)
    written = {PAGE: content(result), README: in_short(result)}
    return {path: PART.within((root / path).read_text(encoding="utf-8"), text) for path, text in written.items()}


SHOULD_I_MIX = Generated("should-i-mix", texts)
