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
    """Return the results as Markdown, one row per setting."""
    rows = results["rows"]
    depths = list(dict.fromkeys(row["depth_sd"] for row in rows if row["depth_sd"]))
    heads = ["looks", "ρ", "noise", "false alarms", "worst shape", *(f"power, {depth} sd" for depth in depths)]
    heads.append(f"delay at {depths[-1]} sd")
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for setting in dict.fromkeys(map(_setting, rows)):
        here = [row for row in rows if _setting(row) == setting]
        lines.append(f"| {' | '.join([*setting, *_cells(here, depths)])} |")
    counts = sorted({(row["n"], row["looks"]) for row in rows}, reverse=True)
    shapes = {row["shape"] for row in rows if not row["depth_sd"]}
    lines += [
        "",
        f"Curves per shape: {', '.join(f'{n} of {looks} looks' for n, looks in counts)}; false alarms over "
        f"{len(shapes)} shapes; noise: its standard deviation, where the lowest error is {results['lowest']} and δ "
        f"0.005; {results['n_bootstrap']} bootstrap samples; brackets: 95 % intervals; delay: median of the turning "
        "epoch's place among the looks minus the true one, in shares of all looks, where a U was seen; "
        f"overmix {results['overmix']}, numpy {results['numpy']}.",
    ]
    return "\n".join(lines)


def _setting(row: Results) -> tuple[str, str, str]:
    """Return how the curves were logged, and their noise."""
    looks = f"{row['looks']}, {'every epoch' if row['spacing'] == 'every epoch' else 'even in log epoch'}"
    rho = f"{row['rho']:g}" + (" over 10 epochs" if row["memory"] == "epochs" else "")
    return looks, rho, f"{row['sd']:g}" + (f", `n_test={row['n_test']}`" if row["n_test"] else "")


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
    heads = ["looks", "ρ", "noise", f"power, {rows[0]['depth_sd']} sd", "noise known", "noise unknown", "rise above δ"]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for row in rows:
        limits = (f"{100 * row[key]:.1f} %" for key in ("bound", "bound_noise_unknown", "bound_above_delta"))
        lines.append(f"| {' | '.join([*_setting(row), _rate(row['u_shaped'], row['n']), *limits])} |")
    return "\n".join(lines)


VERDICTS = ("u-shaped", "monotone", "undecided")


def table_of_real(results: Results) -> str:
    """Return what single seeds of real trainings are called, by the verdict of the other seeds, as Markdown."""
    lines = [f"| the other seeds | curves | {' | '.join(f'alone: {verdict}' for verdict in VERDICTS)} |"]
    lines.append("|" + "---|" * (len(VERDICTS) + 2))
    real = results["real"]
    for key, label in (("verdicts_n_test", ", `n_test` given"), ("verdicts", "")):
        counts = real[key]
        for together in VERDICTS:
            here = [counts.get(f"{together}, {alone}", 0) for alone in VERDICTS]
            if total := sum(here):
                shares = " | ".join(f"{n} ({100 * n / total:.0f} %)" for n in here)
                lines.append(f"| {together}{label} | {total} | {shares} |")
    return "\n".join(lines)


def explained_real(results: Results) -> str:
    """Return what the table of real trainings shows."""
    real = results["real"]
    seeds, looks = (_span(real[key]) for key in ("seeds", "looks"))
    return f"""Real trainings: {real["trainings"]} of both switch benchmarks, with Mixup to the end and without, of
{seeds} seeds and {looks} looks each; those of fewer seeds than a verdict of the others needs are left out. Each seed's
curve of test errors alone, by what the other seeds say together (`python benchmarks/detector.py --real`):"""


def _span(values: Sequence[int]) -> str:
    return f"{values[0]} to {values[-1]}" if len(values) > 1 else f"{values[0]}"


def explained_noise(results: Results) -> str:
    """Return how the noise of recorded curves behaves."""
    real = results["real"]
    noise = real["noise"]
    low, lower, middle, higher, high = noise["memory"]
    small, smaller, median, larger, large = noise["size"]
    return f"""The noise of these {real["trainings"]} trainings, late on: its memory from look to look has the quartiles
{lower:g}, {middle:g} and {higher:g} (90 %: {low:g} to {high:g}), and one memory from look to look fits
{noise["memory_by_look_fits_better"]} of them better than one in epochs does, as what seeds differ by drifts along log
epoch; its size over √(p (1 - p) / n), the sampling error of n test samples, has the quartiles {smaller:g}, {median:g}
and {larger:g} (90 %: {small:g} to {large:g}; log-normal about {noise["size_median_fitted"]:g}, spread
{noise["size_spread_fitted"]:g})."""


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
    parts = (table, explained, table_of_bounds, explained_real, table_of_real, explained_noise)
    content = "\n\n".join(part(results) for part in parts)
    return {PAGE: PART.within((root / PAGE).read_text(encoding="utf-8"), content)}


DETECTOR = Generated("detector", texts)
