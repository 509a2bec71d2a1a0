"""How one model is trained, as a study file says it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from overmix.study.spec.parts import Strict, remedy, with_name, with_own_keys
from overmix.train import SGD, TRACKS, AdamW, CropFlip, LRSchedule, Optimizer

_MOST_EPOCHS = 1_000_000
_LEAST_FLOAT, LARGEST_FLOAT = 1e-30, 1e30
"""What float32, in which is trained, keeps apart from 0 and infinity, with some room for products."""


_OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"lr": 0.05, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0},
    "adamw": {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01},
}
"""What each optimizer takes, with its defaults."""


class OptimizerSpec(Strict):
    """Stochastic gradient descent with momentum, or AdamW."""

    name: Literal["sgd", "adamw"] = "sgd"
    lr: float = Field(0.05, ge=_LEAST_FLOAT, le=LARGEST_FLOAT, description="learning rate")
    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = False
    betas: tuple[float, float] = Field(
        (0.9, 0.999),
        strict=False,
        description="decay of the mean gradient and of the mean squared gradient",
        json_schema_extra=remedy("use a list of two numbers in [0, 1)"),
    )
    eps: float = Field(1e-8, ge=_LEAST_FLOAT, le=LARGEST_FLOAT)
    weight_decay: float = Field(0.0, ge=0, le=LARGEST_FLOAT)

    @model_validator(mode="before")
    @classmethod
    def _own_keys_and_defaults(cls, value: Any) -> Any:
        return with_own_keys(cls, value, _OPTIMIZERS, "sgd")

    @model_serializer(mode="wrap")
    def _own_keys(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = write(self)
        return {key: value for key, value in content.items() if key == "name" or key in _OPTIMIZERS[self.name]}

    def build(self) -> Optimizer:
        """Return the optimizer that the engine uses.

        Raises:
            ConfigError: if its settings cannot work.
        """
        if self.name == "adamw":
            return AdamW(self.betas, self.eps)
        return SGD(self.momentum, self.nesterov)


class LRScheduleSpec(Strict):
    """The learning rate's course."""

    name: Literal["constant", "multistep", "cosine"] = "constant"
    milestones: tuple[int | float, ...] = Field(
        (0.5, 0.75),
        strict=False,
        description="epochs, or shares of the training",
        json_schema_extra=remedy("use a list of epochs (integers >= 1) or shares of the training (0.5)"),
    )
    gamma: float = Field(0.1, ge=_LEAST_FLOAT, le=1)
    warmup: float = Field(0.0, ge=0, description="epochs")

    def build(self) -> LRSchedule:
        """Return the schedule that the engine uses."""
        return LRSchedule(self.name, tuple(self.milestones), self.gamma, self.warmup)


class AugmentSpec(Strict):
    """Random crops and flips of images."""

    crop: int = Field(4, ge=0, description="pixels of black padding that a window of the old size is cut from")
    flip: bool = Field(True, description="mirror every second image, left to right")

    def build(self) -> CropFlip:
        """Return the augmentation that the engine uses.

        Raises:
            ConfigError: if it would change nothing.
        """
        return CropFlip(self.crop, self.flip)


_LEFT_OUT = ("average", "augment", "track")
"""Keys of a training that are left out where they are off: it is then the training that it was before there were such
keys, under the same id."""


class TrainSpec(Strict):
    """How one model is trained."""

    epochs: int = Field(1000, ge=1, le=_MOST_EPOCHS)
    batch_size: int = Field(64, ge=1)
    objective: Literal["cross_entropy", "squared_error", "absolute_error", "binary_cross_entropy", "retrieval"] = Field(
        "cross_entropy", description="by default what is usual for the labels"
    )
    optimizer: OptimizerSpec = OptimizerSpec()
    lr_schedule: LRScheduleSpec = LRScheduleSpec()
    average: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="score exponentially averaged weights; the share of the old average at each step",
        json_schema_extra=remedy("use a share of the old average in (0, 1), such as 0.99, or null"),
    )
    augment: AugmentSpec | None = Field(None, description="crop and flip training images at random")
    track: tuple[Literal["gradient_norm", "memorization"], ...] = Field(
        (),
        strict=False,
        description="what else is looked at where scores are",
        json_schema_extra=remedy("use a list of gradient_norm and memorization, each once"),
    )

    @model_serializer(mode="wrap")
    def _without_what_is_off(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = write(self)
        return {key: value for key, value in content.items() if key not in _LEFT_OUT or value not in (None, ())}

    @field_validator("track")
    @classmethod
    def _each_once_in_one_order(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("one twice")
        return tuple(name for name in TRACKS if name in value)

    @field_validator("lr_schedule", "optimizer", mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return with_name(value)
