import pytest
import torch
from torch import nn

from overmix.errors import ConfigError
from overmix.mix.capture import captured, replaced


def network():
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2), nn.ReLU())


def hooks(model):
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


def test_the_output_of_a_named_layer_is_collected():
    model, x = network(), torch.randn(5, 3)
    with captured(model, "1") as seen:
        model(x)
    assert torch.equal(seen[0], model[1](model[0](x)))
    assert seen[0].requires_grad
    assert hooks(model) == 0


def test_without_a_name_it_is_what_enters_the_last_linear_layer():
    model, x = network(), torch.randn(5, 3)
    with captured(model, None) as seen:
        model(x)
    assert torch.equal(seen[0], model[1](model[0](x)))
    assert hooks(model) == 0


@pytest.mark.parametrize("layer", [None, "1"])
def test_samples_can_be_added_in_the_middle_of_the_model(layer):
    model, x, more = network(), torch.randn(5, 3), torch.randn(2, 4)
    with replaced(model, layer, lambda h: torch.cat([h, more])):
        out = model(x)
    assert torch.equal(out[:5], model(x))
    assert torch.equal(out[5:], model[2:](more))
    assert hooks(model) == 0


@pytest.mark.parametrize("calls", [0, 2])
def test_a_layer_that_is_not_called_exactly_once_is_refused(calls):
    model = network()

    def passes():
        with captured(model, "1"):
            for _ in range(calls):
                model(torch.randn(5, 3))

    with pytest.raises(ConfigError, match=f"this one was called {calls} times"):
        passes()
    assert hooks(model) == 0


def test_the_hook_is_gone_after_an_exception():
    model = network()
    with pytest.raises(RuntimeError, match="shapes"), captured(model, None):
        model(torch.randn(5, 9))
    assert hooks(model) == 0


def test_a_layer_that_is_not_there_or_gives_no_tensor_is_refused():
    with pytest.raises(ConfigError, match=r"^layers = 'head': .*known: 0, 1, 2, 3, input"), captured(network(), "head"):
        pass
    with pytest.raises(ConfigError, match=r"^layer = None: name the layer"), captured(nn.ReLU(), None):
        pass
    lstm = nn.Sequential(nn.LSTM(3, 2))
    with pytest.raises(ConfigError, match="has no tensor but tuple"), captured(lstm, "0"):
        lstm(torch.randn(1, 5, 3))
    assert hooks(lstm) == 0
