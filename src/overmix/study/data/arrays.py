"""Are a user's arrays fit for training?"""

from __future__ import annotations

import numpy as np

from overmix.errors import DataError


def validate_arrays(
    x: np.ndarray, y: np.ndarray, field: str = "data", *, without: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, int]:
    """Check a user's samples and classes, and bring them into the dtypes that training uses.

    Args:
        x: samples, shape (n, features), (n, channels, length) or (n, channels, height, width): uint8 is kept, other
            real numbers become float32.
        y: classes, shape (n,), integers 0..C-1, every one of them present. Floats are refused even where they are
            whole: they are more often a regression target by mistake than a class.
        field: what errors call the arrays, as the user knows them.
        without: which samples have no label, shape (n,), whatever y says of them.

    Returns:
        x, y as int64, and C.

    Raises:
        DataError: for empty, ragged, non-finite or mismatched arrays, or labels that are no classes.

    Example:
        >>> x, y, num_classes = validate_arrays(np.zeros((3, 2)), np.array([0, 1, 1]))
        >>> x.dtype, num_classes
        (dtype('float32'), 2)
        >>> validate_arrays(np.zeros((3, 2)), np.array([0.0, 1.0, 1.0]), "fit(x, y)")
        Traceback (most recent call last):
        ...
        overmix.errors.DataError: fit(x, y): y has dtype float64, but classes are integers: convert it, y.astype(int)
    """
    samples = validate_samples(x, "x", field)
    classes = _labels(y, len(samples), "y", field)
    present = np.unique(classes if without is None else classes[~without])
    if present[0] < 0:
        raise DataError(f"{field}: y has the label {present[0]}: number the classes from 0")
    gap = np.flatnonzero(present != np.arange(len(present)))
    if len(gap):
        raise DataError(
            f"{field}: y goes up to {present[-1]}, but no sample has the label {gap[0]}: number the classes 0..C-1 "
            "without gaps, numpy.unique(y, return_inverse=True)[1], or say data: {labels: values} if they are values"
        )
    if len(present) < 2:
        raise DataError(f"{field}: y has a single class: give at least two")
    return samples, classes.astype(np.int64), len(present)


def validate_test_arrays(
    x_test: np.ndarray,
    y_test: np.ndarray,
    x: np.ndarray,
    num_classes: int,
    field: str = "data",
    part: str = "test",
) -> tuple[np.ndarray, np.ndarray]:
    """Check test arrays against training samples.

    Args:
        x_test: samples, shape (m, ...).
        y_test: classes, shape (m,), integers that occur in training; not all of them need to.
        x: the training samples as the user gave them, shape (n, ...).
        num_classes: C.
        field: what errors call the arrays.
        part: what errors say after x and y: ``"test"`` or ``"val"``.

    Returns:
        x_test in the dtype that :func:`validate_arrays` gives x, and y_test as int64.

    Raises:
        DataError: as :func:`validate_arrays`, and if samples of training and testing differ in shape or kind.
    """
    samples = validate_test_samples(x_test, x, field, part)
    classes = _labels(y_test, len(samples), f"y_{part}", field)
    unknown = classes[(classes < 0) | (classes >= num_classes)]
    if len(unknown):
        raise DataError(
            f"{field}: y_{part} has the label {unknown[0]}, which no training sample has: remove those samples, or "
            "train on some of them"
        )
    return samples, classes.astype(np.int64)


def check_single_class(y: np.ndarray, y_test: np.ndarray | None, field: str) -> None:
    """Refuse training samples of a single class, and say so if the test samples have more.

    Raises:
        DataError: with the likely cause.
    """
    if y.ndim != 1 or y.size == 0 or y.dtype.kind not in "iu" or y.min() != y.max():
        return
    others = 0 if y_test is None or y_test.ndim != 1 or y_test.dtype.kind not in "iu" else len(np.unique(y_test))
    if others > 1:
        raise DataError(
            f"{field}: y has a single class, y_test has {others}: shuffle the samples before they are divided, so that "
            "all classes are trained on"
        )


def validate_test_samples(x_test: np.ndarray, x: np.ndarray, field: str, part: str = "test") -> np.ndarray:
    """Return test samples in the dtype that training samples get.

    Raises:
        DataError: if samples of training and testing differ in shape or kind, or :func:`validate_samples` refuses them.
    """
    if x_test.shape[1:] != x.shape[1:]:
        raise DataError(
            f"{field}: a sample of x_{part} has shape {x_test.shape[1:]}, one of x {x.shape[1:]}: make them equal"
        )
    if (x_test.dtype == np.uint8) != (x.dtype == np.uint8):
        # Bytes on one side and floats on the other are most likely 0..255 against 0..1.
        raise DataError(f"{field}: x_{part} has dtype {x_test.dtype}, x has {x.dtype}: store both alike")
    return validate_samples(x_test, f"x_{part}", field)


def validate_samples(x: np.ndarray, name: str, field: str) -> np.ndarray:
    """Return samples as uint8 or float32.

    Raises:
        DataError: if they are no finite real numbers in a rectangular array of at least one sample.
    """
    if x.dtype.kind not in "buif":
        raise DataError(f"{field}: {name} has dtype {x.dtype}: give real numbers in a rectangular array")
    if x.ndim < 2:
        raise DataError(f"{field}: {name} has shape {x.shape}: give (samples, features) or (samples, channels, ...)")
    if x.size == 0:
        raise DataError(f"{field}: {name} has shape {x.shape}: give at least one sample of at least one value")
    if x.dtype == np.uint8:
        return x
    with np.errstate(over="ignore"):
        converted = x.astype(np.float32)
    finite = np.isfinite(converted)
    if not finite.all():
        first = tuple(int(i) for i in np.unravel_index(int(finite.argmin()), x.shape))
        raise DataError(
            f"{field}: {name} has {finite.size - np.count_nonzero(finite)} values that are not finite in float32, the "
            f"first {x[first]} at {first}: remove or replace them"
        )
    return converted


def _labels(y: np.ndarray, n: int, name: str, field: str) -> np.ndarray:
    if y.shape != (n,):
        raise DataError(f"{field}: {name} has shape {y.shape}, but there are {n} samples: give one integer per sample")
    if y.dtype.kind in "fb":
        remedy = f"convert it, {name}.astype(int)"
        raise DataError(f"{field}: {name} has dtype {y.dtype}, but classes are integers: {remedy}")
    if y.dtype.kind not in "iu":
        remedy = f"number them, numpy.unique({name}, return_inverse=True)[1]"
        raise DataError(f"{field}: {name} has dtype {y.dtype}, but classes are integers: {remedy}")
    return y
