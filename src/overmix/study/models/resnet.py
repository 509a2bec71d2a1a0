"""Residual networks for small images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from overmix._typing import Float
from overmix.study.models.image_checks import check_image_model


class BasicBlock(nn.Module):
    """``relu(shortcut(x) + bn(conv(relu(bn(conv(x))))))``, with convolutions of 3 by 3.

    The shortcut is the identity, or a convolution of 1 by 1 with BatchNorm where the shape changes.

    Args:
        channels_in: channels of x.
        channels_out: channels of the result.
        stride: of the first convolution.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(),
            nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride=stride, bias=False), nn.BatchNorm2d(channels_out)
            )

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch out_channels out_height out_width"]:
        """Return the block's output."""
        return torch.relu(self.shortcut(x) + self.residual(x))


def resnet18(*, sample_shape: tuple[int, ...], num_classes: int, width: int = 64) -> nn.Module:
    """Return ResNet-18 with the stem for small images: one convolution of 3 by 3, no pooling before the first block.

    With the default width, three channels and ten classes it has 11,173,962 parameters. The initialisation is
    PyTorch's default.

    Args:
        sample_shape: (channels, height, width) of an image.
        num_classes: C.
        width: channels of the first stage; each of the three further stages doubles them.

    Raises:
        ConfigError: if the samples are no images, or the width cannot work.

    Source: K. He, X. Zhang, S. Ren and J. Sun, "Deep Residual Learning for Image Recognition", 2016.
    """
    return _resnet("resnet18", (2, 2, 2, 2), sample_shape, num_classes, width)


def resnet34(*, sample_shape: tuple[int, ...], num_classes: int, width: int = 64) -> nn.Module:
    """Return ResNet-34 with the stem for small images; 21,282,122 parameters for three channels and ten classes.

    Arguments, errors and source are those of :func:`resnet18`.
    """
    return _resnet("resnet34", (3, 4, 6, 3), sample_shape, num_classes, width)


def resnet8(*, sample_shape: tuple[int, ...], num_classes: int, width: int = 16) -> nn.Module:
    """Return a residual network of 8 layers in three stages, small enough for a CPU.

    With the default width, one channel and ten classes it has 77,754 parameters. Arguments and errors are those of
    :func:`resnet18`, the source too: it is the family of its section on CIFAR-10 with one block in each stage, and with
    convolutions in the shortcuts.
    """
    return _resnet("resnet8", (1, 1, 1), sample_shape, num_classes, width)


def _resnet(name: str, blocks: Sequence[int], sample_shape: tuple[int, ...], num_classes: int, width: int) -> nn.Module:
    check_image_model(name, sample_shape, width)
    stem = [nn.Conv2d(sample_shape[0], width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    layers: list[nn.Module] = []
    channels = width
    for stage, number in enumerate(blocks):
        for block in range(number):
            stride = 2 if stage > 0 and block == 0 else 1
            layers.append(BasicBlock(channels, width * 2**stage, stride))
            channels = width * 2**stage
    return nn.Sequential(*stem, *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, num_classes))
