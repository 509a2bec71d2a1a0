"""What every model of images asks of its samples and its width."""

from __future__ import annotations

from overmix.errors import ConfigError


def check_image_model(name: str, sample_shape: tuple[int, ...], width: int, *, smallest_side: int = 1) -> None:
    """Refuse samples that are no images or too small, and a width that leaves no channels.

    Raises:
        ConfigError: naming what fits instead.

    Example:
        >>> check_image_model("resnet18", (3, 32, 32), width=64)
    """
    if len(sample_shape) != 3:
        raise ConfigError(
            "model.name",
            name,
            f"it needs images (channels, height, width), these samples have shape {sample_shape}: use mlp, or reshape "
            "them",
        )
    if min(sample_shape[1:]) < smallest_side:
        raise ConfigError(
            "model.name",
            name,
            f"it needs images of at least {smallest_side} by {smallest_side} pixels, these have shape {sample_shape}: "
            "use resnet18 or convnet",
        )
    if width < 1:
        raise ConfigError("model.width", width, "use a number of channels >= 1")
