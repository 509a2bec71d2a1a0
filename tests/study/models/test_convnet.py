import pytest
import torch
from torch import nn

from overmix.errors import ConfigError
from overmix.study.models import build_model


def convnet(shape, **options):
    return build_model("convnet", sample_shape=shape, num_classes=10, **options)


@pytest.mark.parametrize(
    ("shape", "sizes"),
    [
        ((1, 8, 8), [8, 4, 2]),
        ((1, 28, 28), [14, 7, 4]),
        ((3, 32, 32), [16, 8, 4]),
        ((1, 40), [20, 10, 5]),
        ((2, 5, 30), [5, 3, 2]),
        ((1, 1, 1), [1, 1, 1]),
    ],
)
def test_resolution_and_width_of_each_layer(shape, sizes):
    model, seen = convnet(shape), []
    for module in model:
        if isinstance(module, nn.Conv1d | nn.Conv2d):
            module.register_forward_hook(lambda _, __, output: seen.append((output.shape[1], output.shape[2])))
    assert model(torch.zeros(2, *shape)).shape == (2, 10)
    assert seen == list(zip((32, 64, 64), sizes, strict=True))


@pytest.mark.parametrize(("shape", "taps"), [((3, 32, 32), 9), ((3, 40), 3)])
def test_number_of_parameters(shape, taps):
    model = convnet(shape, width=4)
    expected = (3 * taps + 1) * 4 + (4 * taps + 1) * 8 + (8 * taps + 1) * 8 + (8 + 1) * 10
    assert sum(p.numel() for p in model.parameters()) == expected


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 40)])
def test_batch_norm_follows_every_convolution(shape):
    names = [type(module).__name__ for module in convnet(shape, batch_norm=True)]
    suffix = f"{len(shape) - 1}d"
    assert names[:-3] == [f"Conv{suffix}", f"BatchNorm{suffix}", "ReLU"] * 3


def test_the_head_averages_over_positions():
    model = convnet((1, 28, 28), width=4)
    x = torch.rand(2, 1, 28, 28)
    features = model[:-3](x)
    torch.testing.assert_close(model(x), model[-1](features.mean(dim=(2, 3))))


@pytest.mark.parametrize("shape", [(64,), (1, 2, 3, 4)])
def test_samples_that_are_no_images_or_sequences(shape):
    with pytest.raises(ConfigError, match=r"^model\.name = 'convnet': it needs samples .*: use mlp, or reshape them$"):
        convnet(shape)


@pytest.mark.parametrize("width", [0, -3])
def test_widths_that_cannot_work(width):
    with pytest.raises(ConfigError, match=rf"^model\.width = {width}: use a number of channels >= 1"):
        convnet((1, 8, 8), width=width)
