"""How often does ``diagnose_curve`` see a U that is not there, and how often one that is?

Simulated error curves of one run, lowest 0.1, under noise of memory rho:

- every epoch logged: noise of standard deviation 0.01, so that what matters (δ) is half of one;
- 60 looks, evenly spread over the logarithm of 1000 epochs: noise of standard deviation 0.004, δ is 1.25 of them
  (once 0.01); rho is the correlation from look to look, or once over ten epochs, wherever they lie; once with the
  number of test samples known (``n_test``, the noise is then as large as that of so many).

Of each:

- curves that do not turn: a plateau, a slow drift down to the end, a power law, a plateau under noise that grows, and
  under noise with heavy tails (Student's t, 3 degrees of freedom);
- curves that turn at 30 % of the looks and end 1, 2, 4 and 8 standard deviations above their lowest value.

Beside the power at 4 stand bounds that no test can exceed, see ``detector_bound.py``. The method was chosen on other
draws of these shapes (at 50 and 200 epochs and at 60 looks); `SEED` was drawn from once, when it was done. Each curve
is judged with a `seed` of its own, so that no result hangs on the simulated noise of one.

    python benchmarks/detector.py            # writes results/detector.json (about twenty minutes on one core)
    python benchmarks/detector.py --smoke    # a few curves, to see that it runs; writes nothing
    python benchmarks/detector.py --parts DIR --share 1/2   # half of the settings, kept in DIR; the last run writes
    python benchmarks/detector.py --real     # the recorded curves alone, anew; the rest of the file stays
    python -m tools detector                 # writes its tables into docs/diagnose.md

A false alarm is the verdict "u-shaped" on a curve that does not turn. What the recorded curves of real trainings say
stands in the same file, see ``detector_real.py``.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy: BLAS reads it when it is loaded

import argparse
import json
import math
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from detector_bound import bounds
from detector_real import real_curves

from overmix.diagnose import diagnose_curve
from overmix.diagnose.practical import practical_size

LOWEST, TURN = 0.1, 0.3
LAST, RHO_OVER = 1000, 10  # epochs of curves that are logged evenly over their logarithm; what rho is over
DEPTHS, PROMISED = (1, 2, 4, 8), 4
FALLING = ("plateau", "drift", "power law", "growing noise", "heavy tails")
N_BOOTSTRAP = 300
SEED = 15  # of the draws: others were seen while the method was chosen
RESULTS = Path("results/detector.json")


@dataclass(frozen=True)
class Setting:
    """How curves are logged, and their noise."""

    spacing: Literal["every epoch", "log"]
    looks: int
    rho: float
    sd: float
    curves: int
    memory: Literal["looks", "epochs"] = "looks"
    n_test: int | None = None

    @property
    def epochs(self) -> np.ndarray:
        """At which the curve is logged."""
        if self.spacing == "log":
            return np.geomspace(1, LAST, self.looks)
        return np.arange(1, self.looks + 1).astype(float)

    @property
    def steps(self) -> np.ndarray:
        """Correlation of each look with the next."""
        over = np.diff(self.epochs) / RHO_OVER if self.memory == "epochs" else np.ones(self.looks - 1)
        return self.rho**over

    @property
    def name(self) -> str:
        """Of the file that keeps its rows."""
        return f"{self.spacing}-{self.looks}-{self.sd}-{self.memory}-{self.rho}-{self.n_test}".replace(" ", "-")


EVERY = {50: ((0.0, 0.5, 0.9), 100), 100: ((0.3, 0.7), 60), 200: ((0.0, 0.5, 0.9), 40), 1000: ((0.0, 0.5, 0.9), 8)}
SETTINGS = (
    Setting("log", 60, 0.6, 0.004, 300),
    Setting("log", 60, 0.6, 0.004, 200, n_test=5600),
    *(Setting("every epoch", looks, rho, 0.01, curves) for looks, (rhos, curves) in EVERY.items() for rho in rhos),
    Setting("log", 60, 0.0, 0.004, 100),
    Setting("log", 60, 0.9, 0.004, 100),
    Setting("log", 60, 0.9, 0.01, 100),
    Setting("log", 60, 0.6, 0.004, 100, memory="epochs"),
)


def mean_curve(setting: Setting, shape: str, depth: float = 0.0) -> np.ndarray:
    """Error at the looks; ``depth`` in standard deviations of the noise."""
    share = np.arange(1, setting.looks + 1) / setting.looks
    if shape == "power law":
        return LOWEST + 0.5 / setting.epochs
    steep = 0.5 * np.clip((TURN - share) / TURN, 0, None) ** 2
    if shape == "drift":
        return LOWEST + steep + 2 * setting.sd * (1 - share)
    return LOWEST + steep + depth * setting.sd * np.clip((share - TURN) / (1 - TURN), 0, None)


def noise(setting: Setting, shape: str, rng: np.random.Generator) -> np.ndarray:
    n = setting.looks
    drawn = rng.standard_t(3, n) / math.sqrt(3) if shape == "heavy tails" else rng.standard_normal(n)
    for t, rho in enumerate(setting.steps, start=1):
        drawn[t] = rho * drawn[t - 1] + math.sqrt(1 - rho * rho) * drawn[t]
    return setting.sd * drawn * (np.linspace(0.5, 1.5, n) if shape == "growing noise" else 1.0)


def measure(setting: Setting, shape: str, depth: int, curves: int) -> dict[str, Any]:
    """Verdicts on simulated curves, and where the turn is seen, over where it is."""
    case = [setting.looks, round(100 * setting.rho), (*FALLING, "u").index(shape), depth]
    rng = np.random.default_rng([SEED, *case, *setting.name.encode()])
    mean, epochs = mean_curve(setting, shape, depth), setting.epochs
    said: dict[str, Any] = {"unit": "fraction", "n_test": setting.n_test, "n_bootstrap": N_BOOTSTRAP}
    judged = [
        diagnose_curve(epochs, mean + noise(setting, shape, rng), **said, seed=number) for number in range(curves)
    ]
    verdicts = [diagnosis.verdict for diagnosis in judged]
    turns = [np.searchsorted(epochs, d.turning_epoch) for d in judged if d.verdict == "u-shaped"]
    row = {key: value for key, value in asdict(setting).items() if key != "curves"}
    row |= {"shape": shape, "depth_sd": depth, "n": curves}
    row |= {"u_shaped": verdicts.count("u-shaped"), "monotone": verdicts.count("monotone")}
    row["delay"] = float(np.median((np.array(turns) + 1) / setting.looks - TURN)) if depth and turns else None
    if depth == PROMISED and setting.memory == "looks":
        row |= kept_bounds(row) or bounds(mean, setting.rho, setting.sd, practical_size(LOWEST))
    return row


def kept_bounds(row: dict[str, Any]) -> dict[str, float]:
    """Bounds that stand in the results: no method changes them, and they take longer than all else."""
    same = ("spacing", "looks", "rho", "sd", "memory", "shape", "depth_sd")
    before = json.loads(RESULTS.read_text(encoding="utf-8"))["rows"]
    alike = [other for other in before if all(other[key] == row[key] for key in same)]
    return {key: value for other in alike for key, value in other.items() if key.startswith("bound")}


def part(setting: Setting, folder: Path, smoke: bool) -> list[dict[str, Any]]:
    """Rows of one setting, measured once."""
    kept = folder / f"{setting.name}.json"
    if not kept.exists():
        cases = [*((shape, 0) for shape in FALLING), *(("u", depth) for depth in DEPTHS)]
        rows = [measure(setting, shape, depth, 4 if smoke else setting.curves) for shape, depth in cases]
        kept.write_text(json.dumps(rows), encoding="utf-8")
        print(setting.name, [row["u_shaped"] for row in rows], flush=True)
    rows = json.loads(kept.read_text(encoding="utf-8"))
    assert isinstance(rows, list)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="a few curves, to see that it runs")
    parser.add_argument("--parts", type=Path, help="folder in which finished settings are kept")
    parser.add_argument("--share", default="1/1", help="which of how many shares of the settings to measure")
    parser.add_argument("--real", action="store_true", help="judge the recorded curves of real trainings alone, anew")
    given = parser.parse_args()
    if given.real:
        write(json.loads(RESULTS.read_text(encoding="utf-8")) | {"real": real_curves()})
        return
    which, of = map(int, given.share.split("/"))
    folder = given.parts or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    for setting in (SETTINGS[:1] if given.smoke else SETTINGS)[which - 1 :: of]:
        part(setting, folder, given.smoke)
    if not given.smoke and all((folder / f"{setting.name}.json").exists() for setting in SETTINGS):
        rows = [row for setting in SETTINGS for row in part(setting, folder, smoke=False)]
        write(results(rows))


def write(measured: dict[str, Any]) -> None:
    RESULTS.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")


def results(rows: list[dict[str, Any]]) -> dict[str, Any]:
    from overmix import __version__

    settings = {"lowest": LOWEST, "turn_share": TURN, "n_bootstrap": N_BOOTSTRAP, "seed": SEED}
    return {"overmix": __version__, "numpy": np.__version__, **settings, "rows": rows, "real": real_curves()}


if __name__ == "__main__":
    main()
