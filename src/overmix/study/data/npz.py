"""The user's own arrays."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from overmix.errors import ConfigError, DataError
from overmix.study.data.dataset import Dataset, dataset_of, validate_arrays
from overmix.study.data.split import stratified_order

_SPLIT_SEED = 20230302


def npz(path: str = "", test_size: float = 0.25) -> Dataset:
    """Read ``x``, ``y``, and perhaps ``x_test``, ``y_test``, from a file that ``numpy.savez`` wrote.

    Args:
        path: the file.
        test_size: without test arrays, the share that is set aside for testing, with the classes in their shares; the
            choice is fixed, so that every seed is tested on the same samples.

    Raises:
        ConfigError: if the file cannot be read, or the share is outside of (0, 1).
        DataError: if its arrays cannot be trained on.
    """
    if not path:
        raise ConfigError("data.path", path, "name the file: data: {name: npz, path: my-data.npz}")
    if not 0 < test_size < 1:
        raise ConfigError("data.test_size", test_size, "use a share in (0, 1)")
    arrays = _read(Path(path))
    x, y, num_classes = validate_arrays(arrays["x"], arrays["y"], f"data.path {path}")
    if ("x_test" in arrays) != ("y_test" in arrays):
        raise DataError(f"data.path {path}: give both x_test and y_test, or neither")
    if "x_test" in arrays:
        x_test, y_test = _test_arrays(arrays, x, num_classes, f"data.path {path}, test arrays")
        return dataset_of("npz", x, y, x_test, y_test, num_classes)
    count = int(test_size * len(y))
    if count < 1 or count >= len(y):
        raise DataError(f"data.path {path}: {len(y)} samples are too few to set {test_size:.0%} aside for testing")
    order = stratified_order(y, np.random.default_rng(_SPLIT_SEED))
    test, pool = np.sort(order[:count]), np.sort(order[count:])
    return dataset_of("npz", x[pool], y[pool], x[test], y[test], num_classes)


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise ConfigError("data.path", str(path), "give an .npz file: numpy.savez('data.npz', x=x, y=y)")
            names = {"x", "y", "x_test", "y_test"} & set(file.files)
            if not {"x", "y"} <= names:
                found = ", ".join(file.files) or "nothing"
                raise DataError(f"data.path {path}: it holds {found}: save it as numpy.savez('data.npz', x=x, y=y)")
            return {name: file[name] for name in names}
    except FileNotFoundError:
        raise ConfigError("data.path", str(path), "there is no such file") from None
    except ValueError as error:
        # Object arrays need pickle, which could run any code.
        raise DataError(f"data.path {path}: {error}: save rectangular arrays of numbers") from None
    except (OSError, zipfile.BadZipFile, EOFError) as error:
        raise ConfigError("data.path", str(path), f"it cannot be read ({error}); give an .npz file") from None


def _test_arrays(
    arrays: dict[str, np.ndarray], x: np.ndarray, num_classes: int, field: str
) -> tuple[np.ndarray, np.ndarray]:
    x_test, y_test = arrays["x_test"], arrays["y_test"]
    if x_test.shape[1:] != x.shape[1:]:
        raise DataError(f"{field}: samples have shape {x_test.shape[1:]}, in training {x.shape[1:]}: make them equal")
    if x_test.dtype.kind not in "buif" or x_test.shape[0] == 0:
        raise DataError(f"{field}: x_test has dtype {x_test.dtype} and shape {x_test.shape}: give at least one sample")
    if y_test.dtype.kind not in "iu" or y_test.shape != x_test.shape[:1]:
        raise DataError(
            f"{field}: y_test has dtype {y_test.dtype} and shape {y_test.shape}: give one integer per sample"
        )
    if y_test.min() < 0 or y_test.max() >= num_classes:
        unknown = y_test.min() if y_test.min() < 0 else y_test.max()
        raise DataError(f"{field}: the label {unknown} does not occur in training: remove it, or add samples of it")
    converted = x_test.astype(x.dtype)
    if x.dtype == np.uint8 and x_test.dtype != np.uint8:
        raise DataError(f"{field}: x_test has dtype {x_test.dtype} but x is uint8: make them equal")
    if not np.isfinite(converted).all():
        raise DataError(f"{field}: x_test has values that are not finite: clean them")
    return converted, y_test
