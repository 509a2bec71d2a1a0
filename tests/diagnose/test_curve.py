from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import overmix
from overmix.diagnose import diagnose_curve, turning_epoch
from overmix.diagnose.autoregression import autoregressive
from overmix.diagnose.checks import as_array
from overmix.errors import ConfigError, DataError, OvermixError

EPOCHS = np.arange(1, 201)
SD = 0.01


def falls(epochs: np.ndarray = EPOCHS) -> np.ndarray:
    return 0.1 + 0.5 * np.exp(-12 * epochs / epochs[-1])


def valley(epochs: np.ndarray = EPOCHS, depth: float = 8 * SD) -> np.ndarray:
    return falls(epochs) + depth * np.clip((epochs / epochs[-1] - 0.3) / 0.7, 0, None)


def noise(*shape: int, rho: float = 0.0, seed: int = 0) -> np.ndarray:
    return SD * autoregressive(np.random.default_rng(seed).standard_normal(shape), rho)


def test_one_run_that_turns() -> None:
    found = diagnose_curve(EPOCHS, valley() + noise(1, 200)[0])
    assert (found.verdict, found.method, found.unit) == ("u-shaped", "curve", "fraction")
    assert found.depth_ci is not None
    assert found.depth_ci[0] < valley()[-1] - valley().min() < found.depth_ci[1]
    assert found.turning_epoch == turning_epoch(EPOCHS, valley() + noise(1, 200)[0])
    assert found.turning_epoch_ci is not None
    assert found.turning_epoch_ci[0] <= EPOCHS[np.argmin(valley())] + 5 <= 5 + found.turning_epoch_ci[1]
    assert found.p_value is not None
    assert found.p_value < 0.05
    assert "If Mixup was on all along" in found.advice


def test_one_run_that_levels_off() -> None:
    found = diagnose_curve(EPOCHS, falls() + 0.3 * noise(1, 200)[0])
    assert found.verdict == "monotone"
    assert "train on" in found.advice


def test_noise_that_remembers_is_no_turn() -> None:
    alarms = [
        diagnose_curve(EPOCHS, falls() + noise(1, 200, rho=0.9, seed=s)[0], n_bootstrap=200).verdict == "u-shaped"
        for s in range(40)
    ]
    assert sum(alarms) <= 2  # 5 %; white noise in place of this one raises 10 and more


def test_several_seeds_are_held_against_each_other() -> None:
    found = diagnose_curve(EPOCHS, valley() + noise(8, 200, rho=0.9))
    assert (found.verdict, found.method, found.n_seeds) == ("u-shaped", "seeds", 8)
    assert found.p_value is None
    assert diagnose_curve(EPOCHS, falls() + noise(8, 200)).verdict == "monotone"


def test_a_turn_in_one_seed_of_five_is_not_a_turn_of_all() -> None:
    curves = np.tile(falls(), (5, 1)) + 0.1 * noise(5, 200)
    curves[0] += valley() - falls()
    assert diagnose_curve(EPOCHS, curves).verdict == "undecided"


def test_few_seeds_are_judged_on_their_mean() -> None:
    curves = valley() + noise(3, 200)
    found, of_mean = diagnose_curve(EPOCHS, curves), diagnose_curve(EPOCHS, curves.mean(axis=0))
    assert (found.method, found.n_seeds) == ("curve", 3)
    assert found.depth == pytest.approx(of_mean.depth)
    assert found.depth_ci == pytest.approx(of_mean.depth_ci)


def test_accuracy_is_turned_around() -> None:
    error = valley() + noise(1, 200)[0]
    a, b = diagnose_curve(EPOCHS, error), diagnose_curve(EPOCHS, 1 - error, lower_is_better=False)
    assert (a.verdict, a.turning_epoch) == (b.verdict, b.turning_epoch)
    assert a.depth == pytest.approx(b.depth)
    assert a.delta == pytest.approx(b.delta)
    assert b.best == pytest.approx(1 - a.best)
    assert b.best > b.final


@pytest.mark.parametrize("lower", [True, False])
def test_percent_and_fraction_agree(lower: bool) -> None:
    error = valley() + noise(1, 200)[0]
    values = error if lower else 1 - error
    a = diagnose_curve(EPOCHS, values, lower_is_better=lower)
    b = diagnose_curve(EPOCHS, 100 * values, lower_is_better=lower)
    assert (a.verdict, a.turning_epoch, b.unit) == (b.verdict, b.turning_epoch, "percent")
    assert b.depth == pytest.approx(100 * a.depth)
    assert b.delta == pytest.approx(100 * a.delta)


def test_losses_need_no_half_point() -> None:
    loss = 0.01 * (valley() + 0.1 * noise(1, 200)[0])
    assert diagnose_curve(EPOCHS, loss).verdict == "monotone"
    found = diagnose_curve(EPOCHS, loss, unit="value")
    assert found.verdict == "u-shaped"
    assert found.delta == pytest.approx(0.05 * found.best)


def test_decibels_have_no_zero() -> None:
    """What matters is a ratio of powers: the same at 5 dB as at 95, though it is less than 5 % of 95."""
    fall = -0.6 * np.clip((EPOCHS - 40) / EPOCHS[-1], 0, None) - 3 * np.exp(-EPOCHS / 8)
    low, high = (
        diagnose_curve(EPOCHS, level + fall + noise(1, len(EPOCHS))[0], lower_is_better=False, unit="decibel")
        for level in (5, 95)
    )
    assert (low.verdict, high.verdict, high.unit) == ("u-shaped", "u-shaped", "decibel")
    assert low.delta == high.delta == pytest.approx(10 * np.log10(1.05))
    assert " dB worse" in high.advice


def test_log_spacing_and_epoch_zero() -> None:
    epochs = np.unique(np.concatenate([[0], np.geomspace(1, 1000, 60).astype(int)]))
    curve = 0.1 + 0.02 * np.log((epochs + 1) / 100) ** 2 + 0.3 * noise(1, len(epochs))[0]
    found = diagnose_curve(epochs, curve)
    assert found.verdict == "u-shaped"
    assert 70 < found.turning_epoch < 140


def test_long_logs_are_averaged_in_blocks() -> None:
    steps = np.arange(1, 5001)
    found = diagnose_curve(steps, valley(steps) + noise(1, 5000, rho=0.5)[0], n_bootstrap=200)
    assert (found.verdict, found.n_epochs) == ("u-shaped", 1000)
    assert 1500 < found.turning_epoch < 2000


def test_a_block_that_is_not_full_stands_first() -> None:
    from overmix.diagnose.curve_input import prepare

    curves = prepare(np.arange(1, 2050), np.arange(1.0, 2050.0), lower_is_better=True, unit="value")
    assert curves.epochs[-1] == 2049
    assert curves.values[0, -1] == np.mean([2047, 2048, 2049])
    assert len(curves.epochs) == 683


@pytest.mark.parametrize("value", [0.0, 0.1, 3.0])
def test_constant_curves_do_not_turn(value: float) -> None:
    found = diagnose_curve(EPOCHS, np.full(200, value))
    assert (found.verdict, found.depth) == ("monotone", 0.0)
    assert "constant" in found.advice


def test_a_curve_without_noise() -> None:
    assert diagnose_curve(EPOCHS, valley()).verdict == "u-shaped"
    assert diagnose_curve(EPOCHS, falls()).verdict == "monotone"


@pytest.mark.parametrize("length", [1, 2, 9])
def test_short_curves_decide_nothing_and_say_why(length: int) -> None:
    found = diagnose_curve(EPOCHS[:length], falls()[:length])
    assert (found.verdict, found.method, found.depth_ci) == ("undecided", "none", None)
    assert f"Only {length} epochs" in found.advice


@pytest.mark.parametrize("gone", [np.nan, np.inf])
def test_diverged_runs_are_left_out_and_counted(gone: float) -> None:
    curves = valley() + noise(6, 200)
    curves[2, 150:] = gone
    found = diagnose_curve(EPOCHS, curves)
    assert (found.n_seeds, found.n_diverged, found.verdict) == (5, 1, "u-shaped")
    assert "left out: 1" in found.advice


def test_if_all_diverged_nothing_is_decided() -> None:
    curve = valley()
    curve[150:] = np.nan
    found = diagnose_curve(EPOCHS, curve)
    assert (found.verdict, found.n_diverged, found.n_epochs) == ("undecided", 1, 150)
    assert "diverged" in found.advice


def test_the_dictionary_is_plain_and_complete() -> None:
    found = overmix.diagnose_curve(EPOCHS.tolist(), valley().tolist())
    plain = found.to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    for key in ("verdict", "turning_epoch", "turning_epoch_ci", "depth", "depth_ci", "advice"):
        kept = getattr(found, key)
        assert plain[key] == (list(kept) if isinstance(kept, tuple) else kept)


def test_same_seed_same_diagnosis() -> None:
    curve = valley() + noise(1, 200)[0]
    assert diagnose_curve(EPOCHS, curve, seed=3) == diagnose_curve(EPOCHS, curve, seed=3)
    assert diagnose_curve(EPOCHS, curve, seed=3) != diagnose_curve(EPOCHS, curve, seed=4)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_any_finite_curve_gets_an_answer(values: list[float]) -> None:
    found = diagnose_curve(np.arange(len(values)), np.array(values), n_bootstrap=100)
    assert found.verdict in ("u-shaped", "monotone", "undecided")
    assert np.isfinite(found.depth)


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize(
    ("epochs", "values", "message"),
    [
        ([1, 2], [1.0], "2 epochs but 1 values"),
        ([2, 1], [1.0, 2.0], "does not exceed"),
        ([], [], "give"),
        ([1], ["a"], "dtype"),
        ([1, 2, 3], [1.0, np.nan, 2.0], r"values\[0, 1\] = nan"),
        ([1, 2], [np.nan, np.nan], "no finite value"),
        ([1], [[[1.0]]], "shape"),
    ],
)
def test_bad_input_is_refused_in_one_line(epochs: list[int], values: list[float], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        diagnose_curve(epochs, values)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_unknown_units_are_refused() -> None:
    with pytest.raises(ConfigError, match="unit = 'points'"):
        diagnose_curve(EPOCHS, falls(), unit="points")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"values": [[1.0, 2.0], [1.0]]}, r"^values: no array .*: give rows of one length"),
        ({"values": np.full(20, 1e300)}, r"^values\[0, 0\] = 1e\+300: squares beyond 1e\+100"),
        ({"seed": -1}, r"^seed = -1: use an integer >= 0$"),
        ({"seed": "a"}, r"^seed = 'a': use an integer >= 0$"),
        ({"n_bootstrap": "a"}, r"^n_bootstrap = 'a': use an integer, at least 100$"),
        ({"n_bootstrap": 200.5}, r"^n_bootstrap = 200.5: "),
        ({"level": "x"}, r"^level = 'x': "),
        ({"level": float("nan")}, r"^level = nan: "),
        ({"lower_is_better": "no"}, r"^lower_is_better = 'no': use True or False$"),
    ],
)
def test_what_cannot_be_judged_is_refused_in_one_line(settings, message):
    given = {"epochs": np.arange(20), "values": np.linspace(1, 0.5, 20)} | settings
    with pytest.raises(OvermixError, match=message) as error:
        diagnose_curve(**given)
    assert "\n" not in str(error.value)


def test_a_tensor_that_is_still_in_a_graph_is_told_how_to_leave_it():
    with pytest.raises(DataError, match=r"^values: no array .*detach\(\)"):
        as_array("values", torch.ones(20, requires_grad=True))
