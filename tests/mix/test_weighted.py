import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from overmix.errors import ConfigError, DataError
from overmix.mix import KernelPairing, SideInfo, StreamCursor, Streams, weighted
from overmix.mix.weighted import sample_rows


@given(st.integers(1, 8), st.integers(0, 2**31), st.floats(0, 1, exclude_max=True, width=32))
def test_a_partner_always_has_a_weight_and_a_row_without_any_stays_itself(batch_size, seed, share):
    g = torch.Generator().manual_seed(seed)
    weights = torch.rand(batch_size, batch_size, generator=g) * (torch.rand(batch_size, batch_size, generator=g) < 0.4)
    found = sample_rows(weights, torch.full((batch_size,), share))
    for i, j in enumerate(found.tolist()):
        assert weights[i, j] > 0 if weights[i].any() else j == i


def test_the_largest_share_does_not_fall_off_the_end():
    weights = torch.tensor([[0.1, 0.7, 0.0], [0.3, 0.3, 0.3], [0.0, 1e-30, 0.0]])
    almost_one = torch.full((3,), 1 - 2**-24)
    assert sample_rows(weights, almost_one).tolist() == [1, 2, 1]
    assert sample_rows(weights, torch.zeros(3)).tolist() == [0, 0, 1]


def test_partners_have_the_weights_law():
    weights = torch.tensor([[0.0, 1.0, 3.0], [2.0, 2.0, 0.0], [1.0, 0.0, 0.0]])
    share = torch.rand(3000, 3, generator=torch.Generator().manual_seed(0))
    found = torch.stack([sample_rows(weights, row) for row in share])
    assert stats.chisquare(np.bincount(found[:, 0], minlength=3)[1:], [750, 2250]).pvalue > 1e-3
    assert stats.chisquare(np.bincount(found[:, 1], minlength=3)[:2], [1500, 1500]).pvalue > 1e-3
    assert (found[:, 2] == 0).all()


def kernel(y, sigma):
    weights = KernelPairing(sigma, unit="label").weights(SideInfo(y=y))
    return weights / weights.sum(1, keepdim=True)


def test_kernel_at_known_values():
    expected = [
        [0.400, 0.353, 0.243, 0.004],
        [0.314, 0.356, 0.314, 0.016],
        [0.231, 0.336, 0.381, 0.052],
        [0.009, 0.037, 0.114, 0.840],
    ]
    torch.testing.assert_close(
        kernel(torch.tensor([0.0, 0.5, 1.0, 3.0]), 1.0), torch.tensor(expected), atol=6e-4, rtol=0
    )


@given(st.integers(1, 9), st.integers(0, 2**31), st.floats(0.01, 100))
def test_the_kernel_is_symmetric_with_one_on_the_diagonal_and_ignores_the_shape_of_labels(batch_size, seed, sigma):
    y = torch.randn(batch_size, generator=torch.Generator().manual_seed(seed))
    weights = KernelPairing(sigma).weights(SideInfo(y=y))
    assert torch.equal(weights, weights.T)
    assert (weights.diagonal() == 1).all()
    assert torch.equal(KernelPairing(sigma).weights(SideInfo(y=y[:, None])), weights)


def test_labels_of_several_numbers_are_compared_by_their_distance():
    y = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    weights = KernelPairing(5.0, unit="label").weights(SideInfo(y=y))
    torch.testing.assert_close(weights[0, 1], torch.tensor(math.exp(-0.5)))


def partners(sigma, y, batches=300):
    cursor, pairing = StreamCursor(Streams(1)), KernelPairing(sigma)
    drawn = [pairing.draw(cursor.generator("pairing", step=step), len(y)) for step in range(batches)]
    return torch.stack([pairing.partner(d, SideInfo(y=y)) for d in drawn])


@pytest.mark.parametrize("width", [1, 3, 100])
def test_a_few_samples_at_a_time_have_the_weights_of_all_at_once_in_less_memory(width, monkeypatch, peak_memory):
    side = SideInfo(y=torch.randn(32, width))
    at_once = KernelPairing().weights(side)
    monkeypatch.setattr(weighted, "_NUMBERS_AT_ONCE", 5 * 32 * width)
    with peak_memory:
        assert torch.equal(KernelPairing().weights(side), at_once)
    assert peak_memory.peak < (2 * 5 * width + 4 * 32) * at_once[0].nbytes


def test_an_infinite_width_draws_uniformly():
    found = partners(math.inf, torch.tensor([0.0, 1.0, 5.0, 100.0]))
    assert stats.chisquare(np.bincount(found.flatten(), minlength=4)).pvalue > 1e-3


def test_a_tiny_width_draws_among_equal_labels_only():
    y = torch.tensor([0.0, 1.0, 0.0, 2.0, 1.0])
    found = partners(1e-6, y)
    assert torch.equal(y[found], y.expand(len(found), 5))
    assert (found[:, 3] == 3).all()
    assert set(found[:, 0].tolist()) == {0, 2}


def test_distance_of_partners_falls_with_the_width():
    y = torch.linspace(0, 4, 32)
    means = [float((y[partners(sigma, y)] - y).abs().mean()) for sigma in (math.inf, 2.0, 1.0, 0.5, 0.1)]
    assert means == sorted(means, reverse=True)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e5])
@pytest.mark.parametrize("shape", [(16,), (16, 3)])
def test_the_unit_of_the_labels_does_not_matter_in_standard_deviations(scale, shape):
    y = torch.randn(shape, dtype=torch.float64)
    spread = y.var(0, correction=0).sum().sqrt()
    expected = KernelPairing(0.7, unit="label").weights(SideInfo(y=y / spread))
    found = KernelPairing(0.7).weights(SideInfo(y=scale * y + 3))
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    assert not torch.allclose(expected, torch.eye(16))


@pytest.mark.parametrize("y", [torch.full((4,), 7.0), torch.ones(1)])
def test_equal_labels_have_no_distance(y):
    assert (KernelPairing().weights(SideInfo(y=y)) == 1).all()


def test_a_bad_unit_is_refused():
    with pytest.raises(ConfigError, match=r"^unit = 'm': use 'std'"):
        KernelPairing(unit="m")


@pytest.mark.parametrize("sigma", [0, -1.0, math.nan, "1", True, None])
def test_a_bad_width_is_refused(sigma):
    with pytest.raises(ConfigError, match=r"^sigma = .*: use a number > 0"):
        KernelPairing(sigma)


@pytest.mark.parametrize(("y", "found"), [(torch.arange(3), "of dtype torch.int64"), (None, "missing")])
def test_labels_without_distances_are_refused(y, found):
    with pytest.raises(DataError, match=f"y is {found}: give floating-point values"):
        KernelPairing().weights(SideInfo(y=y))
