"""What a user's data are: how a study names them, and what is worth knowing before they are trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from overmix.errors import ConfigError, DataError
from overmix.study.data.dataset import Dataset
from overmix.study.data.folder import list_images
from overmix.study.data.no_input import why_no_input
from overmix.study.data.registry import load_dataset
from overmix.study.data.table import FEW_CLASSES
from overmix.study.data.table_file import column_kind, read_table, why_text

if TYPE_CHECKING:
    import polars as pl

FORMS = {".npz": "npz", ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet"}
"""What is read from a file, by its name's end."""

_OTHER = {
    ".npy": "save x and y together, numpy.savez('data.npz', x=x, y=y)",
    ".xlsx": "save the sheet as CSV",
    ".xls": "save the sheet as CSV",
    ".json": "save it as CSV or Parquet",
    ".jsonl": "save it as CSV or Parquet",
    ".zip": "unpack it, and name the folder",
    ".tar": "unpack it, and name the folder",
    ".gz": "unpack it, and name what comes out",
    ".pt": "save arrays, numpy.savez('data.npz', x=x.numpy(), y=y.numpy())",
    ".pkl": "save arrays or a table: numpy.savez, or to_parquet",
}
"""What to do with files of other kinds."""

TARGETS = ("target", "label", "labels", "class", "y", "outcome", "diagnosis", "species", "quality", "price")
"""Names of columns that are what is predicted, more often than not."""

_FEWEST_SAMPLES, _FEWEST_OF_A_CLASS = 16, 3
_NAMELESS = "(without a name)"
_MANY_COPIES = 0.05  # of the rows; some are alike by chance
_LOOKED_AT = 200  # images whose sizes are looked at
_IMAGE_SIDE = 32


@dataclass(frozen=True)
class Inspection:
    """What there is at a path.

    Args:
        options: how a study names the data, ``path`` being as it was given.
        facts: what is worth knowing, a sentence each.
        dataset: what a study will train on.
    """

    options: dict[str, Any]
    facts: tuple[str, ...]
    dataset: Dataset


def form_of(path: Path) -> str:
    """Return how a study reads what is at a path: ``npz``, ``csv``, ``parquet`` or ``folder``.

    Raises:
        ConfigError: if there is nothing, or nothing that a study reads.
    """
    if path.is_dir():
        return "folder"
    if not path.exists():
        raise ConfigError("PATH", str(path), "there is no such file or folder")
    if path.suffix.lower() not in FORMS:
        remedy = _OTHER.get(path.suffix.lower(), "give an npz, a CSV, a Parquet file or a folder of images")
        raise ConfigError("PATH", str(path), f"files of this kind are not read: {remedy}")
    return FORMS[path.suffix.lower()]


def target_choices(path: Path) -> tuple[list[str], str | None]:
    """Return the columns of a table, and the one that its name gives away as the target, if there is one."""
    columns = read_table(str(path), form_of(path)).columns
    by_name = {name.lower(): name for name in columns}
    return columns, next((by_name[name] for name in TARGETS if name in by_name), None)


def inspect_data(path: Path, *, target: str = "", domain: str = "", labels: str = "auto") -> Inspection:
    """Look at a user's data, and read them as a study will.

    Args:
        path: an npz, a CSV, a Parquet file, or a folder of images.
        target: of a table, the column that is predicted.
        domain: of a table, the column that says where a row comes from.
        labels: what the labels are, where that cannot be told.

    Raises:
        ConfigError: if there is nothing to read, or a column is missing.
        DataError: if it cannot be trained on; the remedy is said.
    """
    form = form_of(path)
    if form == "folder":
        options, facts = _inspect_folder(path)
    elif form == "npz":
        options, facts = {"name": "npz", "path": str(path)}, []
        options |= {"labels": labels} if labels != "auto" else {}
    else:
        options, facts = _inspect_table(path, form, target, domain, labels)
    dataset = load_dataset(**options)
    _check_enough(dataset, path)
    return Inspection(options, (_size_of(dataset), *_labels_of(dataset), *facts), dataset)


def _check_enough(dataset: Dataset, path: Path) -> None:
    """Refuse what no study can train on, hold out and compare."""
    if len(dataset.x) < _FEWEST_SAMPLES:
        raise DataError(f"{path}: {len(dataset.x)} samples to train on are too few: give at least {_FEWEST_SAMPLES}")
    if dataset.labels != "classes":
        return
    counts = np.bincount(dataset.y.numpy()[dataset.labelled], minlength=dataset.num_classes)
    if counts.min() < _FEWEST_OF_A_CLASS:
        fewest = int(counts.argmin())
        name = dataset.class_names[fewest] if dataset.class_names else fewest
        raise DataError(
            f"{path}: the class {name} has {counts.min()} samples to train on and hold out, at least "
            f"{_FEWEST_OF_A_CLASS} are needed: give more, join it with another class, or leave it out"
        )


def _size_of(dataset: Dataset) -> str:
    shape = " x ".join(map(str, dataset.x.shape[1:]))
    held = "" if dataset.validation is None else f", {int(dataset.validation.sum())} for validation"
    pool = len(dataset.x) - (0 if dataset.validation is None else int(dataset.validation.sum()))
    what = f"{dataset.x.shape[1]} inputs" if dataset.x.dim() == 2 else f"shape {shape}"
    return f"{pool:,} samples to train on{held}, {len(dataset.x_test):,} to test on, {what} each"


def _labels_of(dataset: Dataset) -> list[str]:
    if dataset.labels != "classes":
        return [f"labels are {dataset.labels}, {dataset.num_classes} for each sample"]
    classes = dataset.y.numpy()[dataset.labelled]
    counts = np.bincount(classes, minlength=dataset.num_classes)
    names = dataset.class_names or tuple(map(str, range(dataset.num_classes)))
    listed = [f"{name} {count:,}" for name, count in zip(names, counts, strict=True)]
    shown = ", ".join(listed[:8]) + (f" and {len(listed) - 8} more" if len(listed) > 8 else "")
    facts = [f"{dataset.num_classes} classes: {shown}"]
    if (ratio := counts.max() / max(counts.min(), 1)) >= 1.5:
        few, many = names[int(counts.argmin())], names[int(counts.argmax())]
        facts.append(f"imbalanced: {many} has {ratio:.3g} times the samples of {few}")
    unlabelled = int((~dataset.labelled).sum())
    return [*facts, *([f"{unlabelled:,} samples have no label"] if unlabelled else [])]


def _inspect_table(path: Path, form: str, target: str, domain: str, labels: str) -> tuple[dict[str, Any], list[str]]:
    table = read_table(str(path), form)
    options: dict[str, Any] = {"name": form, "path": str(path), "target": target}
    if domain:
        options["domain"] = domain
    kept = {name for name in (target, domain) if name}  # a column without a name is no domain that was not given
    roles, facts = _inputs_asked([column for column in table.iter_columns() if column.name not in kept], form)
    options |= roles
    # A column without a name is a column: a domain that was not given is none.
    inputs = table.drop([name for name in (*kept, *roles.get("drop", ())) if name in table.columns])
    facts += _missing_in(inputs)
    facts += _copies_in(inputs, table[target] if target in table.columns else None)
    if target in table.columns:
        without = table[target].null_count()
        rule = "they are left out" if form != "csv" else "they are left out (nothing, NA, ? and the like)"
        facts += [f"{without:,} rows have no {target}: {rule}"] if without else []
        kind, why = _labels_asked(table[target], labels)
        options |= {"labels": kind} if kind != "auto" else {}
        facts += [why] if why else []
    return options, facts


def _inputs_asked(columns: Sequence[pl.Series], form: str) -> tuple[dict[str, list[str]], list[str]]:
    """Return what the study is to say of columns that are no plain inputs, and what is to be said of them."""
    unclear = {c.name: why for c in columns if form == "csv" and (why := why_text(c))}
    codes = [c.name for c in columns if c.name in unclear and c.drop_nulls().n_unique() <= FEW_CLASSES]
    mend = "mend it in the file and begin anew if these are numbers"
    facts = [f"taken for categories: {name}, it {unclear[name]}; {mend}" for name in codes]
    left_out = []
    for column in columns:
        why = f"it {unclear[column.name]}; {mend}" if column.name in unclear else why_no_input(column)
        if why and column.name not in codes:
            left_out.append(column.name)
            facts.append(f"left out: {column.name or _NAMELESS}, {why}")
    coded = [c for c in columns if c.name not in {*codes, *left_out} and column_kind(c) == "category"]
    facts += [f"categories: {_shortened([_categories_of(column) for column in coded])}"] if coded else []
    return {key: names for key, names in (("drop", left_out), ("categories", codes)) if names}, facts


def _categories_of(column: pl.Series) -> str:
    known = column.cast(str).drop_nulls()
    many = f" (such as {known[0][:20]!r})" if known.n_unique() > FEW_CLASSES else ""
    return f"{column.name or _NAMELESS} {known.n_unique()}{many}"


def _shortened(listed: Sequence[str]) -> str:
    return ", ".join(listed[:6]) + (f" and {len(listed) - 6} more columns" if len(listed) > 6 else "")


def _missing_in(inputs: pl.DataFrame) -> list[str]:
    missing = {c.name: c.null_count() for c in inputs.iter_columns()}
    missing = {name: count for name, count in missing.items() if count}
    if not missing:
        return ["no value is missing"]
    shown = _shortened([f"{name or _NAMELESS} {count:,}" for name, count in missing.items()])
    rule = "a number is filled with the median of the training samples, a category is one of its own"
    return [f"missing values: {shown}; {rule}"]


def _copies_in(inputs: pl.DataFrame, target: pl.Series | None) -> list[str]:
    """Say how many rows say again what one above says: the test would ask for what was learned by heart."""
    rows = inputs if target is None else inputs.with_columns(target)
    if target is not None:
        rows = rows.filter(target.is_not_null())
    if not rows.width or any(column_kind(column) == "nested" for column in rows.iter_columns()):
        return []
    copies = rows.height - rows.n_unique()
    if copies < _MANY_COPIES * rows.height:
        return []
    rule = "one may be trained on and another tested on; remove those that are no samples of their own"
    return [f"{copies:,} rows are copies of others, the target too: {rule}"]


def _labels_asked(target: pl.Series, labels: str) -> tuple[str, str]:
    """Return what the study is to say of whole numbers that may be classes or values, and how that was decided."""
    if labels != "auto" or column_kind(target) != "number":
        return labels, ""
    known = target.drop_nulls()
    whole = not target.dtype.is_float() or bool((known == known.round()).all())
    if not whole or (known.n_unique() <= FEW_CLASSES and not target.dtype.is_float()):
        return "auto", ""
    kind = "classes" if known.n_unique() <= FEW_CLASSES else "values"
    return kind, f"{target.name} has {known.n_unique():,} different whole numbers: taken for {kind} (--labels says it)"


def _inspect_folder(path: Path) -> tuple[dict[str, Any], list[str]]:
    listing = list_images(str(path))
    files = [file for file, _ in listing.files["train"]]
    step = max(1, len(files) // _LOOKED_AT)
    sizes, modes = _sizes_of(files[::step])
    sides = {side for size in sizes for side in size}
    size = _side(sides, sorted(min(pixels) for pixels in sizes))
    options: dict[str, Any] = {"name": "folder", "path": str(path), "size": size}
    if modes <= {"L", "1", "LA"}:
        options["grey"] = True
    low, high = min(sides), max(sides)
    said = f"images of {low} pixels a side" if low == high else f"images of {low} to {high} pixels a side"
    resized = "" if low == high == size else f", cut to squares and resized to {size}"
    facts = [f"{said}{resized}, {'grey' if options.get('grey') else 'in colour'}"]
    if low < size:
        smallest = min(zip(sizes, files[::step], strict=True), key=lambda pair: min(pair[0]))[1]
        few = sum(min(pixels) < size for pixels in sizes)
        facts.append(f"{few} of {len(sizes)} images looked at are smaller than that, such as {smallest.name}")
    return options, facts


def _side(sides: set[int], smaller: Sequence[int]) -> int:
    """Return the side of the images in a study: their own if it is one and small, else what trains fast.

    Args:
        sides: all sides.
        smaller: the smaller side of each image, ascending: nine tenths have at least what is returned, so that a
            thumbnail among photographs does not make all of them as small.
    """
    if len(sides) == 1 and (side := next(iter(sides))) <= 2 * _IMAGE_SIDE:
        return side
    return min(_IMAGE_SIDE, smaller[len(smaller) // 10])


def _sizes_of(files: Sequence[Path]) -> tuple[list[tuple[int, int]], set[str]]:
    from PIL import Image

    sizes, modes = [], set()
    for file in files:
        try:
            with Image.open(file) as image:
                sizes.append(image.size)
                modes.add(image.mode)
        except Exception as error:
            # Damaged files make the reader raise almost anything.
            raise DataError(
                f"data.path {file}: it cannot be read as an image ({error}): remove or replace it"
            ) from None
    return sizes, modes
