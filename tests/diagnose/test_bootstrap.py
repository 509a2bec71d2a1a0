from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overmix.diagnose.bootstrap import CrossedDraws, draw_tables, resample


@given(st.integers(1, 30), st.integers(1, 50), st.sampled_from(["all", "all but one"]))
def test_counts_are_of_the_units_drawn(n_units: int, n_bootstrap: int, size: str) -> None:
    counts = resample(np.random.default_rng(0), n_units, n_bootstrap, size=size)
    assert counts.shape == (n_bootstrap + 1, n_units)
    assert (counts[0] == 1).all()
    assert (counts[1:].sum(axis=1) == (n_units if size == "all" else max(1, n_units - 1))).all()


def test_drawing_all_but_one_gives_the_unbiased_variance_of_the_mean() -> None:
    values = np.array([3.0, 1.0, 4.0, 1.5, 9.0])
    counts = resample(np.random.default_rng(0), 5, 200_000, size="all but one")[1:]
    means = counts @ values / 4
    assert means.var() == pytest.approx(values.var(ddof=1) / 5, rel=0.02)


def test_variance_of_a_crossed_table_is_that_of_its_law() -> None:
    """The mean of a table with seed, sample and entry effects varies by exactly the sum of the three."""
    rng = np.random.default_rng(0)
    n_seeds, n_samples, found, shares = 12, 80, [], []
    for _ in range(60):
        table = (
            0.3 * rng.normal(size=(n_seeds, 1))
            + 1.0 * rng.normal(size=(1, n_samples))
            + 3.0 * rng.normal(size=(n_seeds, n_samples))
        )
        w = resample(rng, n_seeds, 500, size="all but one").astype(float)
        v = resample(rng, n_samples, 500).astype(float)
        w, v = w / w.sum(axis=1, keepdims=True), v / v.sum(axis=1, keepdims=True)
        draws = CrossedDraws(
            both=np.einsum("ds,sm,dm->d", w, table, v),
            by_seed=w @ table.mean(axis=1),
            by_sample=v @ table.mean(axis=0),
            units=(n_seeds, n_samples),
        )
        found.append(draws.variances()[0])
        shares.append(draws.seed_share())
    truth = 0.09 / n_seeds + 1.0 / n_samples + 9.0 / (n_seeds * n_samples)
    assert np.mean(found) == pytest.approx(truth, rel=0.08)
    assert 0.3 < np.mean(shares) < 0.75  # the law's: (0.09/12 + 9/960) / truth = 0.57


def test_nothing_varies() -> None:
    draws = CrossedDraws(np.full(50, 0.25), np.full(50, 0.25), np.full(50, 0.25), units=(5, 100))
    assert draws.interval(0.95) == (0.25, 0.25)
    assert draws.seed_share() == 1.0


def test_kept_draws_are_those_of_a_generator_of_their_own_and_cannot_be_changed():
    rng = np.random.default_rng(3)
    seeds, samples = resample(rng, 5, 40, size="all but one"), resample(rng, 30, 40)
    after = rng.integers(1 << 30)
    for _ in range(2):
        drawn = draw_tables(5, 30, 40, 3)
        assert np.array_equal(drawn.seeds, seeds)
        assert np.array_equal(drawn.samples, samples)
        assert drawn.generator().integers(1 << 30) == after
    with pytest.raises(ValueError, match="read-only"):
        drawn.samples[0, 0] = 2
