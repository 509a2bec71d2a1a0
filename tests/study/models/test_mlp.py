import pytest
import torch
from torch import nn

from overmix.errors import ConfigError
from overmix.study.models import build_model


def mlp(shape=(1, 8, 8), num_classes=10, **options):
    torch.manual_seed(0)
    return build_model("mlp", sample_shape=shape, num_classes=num_classes, **options)


def kinds(model):
    return [type(module).__name__ for module in model]


def n_parameters(model):
    return sum(p.numel() for p in model.parameters())


def test_default_is_two_hidden_layers_of_256():
    assert kinds(mlp()) == ["Flatten", "Linear", "ReLU", "Linear", "ReLU", "Linear"]
    assert n_parameters(mlp()) == (64 + 1) * 256 + (256 + 1) * 256 + (256 + 1) * 10


@pytest.mark.parametrize("shape", [(5,), (1, 40), (3, 4, 4), (2, 2, 2, 2)])
def test_any_layout_of_samples(shape):
    assert mlp(shape, hidden=[4])(torch.zeros(3, *shape)).shape == (3, 10)


def test_no_hidden_layer_is_linear():
    model = mlp((5,), hidden=[])
    x = torch.rand(2, 5)
    torch.testing.assert_close(model(x), x @ model[1].weight.T + model[1].bias)


def test_options_in_their_order():
    model = mlp(hidden=[8, 4], activation="tanh", dropout=0.3, batch_norm=True)
    layer = ["Linear", "BatchNorm1d", "Tanh", "Dropout"]
    assert kinds(model) == ["Flatten", *layer, *layer, "Linear"]
    assert [module.p for module in model if isinstance(module, nn.Dropout)] == [0.3, 0.3]


@pytest.mark.parametrize(
    ("name", "function"),
    [("relu", torch.relu), ("gelu", nn.functional.gelu), ("silu", nn.functional.silu), ("tanh", torch.tanh)],
)
def test_activations(name, function):
    model = mlp((5,), hidden=[6], activation=name)
    x = torch.randn(4, 5)
    torch.testing.assert_close(model(x), model[3](function(model[1](x))))


def test_weights_have_pytorchs_default_scale():
    weight = mlp((400,), hidden=[300])[1].weight
    assert weight.abs().max() <= 400**-0.5
    assert weight.abs().max() > 0.99 * 400**-0.5


@pytest.mark.parametrize(
    ("option", "value", "remedy"),
    [
        ("hidden", [0], "use a list of widths >= 1"),
        ("hidden", [8, -1], "use a list of widths >= 1"),
        ("hidden", [8.0], "use a list of widths >= 1"),
        ("hidden", [True], "use a list of widths >= 1"),
        ("hidden", ["8"], "use a list of widths >= 1"),
        ("hidden", 8, "give a list, such as"),
        ("dropout", 1.0, r"use a probability in \[0, 1\)"),
        ("dropout", -0.1, r"use a probability in \[0, 1\)"),
        ("dropout", float("nan"), r"use a probability in \[0, 1\)"),
        ("activation", "rely", r"did you mean relu\? known: gelu, relu, silu, tanh"),
    ],
)
def test_values_that_cannot_work(option, value, remedy):
    with pytest.raises(ConfigError, match=rf"^model\.{option} = .*: {remedy}"):
        mlp(**{option: value})
