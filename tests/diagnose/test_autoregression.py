from __future__ import annotations

import numpy as np
import pytest

from overmix.diagnose.autoregression import autoregressive, local_size, whitened


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_noise_is_stationary_and_remembers(rho: float) -> None:
    drawn = autoregressive(np.random.default_rng(0).standard_normal((20_000, 5)), rho)
    correlation = np.corrcoef(drawn.T)
    np.testing.assert_allclose(drawn.std(axis=0), 1, atol=0.03)
    np.testing.assert_allclose(correlation[0], rho ** np.arange(5), atol=0.03)


def test_whitening_undoes_the_memory() -> None:
    white = np.random.default_rng(0).standard_normal((3, 50))
    np.testing.assert_allclose(whitened(autoregressive(white, 0.7), 0.7), white)


def test_growing_noise_is_seen() -> None:
    size = local_size(np.linspace(0.2, 2.0, 400) * np.random.default_rng(0).standard_normal(400))
    assert size[-1] > 1.5 * size[0]
    assert 0.9 < np.sqrt(np.mean(size**2)) < 1.1
    assert (local_size(np.zeros(5)) == 1).all()
