"""A small over-training problem that several tests of the theory share."""

import numpy as np
import pytest

from overmix.explain.least_squares import least_squares


@pytest.fixture
def mixup_problem():
    """Make random tanh features of mixed inputs; the noise is what Mixup's labels differ from the truth by."""

    def curved(x):
        return np.sin(x.sum(1)) + 0.5 * (x**2).sum(1)

    def make(m=300, d=30, n=20, inputs=10, seed=0, truth=curved):
        rng = np.random.default_rng(seed)
        weights = rng.normal(size=(inputs, d)) / np.sqrt(inputs)
        x = rng.normal(size=(n, inputs))
        i, j = rng.integers(n, size=(2, m))
        lam = rng.uniform(size=(m, 1))
        mixed = lam * x[i] + (1 - lam) * x[j]
        labels = lam[:, 0] * truth(x)[i] + (1 - lam[:, 0]) * truth(x)[j]
        test = rng.normal(size=(2000, inputs))
        problem = least_squares(np.tanh(mixed @ weights), labels, noise=labels - truth(mixed))
        return problem, np.tanh(test @ weights), truth(test)

    return make
