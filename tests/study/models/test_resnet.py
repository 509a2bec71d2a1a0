import pytest
import torch
import torchvision
from torch import nn

from overmix.errors import ConfigError
from overmix.study.models import build_model


@pytest.mark.parametrize(
    ("name", "num_classes", "count"),
    [
        ("resnet18", 10, 11_173_962),
        ("resnet18", 100, 11_220_132),
        ("resnet34", 10, 21_282_122),
        ("resnet34", 100, 21_328_292),
    ],
)
def test_known_numbers_of_parameters(name, num_classes, count):
    model = build_model(name, sample_shape=(3, 32, 32), num_classes=num_classes)
    assert sum(p.numel() for p in model.parameters()) == count


@pytest.mark.parametrize("name", ["resnet18", "resnet34"])
@pytest.mark.parametrize("training", [False, True])
def test_against_torchvision_with_the_small_stem(name, training):
    torch.manual_seed(0)
    ours = build_model(name, sample_shape=(3, 16, 16), num_classes=5)
    theirs = getattr(torchvision.models, name)(num_classes=5)
    theirs.conv1, theirs.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    with torch.no_grad():
        for own, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            own.copy_(other)
        x = torch.randn(4, 3, 16, 16)
        torch.testing.assert_close(ours.train(training)(x), theirs.train(training)(x), rtol=1e-4, atol=1e-5)


def test_resnet8_has_a_block_in_each_of_three_stages():
    model = build_model("resnet8", sample_shape=(1, 28, 28), num_classes=10)
    convolutions = [
        module for module in model.modules() if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3)
    ]
    assert [layer.out_channels for layer in convolutions] == [16, 16, 16, 32, 32, 64, 64]
    assert sum(p.numel() for p in model.parameters()) == 77_754
    # By hand: convolutions, shortcuts of 1 by 1, two numbers a channel for each BatchNorm, the classifier.
    by_hand = 9 * (1 * 16 + 2 * 16 * 16 + 16 * 32 + 32 * 32 + 32 * 64 + 64 * 64) + 16 * 32 + 32 * 64
    by_hand += 2 * (16 * 3 + 32 * 3 + 64 * 3) + 64 * 10 + 10
    assert by_hand == 77_754


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (2, 5, 9)])
def test_any_size_of_image(shape):
    assert build_model("resnet18", sample_shape=shape, num_classes=7, width=2)(torch.zeros(3, *shape)).shape == (3, 7)


def test_resolution_and_width_of_each_stage():
    model, seen = build_model("resnet18", sample_shape=(3, 32, 32), num_classes=10, width=4), []
    for module in model[3:-3]:
        module.register_forward_hook(lambda _, __, output: seen.append((output.shape[1], output.shape[2])))
    model(torch.zeros(2, 3, 32, 32))
    assert seen == [(4, 32)] * 2 + [(8, 16)] * 2 + [(16, 8)] * 2 + [(32, 4)] * 2


def test_what_cannot_work():
    with pytest.raises(ConfigError, match=r"^model\.name = 'resnet34': it needs images .*: use mlp, or reshape them$"):
        build_model("resnet34", sample_shape=(1, 40), num_classes=10)
    with pytest.raises(ConfigError, match=r"^model\.width = 0: use a number of channels >= 1$"):
        build_model("resnet18", sample_shape=(3, 32, 32), num_classes=10, width=0)
