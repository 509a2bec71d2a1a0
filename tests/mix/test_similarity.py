import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from overmix.errors import ConfigError
from overmix.mix import SideInfo, SimilarityCoefficient, Streams
from overmix.mix.similarity import warp

UNIT = torch.arange(2001) / 2000


def warped(tau):
    return warp(UNIT, torch.full_like(UNIT, tau))


@pytest.mark.parametrize(
    ("tau", "error"), [(1e-3, 5e-3), (0.05, 5e-4), (0.4, 5e-5), (1, 1e-6), (7, 5e-5), (3000, 5e-5)]
)
def test_the_warp_is_the_beta_quantile(tau, error):
    exact = special.betaincinv(tau, tau, UNIT.double().numpy())
    np.testing.assert_allclose(warped(tau).numpy(), exact, atol=error, rtol=0)


def test_tau_one_changes_nothing():
    torch.testing.assert_close(warped(1.0), UNIT, atol=1e-6, rtol=0)


@pytest.mark.parametrize("tau", [1e-12, 1e-6, 1e-3, 0.2, 1.0, 5.0, 3e3, 1e6, 1e12])
def test_the_warp_is_monotone_and_symmetric_and_never_nan(tau):
    w = warped(tau)
    assert torch.isfinite(w).all()
    assert ((w >= 0) & (w <= 1)).all()
    assert (w.diff() >= -1e-6).all()
    # 1 - lam is rounded, which the slope of the quantile at 1/2 magnifies.
    slope = 1 / stats.beta(max(tau, 1e-6), max(tau, 1e-6)).pdf(0.5)
    torch.testing.assert_close(w + w.flip(0), torch.ones_like(w), atol=2e-6 + 6e-8 * slope, rtol=0)
    assert (w[0], w[1000], w[-1]) == (0, 0.5, 1)


def test_a_small_tau_collapses_to_the_ends_and_a_large_one_to_the_middle():
    off_centre = (UNIT - 0.5).abs() > 0.01
    ends = warped(1e-6)[off_centre]
    assert torch.equal(ends, (UNIT[off_centre] > 0.5).float())
    inner = (UNIT > 0.01) & (UNIT < 0.99)
    assert (warped(1e6)[inner] - 0.5).abs().max() < 2e-3


@pytest.mark.parametrize(
    ("tau", "variance"), [(0.1, 0.2083), (0.5, 0.1250), (1.0, 0.0833), (2.0, 0.0500), (5.0, 0.0227)]
)
def test_a_warped_uniform_has_the_variance_of_beta(tau, variance):
    uniform = (torch.arange(200_000) + 0.5) / 200_000
    w = warp(uniform, torch.full_like(uniform, tau)).double()
    assert float(w.var(unbiased=False)) == pytest.approx(1 / (4 * (2 * tau + 1)), abs=5e-5 if tau < 0.4 else 1e-5)
    assert float(w.var(unbiased=False)) == pytest.approx(variance, abs=1e-4)


@pytest.mark.parametrize("tau", [0.5, 1.0, 2.0, 5.0])
def test_for_alpha_one_lam_has_the_law_beta_tau_tau(tau):
    # Four pairs at one distance: each has exactly tau_max.
    law = SimilarityCoefficient(alpha=1.0, tau_max=tau)
    z = torch.eye(4)
    partner = torch.tensor([1, 0, 3, 2])
    drawn = [
        law.lam(law.draw(Streams(6).generator("coefficient", step=step), 4), partner, SideInfo(features=z))
        for step in range(800)
    ]
    assert stats.kstest(torch.cat(drawn).double().numpy(), stats.beta(tau, tau).cdf).pvalue > 1e-3


@pytest.mark.parametrize(
    ("std", "expected"),
    [
        (0.25, [2980.96, 403.43, 54.598, 1, 0.0183, 0.0003, 0]),
        (0.5, [7.3891, 4.4817, 2.7183, 1, 0.3679, 0.1353, 0.0025]),
        (1.25, [1.3771, 1.2712, 1.1735, 1, 0.8521, 0.7261, 0.3829]),
    ],
)
def test_tau_at_known_distances(std, expected):
    # Samples 0..6 lie at the given squared distances from partner 7; two more make the mean over all pairs one.
    relative = torch.tensor([0, 0.25, 0.5, 1, 1.5, 2, 4])
    law = SimilarityCoefficient(tau_std=std)
    distances = torch.cat([relative, torch.tensor([0.75, 0.0])])  # sums to 10: one more pair of distance 0 gives mean 1
    z = torch.cat([distances.sqrt(), torch.zeros(1)])[:, None]
    partner = torch.full((10,), 9)
    tau = law.tau(partner, z)
    torch.testing.assert_close(tau[:7], torch.tensor(expected).float(), rtol=2e-4, atol=6e-5)


@given(st.integers(2, 12), st.integers(1, 5), st.integers(0, 2**31), st.floats(0.01, 100))
def test_tau_does_not_depend_on_scale_or_order_and_falls_with_the_distance(batch_size, width, seed, scale):
    g = torch.Generator().manual_seed(seed)
    z = torch.randn(batch_size, width, generator=g)
    partner = torch.randperm(batch_size, generator=g)
    law = SimilarityCoefficient(tau_max=0.8, tau_std=0.7)
    tau = law.tau(partner, z)
    torch.testing.assert_close(law.tau(partner, scale * z), tau, rtol=1e-3, atol=1e-7)
    order = torch.randperm(batch_size, generator=g)
    place = torch.argsort(order)
    torch.testing.assert_close(law.tau(place[partner[order]], z[order]), tau[order], rtol=1e-4, atol=1e-7)
    distance = (z - z[partner]).square().sum(1)
    assert (tau[distance.argsort()].diff() <= 1e-6).all()


def test_a_pair_at_the_mean_distance_has_tau_max():
    law = SimilarityCoefficient(tau_max=3.5)
    torch.testing.assert_close(law.tau(torch.tensor([1, 0]), torch.randn(2, 3)), torch.full((2,), 3.5))


def test_a_batch_without_distances_is_mixed_as_at_the_mean_distance():
    law = SimilarityCoefficient(tau_max=2.0)
    for partner in (torch.tensor([1, 0]), torch.tensor([0, 1])):
        torch.testing.assert_close(law.tau(partner, torch.ones(2, 3)), torch.full((2,), 2.0))


def test_no_gradient_flows_to_the_features():
    z = torch.randn(4, 3, requires_grad=True)
    law = SimilarityCoefficient()
    assert not law.lam(torch.rand(4), torch.tensor([1, 0, 3, 2]), SideInfo(features=z)).requires_grad


def test_alpha_zero_mixes_nothing_whatever_the_distance():
    law = SimilarityCoefficient(alpha=0.0)
    lam = law.lam(
        law.draw(np.random.default_rng(0), 4), torch.tensor([1, 0, 3, 2]), SideInfo(features=torch.randn(4, 2))
    )
    assert (lam == 1).all()


@pytest.mark.parametrize("field", ["tau_max", "tau_std"])
@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf, "1", True])
def test_bad_parameters_are_refused(field, value):
    with pytest.raises(ConfigError, match=rf"^{field} = .*: use a number > 0"):
        SimilarityCoefficient(**{field: value})


def test_a_bad_alpha_and_missing_features_are_refused():
    with pytest.raises(ConfigError, match=r"^alpha = -1"):
        SimilarityCoefficient(alpha=-1)
    with pytest.raises(ConfigError, match=r"^features = None"):
        SimilarityCoefficient().lam(torch.rand(2), torch.tensor([1, 0]), SideInfo())
