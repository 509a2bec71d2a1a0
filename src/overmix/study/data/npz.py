"""The user's own arrays."""

from __future__ import annotations

import difflib
from pathlib import Path

import numpy as np

from overmix.errors import ConfigError, DataError
from overmix.study.data.arrays import validate_arrays, validate_test_arrays
from overmix.study.data.dataset import Dataset, dataset_of
from overmix.study.data.split import fixed_test_split

_SAVE = "save it as numpy.savez('data.npz', x=x, y=y)"


def npz(path: str = "", test_size: float = 0.25) -> Dataset:
    """Read ``x``, ``y``, and perhaps ``x_test``, ``y_test``, from a file that ``numpy.savez`` wrote.

    uint8 stays as it is, every other real number becomes float32. Nothing is ever unpickled.

    Args:
        path: the file.
        test_size: without test arrays, the share of the samples that is set aside for testing, of every class alike.
            The choice is the same for every study and seed.

    Raises:
        ConfigError: if there is no such file, or the share is outside of (0, 1).
        DataError: if the file or its arrays cannot be trained on.
    """
    if not path:
        raise ConfigError("data.path", path, "name the file: data: {name: npz, path: my-data.npz}")
    if not 0 < test_size < 1:
        raise ConfigError("data.test_size", test_size, "use a share in (0, 1)")
    field = f"data.path {path}"
    arrays = _read(Path(path).expanduser(), field)
    x, y, num_classes = validate_arrays(arrays["x"], arrays["y"], field)
    if "x_test" in arrays:
        x_test, y_test = validate_test_arrays(arrays["x_test"], arrays["y_test"], arrays["x"], num_classes, field)
        return dataset_of("npz", x, y, x_test, y_test, num_classes)
    pool, test = fixed_test_split(y, round(test_size * len(y)))
    missing = np.flatnonzero(np.bincount(y[pool], minlength=num_classes) == 0)
    if len(test) == 0 or len(missing):
        shortage = f"no sample of class {missing[0]} is left to train on" if len(missing) else "no sample is tested on"
        raise ConfigError(
            "data.test_size", test_size, f"of {len(y)} samples {shortage}: give more samples, or x_test and y_test"
        )
    return dataset_of("npz", x[pool], y[pool], x[test], y[test], num_classes)


def _read(path: Path, field: str) -> dict[str, np.ndarray]:
    """Return the arrays x, y, and, if they are there, x_test, y_test."""
    try:
        stream = path.open("rb")
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
            return {name: _array(file, name, field) for name in ("x", "y", "x_test", "y_test") if name in file.files}


def _check_names(names: list[str], field: str) -> None:
    if not {"x", "y"} <= set(names):
        raise DataError(f"{field}: it holds {', '.join(sorted(names)) or 'nothing'}, not x and y: {_SAVE}")
    if ("x_test" in names) != ("y_test" in names):
        found = "x_test" if "x_test" in names else "y_test"
        raise DataError(f"{field}: it holds {found} alone: give both x_test and y_test, or neither")
    for name in names:
        # Other arrays may stay in the file, but "X_test" that is silently not tested on would be a trap.
        near = difflib.get_close_matches(name.lower(), ("x_test", "y_test"), n=1, cutoff=0.6)
        if near and name not in ("x_test", "y_test"):
            raise DataError(f"{field}: it holds {name}: rename it to {near[0]}, or leave it out")


def _array(file: np.lib.npyio.NpzFile, name: str, field: str) -> np.ndarray:
    try:
        array: np.ndarray = file[name]
    except ValueError as error:
        if "pickle" in str(error):
            # Rows of different lengths become an object array, which only pickle can store, and pickle runs code.
            raise DataError(
                f"{field}: {name} is an array of Python objects: make it rectangular, of numbers, and save it again"
            ) from None
        raise DataError(f"{field}: {name} cannot be read ({_first_line(error)}): save it again") from None
    except Exception as error:
        raise DataError(f"{field}: {name} cannot be read ({_first_line(error)}): save it again") from None
    return array


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
