import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from overmix.errors import ConfigError
from overmix.mix import BetaCoefficient, FixedCoefficient, SideInfo, Streams


def lams(alpha, per, batches, batch_size):
    """One row per batch, as training draws them: a fresh generator at every address."""
    law = BetaCoefficient(alpha, per)
    streams = Streams(study_seed=1, replica_seed=2)
    rows = [law.draw(streams.generator("coefficient", step=step), batch_size) for step in range(batches)]
    return torch.stack(rows).numpy()


@pytest.mark.parametrize("alpha", [0.2, 0.4, 1.0, 2.0, 8.0, 64.0])
@pytest.mark.parametrize("per", ["batch", "sample"])
def test_lam_has_the_beta_law(alpha, per):
    drawn = lams(alpha, per, batches=4000, batch_size=3)[:, 0] if per == "batch" else lams(alpha, per, 40, 100).ravel()
    assert stats.kstest(drawn, stats.beta(alpha, alpha).cdf).pvalue > 1e-3  # the seed is fixed


@pytest.mark.parametrize("alpha", [0.02, 0.05, 0.1])
def test_lam_has_the_beta_law_below_one_half_where_float32_does_not_saturate(alpha):
    drawn = lams(alpha, "sample", batches=40, batch_size=200).ravel()
    below = drawn[drawn < 0.5]
    assert stats.binomtest(below.size, drawn.size, 0.5).pvalue > 1e-3
    # At alpha = 0.02 a third of the mass lies below the smallest float32: compare where the law can be resolved.
    floor = 1e-30
    law = stats.beta(alpha, alpha)
    resolved = below[below > floor]
    mass_below = law.cdf(floor) / 0.5
    assert stats.binomtest(resolved.size, below.size, 1 - mass_below).pvalue > 1e-3
    assert stats.kstest(resolved, lambda u: (law.cdf(u) / 0.5 - mass_below) / (1 - mass_below)).pvalue > 1e-3


@pytest.mark.parametrize("alpha", [0.01, 0.15, 1.0, 5.0])
def test_variance_of_lam_is_one_over_four_times_two_alpha_plus_one(alpha):
    drawn = lams(alpha, "sample", batches=20, batch_size=5000).ravel().astype(np.float64)
    exact = 1 / (4 * (2 * alpha + 1))
    fourth = stats.beta(alpha, alpha).stats("k") + 3
    standard_error = exact * math.sqrt((fourth - 1) / drawn.size)
    assert drawn.var() == pytest.approx(exact, abs=4 * standard_error)


@pytest.mark.parametrize(("alpha", "expected"), [(0.2, 0.0714286), (1.0, 0.1666667), (5.0, 0.2272727)])
def test_mean_of_lam_times_one_minus_lam(alpha, expected):
    drawn = lams(alpha, "sample", batches=20, batch_size=10_000).ravel().astype(np.float64)
    product = drawn * (1 - drawn)
    assert product.mean() == pytest.approx(expected, abs=4 * product.std() / math.sqrt(product.size))


def test_a_batch_shares_one_lam_and_batches_differ():
    drawn = lams(1.0, "batch", batches=50, batch_size=7)
    assert (drawn == drawn[:, :1]).all()
    assert len(np.unique(drawn)) == 50


def test_samples_have_their_own_lam():
    assert len(np.unique(lams(1.0, "sample", batches=10, batch_size=7))) == 70


@pytest.mark.parametrize("per", ["batch", "sample"])
@pytest.mark.parametrize(("alpha", "value"), [(0, 1.0), (0.0, 1.0), (math.inf, 0.5), (1e300, 0.5), (1.7e308, 0.5)])
def test_limits_of_alpha(alpha, value, per):
    assert (lams(alpha, per, batches=3, batch_size=4) == value).all()


@given(st.floats(5e-324, 1.7e308), st.sampled_from(["batch", "sample"]), st.integers(0, 9), st.integers(0, 2**32))
def test_lam_is_a_share_for_every_alpha_and_batch_size(alpha, per, batch_size, seed):
    lam = BetaCoefficient(alpha, per).draw(np.random.default_rng(seed), batch_size)
    assert lam.shape == (batch_size,)
    assert lam.dtype == torch.float32
    assert ((lam >= 0) & (lam <= 1)).all()


@pytest.mark.parametrize("alpha", [-1, -1e-9, math.nan, "1", None, True, -math.inf])
def test_alpha_that_is_no_concentration_is_refused(alpha):
    with pytest.raises(ConfigError, match=r"^alpha = .*: use a number >= 0"):
        BetaCoefficient(alpha)


@pytest.mark.parametrize("per", ["elem", "Batch", None])
def test_unknown_per_is_refused(per):
    with pytest.raises(ConfigError, match=r"^per = .*: use 'batch'"):
        BetaCoefficient(1.0, per)


@pytest.mark.parametrize("value", [0, 0.25, 1])
def test_fixed_coefficient_is_the_same_number_always(value):
    lam = FixedCoefficient(value).draw(np.random.default_rng(0), 5)
    assert lam.dtype == torch.float32
    assert (lam == value).all()


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, "0.5", None, True])
def test_fixed_coefficient_outside_of_the_unit_interval_is_refused(value):
    with pytest.raises(ConfigError, match=r"^lam = .*: use a number in \[0, 1\]"):
        FixedCoefficient(value)


def test_lam_does_not_depend_on_the_pair():
    drawn = torch.tensor([0.2, 0.7])
    for law in (BetaCoefficient(), FixedCoefficient(0.5)):
        assert law.lam(drawn, torch.tensor([1, 0]), SideInfo()) is drawn
