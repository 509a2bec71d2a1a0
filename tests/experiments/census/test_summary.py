"""What the seeds of a row say."""

from dataclasses import replace

import numpy as np
import pytest

from overmix.experiments.census.loop_row import Control, LoopRow
from overmix.experiments.census.summary import summarize
from overmix.experiments.census.tasks.classification import Classification
from overmix.experiments.census.tasks.graphs import Triangles
from overmix.recipes import Mixup

N_SEEDS, N_TEST = 8, 400
LOOKS = np.unique(np.geomspace(1, 600, 24).round().astype(int))


def seeds_of(row, error, *, val=None, seed=0):
    """Seeds whose test error is given by a function of the condition, on held-out samples by another one."""
    rng = np.random.default_rng(seed)
    seeds = []
    for _ in range(N_SEEDS):
        arrays = {"looks": LOOKS, "auto/switch_at": np.array(112), "auto/cost": np.array(1.25), "seconds": np.array(2)}
        for name in row.conditions:
            wrong = rng.random(N_TEST) < error(name)
            arrays |= {f"wrong/{name}": wrong, f"value/{name}": np.array(wrong.mean())}
            arrays |= {f"val/{name}": np.array((val or error)(name)), f"ece/{name}": np.array(0.05)}
        for name, turn in (("on", 60), ("erm", 600)):
            shape = 0.1 + 0.05 * np.abs(np.log(LOOKS / turn))
            bits = rng.random((len(LOOKS), N_TEST)) < shape[:, None]
            arrays |= {f"curve/{name}": bits.mean(axis=1), f"curve_wrong/{name}": bits}
        seeds.append(arrays)
    return seeds


ROW = LoopRow(
    recipe_name="Mixup",
    method=Mixup(),
    task=Classification(),
    controls={"other": Control(Mixup(alpha=0.2))},
)


def error(name):
    return {"off@100": 0.05, "off@600": 0.2, "off@0": 0.15, "auto": 0.06, "other": 0.3}.get(name, 0.1)


def compared(said, a, b):
    return next(c for c in said["comparisons"] if (c["a"], c["b"]) == (a, b))


def test_the_curve_that_turns_is_told_from_the_one_that_does_not():
    said = summarize(ROW, seeds_of(ROW, error))["diagnosis"]
    assert (said["on"]["verdict"], said["erm"]["verdict"]) == ("u-shaped", "monotone")
    assert 30 <= said["on"]["turning_epoch"] <= 120


def test_differences_have_the_sign_of_what_is_better():
    said = summarize(ROW, seeds_of(ROW, error))
    assert said["best"] == 100
    for a, b, expected in (("best", "on", -0.15), ("auto", "on", -0.14), ("on", "erm", 0.05), ("on", "other", -0.1)):
        comparison = compared(said, a, b)
        assert comparison["difference"] == pytest.approx(expected, abs=0.03)
        assert comparison["ci"][0] < expected < comparison["ci"][1]
        assert comparison["p_value"] < 0.05


def test_the_third_is_the_switch_at_a_third():
    said = summarize(ROW, seeds_of(ROW, lambda name: 0.5 if name == "off@200" else 0.1))
    assert compared(said, "third", "on")["difference"] == pytest.approx(0.4, abs=0.05)


def test_held_out_samples_choose_the_best_switch_and_test_samples_report():
    # On held-out samples epoch 50 looks best, on test samples it is the worst.
    said = summarize(
        ROW,
        seeds_of(ROW, lambda name: 0.4 if name == "off@50" else 0.1, val=lambda name: 0.0 if name == "off@50" else 0.1),
    )
    assert said["best"] == 50
    assert compared(said, "best", "on")["difference"] > 0.2


def test_a_control_may_stand_for_plain_training():
    row = replace(ROW, controls={"plain": Control(Mixup(alpha=0.0))}, erm="plain")
    said = summarize(row, seeds_of(row, lambda name: 0.4 if name == "plain" else 0.1))
    assert compared(said, "on", "erm")["difference"] == pytest.approx(-0.3, abs=0.05)
    assert not any(c["b"] == "plain" for c in said["comparisons"])


def test_values_are_paired_over_seeds_and_diverged_seeds_left_out():
    row = LoopRow(recipe_name="Mixup", method=Mixup(), task=Triangles())
    seeds = seeds_of(row, error)
    for seed, arrays in enumerate(seeds):
        for key in [key for key in arrays if "wrong" in key or "ece" in key]:
            del arrays[key]
        arrays["value/off@400"] = np.array(np.nan if seed == 0 else 1.0 + 0.01 * seed)
        arrays["value/off@0"] = np.array(2.0 + 0.01 * seed)
    comparison = compared(summarize(row, seeds), "on", "erm")
    assert comparison["n"] == N_SEEDS - 1
    assert comparison["difference"] == pytest.approx(-1.0)


def test_the_time_is_that_of_all_seeds():
    assert summarize(ROW, seeds_of(ROW, error))["core_seconds"] == 2 * N_SEEDS
