"""The rules by which claims are read from studies. They were written down before the studies were run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from overmix.diagnose import Comparison
from overmix.diagnose.interval import t_interval
from overmix.diagnose.practical import practical_size
from overmix.experiments.reproduce.check import BoundSide, Check
from overmix.experiments.reproduce.measured import Measured

CheckRule = Callable[[Measured], list[Check]]


def u_shaped(name: str = "Mixup") -> CheckRule:
    """Return the rule that a condition over-trains: the depth of its U is more than δ."""
    return lambda measured: [_depth_against_delta(measured, name, "above")]


def monotone(name: str = "ERM") -> CheckRule:
    """Return the rule that a condition does not over-train: the depth is less than δ."""
    return lambda measured: [_depth_against_delta(measured, name, "below")]


def _depth_against_delta(measured: Measured, name: str, side: BoundSide) -> Check:
    diagnosis = measured.diagnosis(name)
    depth, interval = diagnosis.depth, diagnosis.depth_ci
    return Check(f"depth of {name}", depth, interval, side, diagnosis.delta, "points", measured.n)


def together(*rules: CheckRule) -> CheckRule:
    """Return the rule that all hold."""
    return lambda measured: [check for rule in rules for check in rule(measured)]


def loss_goes_on(name: str = "Mixup") -> CheckRule:
    """Return the rule that after the turn the training loss goes on down, and nearer to its floor, as the error rises.

    The loss is smoothed along log epoch, as the error is: a batch's own lam makes it noisy.
    """

    def read(measured: Measured) -> list[Check]:
        loss, at = measured.smoothed(name, "mix_loss"), measured.turning_index(name)
        change = loss[:, -1] - loss[:, at]
        floor = measured.floors.get(name)
        about = f" (floor {floor:.3f}, at the end {loss[:, -1].mean():.3f})" if floor is not None else ""
        fall = Check(
            f"training loss of {name}, end minus turn{about}",
            float(change.mean()),
            t_interval(change),
            "below",
            0.0,
            "number",
            measured.n,
        )
        return [fall, *u_shaped(name)(measured)]

    return read


def turns_earlier(small: str, large: str, *, of: str = "epochs") -> CheckRule:
    """Return the rule that one condition turns before another, in epochs or in steps."""

    def read(measured: Measured) -> list[Check]:
        turns = measured.turns(small, large, of=of)
        what = f"turn of {small} against {large}, in {of}"
        return [Check(what, turns.doublings, turns.doublings_ci, "below", 0.0, "doublings", turns.n)]

    return read


def deeper(small: str, large: str) -> CheckRule:
    """Return the rule that the U of one condition is deeper than that of another, by more than the other's δ."""

    def read(measured: Measured) -> list[Check]:
        turns, delta = measured.turns(small, large), measured.diagnosis(large).delta
        what = f"depth of {small} minus depth of {large}"
        return [Check(what, turns.depth, turns.depth_ci, "above", delta, "points", turns.n)]

    return read


def ends_better(a: str, b: str) -> CheckRule:
    """Return the rule that a ends below b by more than δ."""
    return lambda measured: [_worse(measured, b, a)]


def switch_helps(switched: Sequence[str], rivals: Sequence[str]) -> CheckRule:
    """Return the rule that the right switch ends better than its rivals; held-out samples say which is right."""

    def read(measured: Measured) -> list[Check]:
        right = measured.best_on_validation(switched)
        return [_worse(measured, rival, right) for rival in rivals]

    return read


def wrong_time(switched: Sequence[str], at: str) -> CheckRule:
    """Return the rule that a switch at another time ends worse than the right one."""

    def read(measured: Measured) -> list[Check]:
        right = measured.best_on_validation(switched)
        if at == right:
            what = f"{at} is the right switch: the study has none that is further off"
            return [Check(what, 0.0, None, "above", _delta(measured, at), "points", measured.n)]
        return [_worse(measured, at, right)]

    return read


def as_good_as_the_best(auto: str, rivals: Sequence[str], switched: Sequence[str]) -> CheckRule:
    """Return the rule that a condition ends within δ of its rivals, and of the switch that held-out samples choose."""

    def read(measured: Measured) -> list[Check]:
        return [_no_worse(measured, auto, rival) for rival in (*rivals, measured.best_on_validation(switched))]

    return read


def long_budget_hurts(budgets: Sequence[str]) -> CheckRule:
    """Return the rule that the longest budget ends worse than the best, which held-out samples choose."""

    def read(measured: Measured) -> list[Check]:
        best = measured.best_on_validation(budgets)
        if best == budgets[-1]:
            return [Check(f"{budgets[-1]}: it is the best", 0.0, None, "above", 0.0, "points", measured.n, exact=True)]
        return [_worse(measured, budgets[-1], best)]

    return read


def long_budget_does_not_hurt(budgets: Sequence[str]) -> CheckRule:
    """Return the rule that the longest budget ends within δ of the best."""

    def read(measured: Measured) -> list[Check]:
        best = measured.best_on_validation(budgets)
        if best == budgets[-1]:
            return [Check(f"{best}: it is the best", 0.0, None, "below", 1e-9, "points", measured.n, exact=True)]
        return [_no_worse(measured, budgets[-1], best)]

    return read


def _worse(measured: Measured, worse: str, better: str) -> Check:
    difference = measured.final(worse, better)
    return _check(f"final error, {worse} minus {better}", difference, "above", _delta(measured, better))


def _no_worse(measured: Measured, name: str, rival: str) -> Check:
    difference = measured.final(name, rival)
    return _check(f"final error, {name} minus {rival}", difference, "below", _delta(measured, rival))


def _check(what: str, difference: Comparison, side: str, bound: float) -> Check:
    return Check(
        what,
        difference.difference,
        difference.ci,
        "above" if side == "above" else "below",
        bound,
        "points",
        difference.n,
    )


def _delta(measured: Measured, name: str) -> float:
    """Return the size that matters beside a condition's final error."""
    return practical_size(float(np.mean(measured.wrong(name)[:, -1])))
