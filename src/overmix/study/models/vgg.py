"""VGG networks for small images."""

from __future__ import annotations

from torch import nn

from overmix.study.models.image_checks import check_image_model

_POOL = 0
_VGG16 = (1, 1, _POOL, 2, 2, _POOL, 4, 4, 4, _POOL, 8, 8, 8, _POOL, 8, 8, 8, _POOL)
"""Channels of each convolution in units of the width, and where the resolution is halved."""


def vgg16(*, sample_shape: tuple[int, ...], num_classes: int, width: int = 64) -> nn.Module:
    """Return VGG-16 with BatchNorm and one linear layer as its head, as is usual on CIFAR.

    With the default width, three channels and ten classes it has 14,728,266 parameters (the convolutions keep their
    biases, although BatchNorm makes them redundant, so that the number is the known one). The initialisation is
    PyTorch's default.

    Args:
        sample_shape: (channels, height, width) of an image, both sides >= 32: they are halved five times.
        num_classes: C.
        width: channels of the first convolution; the last ones have eight times as many.

    Raises:
        ConfigError: if the samples are no images, or too small, or the width cannot work.

    Source: K. Simonyan and A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2015.
    """
    check_image_model("vgg16", sample_shape, width, smallest_side=32)
    layers: list[nn.Module] = []
    channels = sample_shape[0]
    for units in _VGG16:
        if units == _POOL:
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [nn.Conv2d(channels, units * width, 3, padding=1), nn.BatchNorm2d(units * width), nn.ReLU()]
        channels = units * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, num_classes))
