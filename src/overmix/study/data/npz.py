"""The user's own arrays."""

from __future__ import annotations

import difflib
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from overmix.errors import ConfigError, DataError
from overmix.files.regular_file import open_regular
from overmix.mix import IGNORE_INDEX, LabelKind
from overmix.study.data.arrays import (
    check_single_class,
    validate_arrays,
    validate_samples,
    validate_test_arrays,
    validate_test_samples,
)
from overmix.study.data.dataset import Dataset, dataset_of, with_validation
from overmix.study.data.labels import check_asked, check_varies, domain_of, label_kind_of, mask_of, numbers
from overmix.study.data.set_aside import check_test_size, set_aside

_SAVE = "save it as numpy.savez('data.npz', x=x, y=y)"


def npz(path: str = "", test_size: float = 0.25, labels: str = "auto") -> Dataset:
    """Read arrays that ``numpy.savez`` wrote, by their names.

    ``x`` and ``y``, or ``x`` and ``view`` (a second view of each sample, rows). Perhaps ``x_test`` with ``y_test`` or
    ``view_test``; ``x_val`` with ``y_val`` or ``view_val``, which is then the validation split of every seed;
    ``domain``, where each sample of x comes from; ``unlabelled``, true for samples of x whose class is not known. uint8
    in x stays as it is, every other real number becomes float32. Nothing is ever unpickled.

    Args:
        path: the file.
        test_size: without test arrays, the share of the samples that is set aside for testing, of every class alike.
            The choice is the same for every study and seed.
        labels: what y holds: ``classes`` (integers 0..C-1), ``values`` (real numbers, one or more for each sample),
            ``rows`` (0 and 1, several labels at once), or ``views``; ``auto`` reads it off the array.

    Raises:
        ConfigError: if there is no such file, the share is outside of (0, 1), or the labels are none of these.
        DataError: if the file or its arrays cannot be trained on.
    """
    if not path:
        raise ConfigError("data.path", path, "name the file: data: {name: npz, path: my-data.npz}")
    check_test_size(test_size)
    check_asked(labels)
    field = f"data.path {path}"
    arrays = _read(Path(path).expanduser(), field)
    label = _label_name(arrays, labels, field)
    kind: LabelKind = "views" if label == "view" else label_kind_of(arrays["y"], labels, field)
    if kind == "classes":
        whole = _classes(arrays, field)
    else:
        if "unlabelled" in arrays:
            raise DataError(f"{field}: it holds unlabelled, but the labels are {kind}: leave it out")
        whole = _numbers(arrays, label, kind, field)
    if "x_test" not in arrays:
        whole = set_aside(whole, test_size, f"{field}: {label}")
    return _validated(whole, arrays, label, field) if "x_val" in arrays else whole


def _label_name(arrays: dict[str, np.ndarray], labels: str, field: str) -> str:
    """Return which array holds the labels."""
    both = "y" in arrays and "view" in arrays
    if both and labels == "auto":
        raise DataError(f"{field}: it holds y and view: say data: {{labels: views}}, or what y is")
    name = "view" if labels == "views" or "y" not in arrays else "y"
    if name not in arrays or (name == "view" and labels not in ("auto", "views")):
        raise DataError(f"{field}: it holds no {'view' if labels == 'views' else 'y'}: {_SAVE}")
    for part in _PARTS:
        if f"x_{part}" in arrays and f"{name}_{part}" not in arrays:
            raise DataError(f"{field}: it holds x_{part} alone: give both x_{part} and {name}_{part}, or neither")
    return name


def _classes(arrays: dict[str, np.ndarray], field: str) -> Dataset:
    x, y = arrays["x"], arrays["y"]
    mask = mask_of(arrays["unlabelled"], len(x), field) if "unlabelled" in arrays else np.zeros(len(x), dtype=bool)
    known = y
    if mask.any() and y.shape == mask.shape:
        known = y[~mask]
    check_single_class(known, arrays.get("y_test"), field)
    samples, classes, num_classes = validate_arrays(x, y, field, without=mask)
    domain = domain_of(arrays["domain"], len(x), field) if "domain" in arrays else None
    if "x_test" in arrays:
        x_test, y_test = validate_test_arrays(arrays["x_test"], arrays["y_test"], x, num_classes, field)
    else:
        x_test, y_test = samples[:0], classes[:0]
    dataset = dataset_of("npz", samples, np.where(mask, IGNORE_INDEX, classes), x_test, y_test, num_classes)
    return replace(dataset, domain=None if domain is None else torch.from_numpy(domain))


def _validated(whole: Dataset, arrays: dict[str, np.ndarray], label: str, field: str) -> Dataset:
    """Return the data with the validation samples that the file holds."""
    x, y = arrays["x_val"], arrays[f"{label}_val"]
    if whole.labels == "classes":
        return with_validation(whole, *validate_test_arrays(x, y, arrays["x"], whole.num_classes, field, part="val"))
    samples = validate_test_samples(x, arrays["x"], field, part="val")
    rows = numbers(y, len(samples), whole.labels, f"{label}_val", field)
    if rows.shape[1] != whole.num_classes:
        raise DataError(f"{field}: {label} has {whole.num_classes} columns, {label}_val has {rows.shape[1]}")
    return with_validation(whole, samples, rows)


def _numbers(arrays: dict[str, np.ndarray], label: str, kind: LabelKind, field: str) -> Dataset:
    samples = validate_samples(arrays["x"], "x", field)
    y = numbers(arrays[label], len(samples), kind, label, field)
    if kind == "values":
        check_varies(y, field)
    x_test, y_test = samples[:0], y[:0]
    if "x_test" in arrays:
        x_test = validate_test_samples(arrays["x_test"], arrays["x"], field)
        y_test = numbers(arrays[f"{label}_test"], len(x_test), kind, f"{label}_test", field)
        if y_test.shape[1] != y.shape[1]:
            raise DataError(f"{field}: {label} has {y.shape[1]} columns, {label}_test has {y_test.shape[1]}")
    domain = domain_of(arrays["domain"], len(samples), field) if "domain" in arrays else None
    pool, labels, tested, known = (
        torch.from_numpy(np.ascontiguousarray(array)) for array in (samples, y, x_test, y_test)
    )
    where = None if domain is None else torch.from_numpy(domain)
    return Dataset("npz", pool, labels, tested, known, y.shape[1], kind, where)


_PARTS = ("test", "val")
_NAMES = (
    "x",
    "y",
    "view",
    "domain",
    "unlabelled",
    *(f"{name}_{part}" for part in _PARTS for name in ("x", "y", "view")),
)


def _read(path: Path, field: str) -> dict[str, np.ndarray]:
    """Return the arrays that have a meaning, by their names."""
    try:
        stream = open_regular(path)
    except FileNotFoundError:
        raise ConfigError("data.path", str(path), "there is no such file: name an .npz file") from None
    except OSError as error:
        raise ConfigError("data.path", str(path), f"it cannot be read ({error.strerror}): name an .npz file") from None
    with stream:
        try:
            file = np.load(stream, allow_pickle=False)
        except Exception as error:
            # A file of another kind or a damaged one makes NumPy and zipfile raise almost anything.
            # What NumPy says of a text file, "load it unsafely", is no advice to pass on.
            why = "another format" if "pickle" in str(error) else _first_line(error)
            raise DataError(f"{field}: it is no .npz file ({why}): {_SAVE}") from None
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise DataError(f"{field}: it holds a single array: {_SAVE}")
        with file:
            _check_names(file.files, field)
            return {name: _array(file, name, field) for name in _NAMES if name in file.files}


def _check_names(names: list[str], field: str) -> None:
    if "x" not in names or not {"y", "view"} & set(names):
        raise DataError(f"{field}: it holds {', '.join(sorted(names)) or 'nothing'}, not x and y: {_SAVE}")
    for part in _PARTS:
        x, *labels = (f"{name}_{part}" for name in ("x", "y", "view"))
        for label in labels:
            if label in names and x not in names:
                raise DataError(f"{field}: it holds {label} alone: give both {x} and {label}, or neither")
        if x in names and not {*labels} & set(names):
            raise DataError(f"{field}: it holds {x} alone: give both {x} and {labels[0]}, or neither")
    for name in names:
        # Other arrays may stay in the file, but "X_test" that is silently not tested on would be a trap.
        near = difflib.get_close_matches(name.lower(), _NAMES[2:], n=1, cutoff=0.6)
        if near and name not in _NAMES:
            raise DataError(f"{field}: it holds {name}: rename it to {near[0]}, or leave it out")


def _array(file: np.lib.npyio.NpzFile, name: str, field: str) -> np.ndarray:
    try:
        array: np.ndarray | bytes = file[name]
    except ValueError as error:
        if "pickle" in str(error):
            # Rows of different lengths become an object array, which only pickle can store, and pickle runs code.
            remedy = "make it rectangular, of numbers, and save it again"
            if name.startswith("y"):
                remedy = f"number names of classes, numpy.unique({name}, return_inverse=True)[1], or {remedy}"
            raise DataError(f"{field}: {name} is an array of Python objects: {remedy}") from None
        raise DataError(f"{field}: {name} cannot be read ({_first_line(error)}): save it again") from None
    except Exception as error:
        raise DataError(f"{field}: {name} cannot be read ({_first_line(error)}): save it again") from None
    if not isinstance(array, np.ndarray):
        # NumPy hands out the bytes of a member that is no array of its format.
        raise DataError(f"{field}: {name} is no array: {_SAVE}")
    return array


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
