"""How much faster is the closed form of random-feature training than simulating it?

Three ways to the same numbers, the test risk of the teacher-student toy under Mixup at log-spaced steps, in NumPy on
one thread:

- naive: gradient descent on the m synthetic samples, two (m, d) products per step;
- Gram: gradient descent on the (d, d) Gram matrix, one product per step (its own set-up is timed with it);
- closed form: one eigendecomposition and one product for all times together.

    python benchmarks/random_features.py            # 1e5 steps, the toy's own size
    python benchmarks/random_features.py --large    # adds d = 4,000 and m = 20,000: seconds and peak memory
    python benchmarks/random_features.py --large --out results/random_features.json

Every line it prints is measured in the same run, and the three results are compared with each other first.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy: BLAS reads it when it is loaded

import argparse
import json
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from overmix.explain.least_squares import least_squares, least_squares_from_chunks
from overmix.explain.random_features import risk, trajectory


def toy_arrays(m: int, d: int, inputs: int = 10, n: int = 20, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Mixup features and labels, test features and labels, and the start, of the teacher-student toy."""
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(inputs, 5)) / np.sqrt(inputs), rng.normal(size=5) / np.sqrt(5)
    hidden = rng.normal(size=(inputs, d)) / np.sqrt(inputs)
    x, test = rng.normal(size=(n, inputs)), rng.normal(size=(2000, inputs))
    y = np.tanh(x @ first) @ second
    i, j = rng.integers(n, size=(2, m))
    lam = rng.uniform(size=m)
    mixed, labels = lam[:, None] * x[i] + (1 - lam)[:, None] * x[j], lam * y[i] + (1 - lam) * y[j]
    start = rng.normal(size=d) / np.sqrt(d)
    return np.tanh(mixed @ hidden), labels, np.tanh(test @ hidden), np.tanh(test @ first) @ second, start


def naive(features: np.ndarray, labels: np.ndarray, start: np.ndarray, eta: float, times: np.ndarray) -> np.ndarray:
    """Gradient descent on the samples."""
    theta, kept, wanted = start.copy(), [], set(times.astype(int).tolist())
    for step in range(int(times[-1]) + 1):
        if step in wanted:
            kept.append(theta.copy())
        theta -= (eta / len(features)) * (features.T @ (features @ theta - labels))
    return np.array(kept)


def in_gram_form(
    features: np.ndarray, labels: np.ndarray, start: np.ndarray, eta: float, times: np.ndarray
) -> np.ndarray:
    """Gradient descent on the Gram matrix."""
    gram, moment = features.T @ features / len(features), features.T @ labels / len(features)
    theta, kept, wanted = start.copy(), [], set(times.astype(int).tolist())
    for step in range(int(times[-1]) + 1):
        if step in wanted:
            kept.append(theta.copy())
        theta -= eta * (gram @ theta - moment)
    return np.array(kept)


def closed_form(
    features: np.ndarray, labels: np.ndarray, start: np.ndarray, eta: float, times: np.ndarray
) -> np.ndarray:
    """The eigenbasis."""
    return trajectory(least_squares(features, labels), times, eta=eta, start=start)


def timed(run: Callable[[], np.ndarray], repeats: int) -> tuple[float, np.ndarray]:
    """Best of several runs, in seconds, and the result."""
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        result = run()
        seconds.append(time.perf_counter() - begin)
    return min(seconds), result


def compare(steps: int, m: int, d: int, points: int) -> dict[str, Any]:
    features, labels, test, test_labels, start = toy_arrays(m, d)
    times = np.unique(np.round(np.geomspace(1, steps, points)))
    eta = 0.1
    exact_seconds, exact = timed(lambda: closed_form(features, labels, start, eta, times), repeats=5)
    exact_risk = risk(exact, test, test_labels)
    print(f"d = {d} features, m = {m} synthetic samples, {steps:,} steps, risk at {len(times)} of them, one thread")
    print(f"{'closed form':12s} {exact_seconds:10.4f} s")
    found: dict[str, Any] = {"features": d, "samples": m, "steps": steps, "times": len(times)}
    found["seconds"] = {"closed_form": exact_seconds}
    found["times_faster"], found["largest_relative_difference"] = {}, {}
    for name, method in (("Gram", in_gram_form), ("naive", naive)):
        run = lambda method=method: method(features, labels, start, eta, times)  # noqa: E731
        seconds, stepped = timed(run, repeats=1)
        difference = np.max(np.abs(risk(stepped, test, test_labels) / exact_risk - 1))
        print(
            f"{name:12s} {seconds:10.4f} s   {seconds / exact_seconds:8.0f} times the closed form, "
            f"largest relative difference of the risk {difference:.1e}"
        )
        if difference > 1e-8:
            sys.exit(f"{name} and the closed form disagree")
        found["seconds"][name.lower()] = seconds
        found["times_faster"][name.lower()] = seconds / exact_seconds
        found["largest_relative_difference"][name.lower()] = float(difference)
    return found


def large(m: int, d: int) -> dict[str, Any]:
    """A problem whose features are never held at once."""

    def chunks() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        rng = np.random.default_rng(0)
        hidden = rng.normal(size=(50, d)) / np.sqrt(50)
        for _ in range(0, m, 1000):
            x = rng.normal(size=(1000, 50))
            yield np.tanh(x @ hidden), np.sin(x.sum(1))

    begin = time.perf_counter()
    problem = least_squares_from_chunks(chunks())
    decomposed = time.perf_counter()
    trajectory(problem, np.geomspace(1, 1e6, 100), eta=0.1, rule="flow")
    end = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"d = {d} features, m = {problem.num_samples} samples in chunks: {decomposed - begin:.1f} s to decompose, "
        f"{end - decomposed:.2f} s for 100 times, peak memory of the process {peak:.0f} MiB"
    )
    return {
        "features": d,
        "samples": problem.num_samples,
        "seconds_to_decompose": decomposed - begin,
        "seconds_for_100_times": end - decomposed,
        "peak_memory_mib": peak,
    }


def processor() -> str:
    """Name of the processor, where the system tells it."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--samples", type=int, default=500, help="synthetic samples m")
    parser.add_argument("--features", type=int, default=100, help="random features d")
    parser.add_argument("--points", type=int, default=100, help="times at which the risk is read")
    parser.add_argument("--large", action="store_true", help="also decompose d = 4,000 and m = 20,000")
    parser.add_argument("--smoke", action="store_true", help="a few hundred steps, to see that it runs")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    arguments = parser.parse_args()
    steps = 300 if arguments.smoke else arguments.steps
    found: dict[str, Any] = {"toy": compare(steps, arguments.samples, arguments.features, arguments.points)}
    if arguments.large:
        found["large"] = large(m=2000 if arguments.smoke else 20_000, d=200 if arguments.smoke else 4000)
    if arguments.out:
        found["versions"] = {"numpy": np.__version__, "scipy": scipy.__version__, "cpu": processor(), "threads": 1}
        arguments.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
