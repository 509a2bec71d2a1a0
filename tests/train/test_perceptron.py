from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.func import functional_call, vmap

from overmix.train.perceptron import perceptron_layers, stacked_perceptron
from overmix.train.stacked_model import StackedModel

CPU = torch.device("cpu")


def mlp(*hidden, sample=(1, 4, 4), classes=3):
    sizes = [torch.Size(sample).numel(), *hidden, classes]
    layers = [nn.Flatten()]
    for wide, narrow in pairwise(sizes):
        layers += [nn.Linear(wide, narrow), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@pytest.mark.parametrize("hidden", [(), (8,), (16, 8), (8, 8, 8)])
def test_output_and_gradients_are_those_of_vmap_in_float64(hidden):
    torch.manual_seed(0)
    model = mlp(*hidden).double()
    names = perceptron_layers(model)
    parameters = {name: torch.randn(3, *p.shape, dtype=torch.float64) for name, p in model.named_parameters()}
    leaves = {name: p.requires_grad_() for name, p in parameters.items()}
    x = torch.randn(3, 5, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    expected = vmap(lambda p, b: functional_call(model, p, (b,)))(leaves, x)
    found = stacked_perceptron(x, [leaves[name] for name in names])
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    weights = torch.randn_like(expected)
    wanted = torch.autograd.grad((expected * weights).sum(), [x, *leaves.values()])
    got = torch.autograd.grad((found * weights).sum(), [x, *leaves.values()])
    for a, b in zip(got, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_gradcheck():
    torch.manual_seed(1)
    shapes = [(2, 4, 3), (2, 4), (2, 2, 4), (2, 2)]
    parameters = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    x = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, *p: stacked_perceptron(x, list(p)), (x, *parameters))


def test_a_stack_of_perceptrons_takes_this_path(monkeypatch):
    calls = []
    monkeypatch.setattr(
        "overmix.train.stacked_model.stacked_perceptron", lambda x, p: calls.append(len(p)) or stacked_perceptron(x, p)
    )
    stack = StackedModel(lambda: mlp(8), [0, 1], CPU, "stacked")
    stack(torch.randn(2, 4, 1, 4, 4))
    assert calls == [4]


def shared():
    layer = nn.Linear(4, 4)
    return nn.Sequential(layer, nn.ReLU(), layer)


def hooked():
    model = mlp(8)
    model[1].register_forward_hook(lambda module, args, output: output * 2)
    return model


class Doubled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


@pytest.mark.parametrize(
    "model",
    [
        nn.Linear(4, 2),
        nn.Sequential(),
        nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False)),
        nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2)),
        nn.Sequential(nn.Linear(4, 4), nn.ReLU()),
        nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)),
        nn.Sequential(nn.Flatten(2), nn.Linear(4, 2)),
        nn.Sequential(Doubled(4, 4), nn.ReLU(), nn.Linear(4, 2)),
        shared(),
        hooked(),
    ],
    ids=["no-sequential", "empty", "no-bias", "tanh", "relu-last", "norm", "flatten-2", "subclass", "shared", "hook"],
)
def test_anything_else_is_left_to_vmap(model):
    assert perceptron_layers(model) is None
