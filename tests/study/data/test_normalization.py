import numpy as np
import pytest
import torch

from overmix.study.data import normalization_stats

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(50, 7), (50, 3, 40), (50, 3, 5, 6), (5000, 1, 10, 20), (3, 2, 400, 400), (1, 2)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_against_numpy(shape, dtype):
    x = RNG.integers(256, size=shape, dtype=np.uint8).astype(dtype)
    mean, std = normalization_stats(torch.from_numpy(x))
    axes = (0, *range(2, len(shape)))
    expected_mean, expected_std = (f(x.astype(np.float64), axis=axes) for f in (np.mean, np.std))
    assert mean.shape == std.shape == (shape[1], *[1] * (len(shape) - 2))
    assert (mean.dtype, std.dtype) == (torch.float32, torch.float32)
    np.testing.assert_allclose(mean.flatten(), expected_mean, rtol=1e-7)
    np.testing.assert_allclose(std.flatten(), np.where(expected_std > 0, expected_std, 1), rtol=1e-7)


def test_normalised_data_have_mean_0_and_standard_deviation_1():
    x = torch.from_numpy(RNG.normal(5, 3, size=(300, 2, 4)).astype(np.float32))
    mean, std = normalization_stats(x)
    z = ((x - mean) / std).double()
    torch.testing.assert_close(z.mean(dim=(0, 2)), torch.zeros(2).double(), atol=1e-6, rtol=0)
    torch.testing.assert_close(z.std(dim=(0, 2), correction=0), torch.ones(2).double(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e30, 1e-42, 255.0])
@pytest.mark.parametrize("n", [1, 37, 5000])
def test_what_is_constant_is_not_divided_by_rounding(value, n):
    mean, std = normalization_stats(torch.full((n, 2), value))
    assert std.tolist() == [1.0, 1.0]
    assert mean.tolist() == torch.full((2,), value).tolist()


def test_what_varies_too_little_to_divide_by():
    _, std = normalization_stats(torch.tensor([[0.0], [1e-42]]))
    assert std.item() == 1.0


def test_large_offsets_do_not_cancel():
    x = torch.tensor([[1e8], [1e8 + 8]])
    assert normalization_stats(x)[1].item() == 4.0
