"""How often ``diagnose_curve`` sees a U, in the documentation.

python benchmarks/detector.py
python -m tools detector
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from overmix.study.store.files import read_json
from tools.generated import Generated, Texts
from tools.marked import Part

RESULTS, PAGE = Path("results/detector.json"), Path("docs/diagnose.md")
PART = Part("detector", "detector")

Results = Mapping[str, Any]


def table(results: Results) -> str:
    """Return the results as Markdown, one row per length and correlation."""
    rows = results["rows"]
    depths = list(dict.fromkeys(row["depth_sd"] for row in rows if row["depth_sd"]))
    heads = [
        *("epochs", "ρ", "false alarms", "worst shape"),
        *(f"power, {depth} sd" for depth in depths),
        f"delay at {depths[-1]} sd",
    ]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for length, rho in dict.fromkeys((row["epochs"], row["rho"]) for row in rows):
        here = [row for row in rows if (row["epochs"], row["rho"]) == (length, rho)]
        lines.append(f"| {length} | {rho:g} | {' | '.join(_cells(here, depths))} |")
    counts = dict.fromkeys((row["n"], row["epochs"]) for row in rows)
    shapes = {row["shape"] for row in rows if not row["depth_sd"]}
    lines += [
        "",
        f"Curves per shape: {', '.join(f'{n} of {length} epochs' for n, length in counts)}; false alarms over "
        f"{len(shapes)} shapes; noise of standard deviation {results['noise_sd']}, lowest error {results['lowest']}, "
        f"so that δ is half a standard deviation; {results['n_bootstrap']} bootstrap samples; brackets: 95 % "
        "intervals; delay: median of turning epoch found minus true one, in shares of all epochs, where a U was seen; "
        f"overmix {results['overmix']}, numpy {results['numpy']}.",
    ]
    return "\n".join(lines)


def _cells(rows: Sequence[Results], depths: Sequence[int]) -> list[str]:
    falling = [row for row in rows if row["depth_sd"] == 0]
    turning = {row["depth_sd"]: row for row in rows if row["depth_sd"]}
    worst = max(falling, key=lambda row: float(row["u_shaped"] / row["n"]))
    delay = turning[depths[-1]]["delay"]
    return [
        _rate(sum(row["u_shaped"] for row in falling), sum(row["n"] for row in falling)),
        f"{worst['shape']} {100 * worst['u_shaped'] / worst['n']:.1f} %" if worst["u_shaped"] else "–",
        *(_rate(turning[depth]["u_shaped"], turning[depth]["n"]) for depth in depths),
        "–" if delay is None else f"{100 * delay:+.0f} %",
    ]


def table_of_bounds(results: Results) -> str:
    """Return the power at the depth that bounds were computed for, beside them, as Markdown."""
    rows = [row for row in results["rows"] if "bound" in row]
    heads = ["epochs", "ρ", f"power, {rows[0]['depth_sd']} sd", "noise known", "noise unknown", "rise above δ"]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for row in rows:
        limits = (f"{100 * row[key]:.1f} %" for key in ("bound", "bound_noise_unknown", "bound_above_delta"))
        cells = [str(row["epochs"]), f"{row['rho']:g}", _rate(row["u_shaped"], row["n"]), *limits]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def explained(results: Results) -> str:
    """Return what the bounds are."""
    (depth,) = {row["depth_sd"] for row in results["rows"] if "bound" in row}
    return f"""What no test of one curve can exceed, at {depth} standard deviations (Neyman and Pearson, against the
least favourable curve found, by `benchmarks/detector_bound.py`): a test with 5 % false alarms that knows the U and the
noise's size and memory; the same if noise of another size and memory must not make it alarm more often; and a test that
knows the noise and calls at most 2.5 % of curves that rise by δ U-shaped, as the verdict means to."""


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share.

    Example:
        >>> low, high = wilson(2, 200)
        >>> round(low, 4), round(high, 4)
        (0.0027, 0.0357)
    """
    z = 1.959964
    middle, half = hits + z * z / 2, z * math.sqrt(hits * (n - hits) / n + z * z / 4)
    return (middle - half) / (n + z * z), (middle + half) / (n + z * z)


def _rate(hits: int, n: int) -> str:
    low, high = wilson(hits, n)
    return f"{100 * hits / n:.1f} % [{100 * low:.0f}, {100 * high:.0f}]"


def texts(root: Path) -> Texts:
    """Return ``docs/diagnose.md``."""
    results = read_json(root / RESULTS)
    content = f"{table(results)}\n\n{explained(results)}\n\n{table_of_bounds(results)}"
    return {PAGE: PART.within((root / PAGE).read_text(encoding="utf-8"), content)}


DETECTOR = Generated("detector", texts)
