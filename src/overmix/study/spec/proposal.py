"""A first study of a user's data, as a commented file."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from overmix.study.data.inspect import Inspection
from overmix.study.spec.recipes import build_recipe

_STEPS = 12_000
"""About so many steps show over-training on small data, where it shows at all."""

_FEWEST_EPOCHS, _MOST_EPOCHS = 40, 1000
_HELD_OUT, _MOST_HELD_OUT = 0.2, 1000


def proposed_study(inspection: Inspection, folder: Path, name: str) -> str:
    """Return the text of a study of some data.

    Args:
        inspection: of the data.
        folder: where the file will lie; the data's path is written relative to it.
        name: of the study.
    """
    facts = "".join(f"#   {_in_a_line(fact)}\n" for fact in inspection.facts)
    data = _data_part(inspection, folder)
    epochs, batch = _length(inspection)
    return f"""\
# Does Mixup help on these data, does it over-train, and when is it best switched off?
# Written by `overmix init`; what it found:
{facts}#
# overmix plan {_in_a_line(name)}.yaml     what it costs
# overmix run {_in_a_line(name)}.yaml      trains what is missing, and writes a page
# Every key: docs/studies.md

name: {_quoted(name)}
data:
{data}
{_model_part(inspection)}
train:
  epochs: {epochs}  # over-training shows late: halve it for a first look, double it to be sure
  batch_size: {batch}
  optimizer: {{name: sgd, lr: 0.05, momentum: 0.9}}
  lr_schedule: cosine
compare:
  - {{name: ERM, recipe: NoMixup, schedule: never}}  # plain training
{_compare_part(inspection)}
seeds: 8  # each with training samples, initial weights and order of its own; fewer than 5 decide nothing
"""


def _data_part(inspection: Inspection, folder: Path) -> str:
    options = dict(inspection.options)
    options["path"] = Path(os.path.relpath(options["path"], folder)).as_posix()
    lines = [f"  {key}: {_written(value)}{_REMARKS.get(key, '')}" for key, value in options.items()]
    held = _held_out(inspection)
    if inspection.dataset.validation is None:
        lines.append(f"  val_size: {held}  # held out of the training data, by each seed: switches are decided on them")
    else:
        lines.append("  # validation samples came with the data: switches are decided on them")
    if len(inspection.dataset.x_test) and inspection.options["name"] in ("csv", "parquet"):
        lines.append("  test_size: 0.25  # the same rows for every seed")
    return "\n".join(lines)


_REMARKS = {
    "target": "  # the column that is predicted",
    "domain": "  # where a row comes from, for LISA; no input",
    "drop": "  # no inputs",
    "labels": "  # classes or values",
    "size": "  # pixels a side; larger is slower",
    "grey": "  # no colours",
}


def _held_out(inspection: Inspection) -> int:
    pool = int(inspection.dataset.labelled.sum())
    return max(2, min(round(_HELD_OUT * pool), _MOST_HELD_OUT))


def _length(inspection: Inspection) -> tuple[int, int]:
    """Return epochs and batch size."""
    dataset = inspection.dataset
    held = _held_out(inspection) if dataset.validation is None else int(dataset.validation.sum())
    trained = max(len(dataset.x) - held, 1)
    batch = 64 if trained >= 128 else max(2 ** int(math.log2(max(trained // 2, 1))), 1)
    epochs = _STEPS / max(trained // batch, 1)
    rounded = round(epochs / 10) * 10
    return min(max(rounded, _FEWEST_EPOCHS), _MOST_EPOCHS), batch


def _model_part(inspection: Inspection) -> str:
    if inspection.dataset.x.dim() == 4 and min(inspection.dataset.x.shape[2:]) >= 8:
        return "model: {name: convnet, width: 16}  # or resnet18, or module:factory of your own with --allow-code"
    return "model: {name: mlp, hidden: [256, 256]}  # or module:factory of your own, with --allow-code"


def _compare_part(inspection: Inspection) -> str:
    recipe = _recipe(inspection)
    conditions = [
        f"  - {{name: {recipe}, recipe: {recipe}}}  # to the end",
        f"  - {{name: {recipe} → ERM @75%, recipe: {recipe}, schedule: {{off_at: 0.75}}}}  # off at three quarters",
    ]
    if not build_recipe(recipe).off_doubt:  # else it would train the run to the end once more
        auto = f"{{name: {recipe} → ERM (auto), recipe: {recipe}, schedule: auto}}"
        conditions.append(f"  - {auto}  # each run decides by itself")
    if inspection.dataset.labels == "classes" and inspection.dataset.domain is not None:
        conditions.append("  - {name: LISA, recipe: LISA}  # mixes within a class or within a domain")
    return "\n".join(conditions)


def _recipe(inspection: Inspection) -> str:
    by_labels: dict[str, str] = {"values": "CMixup", "views": "BiMixCo"}
    if not inspection.dataset.labelled.all():
        return "ConfidentMixup"
    return by_labels.get(inspection.dataset.labels, "Mixup")


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_written(entry) for entry in value)}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_written(entry)}" for key, entry in value.items()) + "}"
    return _quoted(value) if isinstance(value, str) else str(value)


def _quoted(text: str) -> str:
    """Return text as YAML reads it: bare where that is certain, else in quotes, which JSON's are."""
    plain = text.replace("_", "").replace("/", "").replace(".", "").replace("-", "")
    # What begins with a point may be a number there, .5 or .inf, unless a path goes on.
    safe = plain.isascii() and plain.isalnum() and (text[0].isalpha() or text.startswith(("/", "./", "../")))
    words = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
    return text if safe and text.lower() not in words else json.dumps(text, ensure_ascii=not text.isprintable())


def _in_a_line(fact: str) -> str:
    """Return what a comment can hold: names of columns may have line breaks, and what cannot be printed."""
    return "".join(sign if sign.isprintable() else "?" for sign in " ".join(fact.split()))
