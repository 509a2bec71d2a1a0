"""How often does ``diagnose_curve`` see a U that is not there, and how often one that is?

Simulated error curves of one run, noise of standard deviation 0.01 that is correlated from epoch to epoch (rho):

- curves that do not turn: a plateau, a slow drift down to the end, a power law, a plateau under noise that grows, and
  under noise with heavy tails (Student's t, 3 degrees of freedom);
- curves that turn at 30 % of the epochs and end 1, 2, 4 and 8 standard deviations above their lowest value.

Beside the power at 4 stand bounds that no test can exceed, see ``detector_bound.py``. The method was chosen on other
draws at 50 and 200 epochs; heavy tails, 100 and 1000 epochs and rho 0.3 were first seen when it was measured.

    python benchmarks/detector.py            # writes results/detector.json (about half an hour on one core)
    python benchmarks/detector.py --smoke    # a few curves, to see that it runs; writes nothing
    python -m tools detector                 # writes its table into docs/diagnose.md

A false alarm is the verdict "u-shaped" on a curve that does not turn.
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
RESULTS = Path("results/detector.json")


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="a few curves, to see that it runs")
    smoke = parser.parse_args().smoke
    results = measure_all(smoke)
    if not smoke:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
