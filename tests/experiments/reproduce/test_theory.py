import numpy as np
import pytest

from overmix.experiments.reproduce.theory import scaled_noise
from overmix.explain import least_squares
from overmix.explain.random_features import training_risk


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_scaled_noise_is_the_problem_with_such_labels(factor):
    rng = np.random.default_rng(0)
    features, clean, noise = rng.normal(size=(9, 3)), rng.normal(size=9), rng.normal(size=9)
    found = scaled_noise(least_squares(features, clean + noise, noise=noise), factor)
    wanted = least_squares(features, clean + factor * noise, noise=factor * noise)
    np.testing.assert_allclose(found.moment, wanted.moment)
    np.testing.assert_allclose(found.noise_moment, wanted.noise_moment)
    assert found.noise_peak == pytest.approx(wanted.noise_peak)
    assert np.isnan(found.mean_square) if factor != 1 else found.mean_square == wanted.mean_square
    unknown = np.isnan(training_risk(found, np.zeros((1, 3))))
    assert unknown.all() == (factor != 1)
