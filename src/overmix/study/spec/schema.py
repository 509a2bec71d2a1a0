"""What a study file can say: what is trained, compared and repeated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from overmix.study.spec.merge import merged
from overmix.study.spec.plain import from_json_ready, json_ready
from overmix.study.spec.recipes import ONE_OF, one_of_parameters
from overmix.study.spec.validation import as_config_error, condition_label
from overmix.train import SGD, TRACKS, AdamW, CropFlip, LRSchedule, Optimizer

_MOST_EPOCHS, _MOST_SEEDS, _MOST_CONDITIONS, _MOST_RUNS = 1_000_000, 10_000, 500, 100_000
_LONGEST_NAME = 200
_LEAST_FLOAT, _LARGEST_FLOAT = 1e-30, 1e30
"""What float32, in which is trained, keeps apart from 0 and infinity, with some room for products."""


def _remedy(text: str) -> dict[str, Any]:
    """Say in one's own words what a value of several kinds may be."""
    return {"remedy": text}


def _named(value: Any) -> Any:
    """Let ``mlp`` stand for ``{name: mlp}``."""
    return {"name": value} if isinstance(value, str) else value


class _Strict(BaseModel):
    """A part of a study file: unknown keys are errors, values are never silently converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class _WithOptions(BaseModel):
    """A part whose further keys are options of what it names; they are checked against that."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, allow_inf_nan=False)

    @property
    def options(self) -> dict[str, Any]:
        """Options of what is named."""
        return dict(self.__pydantic_extra__ or {})


def _with_defaults(part: type[BaseModel], value: Any, kinds: Mapping[str, Mapping[str, Any]], usual: str) -> Any:
    """Fill in the defaults of the kind that a part names, and refuse keys that only other kinds take."""
    name = value.get("name", usual) if isinstance(value, dict) else None
    if not isinstance(name, str) or name not in kinds:
        return value
    own = kinds[name]
    for key in value.keys() & part.model_fields.keys() - own.keys() - {"name"}:
        raise ValueError(f"{name} takes no {key}: give it {', '.join(sorted(own))}")
    return {**own, **value}


class DataSpec(_WithOptions):
    """Which data, and how much of them.

    Further keys are options of the data set, such as ``path``.
    """

    name: str = Field("digits", description="digits, mnist1d, fashion_mnist, npz, ...")
    train_size: int | float | None = Field(
        None,
        description="training samples drawn per seed: a number, a share in (0, 1), or null for all that is left",
        json_schema_extra=_remedy("use a number of samples, a share in (0, 1), or null for all that is left"),
    )
    val_size: NonNegativeInt | float = Field(
        0,
        description="samples held out of the training data for decisions: a number, or a share in (0, 1) of them, with "
        "at least two of each class",
        json_schema_extra=_remedy("use a number of samples, or a share of the training samples in (0, 1), such as 0.2"),
    )
    balanced: bool = Field(False, description="draw as many training samples of each class")

    @field_validator("val_size")
    @classmethod
    def _number_or_share(cls, value: int | float) -> int | float:
        if isinstance(value, float) and not 0 < value < 1:
            raise ValueError("no share")
        return value


class ModelSpec(_WithOptions):
    """Which model: a registered name or an import path ``module:factory``. Further keys are its options."""

    name: str = Field("mlp", description="mlp, convnet, ..., or module:factory with --allow-code")


_OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"lr": 0.05, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0},
    "adamw": {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01},
}
"""What each optimizer takes, with its defaults."""


class OptimizerSpec(_Strict):
    """Stochastic gradient descent with momentum, or AdamW."""

    name: Literal["sgd", "adamw"] = "sgd"
    lr: float = Field(0.05, ge=_LEAST_FLOAT, le=_LARGEST_FLOAT, description="learning rate")
    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = False
    betas: tuple[float, float] = Field(
        (0.9, 0.999),
        strict=False,
        description="decay of the mean gradient and of the mean squared gradient",
        json_schema_extra=_remedy("use a list of two numbers in [0, 1)"),
    )
    eps: float = Field(1e-8, ge=_LEAST_FLOAT, le=_LARGEST_FLOAT)
    weight_decay: float = Field(0.0, ge=0, le=_LARGEST_FLOAT)

    @model_validator(mode="before")
    @classmethod
    def _own_keys_and_defaults(cls, value: Any) -> Any:
        return _with_defaults(cls, value, _OPTIMIZERS, "sgd")

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


class LRScheduleSpec(_Strict):
    """The learning rate's course."""

    name: Literal["constant", "multistep", "cosine"] = "constant"
    milestones: tuple[int | float, ...] = Field(
        (0.5, 0.75),
        strict=False,
        description="epochs, or shares of the training",
        json_schema_extra=_remedy("use a list of epochs (integers >= 1) or shares of the training (0.5)"),
    )
    gamma: float = Field(0.1, ge=_LEAST_FLOAT, le=1)
    warmup: float = Field(0.0, ge=0, description="epochs")

    def build(self) -> LRSchedule:
        """Return the schedule that the engine uses."""
        return LRSchedule(self.name, tuple(self.milestones), self.gamma, self.warmup)


class AugmentSpec(_Strict):
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


class TrainSpec(_Strict):
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
        json_schema_extra=_remedy("use a share of the old average in (0, 1), such as 0.99, or null"),
    )
    augment: AugmentSpec | None = Field(None, description="crop and flip training images at random")
    track: tuple[Literal["gradient_norm", "memorization"], ...] = Field(
        (),
        strict=False,
        description="what else is looked at where scores are",
        json_schema_extra=_remedy("use a list of gradient_norm and memorization, each once"),
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
        return _named(value)


class ConditionSpec(_Strict):
    """One entry of ``compare``: a recipe, a schedule, and any override of ``data``, ``model`` or ``train``."""

    name: str = Field("", max_length=_LONGEST_NAME, description="shown in the report; by default the recipe's name")
    recipe: str | dict[str, Any] = Field(
        "Mixup",
        description="Mixup, or {Mixup: {alpha: 0.4}}, or {OneOf: [Mixup, CutMix]}; module:Recipe with --allow-code",
        json_schema_extra=_remedy("write one recipe, with its parameters or without: {Mixup: {alpha: 0.4}}"),
    )
    schedule: str | dict[str, Any] = Field(
        "always",
        description="always, never, auto, {off_at: 128}, {off_at: 0.5}, ...",
        json_schema_extra=_remedy("use always, never, auto, {off_at: 128} or {off_at: 0.5}"),
    )
    data: dict[str, Any] = {}
    model: dict[str, Any] = {}
    train: dict[str, Any] = {}

    @property
    def recipe_name(self) -> str:
        """Name of the recipe."""
        return self.recipe if isinstance(self.recipe, str) else next(iter(self.recipe))

    @property
    def recipe_parameters(self) -> dict[str, Any]:
        """Parameters of the recipe."""
        return {} if isinstance(self.recipe, str) else one_of_parameters(next(iter(self.recipe.values())))

    @field_validator("data", "model", mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return _named(value)

    @field_validator("recipe", mode="before")
    @classmethod
    def _infinity_as_json_has_it(cls, value: Any) -> Any:
        return from_json_ready(value) if isinstance(value, dict) else value

    @field_validator("recipe")
    @classmethod
    def _one_recipe(cls, value: str | dict[str, Any]) -> str | dict[str, Any]:
        parameters = next(iter(value.values()), None) if isinstance(value, dict) else None
        if not value or (isinstance(value, dict) and len(value) != 1) or not isinstance(parameters, dict | list | None):
            raise ValueError("no single recipe")
        if isinstance(parameters, list) and next(iter(value)) != ONE_OF:
            raise ValueError("a list of recipes is what OneOf chooses from")
        return value


_EXECUTORS: dict[str, dict[str, Any]] = {
    "local": {"workers": "auto"},
    "ray": {"workers": "auto", "address": "auto", "num_cpus": 1, "num_gpus": "auto", "retries": 3},
}
"""What each executor takes, with its defaults."""


class ExecutorSpec(_Strict):
    """Where the training runs: in processes of this machine, or on a Ray cluster that is running."""

    name: Literal["local", "ray"] = "local"
    workers: int | Literal["auto"] = Field(
        "auto",
        description="stacks at a time; auto takes one per processor, or as many as the cluster has room for",
        json_schema_extra=_remedy("use a number >= 1, or auto"),
    )
    address: str = Field("auto", min_length=1, description="ray: of the cluster, host:port; auto is the one here")
    num_cpus: int = Field(1, ge=1, description="ray: processors that each stack asks for; it computes on one")
    num_gpus: int | float | Literal["auto"] = Field(
        "auto",
        description="ray: GPUs that each stack asks for; auto is one if the device is one",
        json_schema_extra=_remedy("use a number of GPUs, a share of one in (0, 1), or auto"),
    )
    retries: int = Field(3, ge=0, description="ray: how often a stack is begun again whose node was lost")

    @model_validator(mode="before")
    @classmethod
    def _own_keys_and_defaults(cls, value: Any) -> Any:
        return _with_defaults(cls, value, _EXECUTORS, "local")

    @model_serializer(mode="wrap")
    def _own_keys(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = write(self)
        return {key: value for key, value in content.items() if key == "name" or key in _EXECUTORS[self.name]}

    @field_validator("workers")
    @classmethod
    def _at_least_one(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 1:
            raise ValueError("no worker")
        return value

    @field_validator("num_gpus")
    @classmethod
    def _whole_or_a_share(cls, value: float | str) -> float | str:
        if not isinstance(value, str) and not (0 <= value < 1 or (value >= 1 and value == int(value))):
            raise ValueError("no number of GPUs")
        return value


HELD_OUT = 0.2
"""Share of the training samples that a study holds out which leaves to overmix what is compared."""


def _default_compare(*, held_out: bool) -> list[dict[str, Any]]:
    """Return what a study compares that does not say it: what decides together best, see docs/statistics.md."""
    return [
        {"name": "ERM", "recipe": "NoMixup", "schedule": "never"},
        {"name": "Mixup"},
        {"name": "Mixup → ERM @75%", "schedule": {"off_at": 0.75}},
        {"name": "Mixup → ERM (auto)", "schedule": "auto" if held_out else {"auto": {"holdout": HELD_OUT}}},
    ]


class StudySpec(_Strict):
    """A whole study."""

    name: str = Field("study", min_length=1, max_length=_LONGEST_NAME)
    data: DataSpec = DataSpec()
    model: ModelSpec = ModelSpec()
    train: TrainSpec = TrainSpec()
    compare: tuple[ConditionSpec, ...] = Field(
        min_length=1,
        max_length=_MOST_CONDITIONS,
        strict=False,
        description="by default ERM, Mixup, Mixup off at 75 %, and off by AutoSwitch",
    )
    seeds: int | list[int] = Field(
        8,
        description="a number of seeds, or a list of them",
        json_schema_extra=_remedy(f"use a number of seeds, 1 to {_MOST_SEEDS}, or a list of different integers >= 0"),
    )
    metric: Literal["error", "balanced_error"] = Field(
        "error", description="what is judged: the error, or that which weighs all classes alike"
    )
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1")
    executor: ExecutorSpec = ExecutorSpec()

    @model_validator(mode="before")
    @classmethod
    def _decides_together(cls, value: Any) -> Any:
        """Fill in what is compared, and what is held out for it; a study that says what it compares is left alone."""
        if not isinstance(value, dict) or "compare" in value:
            return value
        data = _named(value.get("data", {}))
        if not isinstance(data, dict):
            return value
        data = {"val_size": HELD_OUT, **data}
        return {**value, "data": data, "compare": _default_compare(held_out=bool(data["val_size"]))}

    @field_validator("data", "model", "executor", mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return _named(value)

    @model_serializer(mode="wrap")
    def _without_the_usual_metric(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A study that names none is the study that it was before there was a choice.
        content: dict[str, Any] = write(self)
        return {key: value for key, value in content.items() if key != "metric" or value != "error"}

    @field_validator("seeds")
    @classmethod
    def _different(cls, value: int | list[int]) -> int | list[int]:
        if isinstance(value, int):
            possible = 1 <= value <= _MOST_SEEDS
        else:
            possible = 1 <= len(value) == len(set(value)) <= _MOST_SEEDS and min(value) >= 0
        if not possible:
            raise ValueError("no seeds")
        return value

    @model_validator(mode="after")
    def _not_too_many_runs(self) -> StudySpec:
        runs = len(self.compare) * (self.seeds if isinstance(self.seeds, int) else len(self.seeds))
        if runs > _MOST_RUNS:
            raise ValueError(f"compare fewer conditions, or fewer seeds: {runs} runs are more than {_MOST_RUNS}")
        return self

    @property
    def seed_list(self) -> list[int]:
        """The replica seeds: ``seeds: 3`` means 0, 1, 2."""
        return list(range(self.seeds)) if isinstance(self.seeds, int) else list(self.seeds)

    @property
    def condition_names(self) -> list[str]:
        """Names of the compared conditions, in order."""
        return [condition.name or condition.recipe_name for condition in self.compare]


def condition_parts(spec: StudySpec, condition: ConditionSpec) -> tuple[DataSpec, ModelSpec, TrainSpec]:
    """Return data, model and training of one condition, its overrides merged in.

    Raises:
        ConfigError: if an override cannot work.
    """
    where = condition_label(condition.model_dump(), 0)
    parts: list[Any] = []
    for key, base in (("data", spec.data), ("model", spec.model), ("train", spec.train)):
        override: Mapping[str, Any] = getattr(condition, key)
        try:
            parts.append(type(base).model_validate(_overridden(base, override)) if override else base)
        except ValidationError as error:
            raise as_config_error(error, type(base), override, prefix=f"{where}.{key}") from None
    return parts[0], parts[1], parts[2]


def _overridden(base: DataSpec | ModelSpec | TrainSpec, override: Mapping[str, Any]) -> dict[str, Any]:
    content = base.model_dump()
    if isinstance(base, DataSpec | ModelSpec) and override.get("name", base.name) != base.name:
        # Another data set or model does not take the options of this one.
        content = {key: value for key, value in content.items() if key not in base.options}
    shorthand = {key: _named(value) if isinstance(content.get(key), dict) else value for key, value in override.items()}
    if isinstance(base, TrainSpec) and _other_optimizer(base, shorthand.get("optimizer")):
        del content["optimizer"]
    return merged(content, shorthand)


def _other_optimizer(base: TrainSpec, override: Any) -> bool:
    return isinstance(override, Mapping) and override.get("name", base.optimizer.name) != base.optimizer.name


def resolved(spec: StudySpec) -> dict[str, Any]:
    """Return the study with every default written out, as values that JSON can write."""
    content: dict[str, Any] = json_ready(spec.model_dump())
    content["seeds"] = spec.seed_list
    for entry, name in zip(content["compare"], spec.condition_names, strict=True):
        entry["name"] = name
    return content
