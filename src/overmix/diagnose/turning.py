"""The turning epoch: where the smoothed mean curve is lowest."""

from __future__ import annotations

import numpy as np

from overmix._typing import Float, Shaped
from overmix.diagnose.checks import check_epochs
from overmix.errors import DataError

BANDWIDTH = 0.25  # of log epoch: a factor of 1.28 in epochs on either side is one standard deviation of the kernel
RANGE_SHARE = 1 / 16  # short logs get a narrower kernel, so that a turn inside them is not smoothed away
RIDGE = 1e-9  # where an epoch has no neighbour in reach, the fit passes through its own value
_ROWS = 256  # of the smoothing matrix at a time, so that long logs need no square matrix


def log_position(epochs: Float[np.ndarray, " epochs"]) -> Float[np.ndarray, " epochs"]:
    """Position of each epoch on the log axis, ``log epoch``.

    Axes that do not start above zero (an epoch 0, negative steps) are shifted so that they start at their first
    spacing.
    """
    spacing = epochs[1] - epochs[0] if len(epochs) > 1 else 1.0
    shift = 0.0 if epochs[0] > 0 else spacing - epochs[0]
    position: Float[np.ndarray, " epochs"] = np.log(epochs + shift)
    return position


def bandwidth_of(position: Float[np.ndarray, " epochs"]) -> float:
    """Standard deviation of the kernel on the log axis: 0.25, at most a sixteenth of the whole range."""
    return float(min(BANDWIDTH, (position[-1] - position[0]) * RANGE_SHARE)) or BANDWIDTH


def smoothing_rows(
    position: Float[np.ndarray, " epochs"], at: Float[np.ndarray, " rows"]
) -> Float[np.ndarray, "rows epochs"]:
    """Rows of the local-linear smoother: ``smoothed(at) = rows @ values``.

    Each row holds ``w (s2 - d s1) / (s0 s2 - s1²)`` with ``d = position - at``, ``w = exp(-d² / 2h²)`` and
    ``s_k = Σ w d^k``. A row sums to 1 and reproduces straight lines exactly, at both ends too, which is why the
    local-linear form is used and not a weighted mean: a mean is pulled inwards at the boundary.
    """
    h = bandwidth_of(position)
    d = (position[None, :] - at[:, None]) / h
    w = np.exp(-0.5 * d * d)
    s0, s1 = w.sum(axis=1, keepdims=True), (w * d).sum(axis=1, keepdims=True)
    s2 = (w * d * d).sum(axis=1, keepdims=True) + RIDGE
    rows: Float[np.ndarray, "rows epochs"] = w * (s2 - d * s1) / (s0 * s2 - s1 * s1)
    return rows


def smooth(
    epochs: Shaped[np.ndarray, " epochs"], values: Shaped[np.ndarray, "*curves epochs"]
) -> Float[np.ndarray, "*curves epochs"]:
    """Smooth curves along log epoch by local-linear regression with a Gaussian kernel.

    ``smoothed(u) = a`` with ``(a, b) = argmin Σ_t exp(-(u_t - u)² / 2h²) (y_t - a - b (u_t - u))²``, where
    ``u = log epoch`` and ``h`` is 0.25, at most a sixteenth of the range of ``u``.

    Args:
        epochs: shape (epochs,), strictly increasing.
        values: shape (..., epochs), real and finite.

    Returns:
        float64 of the shape of ``values``.

    Raises:
        DataError: epochs and values do not fit together, or are not finite.

    Example:
        A straight line in log epoch is left as it is, the ends included.

        >>> epochs = np.array([1, 2, 4, 8, 16, 32])
        >>> smooth(epochs, np.log2(epochs)).round(6)
        array([0., 1., 2., 3., 4., 5.])

    Source: Jianqing Fan and Irène Gijbels, "Local Polynomial Modelling and Its Applications", 1996.
    """
    if values.ndim == 0:
        raise DataError("values is a single number: give one value per epoch")
    grid = check_epochs(epochs, values.shape[-1])
    curves = values.astype(np.float64)
    if not np.isfinite(curves).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(curves))[0])
        raise DataError(f"values{list(at)} = {curves[at]}: give finite numbers")
    position = log_position(grid)
    smoothed = np.empty_like(curves)
    for start in range(0, len(grid), _ROWS):
        rows = smoothing_rows(position, position[start : start + _ROWS])
        smoothed[..., start : start + _ROWS] = curves @ rows.T
    return smoothed


def turning_epoch(epochs: Shaped[np.ndarray, " epochs"], values: Shaped[np.ndarray, "*seeds epochs"]) -> int | float:
    """Epoch at which the smoothed mean curve is lowest; the earliest one if several tie.

    Args:
        epochs: shape (epochs,), strictly increasing.
        values: shape (epochs,) or (seeds, epochs); the mean over the seeds is smoothed with `smooth`.

    Returns:
        One of ``epochs``, as an ``int`` where the epochs are whole numbers.

    Raises:
        DataError: epochs and values do not fit together, or are not finite.

    Example:
        >>> epochs = np.array([1, 2, 4, 8, 16, 32, 64, 128])
        >>> turning_epoch(epochs, np.abs(np.log2(epochs) - 4.0))
        16
    """
    mean = values.reshape(-1, values.shape[-1]).mean(axis=0) if values.ndim > 1 else values
    return plain_number(float(epochs[int(np.argmin(smooth(epochs, mean)))]))


def plain_number(x: int | float) -> int | float:
    """Return whole numbers as ``int``, so that epochs print as 128 and not as 128.0.

    Example:
        >>> plain_number(128.0), plain_number(0.5)
        (128, 0.5)
    """
    return int(x) if float(x).is_integer() else float(x)
