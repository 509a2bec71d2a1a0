"""``overmix explain dynamics``: the theory's curves, for the teacher-student toy with its controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from overmix._typing import Float
from overmix.diagnose.interval import t_band
from overmix.errors import ConfigError
from overmix.explain import (
    Toy,
    best_stopping_time,
    draw_world,
    mode_stopping_times,
    population_risk,
    risk_bound,
    toy_curves,
    toy_switch_curves,
)
from overmix.explain.teacher_student import CONDITIONS, Condition
from overmix.report.charts import Chart
from overmix.report.explain.dynamics_charts import bound_chart, modes_chart, risk_chart, switch_chart
from overmix.report.explain.estimate import made_with, over_seeds
from overmix.report.explain.explanation import Explanation
from overmix.report.explain.turning import Turn, turn_of
from overmix.report.table import Table

CONDITION_NAMES: dict[Condition, str] = {
    "erm": "ERM",
    "mixup": "Mixup",
    "mixup_true_labels": "Mixup inputs, true labels",
    "fresh": "fresh real samples",
}
TEACHERS = {"generic": "generic teacher", "realizable": "realizable teacher"}
_POINTS = 121
_SWITCHES = 41
_MOST_STEPS = 10**15
"""Beyond, a float does not count single steps."""


@dataclass(frozen=True)
class ToyDynamics:
    """All curves of the toy, relative to the variance of the test labels, one row per seed.

    Attributes:
        times: steps at which the risk is read, from 1 on.
        risk: by teacher and condition.
        bound_times: steps at which the bound is read.
        bound: ``"risk"``, ``"bound"``, ``"decaying"`` and ``"growing"`` of Mixup under the generic teacher, as gradient
            flow and averaged over the start.
        eigenvalues: of the first seed's Mixup problem.
        mode_times: when each of its modes is nearest to the clean solution, infinite if it never turns.
        best: per seed, the step at which Mixup's risk is lowest.
        best_by_bound: per seed, the time at which the bound is lowest.
        switches: switch times, 0 and the end included.
        switched: final risk for each.
    """

    times: Float[np.ndarray, " times"]
    risk: dict[str, dict[Condition, Float[np.ndarray, "seeds times"]]]
    bound_times: Float[np.ndarray, " bound_times"]
    bound: dict[str, Float[np.ndarray, "seeds bound_times"]]
    eigenvalues: Float[np.ndarray, " modes"]
    mode_times: Float[np.ndarray, " modes"]
    best: Float[np.ndarray, " seeds"]
    best_by_bound: Float[np.ndarray, " seeds"]
    switches: Float[np.ndarray, " switches"]
    switched: Float[np.ndarray, "seeds switches"]


def check_steps(steps: int) -> None:
    """Refuse a length of training over which no curve can be drawn.

    Raises:
        ConfigError: if it is below 10 or above 10^15.
    """
    if not 10 <= steps <= _MOST_STEPS:
        raise ConfigError("steps", steps, f"use 10 to {_MOST_STEPS:.0e} steps")


def toy_dynamics(toy: Toy, *, steps: int, seeds: Sequence[int] | range, eta: float) -> ToyDynamics:
    """Return the curves of the toy in closed form; nothing is trained.

    Args:
        toy: the setting; both the generic and the realizable teacher are computed.
        steps: length of the training.
        seeds: one draw of teacher, student and data each.
        eta: learning rate.

    Raises:
        ConfigError: if a setting cannot work.
    """
    check_steps(steps)
    if not seeds:
        raise ConfigError("seeds", list(seeds), "use at least one seed")
    times = np.unique(np.round(np.geomspace(1, steps, _POINTS)))
    toys = {"generic": replace(toy, realizable=False), "realizable": replace(toy, realizable=True)}
    risk = {name: toy_curves(kind, times, seeds=seeds, eta=eta).risk for name, kind in toys.items()}
    switches = np.concatenate([[0.0], np.unique(np.round(np.geomspace(1, steps, _SWITCHES)))])
    switched = toy_switch_curves(toys["generic"], switches, total=steps, seeds=seeds, eta=eta)
    flow_times = np.geomspace(1, steps, _POINTS)
    parts: dict[str, list[np.ndarray]] = {name: [] for name in ("risk", "bound", "decaying", "growing")}
    best, best_by_bound = [], []
    first: tuple[np.ndarray, np.ndarray] | None = None
    xi = 1 / np.sqrt(toy.features)
    for seed in seeds:
        world = draw_world(toys["generic"], seed, ("mixup",))
        problem, test = world.problems["mixup"], (world.test_features, world.test_targets)
        scale = float(np.var(world.test_targets))

        def exact(at: np.ndarray, problem: Any = problem, test: Any = test) -> np.ndarray:
            return population_risk(problem, at, *test, eta=eta, init_std=xi, rule="flow")

        def bounded(at: np.ndarray, problem: Any = problem, test: Any = test) -> np.ndarray:
            return risk_bound(problem, at, *test, eta=eta, init_std=xi).total

        bound = risk_bound(problem, flow_times, *test, eta=eta, init_std=xi)
        for name, values in (
            ("risk", exact(flow_times)),
            ("bound", bound.total),
            ("decaying", bound.decaying),
            ("growing", bound.growing),
        ):
            parts[name].append(values / scale)
        best.append(best_stopping_time(exact, last=steps).time)
        best_by_bound.append(best_stopping_time(bounded, last=steps).time)
        if first is None:
            first = problem.eigenvalues, mode_stopping_times(problem, eta=eta, init_std=xi, kind="exact")
    assert first is not None
    return ToyDynamics(
        times=times,
        risk=risk,
        bound_times=flow_times,
        bound={name: np.array(rows) for name, rows in parts.items()},
        eigenvalues=first[0],
        mode_times=first[1],
        best=np.array(best),
        best_by_bound=np.array(best_by_bound),
        switches=switches,
        switched=switched,
    )


def explain_dynamics(
    toy: Toy | None = None, *, steps: int = 1_000_000, seeds: Sequence[int] | range = range(30), eta: float = 0.1
) -> Explanation:
    """Return what the toy shows: risks, bound, stopping times, the switch-time curve, and what the controls say.

    Args:
        toy: the setting, the default one if not given.
        steps: length of the training.
        seeds: seeds of the toy.
        eta: learning rate.

    Raises:
        ConfigError: if a setting cannot work.
    """
    toy = toy or Toy()
    dynamics = toy_dynamics(toy, steps=steps, seeds=seeds, eta=eta)
    turns = {
        teacher: {condition: turn_of(dynamics.times, rows) for condition, rows in risks.items()}
        for teacher, risks in dynamics.risk.items()
    }
    switch = _switch_summary(dynamics)
    summary = {
        "command": "explain dynamics",
        "setting": asdict(toy) | {"eta": eta, "steps": steps},
        "seeds": list(seeds),
        "conditions": {t: {c: turn.to_dict() for c, turn in row.items()} for t, row in turns.items()},
        "bound": _bound_summary(dynamics),
        "switch": switch,
        "curves": {
            "steps": dynamics.times.tolist(),
            "risk": {t: {c: _rounded(r.mean(axis=0)) for c, r in row.items()} for t, row in dynamics.risk.items()},
        },
        "versions": made_with(),
    }
    mixup = turns["generic"]["mixup"]
    return Explanation(
        name="dynamics",
        sentence=_sentence(mixup, switch, len(seeds)),
        findings=[*controls_in_words(turns), *_bound_in_words(dynamics), *_limits_in_words(toy, dynamics)],
        summary=summary,
        charts=_charts(dynamics, len(seeds)),
        tables=[_table(turns)],
        method=_METHOD,
    )


def controls_in_words(turns: dict[str, dict[Condition, Turn]]) -> list[str]:
    """Say what the controls show, whatever it is: one sentence each."""
    generic, realizable = turns["generic"], turns["realizable"]
    findings = []
    true = generic["mixup_true_labels"]
    if true.verdict == "u-shaped":
        findings.append(
            f"With the same mixed inputs and their true labels the risk turns as well, at step "
            f"{true.step:,.0f} ({_range(true)}): under a generic teacher part of the rise comes from the shift of the "
            "inputs and from a student that cannot represent the teacher. The U alone does not prove label noise."
        )
    else:
        findings.append(
            f"With the same mixed inputs and their true labels the risk is {_word(true)} ({_range(true)}): in this "
            "setting the rise needs the noisy labels."
        )
    clean, noisy = realizable["mixup_true_labels"], realizable["mixup"]
    if clean.verdict == "monotone" and noisy.verdict == "u-shaped":
        findings.append(
            f"Under a realizable teacher true labels on mixed inputs are monotone ({_range(clean)}), while Mixup's "
            f"labels turn at step {noisy.step:,.0f} ({_range(noisy)}). The inputs are the same, so here the labels "
            "alone make the U."
        )
    else:
        findings.append(
            f"Under a realizable teacher true labels on mixed inputs are {_word(clean)} ({_range(clean)}) and Mixup's "
            f"labels {_word(noisy)} ({_range(noisy)}): this setting does not isolate label noise."
        )
    fresh, erm = generic["fresh"], generic["erm"]
    findings.append(
        f"As many fresh real samples are {_word(fresh)} ({_range(fresh)}), ERM on the original samples is "
        f"{_word(erm)} ({_range(erm)})."
    )
    return findings


def _range(turn: Turn) -> str:
    return f"lowest {turn.lowest['mean']:.3g}, at the end {turn.final['mean']:.3g}"


def _word(turn: Turn) -> str:
    return {"u-shaped": "U-shaped", "monotone": "without a rise", "undecided": "undecided"}[turn.verdict]


def _sentence(mixup: Turn, switch: dict[str, Any], n: int) -> str:
    best = switch["best"]
    if mixup.verdict == "u-shaped":
        text = (
            f"Mixup's risk is lowest after {mixup.step:,.0f} steps and then rises from {mixup.lowest['mean']:.3g} to "
            f"{mixup.final['mean']:.3g}"
        )
    else:
        text = f"Mixup's risk does not demonstrably rise here ({_range(mixup)}, {n} seeds)"
    return (
        f"{text}; switched to ERM at step {best['step']:,.0f} it ends at {best['final']['mean']:.3g}, against "
        f"{switch['erm']['mean']:.3g} without Mixup."
    )


def _bound_summary(dynamics: ToyDynamics) -> dict[str, Any]:
    mean = {name: rows.mean(axis=0) for name, rows in dynamics.bound.items()}
    looseness = dynamics.bound["bound"] / dynamics.bound["risk"]
    finite = dynamics.mode_times[np.isfinite(dynamics.mode_times)]
    return {
        "holds": bool(np.all(dynamics.bound["bound"] >= dynamics.bound["risk"] * (1 - 1e-12))),
        "smallest_ratio_to_risk": float(looseness.min()),
        "largest_ratio_to_risk": float(looseness.max()),
        "best_step_of_risk": _median(dynamics.best),
        "best_step_of_bound": _median(dynamics.best_by_bound),
        "turning_steps_of_modes": [float(finite.min()), float(finite.max())] if len(finite) else None,
        "null_modes": int(np.sum(dynamics.eigenvalues == 0)),
        "curves": {"steps": _rounded(dynamics.bound_times)} | {name: _rounded(rows) for name, rows in mean.items()},
    }


def _median(values: np.ndarray) -> dict[str, Any]:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return {"median": float(middle), "quartiles": [float(low), float(high)], "n": len(values)}


def _bound_in_words(dynamics: ToyDynamics) -> list[str]:
    bound = _bound_summary(dynamics)
    risk, by_bound = bound["best_step_of_risk"]["median"], bound["best_step_of_bound"]["median"]
    return [
        f"The bound lies {bound['smallest_ratio_to_risk']:.2g} to {bound['largest_ratio_to_risk']:.2g} times above the "
        f"risk and is lowest at step {by_bound:,.3g}, the risk at step {risk:,.3g} (medians over seeds): it has the "
        "shape, not the size, and its best time is no stopping rule."
    ]


def _limits_in_words(toy: Toy, dynamics: ToyDynamics) -> list[str]:
    if toy.samples != 1:
        return []
    risks = dynamics.risk["generic"]["mixup"]
    turned = int(np.sum(risks[:, -1] > risks.min(axis=1) * (1 + 1e-9)))
    return [
        "With one sample there is no partner: Mixup equals ERM on that sample. The risk can turn all the same, where "
        f"to fit the sample is to go further than the test data say; here it does for {turned} of {len(risks)} seeds."
    ]


def _switch_summary(dynamics: ToyDynamics) -> dict[str, Any]:
    mean, (low, high) = dynamics.switched.mean(axis=0), t_band(dynamics.switched)
    k = int(np.argmin(mean))
    n = len(dynamics.switched)
    # Chosen on the other seeds, read on each: the lowest of many noisy means would be too low.
    others = [np.delete(dynamics.switched, i, axis=0).mean(axis=0) if n > 1 else mean for i in range(n)]
    chosen = np.array([row[int(np.argmin(other))] for row, other in zip(dynamics.switched, others, strict=True)])
    return {
        "best": {"step": float(dynamics.switches[k]), "final": over_seeds(chosen)},
        "erm": over_seeds(dynamics.switched[:, 0]),
        "mixup": over_seeds(dynamics.switched[:, -1]),
        "gain_over_erm": over_seeds(dynamics.switched[:, 0] - chosen),
        "gain_over_mixup": over_seeds(dynamics.switched[:, -1] - chosen),
        "curve": {
            "switch": dynamics.switches.tolist(),
            "final": _rounded(mean),
            "low": None if n < 2 else _rounded(low),
            "high": None if n < 2 else _rounded(high),
        },
    }


def _charts(dynamics: ToyDynamics, n: int) -> list[Chart]:
    return [
        *(risk_chart(dynamics.times, dynamics.risk[t], CONDITION_NAMES, t, TEACHERS[t], n) for t in TEACHERS),
        bound_chart(dynamics.bound_times, dynamics.bound, n),
        switch_chart(dynamics.switches, dynamics.switched, n),
        modes_chart(dynamics.eigenvalues, dynamics.mode_times),
    ]


def _table(turns: dict[str, dict[Condition, Turn]]) -> Table:
    rows = [
        [f"{CONDITION_NAMES[condition]}, {TEACHERS[teacher]}", *turns[teacher][condition].cells()]
        for teacher in TEACHERS
        for condition in CONDITIONS
    ]
    columns = ["Condition", "Lowest", "At step", "At the end", "Rise", "Shape"]
    return Table("Test risk relative to the variance of the labels; 95 % intervals over seeds", columns, rows)


def _rounded(values: np.ndarray) -> list[float]:
    return [float(f"{value:.6g}") for value in values]


_METHOD = (
    ("Toy", "A tanh teacher labels Gaussian inputs; the student has fixed random tanh features and trains its last "
            "layer by full-batch gradient descent on the squared error. No noise but the one that Mixup makes."),
    ("Closed form", "Every curve comes from one eigendecomposition per problem; nothing is trained step by step."),
    ("Risk", "Mean squared error on real test samples, divided by the variance of their labels."),
    ("True labels", "The same mixed inputs, labelled by the teacher: the shift of Mixup without its label noise."),
    ("Fresh", "As many real samples as there are mixtures."),
    ("Realizable", "The units of the teacher are among the student's features, so that true labels can be fitted."),
    ("Rise", "Risk at the end minus that at the lowest point of the other seeds' mean. U-shaped if its interval lies "
             "above 5 % of the lowest risk, without a rise if below, else undecided."),
    ("Bound", "After Theorem 5.2 of Liu et al. (2023), as we recall it: decaying what is not learnt yet, growing the "
              "noise taken up. Gradient flow, averaged over the start."),
    ("Switch", "Mixup up to the switch, ERM after it, the same number of steps in all."),
)  # fmt: skip
