import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from overmix.errors import ConfigError, DataError
from overmix.explain.landscape import filter_normalized_direction, loss_landscape


def per_sample(output, y):
    return cross_entropy(output, y, reduction="none")


def make_convnet():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(), nn.Linear(4 * 16, 3)
    ).double()
    model(torch.randn(64, 2, 6, 6, dtype=torch.float64))  # running statistics that are not the initial ones
    return model


def make_data(n=20):
    g = torch.Generator().manual_seed(1)
    return torch.randn(n, 2, 6, 6, generator=g, dtype=torch.float64), torch.randint(3, (n,), generator=g)


def test_filters_of_a_direction_have_the_norms_of_the_weights():
    model = make_convnet()
    direction = filter_normalized_direction(dict(model.named_parameters()), generator=torch.Generator().manual_seed(0))
    for name, value in model.named_parameters():
        if value.ndim == 1:  # biases, and BatchNorm's scale and shift
            assert not direction[name].any()
            continue
        for filter_of_direction, filter_of_weights in zip(direction[name], value, strict=True):
            torch.testing.assert_close(filter_of_direction.norm(), filter_of_weights.norm())
        cosine = torch.cosine_similarity(direction[name].flatten(), value.flatten(), dim=0)
        assert cosine.abs() < 0.9  # a random direction, not the weights


def test_directions_are_reproducible_and_differ():
    parameters = dict(make_convnet().named_parameters())
    one, again, other = (
        filter_normalized_direction(parameters, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["0.weight"], other["0.weight"])


def test_rescaling_a_filter_and_its_successor_changes_nothing():
    """What filter normalisation is for: two networks that compute one function get one landscape."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)).double()
    scaled = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)).double()
    scaled.load_state_dict(model.state_dict())
    with torch.no_grad():
        scaled[0].weight *= 10
        scaled[0].bias *= 10
        scaled[2].weight /= 10
    x, y = torch.randn(30, 4, dtype=torch.float64), torch.randint(3, (30,))
    slices = []
    for network in (model, scaled):
        direction = filter_normalized_direction(
            dict(network.named_parameters()), generator=torch.Generator().manual_seed(3)
        )
        slices.append(loss_landscape(network, x, (y,), per_sample, [direction], [np.linspace(-1, 1, 9)]).loss)
    np.testing.assert_allclose(slices[0], slices[1], rtol=1e-10)


@pytest.mark.parametrize("method", ["auto", "vmap", "loop"])
def test_surface_agrees_with_weights_that_are_really_moved(method):
    model, (x, y) = make_convnet(), make_data()
    parameters = dict(model.named_parameters())
    directions = [
        filter_normalized_direction(parameters, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1)
    ]
    steps = [np.linspace(-0.5, 0.5, 3), np.linspace(-1, 1, 5)]
    surface = loss_landscape(
        model, x, (y,), per_sample, directions, steps, method=method, points_at_once=4, chunk_size=7
    )
    assert surface.loss.shape == (3, 5)
    moved = make_convnet()
    moved.load_state_dict(model.state_dict())
    moved.eval()
    for i, a in enumerate(steps[0]):
        for j, b in enumerate(steps[1]):
            with torch.no_grad():
                for name, value in moved.named_parameters():
                    value.copy_(parameters[name] + a * directions[0][name] + b * directions[1][name])
                oracle = cross_entropy(moved(x), y).item()
            assert surface.loss[i, j] == pytest.approx(oracle, rel=1e-10)


def test_the_model_is_left_as_it_was():
    model, (x, y) = make_convnet(), make_data()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    direction = filter_normalized_direction(dict(model.named_parameters()))
    loss_landscape(model, x, (y,), per_sample, [direction], [np.linspace(-1, 1, 3)])
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(module.training for module in model.modules())


class Branching(nn.Module):
    """A model whose control flow depends on its numbers, which cannot be vectorised."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 2).double()

    def forward(self, x):
        out = self.linear(x)
        return out if out.sum() > 0 else 2 * out


def test_a_model_that_cannot_be_vectorised_is_looped():
    torch.manual_seed(0)
    model, x, y = Branching(), torch.randn(5, 2, dtype=torch.float64), torch.randint(2, (5,))
    direction = filter_normalized_direction(dict(model.named_parameters()))
    arguments = (model, x, (y,), per_sample, [direction], [np.linspace(-1, 1, 5)])
    vectorised, looped = (loss_landscape(*arguments, method=method).loss for method in ("vmap", "loop"))
    np.testing.assert_array_equal(vectorised, looped)


def test_points_are_vectorised_when_asked():
    calls = []

    def counted(output, y):
        calls.append(1)
        return per_sample(output, y)

    model, (x, y) = make_convnet(), make_data()
    direction = filter_normalized_direction(dict(model.named_parameters()))
    for method, expected in [("loop", 10), ("vmap", 2)]:
        calls.clear()
        loss_landscape(model, x, (y,), counted, [direction], [np.linspace(-1, 1, 10)], method=method, points_at_once=5)
        assert len(calls) == expected


def test_a_checkpoint_can_be_the_centre():
    model, (x, y) = make_convnet(), make_data()
    checkpoint = {name: 1.5 * value.detach() for name, value in model.named_parameters()}
    direction = filter_normalized_direction(checkpoint)
    around = loss_landscape(model, x, (y,), per_sample, [direction], [np.zeros(1)], parameters=checkpoint).loss
    model.load_state_dict({**model.state_dict(), **checkpoint})
    model.eval()
    assert around[0] == pytest.approx(cross_entropy(model(x), y).item(), rel=1e-12)


def test_settings_that_cannot_work_are_named():
    model, (x, y) = make_convnet(), make_data()
    direction, axis = filter_normalized_direction(dict(model.named_parameters())), np.zeros(1)
    with pytest.raises(ConfigError, match="directions"):
        loss_landscape(model, x, (y,), per_sample, [direction], [axis, axis])
    with pytest.raises(ConfigError, match="points_at_once"):
        loss_landscape(model, x, (y,), per_sample, [direction], [axis], points_at_once=0)
    with pytest.raises(ConfigError, match="method"):
        loss_landscape(model, x, (y,), per_sample, [direction], [axis], method="fast")
    with pytest.raises(DataError, match="no parameter"):
        loss_landscape(model, x, (y,), per_sample, [{"head.weight": torch.zeros(1)}], [axis])
