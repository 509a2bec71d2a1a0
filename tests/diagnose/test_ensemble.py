from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr
from scipy.stats import binom

from overmix.diagnose import diagnose_ensemble, turning_epoch
from overmix.errors import ConfigError, DataError

EPOCHS = np.unique(np.round(np.geomspace(1, 1000, 40)).astype(int))
LOG = np.log(EPOCHS)


class Population:
    """Seeds and test samples with effects of their own, whose true mean curve is known exactly.

    A sample is misclassified where a normal latent is positive, so the mean error is ``Φ(shape / total sd)``.
    """

    SAMPLE, SAMPLE_TREND, SEED, SEED_EPOCH = 1.0, 0.25, 0.05, 0.05

    def __init__(self, kind: str) -> None:
        self.trend = 2 * LOG / LOG[-1] - 1
        self.shape = {
            "u": -1.3 + 1.6 * np.exp(-LOG / 1.5) + 0.35 * np.clip((LOG - np.log(100)) / np.log(10), 0, None),
            "plateau": -1.2 + 1.6 * np.exp(-LOG),
            "falling": -0.3 - 0.2 * LOG,
        }[kind]
        variance = 1 + self.SAMPLE**2 + (self.SAMPLE_TREND * self.trend) ** 2 + self.SEED**2 + self.SEED_EPOCH**2
        self.curve = ndtr(self.shape / np.sqrt(variance))
        self.depth = self.curve[-1] - self.curve.min()

    def draw(self, rng: np.random.Generator, n_seeds: int, n_samples: int) -> np.ndarray:
        sample = self.SAMPLE * rng.normal(size=(1, 1, n_samples))
        trend = self.SAMPLE_TREND * rng.normal(size=(1, 1, n_samples)) * self.trend[None, :, None]
        seed = self.SEED * rng.normal(size=(n_seeds, 1, 1))
        step = self.SEED_EPOCH * rng.normal(size=(n_seeds, len(EPOCHS), 1))
        noise = rng.normal(size=(n_seeds, len(EPOCHS), n_samples))
        return self.shape[None, :, None] + sample + trend + seed + step + noise > 0


@pytest.mark.slow
@pytest.mark.parametrize("n_seeds", [5, 16])
@pytest.mark.parametrize("kind", ["u", "plateau", "falling"])
def test_intervals_cover_and_monotone_is_not_called_u_shaped(kind: str, n_seeds: int) -> None:
    population = Population(kind)
    rng = np.random.default_rng(n_seeds)
    n_trials, covered, final_covered, alarms = 200, 0, 0, 0
    for _ in range(n_trials):
        found = diagnose_ensemble(EPOCHS, population.draw(rng, n_seeds, 300), n_bootstrap=300)
        assert found.depth_ci is not None
        assert found.final_ci is not None
        covered += found.depth_ci[0] <= population.depth <= found.depth_ci[1]
        final_covered += found.final_ci[0] <= population.curve[-1] <= found.final_ci[1]
        alarms += found.verdict == "u-shaped"
    fewest = binom.ppf(0.001, n_trials, 0.95)
    assert covered >= fewest
    assert final_covered >= fewest
    if kind == "u":
        assert alarms > 0.8 * n_trials
    else:
        assert alarms <= binom.ppf(0.999, n_trials, 0.025)


def test_final_and_best_are_read_off_the_mean_curve() -> None:
    wrong = Population("u").draw(np.random.default_rng(0), 6, 200)
    found = diagnose_ensemble(EPOCHS, wrong)
    mean = wrong.mean(axis=(0, 2))
    assert found.turning_epoch == turning_epoch(EPOCHS, mean)
    assert found.final == pytest.approx(mean[-1], abs=1e-12)
    assert found.best == pytest.approx(mean[np.flatnonzero(EPOCHS == found.turning_epoch)[0]], abs=1e-12)
    assert (found.n_seeds, found.n_samples, found.n_epochs, found.method) == (6, 200, len(EPOCHS), "seeds")


def test_a_curve_without_any_noise_has_its_exact_depth() -> None:
    rate = np.array([8, 6, 4, 2, 1, 2, 3])  # of 10 identical blocks of samples
    wrong = np.tile((np.arange(10) < rate[:, None]).repeat(10, axis=1), (5, 1, 1))
    found = diagnose_ensemble(np.array([1, 4, 16, 64, 256, 1024, 4096]), wrong)
    assert found.turning_epoch == 256
    assert found.depth == pytest.approx(0.2, abs=0.03)  # the groups of samples are drawn at random
    assert found.verdict == "u-shaped"


@settings(max_examples=25, deadline=None)
@given(st.integers(5, 7), st.integers(3, 8), st.integers(2, 30), st.integers(0, 10_000))
def test_any_table_gets_an_ordered_diagnosis(n_seeds: int, n_epochs: int, n_samples: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    wrong = rng.random((n_seeds, n_epochs, n_samples)) < rng.random()
    epochs = np.cumsum(rng.integers(1, 50, size=n_epochs))
    found = diagnose_ensemble(epochs, wrong, n_bootstrap=100)
    assert found.turning_epoch in epochs
    assert found.turning_epoch_ci is not None
    assert found.turning_epoch_ci[0] <= found.turning_epoch <= found.turning_epoch_ci[1]
    for value, ci in (
        (found.best, found.best_ci),
        (found.final, found.final_ci),
        (found.depth, found.depth_ci),
    ):
        assert ci is not None
        assert ci[0] <= value + 1e-9
        assert value <= ci[1] + 1e-9


def test_depth_does_not_depend_on_the_order_of_seeds() -> None:
    wrong = Population("u").draw(np.random.default_rng(1), 8, 100)
    a, b = diagnose_ensemble(EPOCHS, wrong), diagnose_ensemble(EPOCHS, wrong[::-1])
    assert a.depth == pytest.approx(b.depth, abs=1e-12)
    assert a.turning_epoch == b.turning_epoch


def test_bool_and_uint8_are_the_same_and_the_input_is_left_alone() -> None:
    wrong = Population("u").draw(np.random.default_rng(2), 5, 60)
    before = wrong.copy()
    assert diagnose_ensemble(EPOCHS, wrong) == diagnose_ensemble(EPOCHS, wrong.astype(np.uint8))
    assert (wrong == before).all()


def test_seed_of_the_bootstrap_decides_everything_random() -> None:
    wrong = Population("u").draw(np.random.default_rng(3), 5, 60)
    assert diagnose_ensemble(EPOCHS, wrong, seed=1) == diagnose_ensemble(EPOCHS, wrong, seed=1)
    assert diagnose_ensemble(EPOCHS, wrong, seed=1) != diagnose_ensemble(EPOCHS, wrong, seed=2)


def test_a_study_of_sixteen_seeds_is_diagnosed_at_once() -> None:
    epochs = np.unique(np.round(np.geomspace(1, 3000, 68)).astype(int))[:60]
    wrong = (np.random.default_rng(0).random((16, len(epochs), 1000)) < 0.1).astype(np.uint8)
    start = time.perf_counter()
    diagnose_ensemble(epochs, wrong, n_bootstrap=1000)
    assert time.perf_counter() - start < 2.0


WRONG = np.zeros((5, 3, 4), dtype=np.uint8)
GRID = np.array([1, 2, 4])


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize(
    ("epochs", "wrong", "message"),
    [
        (GRID, WRONG.astype(float), "dtype float64"),
        (GRID, WRONG + 2, "value 2"),
        (GRID, WRONG[0], r"give \(seeds, epochs, samples\)"),
        (GRID[:2], WRONG, "2 epochs but 3 values"),
        (GRID[::-1], WRONG, "does not exceed"),
        (GRID - 1, WRONG, "count epochs from 1"),
        (GRID, WRONG[..., :1], "1 test sample"),
        (GRID, WRONG[:0], "no seeds"),
    ],
)
def test_bad_data_is_refused(epochs: np.ndarray, wrong: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        diagnose_ensemble(epochs, wrong)


@pytest.mark.parametrize("setting", [{"n_bootstrap": 10}, {"n_splits": 0}, {"level": 1.0}])
def test_bad_settings_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(setting))} = "):
        diagnose_ensemble(GRID, WRONG, **setting)
