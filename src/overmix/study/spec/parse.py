"""From a study file to a study that has been checked as far as that is possible without its data."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from overmix.errors import ConfigError, did_you_mean
from overmix.study.data import dataset_names, dataset_options
from overmix.study.data.registry import BRING_VALIDATION
from overmix.study.models import check_model_name, model_options
from overmix.study.options import check_option_values
from overmix.study.spec.overrides import condition_parts
from overmix.study.spec.plain import plain
from overmix.study.spec.recipes import build_recipe, check_recipe_name, recipe_entry, recipe_names
from overmix.study.spec.schema import ConditionSpec, DataSpec, ModelSpec, StudySpec
from overmix.study.spec.validation import as_config_error, condition_label, within
from overmix.study.spec.yaml_file import read_yaml
from overmix.switch import HeldOut, Policy, make_schedule, schedule_name


def read_study(path: Path, *, allow_code: bool = False) -> StudySpec:
    """Read a study file (YAML, or JSON, which is YAML too).

    Relative data paths are taken from the folder of the file.

    Raises:
        ConfigError: if it cannot be read, or :func:`parse_study` refuses it.
    """
    if path.suffix.lower() in (".csv", ".tsv", ".parquet", ".npz") or path.is_dir():
        raise ConfigError("study file", str(path), f"these are data: overmix init {path} writes a study for them")
    content = read_yaml(path)
    if content is None:
        raise ConfigError("study file", str(path), "it is empty: write what is trained, such as data: digits")
    return parse_study(with_absolute_paths(plain(content), path.parent), allow_code=allow_code)


def parse_study(content: Any, *, allow_code: bool = False) -> StudySpec:
    """Check the content of a study file.

    Args:
        content: what the file holds, as plain Python values.
        allow_code: whether models and recipes may be named by an import path.

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
    content = plain(content)
    _refuse_phases(content)
    try:
        spec = StudySpec.model_validate(content)
    except ValidationError as error:
        raise as_config_error(error, StudySpec, content) from None
    _check_names(spec)
    # The study's own parts first, so that an error in them is not blamed on a condition that inherits it.
    for condition in (ConditionSpec(), *spec.compare):
        _check_condition(spec, condition, allow_code=allow_code)
    return spec


_PHASES = (
    "a study trains one recipe per condition; phases drive a loop of your own: "
    "overmix.Epochs(300, mix=overmix.switch.Phases(...)), see docs/loop.md"
)


def _refuse_phases(content: Mapping[str, Any]) -> None:
    """Say where recipes that follow each other are trained, whichever key they were looked for under.

    A stack mixes in one space from its first step to its last, and floor, advice and shared beginnings are those of one
    recipe.
    """
    entries = content.get("compare")
    for number, entry in enumerate(entries if isinstance(entries, list) else ()):
        if not isinstance(entry, Mapping):
            continue
        for key in ("phases", "recipe", "schedule"):
            value = entry.get(key)
            named = next(iter(value), None) if isinstance(value, Mapping) else value
            if key in entry and (key == "phases" or (isinstance(named, str) and named.lower() == "phases")):
                raise ConfigError(f"{condition_label(entry, number)}.{key}", value, _PHASES)


def _check_condition(spec: StudySpec, condition: ConditionSpec, *, allow_code: bool) -> None:
    where = condition_label(condition.model_dump(), 0)
    data, model, train = condition_parts(spec, condition)
    with within(where if condition.data else ""):
        _check_data(data)
    with within(where if condition.model else ""):
        _check_model(model, allow_code=allow_code)
    with within(f"{where}.train" if condition.train else "train"):
        train.optimizer.build()
        train.lr_schedule.build().check(train.epochs)
        if train.augment is not None:
            train.augment.build()
    with within(where):
        _check_recipe(condition, allow_code=allow_code)
        _check_schedule(condition, train.epochs, data, allow_code=allow_code)


def _check_data(data: DataSpec) -> None:
    if data.name not in dataset_names():
        raise ConfigError("data.name", data.name, did_you_mean(data.name, dataset_names()))
    _check_options("data", data, dataset_options(data.name))


def _check_model(model: ModelSpec, *, allow_code: bool) -> None:
    check_model_name(model.name, allow_code=allow_code)
    if ":" not in model.name:
        _check_options("model", model, model_options(model.name))


def _check_options(part: str, given: DataSpec | ModelSpec, taken: Mapping[str, Any]) -> None:
    """Refuse unknown options, naming the nearest key of those that every data set or model has as well."""
    for option, value in given.options.items():
        if option not in taken:
            known = [*type(given).model_fields, *taken]
            raise ConfigError(f"{part}.{option}", value, f"unknown key, {did_you_mean(option, known)}")
    check_option_values(part, given.name, given.options, taken)


def _check_recipe(condition: ConditionSpec, *, allow_code: bool) -> None:
    name, parameters = condition.recipe_name, condition.recipe_parameters
    for of in recipe_names({name: parameters}):
        check_recipe_name(of, allow_code=allow_code)
    entry = recipe_entry(name)
    with within(f"recipe.{name}"):
        for parameter, value in parameters.items():
            if parameter not in entry.defaults:
                known = did_you_mean(parameter, entry.defaults) if entry.defaults else f"{name} takes no parameters"
                raise ConfigError(parameter, value, f"unknown key, {known}")
        try:
            build_recipe(name, **parameters)
        except ConfigError:
            raise
        except (TypeError, ValueError, AttributeError) as error:
            raise ConfigError("parameters", parameters, f"{name} cannot use them ({error})") from None


def _check_schedule(condition: ConditionSpec, epochs: int, data: DataSpec, *, allow_code: bool) -> None:
    name = schedule_name(condition.schedule)
    if ":" in name and not allow_code:
        raise ConfigError("schedule", name, "an import path runs that module's code: allow it with --allow-code")
    try:
        schedule = make_schedule(condition.schedule)
    except ConfigError as error:
        raise ConfigError(_schedule_field(condition.schedule, error.field), error.value, error.remedy) from None
    # Whether a file holds validation samples is known once it is read.
    if isinstance(schedule, Policy) and data.val_size == 0 and data.name not in BRING_VALIDATION:
        raise ConfigError(
            "data.val_size",
            0,
            "hold out samples that the switch is decided on, 200 for example, or decide on a part of the training "
            "samples, schedule: {auto: {holdout: 0.2}}",
        )
    if isinstance(schedule, Policy | HeldOut):
        policy = schedule.policy if isinstance(schedule, HeldOut) else schedule
        if getattr(policy, "best", False):
            remedy = "leave it out: a study shows the best checkpoints of every condition beside its end"
            raise ConfigError(f"schedule.{name}.best", True, remedy)
        return
    with within("schedule"):
        schedule.check(epochs, steps=None)  # the steps are known when the data are


def _schedule_field(schedule: str | dict[str, Any], field: str) -> str:
    """Return where a schedule's setting stands: ``tail`` of ``{auto: {tail: 5}}`` is ``schedule.auto.tail``."""
    name = next(iter(schedule), "") if isinstance(schedule, dict) else schedule
    if field == "schedule":
        return field
    return f"schedule.{field}" if field.partition(".")[0] == name else f"schedule.{name}.{field}"


def _check_names(spec: StudySpec) -> None:
    for name, count in Counter(spec.condition_names).items():
        if count > 1:
            raise ConfigError("compare.name", name, "give each condition a name of its own")


def with_absolute_paths(content: Any, folder: Path) -> Any:
    """Take relative data paths from the study file's folder, those of ``compare`` too."""
    if not isinstance(content, dict):
        return content
    content = {**content, **_absolute_path(content, folder)}
    if isinstance(content.get("compare"), list):
        entries = content["compare"]
        content["compare"] = [
            {**entry, **_absolute_path(entry, folder)} if isinstance(entry, dict) else entry for entry in entries
        ]
    return content


def _absolute_path(part: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    data = part.get("data")
    if not isinstance(data, dict) or not isinstance(data.get("path"), str) or not data["path"]:
        return {}
    return {"data": {**data, "path": str((folder / os.path.expanduser(data["path"])).resolve())}}
