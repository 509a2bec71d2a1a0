"""The theory's experiments: the teacher-student toy with its controls, random features, and the loss floor."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch

from overmix.diagnose import diagnose_curve
from overmix.diagnose.practical import practical_size
from overmix.experiments.reproduce.check import BoundSide, Check
from overmix.experiments.reproduce.finding import Finding, Picture, line, mean_check
from overmix.experiments.reproduce.parts import NamedTensors, Parts
from overmix.experiments.reproduce.scale import Scale
from overmix.explain import (
    LeastSquares,
    Toy,
    ToyWorld,
    best_stopping_time,
    draw_world,
    loss_floor,
    risk,
    risk_bound,
    toy_curves,
    toy_switch_curves,
    trajectory,
)
from overmix.report.explain.dynamics import CONDITION_NAMES

ETA = 0.1
SHOWN_FROM = 30
"""First step of the pictures: the descent before it would press the rest flat."""
SEEDS: dict[Scale, int] = {"smoke": 3, "laptop": 64, "gpu": 64, "paper": 64}
_LAST: dict[Scale, float] = {"smoke": 1e4, "laptop": 1e6, "gpu": 1e6, "paper": 1e6}


def _times(last: float, count: int = 49) -> np.ndarray:
    return np.unique(np.round(np.geomspace(1, last, count)))


def _depth(name: str, times: np.ndarray, risks: np.ndarray, side: BoundSide) -> Check:
    """Return the check of the depth of a mean risk curve, with δ as its bound."""
    diagnosis = diagnose_curve(times, risks, unit="value")
    what = (
        f"depth of {name} (lowest {diagnosis.best:.3f} at step {diagnosis.turning_epoch:,g}, end {diagnosis.final:.3f})"
    )
    return Check(what, diagnosis.depth, diagnosis.depth_ci, side, diagnosis.delta, "number", len(risks))


def _toy_of_seed(toy: Toy, times: np.ndarray, switches: np.ndarray, last: float, seed: int) -> NamedTensors:
    """Return the risks of one seed, ``risk.CONDITION`` at the times and ``final`` by switch time."""
    risks = toy_curves(toy, times, seeds=[seed], eta=ETA).risk
    final = toy_switch_curves(toy, switches, total=last, seeds=[seed], eta=ETA)
    return {"final": torch.from_numpy(final)} | {f"risk.{name}": torch.from_numpy(rows) for name, rows in risks.items()}


def teacher_student(scale: Scale, parts: Parts, realizable: bool = False) -> Finding:
    """Train the toy exactly: Mixup, ERM and controls, and Mixup switched to ERM.

    The right switch is chosen on the seeds with even numbers and judged on the others.
    """
    toy, last, seeds = Toy(realizable=realizable), _LAST[scale], range(SEEDS[scale])
    times, switches = _times(last), np.unique(np.concatenate([[0.0], _times(last, 13), [last]]))
    of_seeds = [parts(f"seed-{seed}", partial(_toy_of_seed, toy, times, switches, last, seed)) for seed in seeds]
    risks = {name: np.concatenate([part[f"risk.{name}"].numpy() for part in of_seeds]) for name in CONDITION_NAMES}
    final = np.concatenate([part["final"].numpy() for part in of_seeds])
    checks = {"toy-u": [_depth("Mixup", times, risks["mixup"], "above"), _depth("ERM", times, risks["erm"], "below")]}
    control = _depth("Mixup inputs with true labels", times, risks["mixup_true_labels"], "above")
    if realizable:
        checks["control-realizable"] = [
            _depth("Mixup", times, risks["mixup"], "above"),
            replace(control, side="below", bound=max(control.bound, 1e-3)),
        ]
    else:
        checks["control-generic"] = [control]
    chosen, read = final[::2], final[1::2]
    right = 1 + int(np.argmin(chosen.mean(axis=0)[1:-1]))
    at, delta = f"switched at {switches[right]:,g}", practical_size(float(read[:, right].mean()), "value")
    checks["switch-helps"] = [
        mean_check(f"final risk, ERM minus {at}", read[:, 0] - read[:, right], "above", delta),
        mean_check(f"final risk, Mixup minus {at}", read[:, -1] - read[:, right], "above", delta),
    ]
    first, final_switch = 1, len(switches) - 2
    checks["switch-wrong-time"] = [
        mean_check(f"final risk, switched at {switches[k]:,g} minus {at}", read[:, k] - read[:, right], "above", delta)
        for k in (first, final_switch)
    ]
    late = times >= SHOWN_FROM
    curves = {CONDITION_NAMES[name]: line(times[late], values[:, late]) for name, values in risks.items()}
    inner = slice(1, None)
    return Finding(
        set_up=f"{toy.inputs} inputs, {toy.features} random tanh features, {toy.samples} samples, {toy.mixtures} "
        f"mixtures, lam uniform, teacher of width {toy.teacher_width} {'among the features' if realizable else ''}"
        f", {last:,g} steps of rate {ETA}".replace(" ,", ","),
        n=len(seeds),
        checks=checks,
        pictures=[
            Picture("risk", "Test risk over the variance of the labels", "step", curves),
            Picture(
                "switch",
                "Final risk over the variance of the labels",
                "switched to ERM at step",
                {"Mixup → ERM": line(switches[inner], final[:, inner])},
            ),
        ],
    )


def scaled_noise(problem: LeastSquares, factor: float) -> LeastSquares:
    """Return a problem whose label noise is ``factor`` times as large, the clean labels being the same.

    Its mean squared label is not known from the moments, and NaN: a training risk that needs it shows as such.
    """
    if factor == 1:
        return problem
    extra = (factor - 1) * problem.noise_moment
    return replace(
        problem,
        moment=problem.moment + extra,
        noise_moment=factor * problem.noise_moment,
        mean_square=math.nan,
        noise_peak=factor**2 * problem.noise_peak,
    )


def _risk(world: ToyWorld, problem: LeastSquares, times: np.ndarray) -> np.ndarray:
    weights = trajectory(problem, times, eta=ETA, start=world.start)
    return np.asarray(risk(weights, world.test_features, world.test_targets))


def _bound(world: ToyWorld, problem: LeastSquares, times: np.ndarray) -> np.ndarray:
    bound = risk_bound(problem, times, world.test_features, world.test_targets, eta=ETA, init_std=0.1)
    return bound.total


FACTORS = (0.5, 1.0, 2.0)


def _features_of_seed(times: np.ndarray, last: float, seed: int) -> NamedTensors:
    """Return risks (factors, times), turning times of risk and bound (factors,), and the bound (times,) of one seed."""
    world = draw_world(Toy(), seed, ("mixup",))
    variance = float(np.var(world.test_targets))
    rows: dict[str, list[np.ndarray | float]] = {"risk": [], "turn": [], "bound_turn": []}
    for factor in FACTORS:
        problem = scaled_noise(world.problems["mixup"], factor)
        at, bounded = partial(_risk, world, problem), partial(_bound, world, problem)
        rows["risk"].append(at(times) / variance)
        rows["turn"].append(best_stopping_time(at, last=last, rule="descent", points=64).time)
        rows["bound_turn"].append(best_stopping_time(bounded, last=last, points=64).time)
    bound = _bound(world, scaled_noise(world.problems["mixup"], 1.0), times) / variance
    arrays = {name: np.array(values, dtype=np.float64) for name, values in rows.items()} | {"bound": bound}
    return {name: torch.from_numpy(values) for name, values in arrays.items()}


def random_features(scale: Scale, parts: Parts) -> Finding:
    """Read risk and bound of the toy's Mixup problem over time, with half, once and twice its label noise."""
    toy, last, seeds = Toy(), _LAST[scale], range(SEEDS[scale])
    times = _times(last)
    of_seeds = [parts(f"seed-{seed}", partial(_features_of_seed, times, last, seed)) for seed in seeds]
    risks, turns, bound_turns, bound = (
        np.stack([part[name].numpy() for part in of_seeds]) for name in ("risk", "turn", "bound_turn", "bound")
    )
    curves = {factor: risks[:, k] for k, factor in enumerate(FACTORS)}
    lowest, rise = bound.min(axis=1), float(np.log2(1.05))
    log = {factor: np.log2(np.maximum(turns[:, k], 1.0)) for k, factor in enumerate(FACTORS)}
    log_bound = {factor: np.log2(np.maximum(bound_turns[:, k], 1e-3)) for k, factor in enumerate(FACTORS)}
    return Finding(
        set_up=f"{toy.inputs} inputs, {toy.features} random tanh features, {toy.samples} samples, {toy.mixtures} "
        f"mixtures, lam uniform; label noise times 0.5, 1 and 2; {last:,g} steps of rate {ETA}",
        n=len(seeds),
        checks={
            "theory-u": [_depth("risk", times, curves[1.0], "above")],
            "theory-bound": [
                mean_check("bound, end over lowest", np.log2(bound[:, -1] / lowest), "above", rise, "doublings"),
                mean_check("bound, start over lowest", np.log2(bound[:, 0] / lowest), "above", rise, "doublings"),
            ],
            "noise-earlier": [
                mean_check("turn of the risk, noise times 2 against 1", log[2.0] - log[1.0], "below", 0, "doublings"),
                mean_check("turn of the risk, noise times 1 against 0.5", log[1.0] - log[0.5], "below", 0, "doublings"),
                mean_check(
                    "turn of the bound, noise times 2 against 0.5",
                    log_bound[2.0] - log_bound[0.5],
                    "below",
                    0,
                    "doublings",
                ),
            ],
        },
        pictures=[
            Picture(
                "noise",
                "Test risk over the variance of the labels",
                "step",
                {f"noise times {factor:g}": line(times, rows) for factor, rows in curves.items()},
                log_y=True,
            ),
            Picture("bound", "Bound on the risk", "step", {"bound": {"x": list(times), "mean": list(bound.mean(0))}},
                    log_y=True),
        ],
    )  # fmt: skip


LAWS = ((2, 1.0), (10, 1.0), (100, 1.0), (10, 0.2), (10, 2.0))
"""Numbers of classes and alphas on which the formula of the floor is tried."""


def _simulated_floors(draws: int) -> np.ndarray:
    """Return what a perfect predictor pays, mean and standard error by law; shape (laws, 2)."""
    rng = np.random.Generator(np.random.Philox(key=(0, 0)))
    estimates = []
    for classes, alpha in LAWS:
        a, b = rng.integers(classes, size=(2, draws))
        lam = rng.beta(alpha, alpha, size=draws)
        with np.errstate(divide="ignore", invalid="ignore"):
            entropy = np.nan_to_num(-lam * np.log(lam) - (1 - lam) * np.log1p(-lam))
        paid = np.where(a == b, 0.0, entropy)
        estimates.append((paid.mean(), paid.std() / draws**0.5))
    return np.array(estimates)


def closed_form_floor(scale: Scale, parts: Parts) -> Finding:
    """Hold the closed form of the loss floor against a simulation of what a perfect predictor pays."""
    draws = 20_000 if scale == "smoke" else 2_000_000
    simulated = parts.numbers("simulated", partial(_simulated_floors, draws))
    checks: dict[str, list[Check]] = {"floor-formula": [], "floor-laws": []}
    rows: list[dict[str, Any]] = []
    for (classes, alpha), (mean, se) in zip(LAWS, simulated.tolist(), strict=True):
        exact = loss_floor(num_classes=classes, alpha=alpha)
        gap = abs(mean - exact)
        rows.append({"name": f"{classes} classes, alpha {alpha:g}", "floor": exact, "simulated": mean})
        checks["floor-formula" if alpha == 1 else "floor-laws"].append(
            Check(
                f"{classes} classes, alpha {alpha:g}: formula {exact:.4f}, simulated {mean:.4f}; the gap in "
                "standard errors",
                gap / se,
                None,
                "below",
                4.0,
                "number",
                1,
                exact=True,
            )
        )
    return Finding(f"{draws:,} random pairs for each", 1, checks, rows)
