"""A small convolutional network."""

from __future__ import annotations

from torch import nn

from overmix.errors import ConfigError


def convnet(*, sample_shape: tuple[int, ...], num_classes: int, width: int = 32, batch_norm: bool = False) -> nn.Module:
    """Return three convolutions with ReLU, the mean over all positions, and a linear layer.

    For images (channels, height, width) and sequences (channels, length). The kernels span three positions; each
    convolution halves the resolution, except that the first keeps it where a side has fewer than 16 positions, since
    nothing would be left of images of 8 by 8 pixels. The initialisation is PyTorch's default.

    Args:
        sample_shape: shape of one sample.
        num_classes: C.
        width: channels of the first convolution; the others have twice as many.
        batch_norm: normalise each convolution's output before its ReLU.

    Raises:
        ConfigError: if the samples are neither images nor sequences, or the width cannot work.
    """
    if len(sample_shape) not in (2, 3):
        raise ConfigError(
            "model.name",
            "convnet",
            f"it needs samples (channels, length) or (channels, height, width), these have shape {sample_shape}: use "
            "mlp, or reshape them",
        )
    if width < 1:
        raise ConfigError("model.width", width, "use a number of channels >= 1")
    is_image = len(sample_shape) == 3
    convolution = nn.Conv2d if is_image else nn.Conv1d
    normalization = nn.BatchNorm2d if is_image else nn.BatchNorm1d
    layers: list[nn.Module] = []
    channels, first_stride = sample_shape[0], 1 if min(sample_shape[1:]) < 16 else 2
    for units, stride in ((width, first_stride), (2 * width, 2), (2 * width, 2)):
        layers.append(convolution(channels, units, kernel_size=3, stride=stride, padding=1))
        if batch_norm:
            layers.append(normalization(units))
        layers.append(nn.ReLU())
        channels = units
    pool = nn.AdaptiveAvgPool2d(1) if is_image else nn.AdaptiveAvgPool1d(1)
    return nn.Sequential(*layers, pool, nn.Flatten(), nn.Linear(channels, num_classes))
