import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from overmix.explain.gradient import full_gradient, gradient_norm


def per_sample(output, y):
    return cross_entropy(output, y, reduction="none")


def mixed(output, a, b, lam):
    return lam * per_sample(output, a) + (1 - lam) * per_sample(output, b)


def model_and_data(seed=0):
    g = torch.Generator().manual_seed(seed)
    model = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 3)).double()
    with torch.no_grad():
        for value in model.parameters():
            value.copy_(torch.randn(value.shape, generator=g, dtype=torch.float64))
        model[1].running_mean.copy_(torch.randn(8, generator=g, dtype=torch.float64))
    x = torch.randn(50, 5, generator=g, dtype=torch.float64)
    return model, x, torch.randint(3, (50,), generator=g), g


def test_gradient_agrees_with_a_plain_backward_pass():
    model, x, y, _ = model_and_data()
    total = full_gradient(model, x, (y,), per_sample, chunk_size=7)
    model.eval()
    cross_entropy(model(x), y).backward()
    for name, value in model.named_parameters():
        torch.testing.assert_close(total[name], value.grad, rtol=1e-12, atol=1e-14)
    oracle = torch.cat([value.grad.flatten() for value in model.parameters()]).norm().item()
    assert gradient_norm(model, x, (y,), per_sample, chunk_size=13) == pytest.approx(oracle, rel=1e-12)


def test_mixtures_bring_their_own_targets():
    model, x, y, g = model_and_data()
    partner, lam = torch.randperm(50, generator=g), torch.rand(50, generator=g, dtype=torch.float64)
    synthetic = lam[:, None] * x + (1 - lam[:, None]) * x[partner]
    soft = lam[:, None] * torch.eye(3)[y] + (1 - lam[:, None]) * torch.eye(3)[y[partner]]
    norm = gradient_norm(model, synthetic, (y, y[partner], lam), mixed, chunk_size=16)
    model.eval()
    cross_entropy(model(synthetic), soft).backward()
    oracle = torch.cat([value.grad.flatten() for value in model.parameters()]).norm().item()
    assert norm == pytest.approx(oracle, rel=1e-12)


def test_norm_agrees_with_finite_differences_along_the_gradient():
    model, x, y, _ = model_and_data()
    gradient = full_gradient(model, x, (y,), per_sample)
    norm = gradient_norm(model, x, (y,), per_sample)
    model.eval()

    def loss_at(step):
        moved = {name: value + step * gradient[name] / norm for name, value in model.named_parameters()}
        return cross_entropy(torch.func.functional_call(model, moved, (x,)), y).item()

    assert (loss_at(1e-5) - loss_at(-1e-5)) / 2e-5 == pytest.approx(norm, rel=1e-7)


def test_the_model_is_left_as_it_was():
    model, x, y, _ = model_and_data()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        gradient_norm(model, x, (y,), per_sample)
    assert model.training
    assert all(value.grad is None for value in model.parameters())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_given_parameters_take_the_place_of_the_models_own():
    model, x, y, _ = model_and_data(seed=0)
    other, *_ = model_and_data(seed=1)
    other[1].load_state_dict({**other[1].state_dict(), "running_mean": model[1].running_mean})
    given = gradient_norm(model, x, (y,), per_sample, parameters=dict(other.named_parameters()))
    assert given == pytest.approx(gradient_norm(other, x, (y,), per_sample), rel=1e-12)


def test_frozen_and_unreached_parameters():
    model, x, y, _ = model_and_data()
    model[0].weight.requires_grad_(False)
    model.unused = nn.Parameter(torch.ones(3, dtype=torch.float64))
    gradient = full_gradient(model, x, (y,), lambda output, y: per_sample(output, y))
    assert "0.weight" not in gradient
    assert not gradient["unused"].any()
