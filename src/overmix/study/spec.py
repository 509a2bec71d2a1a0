"""The study file: what is trained, compared and repeated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from overmix.errors import ConfigError
from overmix.recipes import make_recipe
from overmix.study.data import dataset_names, dataset_options
from overmix.study.merge import merged
from overmix.study.models import check_model_name, model_options
from overmix.study.validation import as_config_error, check_options
from overmix.switch import make_schedule
from overmix.train import LRSchedule


class _Strict(BaseModel):
    """A part of a study file: unknown keys are errors, values are never silently converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class DataSpec(BaseModel):
    """Which data, and how much of them.

    Further keys are options of the data set, such as ``path``.
    """

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    name: str = Field("digits", description="digits, mnist1d, fashion_mnist, npz, ...")
    train_size: int | float | None = Field(
        None, description="training samples drawn per seed: a number, a share in (0, 1), or null for all that is left"
    )
    val_size: int = Field(0, ge=0, description="samples held out of the training data for decisions")
    balanced: bool = Field(False, description="draw as many training samples of each class")

    @property
    def options(self) -> dict[str, Any]:
        """Options of the data set itself."""
        return dict(self.__pydantic_extra__ or {})


class ModelSpec(BaseModel):
    """Which model: a registered name or an import path ``module:factory``. Further keys are its options."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    name: str = Field("mlp", description="mlp, convnet, ..., or module:factory with --allow-code")

    @property
    def options(self) -> dict[str, Any]:
        """Options of the model itself."""
        return dict(self.__pydantic_extra__ or {})


class OptimizerSpec(_Strict):
    """Stochastic gradient descent."""

    name: Literal["sgd"] = "sgd"
    lr: float = Field(0.05, gt=0, allow_inf_nan=False, description="learning rate")
    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = False
    weight_decay: float = Field(0.0, ge=0, allow_inf_nan=False)


class LRScheduleSpec(_Strict):
    """The learning rate's course."""

    name: Literal["constant", "multistep", "cosine"] = "constant"
    milestones: tuple[int | float, ...] = Field(
        (0.5, 0.75), strict=False, description="epochs, or shares of the training"
    )
    gamma: float = Field(0.1, gt=0, le=1)
    warmup: float = Field(0.0, ge=0, allow_inf_nan=False, description="epochs")

    def build(self) -> LRSchedule:
        """Return the schedule that the engine uses."""
        return LRSchedule(self.name, tuple(self.milestones), self.gamma, self.warmup)


class TrainSpec(_Strict):
    """How one model is trained."""

    epochs: int = Field(1000, ge=1)
    batch_size: int = Field(64, ge=1)
    optimizer: OptimizerSpec = OptimizerSpec()
    lr_schedule: LRScheduleSpec = LRScheduleSpec()

    @field_validator("lr_schedule", "optimizer", mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


class ConditionSpec(_Strict):
    """One entry of ``compare``: a recipe, a schedule, and any override of ``data``, ``model`` or ``train``."""

    name: str = Field("", description="shown in the report; by default the recipe's name")
    recipe: str | dict[str, Any] = Field("Mixup", description="Mixup, or {Mixup: {alpha: 0.4}}")
    schedule: str | dict[str, Any] = Field("always", description="always, never, {off_at: 128} or {off_at: 0.5}")
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
        return {} if isinstance(self.recipe, str) else dict(next(iter(self.recipe.values())) or {})

    @field_validator("recipe")
    @classmethod
    def _one_recipe(cls, value: str | dict[str, Any]) -> str | dict[str, Any]:
        if isinstance(value, dict):
            parameters = next(iter(value.values()), None) if len(value) == 1 else ()
            if not isinstance(parameters, dict | None):
                raise ValueError("write one recipe with its parameters: {Mixup: {alpha: 0.4}}")
        return value


class ExecutorSpec(_Strict):
    """Where the training runs."""

    name: Literal["local"] = "local"
    workers: int | Literal["auto"] = Field("auto", description="processes; auto takes one per processor")

    @field_validator("workers")
    @classmethod
    def _at_least_one(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 1:
            raise ValueError("use a number >= 1, or auto")
        return value


def _default_compare() -> tuple[ConditionSpec, ...]:
    return (
        ConditionSpec(name="ERM", recipe="NoMixup", schedule="never"),
        ConditionSpec(name="Mixup"),
        ConditionSpec(name="Mixup → ERM @50%", schedule={"off_at": 0.5}),
    )


class StudySpec(_Strict):
    """A whole study."""

    name: str = Field("study", min_length=1)
    data: DataSpec = DataSpec()
    model: ModelSpec = ModelSpec()
    train: TrainSpec = TrainSpec()
    compare: tuple[ConditionSpec, ...] = Field(default_factory=_default_compare, min_length=1, strict=False)
    seeds: int | list[int] = Field(8, description="a number of seeds, or a list of them")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1")
    executor: ExecutorSpec = ExecutorSpec()

    @field_validator("data", "model", "executor", mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @property
    def seed_list(self) -> list[int]:
        """The replica seeds: ``seeds: 3`` means 0, 1, 2."""
        return list(range(self.seeds)) if isinstance(self.seeds, int) else list(self.seeds)

    @property
    def condition_names(self) -> list[str]:
        """Names of the compared conditions, in order."""
        return [condition.name or condition.recipe_name for condition in self.compare]


def condition_parts(spec: StudySpec, condition: ConditionSpec) -> tuple[DataSpec, ModelSpec, TrainSpec]:
    """Return data, model and training of one condition, its overrides merged in."""
    where = f"compare.{condition.name or condition.recipe_name}"
    parts: list[Any] = []
    for key, base in (("data", spec.data), ("model", spec.model), ("train", spec.train)):
        content = merged(base.model_dump(mode="json"), getattr(condition, key))
        try:
            parts.append(type(base).model_validate(content))
        except ValidationError as error:
            raise as_config_error(error, type(base), prefix=f"{where}.{key}") from None
    return parts[0], parts[1], parts[2]


def parse_study(content: Any, *, allow_code: bool = False) -> StudySpec:
    """Check the content of a study file.

    Args:
        content: what the file holds, as plain Python values.
        allow_code: whether models may be named by an import path.

    Returns:
        The study with every default filled in.

    Raises:
        ConfigError: for an unknown key or name (with the nearest known one), or a value that cannot work.

    Example:
        >>> parse_study({"data": "digits", "seeds": 3}).seed_list
        [0, 1, 2]
    """
    if not isinstance(content, Mapping):
        raise ConfigError("study", content, "write a mapping of keys such as data, model, train, compare, seeds")
    try:
        spec = StudySpec.model_validate(dict(content))
    except ValidationError as error:
        raise as_config_error(error, StudySpec) from None
    _check_seeds(spec)
    _check_names(spec)
    for condition in spec.compare:
        make_recipe(condition.recipe_name, **condition.recipe_parameters)
        make_schedule(condition.schedule)
        data, model, train = condition_parts(spec, condition)
        check_options("data", data.name, data.options, dataset_names(), dataset_options)
        check_model_name(model.name, allow_code=allow_code)
        if ":" not in model.name:
            check_options("model", model.name, model.options, None, model_options)
        train.lr_schedule.build()
    return spec


def read_study(path: Path, *, allow_code: bool = False) -> StudySpec:
    """Read a study file (YAML, or JSON, which is YAML too).

    Relative data paths are taken from the folder of the file.

    Raises:
        ConfigError: if it cannot be read, or :func:`parse_study` refuses it.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError("study file", str(path), f"it cannot be read ({error.strerror}); give a YAML file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        place = getattr(error, "problem_mark", None)
        line = f" at line {place.line + 1}" if place is not None else ""
        raise ConfigError("study file", str(path), f"it is no valid YAML{line}: check indentation and colons") from None
    return parse_study(_absolute_paths({} if content is None else content, path.parent), allow_code=allow_code)


def resolved(spec: StudySpec) -> dict[str, Any]:
    """Return the study with every default written out, as plain JSON values."""
    content: dict[str, Any] = json.loads(spec.model_dump_json())
    content["seeds"] = spec.seed_list
    for entry, name in zip(content["compare"], spec.condition_names, strict=True):
        entry["name"] = name
    return content


def _absolute_paths(content: Any, folder: Path) -> Any:
    if not isinstance(content, dict):
        return content
    data = content.get("data")
    if isinstance(data, dict) and isinstance(data.get("path"), str):
        content = {**content, "data": {**data, "path": str((folder / data["path"]).resolve())}}
    return content


def _check_seeds(spec: StudySpec) -> None:
    seeds = spec.seed_list
    if not seeds:
        raise ConfigError("seeds", spec.seeds, "use at least one seed")
    if len(set(seeds)) != len(seeds) or min(seeds) < 0:
        raise ConfigError("seeds", spec.seeds, "use different integers >= 0")


def _check_names(spec: StudySpec) -> None:
    names = spec.condition_names
    for name in names:
        if names.count(name) > 1:
            raise ConfigError("compare.name", name, "give each condition a name of its own")
