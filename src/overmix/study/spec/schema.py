"""What a study file can say: what is trained, compared and repeated."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import (
    Field,
    NonNegativeInt,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from overmix.study.spec.default_compare import HELD_OUT, default_compare
from overmix.study.spec.parts import Strict, WithOptions, remedy, with_name, with_own_keys
from overmix.study.spec.plain import from_json_ready, json_ready
from overmix.study.spec.recipes import ONE_OF, one_of_parameters
from overmix.study.spec.training import LARGEST_FLOAT, TrainSpec

_MOST_SEEDS, _MOST_CONDITIONS, _MOST_RUNS = 10_000, 500, 100_000
_LONGEST_NAME = 200


class DataSpec(WithOptions):
    """Which data, and how much of them.

    Further keys are options of the data set, such as ``path``.
    """

    name: str = Field("digits", description="digits, mnist1d, fashion_mnist, npz, ...")
    train_size: int | float | None = Field(
        None,
        description="training samples drawn per seed: a number, a share in (0, 1), or null for all that is left",
        json_schema_extra=remedy("use a number of samples, a share in (0, 1), or null for all that is left"),
    )
    val_size: NonNegativeInt | float = Field(
        0,
        description="samples held out of the training data for decisions: a number, or a share in (0, 1) of them, with "
        "at least two of each class",
        json_schema_extra=remedy("use a number of samples, or a share of the training samples in (0, 1), such as 0.2"),
    )
    balanced: bool = Field(False, description="draw as many training samples of each class")

    @field_validator("val_size")
    @classmethod
    def _number_or_share(cls, value: int | float) -> int | float:
        if isinstance(value, float) and not 0 < value < 1:
            raise ValueError("no share")
        return value


class ModelSpec(WithOptions):
    """Which model: a registered name or an import path ``module:factory``. Further keys are its options."""

    name: str = Field("mlp", description="mlp, convnet, ..., or module:factory with --allow-code")


class ConditionSpec(Strict):
    """One entry of ``compare``: a recipe, a schedule, and any override of ``data``, ``model`` or ``train``."""

    name: str = Field("", max_length=_LONGEST_NAME, description="shown in the report; by default the recipe's name")
    recipe: str | dict[str, Any] = Field(
        "Mixup",
        description="Mixup, or {Mixup: {alpha: 0.4}}, or {OneOf: [Mixup, CutMix]}; module:Recipe with --allow-code",
        json_schema_extra=remedy("write one recipe, with its parameters or without: {Mixup: {alpha: 0.4}}"),
    )
    schedule: str | dict[str, Any] = Field(
        "always",
        description="always, never, auto, {off_at: 128}, {off_at: 0.5}, ...",
        json_schema_extra=remedy("use always, never, auto, {off_at: 128} or {off_at: 0.5}"),
    )
    data: dict[str, Any] = Field({})
    model: dict[str, Any] = Field({})
    train: dict[str, Any] = Field({})

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
        return with_name(value)

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


class ExecutorSpec(Strict):
    """Where the training runs: in processes of this machine, or on a Ray cluster that is running."""

    name: Literal["local", "ray"] = "local"
    workers: int | Literal["auto"] = Field(
        "auto",
        description="stacks at a time; auto takes one per processor, or as many as the cluster has room for",
        json_schema_extra=remedy("use a number >= 1, or auto"),
    )
    address: str = Field("auto", min_length=1, description="ray: of the cluster, host:port; auto is the one here")
    num_cpus: int = Field(1, ge=1, description="ray: processors that each stack asks for; it computes on one")
    num_gpus: int | float | Literal["auto"] = Field(
        "auto",
        description="ray: GPUs that each stack asks for; auto is one if the device is one",
        json_schema_extra=remedy("use a number of GPUs, a share of one in (0, 1), or auto"),
    )
    retries: int = Field(3, ge=0, description="ray: how often a stack is begun again whose node was lost")

    @model_validator(mode="before")
    @classmethod
    def _own_keys_and_defaults(cls, value: Any) -> Any:
        return with_own_keys(cls, value, _EXECUTORS, "local")

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


class TunedSpec(Strict):
    """How one condition came to its settings, written by ``overmix switch --fair``."""

    arm: str = Field(max_length=_LONGEST_NAME, description="the condition")
    weight_decay: float = Field(ge=0, le=LARGEST_FLOAT)
    alpha: float | None = None
    trials: int = Field(ge=1, description="settings that were tried")
    seeds: int = Field(ge=1, description="runs of each")
    held_out_error: float = Field(description="of the chosen setting, mean over these runs")
    decays: tuple[float, ...] = Field((), strict=False, description="weight decays that were tried, ascending")
    alphas: tuple[float, ...] = Field((), strict=False, description="alphas likewise")


class StudySpec(Strict):
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
        json_schema_extra=remedy(f"use a number of seeds, 1 to {_MOST_SEEDS}, or a list of different integers >= 0"),
    )
    metric: Literal["error", "balanced_error"] = Field(
        "error", description="what is judged: the error, or that which weighs all classes alike"
    )
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1")
    executor: ExecutorSpec = ExecutorSpec()
    tuned: tuple[TunedSpec, ...] = Field((), strict=False, description="written by overmix switch --fair")

    @model_validator(mode="before")
    @classmethod
    def _decides_together(cls, value: Any) -> Any:
        """Fill in what is compared, and what is held out for it; a study that says what it compares is left alone."""
        if not isinstance(value, dict) or "compare" in value:
            return value
        data = with_name(value.get("data", {}))
        if not isinstance(data, dict):
            return value
        data = {"val_size": HELD_OUT, **data}
        return {**value, "data": data, "compare": default_compare(held_out=bool(data["val_size"]))}

    @field_validator("data", "model", "executor", mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return with_name(value)

    @model_serializer(mode="wrap")
    def _without_what_is_usual(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A study that says nothing of it is the study that it was before there was a choice.
        content: dict[str, Any] = write(self)
        usual = {"metric": "error", "tuned": ()}
        return {key: value for key, value in content.items() if key not in usual or value != usual[key]}

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


def resolved(spec: StudySpec) -> dict[str, Any]:
    """Return the study with every default written out, as values that JSON can write."""
    content: dict[str, Any] = json_ready(spec.model_dump())
    content["seeds"] = spec.seed_list
    for entry, name in zip(content["compare"], spec.condition_names, strict=True):
        entry["name"] = name
    return content
