"""How often does ``diagnose_curve`` see a U that is not there, and how often one that is?

Simulated error curves of one run, noise of standard deviation 0.01 that is correlated from epoch to epoch (rho):

- curves that do not turn: a plateau, a slow drift down to the end, a power law, a plateau under noise that grows, and
  under noise with heavy tails (Student's t, 3 degrees of freedom);
- curves that turn at 30 % of the epochs and end 1, 2, 4 and 8 standard deviations above their lowest value.

Beside the power at 4 stand bounds that no test can exceed, see ``detector_bound.py``. The method was chosen on other
draws at 50 and 200 epochs; heavy tails, 100 and 1000 epochs and rho 0.3 were first seen when it was measured.

    python benchmarks/detector.py            # writes results/detector.json (about half an hour on one core)
    python benchmarks/detector.py --docs     # writes its table into docs/diagnose.md
    python benchmarks/detector.py --smoke    # a few curves, to see that it runs; writes nothing

A false alarm is the verdict "u-shaped" on a curve that does not turn. Intervals are Wilson's, 95 %.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy: BLAS reads it when it is loaded

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from detector_bound import bounds

from overmix.diagnose import diagnose_curve
from overmix.diagnose.autoregression import autoregressive
from overmix.diagnose.practical import practical_size

SD, LOWEST, TURN = 0.01, 0.1, 0.3
RHOS = {50: (0.0, 0.5, 0.9), 100: (0.3, 0.7), 200: (0.0, 0.5, 0.9), 1000: (0.0, 0.5, 0.9)}
DEPTHS, PROMISED = (1, 2, 4, 8), 4
FALLING = ("plateau", "drift", "power law", "growing noise", "heavy tails")
CURVES = {50: 200, 100: 100, 200: 80, 1000: 30}
N_BOOTSTRAP = 400
RESULTS, DOCS = Path("results/detector.json"), Path("docs/diagnose.md")
BEGIN, END = "<!-- detector: begin (python benchmarks/detector.py --docs) -->", "<!-- detector: end -->"

EXPLAINED = f"""What no test of one curve can exceed, at {PROMISED} standard deviations (Neyman and Pearson, against the
least favourable curve found, by `benchmarks/detector_bound.py`): a test with 5 % false alarms that knows the U and the
noise's size and memory; the same if noise of another size and memory must not make it alarm more often; and a test that
knows the noise and calls at most 2.5 % of curves that rise by δ U-shaped, as the verdict means to."""


def mean_curve(length: int, shape: str, depth: float = 0.0) -> np.ndarray:
    """Error at epochs 1 … length; ``depth`` in standard deviations of the noise."""
    share = np.arange(1, length + 1) / length
    if shape == "power law":
        return LOWEST + 0.5 * np.arange(1, length + 1) ** -1.0
    steep = 0.5 * np.clip((TURN - share) / TURN, 0, None) ** 2
    if shape == "drift":
        return LOWEST + steep + 2 * SD * (1 - share)
    return LOWEST + steep + depth * SD * np.clip((share - TURN) / (1 - TURN), 0, None)


def noise(length: int, shape: str, rho: float, rng: np.random.Generator) -> np.ndarray:
    white = (
        rng.standard_t(3, (1, length)) / math.sqrt(3) if shape == "heavy tails" else rng.standard_normal((1, length))
    )
    drawn = SD * autoregressive(white, rho)[0]
    return drawn * np.linspace(0.5, 1.5, length) if shape == "growing noise" else drawn


def measure(length: int, rho: float, shape: str, depth: int, curves: int) -> dict[str, Any]:
    """Verdicts on simulated curves, and where the turn is seen, over where it is."""
    rng = np.random.default_rng([length, round(100 * rho), (*FALLING, "u").index(shape), depth])
    mean, epochs = mean_curve(length, shape, depth), np.arange(1, length + 1)
    found = [
        diagnose_curve(epochs, mean + noise(length, shape, rho, rng), n_bootstrap=N_BOOTSTRAP) for _ in range(curves)
    ]
    verdicts = [one.verdict for one in found]
    seen = [one for one in found if one.verdict == "u-shaped"]
    return {
        "epochs": length,
        "rho": rho,
        "shape": shape,
        "depth_sd": depth,
        "n": curves,
        "u_shaped": verdicts.count("u-shaped"),
        "monotone": verdicts.count("monotone"),
        "delay": float(np.median([one.turning_epoch / length - TURN for one in seen])) if depth and seen else None,
    }


def wilson(hits: int, n: int) -> tuple[float, float]:
    z = 1.959964
    middle, half = hits + z * z / 2, z * math.sqrt(hits * (n - hits) / n + z * z / 4)
    return (middle - half) / (n + z * z), (middle + half) / (n + z * z)


def measure_all(smoke: bool) -> dict[str, Any]:
    from overmix import __version__

    rows = []
    for length, rhos in [*RHOS.items()][:1] if smoke else RHOS.items():
        for rho in rhos:
            for shape, depth in [*((shape, 0) for shape in FALLING), *(("u", depth) for depth in DEPTHS)]:
                rows.append(measure(length, rho, shape, depth, 4 if smoke else CURVES[length]))
                if depth == PROMISED:
                    rows[-1] |= bounds(mean_curve(length, shape, depth), rho, SD, practical_size(LOWEST))
                print(json.dumps(rows[-1]), flush=True)
    settings = {"noise_sd": SD, "lowest": LOWEST, "turn_share": TURN, "n_bootstrap": N_BOOTSTRAP, "seed": 0}
    return {"overmix": __version__, "numpy": np.__version__, **settings, "rows": rows}


def table(results: dict[str, Any]) -> str:
    """Return the results as Markdown, one row per length and correlation."""
    rows = results["rows"]
    heads = ["epochs", "ρ", "false alarms", "worst shape", *(f"power, {d} sd" for d in DEPTHS), "delay at 8 sd"]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for length, rho in dict.fromkeys((row["epochs"], row["rho"]) for row in rows):
        here = [row for row in rows if (row["epochs"], row["rho"]) == (length, rho)]
        falling = [row for row in here if row["depth_sd"] == 0]
        worst = max(falling, key=lambda row: row["u_shaped"] / row["n"])
        turning = {row["depth_sd"]: row for row in here if row["depth_sd"]}
        delay = turning[DEPTHS[-1]]["delay"]
        cells = [
            str(length),
            f"{rho:g}",
            _rate(sum(row["u_shaped"] for row in falling), sum(row["n"] for row in falling)),
            f"{worst['shape']} {100 * worst['u_shaped'] / worst['n']:.1f} %" if worst["u_shaped"] else "–",
            *(_rate(turning[d]["u_shaped"], turning[d]["n"]) for d in DEPTHS),
            "–" if delay is None else f"{100 * delay:+.0f} %",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    counts = ", ".join(f"{n} of {length} epochs" for length, n in CURVES.items())
    lines += [
        "",
        f"Curves per shape: {counts}; false alarms over {len(FALLING)} shapes; noise of standard deviation {SD}, "
        f"lowest error {LOWEST}, so that δ is half a standard deviation; {results['n_bootstrap']} bootstrap samples; "
        "brackets: 95 % intervals; delay: median of turning epoch found minus true one, in shares of all epochs, where "
        "a U was seen; "
        f"overmix {results['overmix']}, numpy {results['numpy']}.",
    ]
    return "\n".join(lines)


def table_of_bounds(results: dict[str, Any]) -> str:
    """Return the power at the promised depth beside its bounds as Markdown."""
    heads = ["epochs", "ρ", f"power, {PROMISED} sd", "noise known", "noise unknown", "rise above δ"]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for row in (row for row in results["rows"] if row["depth_sd"] == PROMISED):
        limits = (f"{100 * row[key]:.1f} %" for key in ("bound", "bound_noise_unknown", "bound_above_delta"))
        cells = [str(row["epochs"]), f"{row['rho']:g}", _rate(row["u_shaped"], row["n"]), *limits]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _rate(hits: int, n: int) -> str:
    low, high = wilson(hits, n)
    return f"{100 * hits / n:.1f} % [{100 * low:.0f}, {100 * high:.0f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="a few curves, to see that it runs")
    parser.add_argument("--docs", action="store_true", help="write the table of results/detector.json into the docs")
    arguments = parser.parse_args()
    if arguments.docs:
        before, _, rest = DOCS.read_text(encoding="utf-8").partition(BEGIN)
        results = json.loads(RESULTS.read_text(encoding="utf-8"))
        content = f"{table(results)}\n\n{EXPLAINED}\n\n{table_of_bounds(results)}"
        DOCS.write_text(f"{before}{BEGIN}\n{content}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
        return
    results = measure_all(arguments.smoke)
    if not arguments.smoke:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
