import pytest
import torch
import torchvision

from overmix.errors import ConfigError
from overmix.study.models import build_model


def test_known_number_of_parameters():
    model = build_model("vgg16", sample_shape=(3, 32, 32), num_classes=10)
    assert sum(p.numel() for p in model.parameters()) == 14_728_266
    assert sum(p.numel() for p in model[:-1].parameters()) == 14_723_136  # convolutions and BatchNorm, without the head


@pytest.mark.parametrize("training", [False, True])
def test_convolutions_against_torchvision(training):
    torch.manual_seed(0)
    ours = build_model("vgg16", sample_shape=(3, 32, 32), num_classes=10).train(training)
    theirs = torchvision.models.vgg16_bn(weights=None, init_weights=False).features.train(training)
    head = ours[-1]
    with torch.no_grad():
        for own, other in zip(list(ours.parameters())[:-2], theirs.parameters(), strict=True):
            own.copy_(other)
        x = torch.randn(4, 3, 32, 32)
        torch.testing.assert_close(ours(x), head(theirs(x).flatten(1)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 40, 64)])
def test_larger_images(shape):
    assert build_model("vgg16", sample_shape=shape, num_classes=7, width=2)(torch.zeros(3, *shape)).shape == (3, 7)


def test_what_cannot_work():
    with pytest.raises(ConfigError, match=r"^model\.name = 'vgg16': it needs images of at least 32 by 32 pixels"):
        build_model("vgg16", sample_shape=(1, 28, 28), num_classes=10)
    with pytest.raises(ConfigError, match=r"^model\.name = 'vgg16': it needs images \(channels, height, width\)"):
        build_model("vgg16", sample_shape=(40,), num_classes=10)
    with pytest.raises(ConfigError, match=r"^model\.width = -1: use a number of channels >= 1$"):
        build_model("vgg16", sample_shape=(3, 32, 32), num_classes=10, width=-1)
