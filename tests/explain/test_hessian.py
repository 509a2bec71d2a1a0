import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import roots_jacobi
from torch import nn
from torch.nn.functional import cross_entropy

from overmix.errors import ConfigError, DataError
from overmix.explain.floor import mean_product
from overmix.explain.hessian import input_curvature, logistic_mixup_terms, mean_in_bands


def test_the_loss_of_a_mixture_splits_exactly():
    rng = np.random.default_rng(0)
    u, other_u = 3 * rng.normal(size=(2, 2000))
    y, other_y, lam = rng.integers(2, size=2000).astype(float), rng.uniform(size=2000), rng.uniform(size=2000)
    terms = logistic_mixup_terms(u, other_u, y, other_y, lam)
    mixed_u, mixed_y = lam * u + (1 - lam) * other_u, lam * y + (1 - lam) * other_y
    direct = -mixed_y * np.log(1 / (1 + np.exp(-mixed_u))) - (1 - mixed_y) * np.log(1 / (1 + np.exp(mixed_u)))
    np.testing.assert_allclose(terms.mixup, direct, atol=1e-12)
    np.testing.assert_allclose(terms.mixup, terms.interpolated - terms.gap + terms.label_term, atol=1e-12)
    assert np.all(terms.gap >= -1e-15)


@given(st.floats(-300, 300), st.floats(-300, 300), st.floats(0, 1), st.sampled_from([0.0, 1.0]))
def test_equal_labels_never_cost_more_mixed_than_interpolated(u, other_u, lam, label):
    arrays = [np.array([value]) for value in (u, other_u, label, label, lam)]
    terms = logistic_mixup_terms(*arrays)
    assert np.isfinite(terms.mixup).all()
    assert terms.label_term[0] == 0
    assert terms.mixup[0] <= terms.interpolated[0] + 1e-13 * (1 + abs(u) + abs(other_u))


@pytest.mark.parametrize(("distance", "ratio"), [(1.0, 0.993163), (0.1, 0.999931), (0.01, 0.9999993)])
def test_the_gap_is_a_hessian_term_to_second_order(distance, ratio):
    one = np.ones(1)
    terms = logistic_mixup_terms((0.7 + distance / 2) * one, (0.7 - distance / 2) * one, one, one, 0.5 * one)
    assert terms.gap[0] / terms.second_order[0] == pytest.approx(ratio, abs=2e-6)


def test_mixed_labels_are_equivalent_to_one_sided_labels():
    """Over all pairs, ``E l(u~, y~)`` under Beta(a, a) equals ``E l(u~, y_i)`` under Beta(a + 1, a)."""
    rng = np.random.default_rng(0)
    a, u, y = 0.7, rng.normal(size=6), rng.integers(2, size=6).astype(float)

    def over_beta(first, second, values):
        nodes, weights = roots_jacobi(60, second - 1, first - 1)
        return np.sum(values((1 + nodes) / 2) * weights) / weights.sum()

    ui, uj, yi, yj = (np.repeat(u, 6), np.tile(u, 6), np.repeat(y, 6), np.tile(y, 6))

    def mixed(lams):
        return np.array([logistic_mixup_terms(ui, uj, yi, yj, np.full(36, lam)).mixup.mean() for lam in lams])

    def one_sided(lams):
        scores = [lam * ui + (1 - lam) * uj for lam in lams]
        return np.array([np.mean(np.logaddexp(0, score) - yi * score) for score in scores])

    assert over_beta(a, a, mixed) == pytest.approx(over_beta(a + 1, a, one_sided), abs=1e-12)
    assert over_beta(a, a, lambda lam: lam * (1 - lam)) == pytest.approx(mean_product(a), abs=1e-14)


def network():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(), nn.Linear(8, 3)).double()
    return model, torch.randn(12, 4, dtype=torch.float64), torch.randint(3, (12,))


def per_sample(output, y):
    return cross_entropy(output, y, reduction="none")


def test_estimates_agree_with_full_derivatives():
    model, x, y = network()
    found = input_curvature(model, x, (y,), per_sample, num_probes=400, chunk_size=8)
    assert all(module.training for module in model.modules())
    assert all(value.grad is None for value in model.parameters())
    model.eval()
    for i in range(12):
        hessian = torch.autograd.functional.hessian(
            lambda row, i=i: cross_entropy(model(row[None])[0], y[i]), x[i]
        ).numpy()
        jacobian = torch.autograd.functional.jacobian(lambda row: model(row[None])[0], x[i]).numpy()
        # The variance of Hutchinson's estimate with random signs: twice the squares off the diagonal.
        for estimate, matrix in [(found.hessian_trace[i], hessian), (found.jacobian_norm[i], jacobian @ jacobian.T)]:
            error = np.sqrt(2 * np.sum((matrix - np.diag(np.diag(matrix))) ** 2) / 400)
            assert abs(estimate - np.trace(matrix)) < 5 * error


def test_the_input_hessian_of_logistic_regression_is_the_one_of_the_identity():
    torch.manual_seed(0)
    model = nn.Linear(1, 1).double()  # in one dimension a single probe is exact
    x, y = torch.randn(9, 1, dtype=torch.float64), torch.randint(2, (9,)).double()

    def logistic(output, y):
        return nn.functional.softplus(output[:, 0]) - y * output[:, 0]

    found = input_curvature(model, x, (y,), logistic, num_probes=1)
    s = torch.sigmoid(model(x)[:, 0]).detach().numpy()
    theta = model.weight.item()
    np.testing.assert_allclose(found.hessian_trace, s * (1 - s) * theta**2, rtol=1e-12)
    np.testing.assert_allclose(found.jacobian_norm, theta**2, rtol=1e-12)


def test_a_loss_linear_in_its_input_has_no_curvature():
    x = torch.randn(3, 2)
    found = input_curvature(nn.Linear(2, 1), x, (), lambda output: output[:, 0])
    np.testing.assert_array_equal(found.hessian_trace, 0)


def test_estimates_are_reproducible():
    model, x, y = network()
    first, again, other = (
        input_curvature(model, x, (y,), per_sample, num_probes=1, seed=seed).hessian_trace for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_bands_of_the_weight():
    rng = np.random.default_rng(0)
    lam, values = rng.uniform(size=500), rng.normal(size=500)
    means, counts = mean_in_bands(values, lam, [(0.2, 0.4), (2.0, 3.0)])
    inside = [value for value, weight in zip(values, lam, strict=True) if 0.2 <= weight <= 0.4]
    assert means[0] == pytest.approx(np.mean(inside))
    assert counts.tolist() == [len(inside), 0]
    assert np.isnan(means[1])


def test_settings_that_cannot_work_are_named():
    model, x, y = network()
    with pytest.raises(ConfigError, match="num_probes"):
        input_curvature(model, x, (y,), per_sample, num_probes=0)
    with pytest.raises(DataError, match="floating point"):
        input_curvature(model, x.long(), (y,), per_sample)
