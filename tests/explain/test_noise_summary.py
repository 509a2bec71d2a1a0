import dataclasses

import numpy as np
import pytest

from overmix.errors import ConfigError
from overmix.explain.noise import LabelNoise
from overmix.explain.noise_summary import mean_noise, noise_by_class_pair, noise_by_lam


def measured(index, partner, values, *, lam=None, a=None, b=None, num_classes=3):
    """Mixtures whose total variation is given; the other columns are placeholders."""
    m = len(values)
    zeros, no = np.zeros(m, dtype=np.int64), np.zeros(m, dtype=bool)
    return LabelNoise(
        index=np.asarray(index),
        partner=np.asarray(partner),
        lam=np.full(m, 0.5) if lam is None else np.asarray(lam),
        a=zeros if a is None else np.asarray(a),
        b=zeros if b is None else np.asarray(b),
        truth=zeros,
        tv=np.asarray(values, dtype=np.float64),
        bound=np.asarray(values, dtype=np.float64),
        independent=np.asarray(values, dtype=np.float64),
        argmax_disagrees=no,
        third_class=no,
        num_classes=num_classes,
    )


def test_bins_of_the_weight():
    noise = measured([0, 1, 2, 3], [1, 2, 3, 0], [0.1, 0.2, 0.4, 0.9], lam=[0.0, 0.5, 1.0, 0.2])
    bins = noise_by_lam(noise, "tv", [0.1, 0.5, 1.0])
    assert bins.count.tolist() == [1, 2]
    np.testing.assert_allclose(bins.mean, [0.9, 0.3])


def test_class_pairs_are_symmetric_and_empty_cells_are_marked():
    noise = measured([0, 1, 2], [1, 2, 0], [0.2, 0.4, 0.9], a=[0, 1, 2], b=[1, 0, 2])
    pairs = noise_by_class_pair(noise, "tv")
    assert pairs.count.tolist() == [[0, 2, 0], [2, 0, 0], [0, 0, 1]]
    np.testing.assert_allclose(pairs.mean, [[np.nan, 0.3, np.nan], [0.3, np.nan, np.nan], [np.nan, np.nan, 0.9]])
    np.testing.assert_array_equal(pairs.low, pairs.low.T)
    assert np.array_equal(np.isnan(pairs.low), pairs.count == 0)


def test_resampling_counts_a_mixture_as_often_as_both_samples_were_drawn():
    """Two mixtures over disjoint samples: the bootstrap law of their mean is known by enumeration."""
    noise = measured([0, 2], [1, 3], [0.0, 1.0])
    total = mean_noise(noise, "tv", draws=20_000, level=0.5, seed=1)
    assert float(total.mean) == 0.5
    means = []
    for drawn in np.ndindex(4, 4, 4, 4):
        w = np.bincount(drawn, minlength=4)
        if w[0] * w[1] + w[2] * w[3]:
            means.append(w[2] * w[3] / (w[0] * w[1] + w[2] * w[3]))
    assert float(total.low) == np.quantile(means, 0.25)
    assert float(total.high) == np.quantile(means, 0.75)


@pytest.mark.slow
def test_intervals_cover_when_mixtures_share_samples_and_naive_ones_do_not():
    """Noise of a mixture is the mean of its samples' own noise, so 40 samples, not 800 mixtures, carry information."""
    rng = np.random.default_rng(0)
    covered, naive = 0, 0
    repeats, n, m = 300, 40, 800
    for seed in range(repeats):
        own = rng.uniform(size=n)  # the mean over the population is 1/2
        index, partner = rng.integers(n, size=(2, m))
        values = (own[index] + own[partner]) / 2
        total = mean_noise(measured(index, partner, values), "tv", draws=400, seed=seed)
        covered += bool(total.low <= 0.5 <= total.high)
        naive += bool(abs(values.mean() - 0.5) <= 1.96 * values.std() / np.sqrt(m))
    # Nominal 95 %; the binomial error of 300 repeats is 1.3 %, and percentile intervals of 40 samples fall a bit short.
    assert covered / repeats > 0.9
    assert naive / repeats < 0.5


@pytest.mark.parametrize("value", [0.0, 1.0, 0.3])
def test_equal_values_are_not_called_certain(value):
    noise = measured(np.arange(0, 20, 2), np.arange(1, 20, 2), [value] * 10)
    total = mean_noise(noise, "tv")
    q = 1 - 0.025**0.1  # the exact binomial limit for no exception in ten
    assert float(total.low) == pytest.approx(value * (1 - q))
    assert float(total.high) == pytest.approx(value * (1 - q) + q)


def test_equal_values_of_mixtures_that_share_a_sample_count_once():
    star = measured([0, 0, 0, 0], [1, 2, 3, 4], [0.0] * 4)
    single = measured([0], [1], [0.0])
    assert float(mean_noise(star, "tv").high) == float(mean_noise(single, "tv").high) == pytest.approx(0.975)


def test_all_mixtures_outside_the_bins():
    bins = noise_by_lam(measured([0, 1], [1, 0], [0.1, 0.2]), "tv", [0.9, 1.0])
    assert bins.count.tolist() == [0]
    assert np.isnan([bins.mean[0], bins.low[0], bins.high[0]]).all()


def test_yes_or_no_quantities_are_shares():
    noise = dataclasses.replace(measured([0, 1, 2], [1, 2, 0], [0.0] * 3), third_class=np.array([True, False, False]))
    assert float(mean_noise(noise, "third_class").mean) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"quantity": "lam"}, "quantity"),
        ({"quantity": "tv", "level": 1.0}, "level"),
        ({"quantity": "tv", "draws": 0}, "draws"),
    ],
)
def test_settings_that_cannot_work_are_named(arguments, field):
    with pytest.raises(ConfigError) as error:
        mean_noise(measured([0], [0], [0.5]), **arguments)
    assert error.value.field == field


def test_edges_must_increase():
    with pytest.raises(ConfigError, match="edges"):
        noise_by_lam(measured([0], [0], [0.5]), "tv", [0.5, 0.5])
