import importlib.util
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from overmix.errors import ConfigError, MissingExtraError
from overmix.explain.curvature import hessian_curvature

needs_curvlinops = pytest.mark.skipif(importlib.util.find_spec("curvlinops") is None, reason="extra 'curvature'")


def mixed(output, a, b, lam):
    return lam * cross_entropy(output, a, reduction="none") + (1 - lam) * cross_entropy(output, b, reduction="none")


def model_and_data():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Dropout(), nn.Linear(4, 2)).double()
    x, (a, b) = torch.randn(30, 3, dtype=torch.float64), torch.randint(2, (2, 30))
    return model, x, (a, b, torch.rand(30, dtype=torch.float64))


def full_hessian(model, x, targets):
    parameters = dict(model.named_parameters())
    shapes = {name: value.shape for name, value in parameters.items()}

    def mean_loss(flat):
        parts = flat.split([shape.numel() for shape in shapes.values()])
        values = {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
        return mixed(torch.func.functional_call(model, values, (x,)), *targets).mean()

    flat = torch.cat([value.detach().flatten() for value in parameters.values()])
    return torch.autograd.functional.hessian(mean_loss, flat).numpy()


@needs_curvlinops
@pytest.mark.slow
def test_eigenvalues_and_trace_agree_with_the_full_hessian():
    model, x, targets = model_and_data()
    found = hessian_curvature(model, x, targets, mixed, num_eigenvalues=3, num_probes=200, chunk_size=17)
    assert all(module.training for module in model.modules())
    model.eval()
    hessian = full_hessian(model, x, targets)
    np.testing.assert_allclose(found.eigenvalues, np.linalg.eigvalsh(hessian)[::-1][:3], rtol=1e-8)
    assert abs(found.trace - np.trace(hessian)) < 4 * found.trace_error
    off_diagonal = hessian - np.diag(np.diag(hessian))  # the variance of Hutchinson's estimate with random signs
    assert found.trace_error == pytest.approx(np.sqrt(2 * np.sum(off_diagonal**2) / 200), rel=0.3)


@needs_curvlinops
def test_estimates_are_reproducible_and_leave_the_global_generator_alone():
    model, x, targets = model_and_data()
    state = torch.get_rng_state()
    first = hessian_curvature(model, x, targets, mixed, num_probes=4)
    assert torch.equal(state, torch.get_rng_state())
    again = hessian_curvature(model, x, targets, mixed, num_probes=4)
    assert first.trace == again.trace
    np.testing.assert_array_equal(first.eigenvalues, again.eigenvalues)


@needs_curvlinops
def test_settings_that_cannot_work_are_named():
    model, x, targets = model_and_data()
    with pytest.raises(ConfigError, match="num_eigenvalues"):
        hessian_curvature(model, x, targets, mixed, num_eigenvalues=1000)
    with pytest.raises(ConfigError, match="num_probes"):
        hessian_curvature(model, x, targets, mixed, num_probes=1)


def test_without_the_extra_the_error_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "curvlinops", None)
    model, x, targets = model_and_data()
    with pytest.raises(MissingExtraError, match="curvature"):
        hessian_curvature(model, x, targets, mixed)
