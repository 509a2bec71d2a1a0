"""Bad input is refused here, in one line, before any work starts."""

from __future__ import annotations

import numpy as np

from overmix._typing import Float, Shaped
from overmix.errors import ConfigError, DataError
from overmix.real_numbers import is_real


def check_epochs(epochs: Shaped[np.ndarray, " epochs"], length: int) -> Float[np.ndarray, " epochs"]:
    """Return the epochs as float64, or say what is wrong with them.

    Args:
        epochs: shape (epochs,), any real dtype; finite and strictly increasing.
        length: the number of epochs that the values have.

    Raises:
        DataError: no numbers, another length than the values, non-finite, or not increasing.
    """
    if epochs.ndim != 1 or epochs.dtype.kind not in "iuf":
        raise DataError(f"epochs have shape {epochs.shape} and dtype {epochs.dtype}: give one row of numbers")
    if len(epochs) != length:
        raise DataError(f"{len(epochs)} epochs but {length} values per curve: give one epoch per value")
    grid = epochs.astype(np.float64)
    if (bad := np.flatnonzero(~np.isfinite(grid))).size:
        raise DataError(f"epochs[{bad[0]}] = {grid[bad[0]]}: give finite numbers")
    if (bad := np.flatnonzero(np.diff(grid) <= 0)).size:
        at = int(bad[0]) + 1
        raise DataError(f"epochs[{at}] = {grid[at]:g} does not exceed epochs[{at - 1}] = {grid[at - 1]:g}: sort them")
    return grid


def check_wrong(wrong: Shaped[np.ndarray, "..."], *axes: str) -> None:
    """Refuse anything but a non-empty array with the named axes, of zeros and ones, or of errors as float32.

    Raises:
        DataError: other dtype than bool, uint8 or float32, another number of axes, an empty axis, bits above 1, or
            errors that are not finite.
    """
    if wrong.ndim != len(axes):
        raise DataError(f"wrong has shape {wrong.shape}: give ({', '.join(axes)})")
    if wrong.dtype not in (np.dtype(bool), np.dtype(np.uint8), np.dtype(np.float32)):
        raise DataError(
            f"wrong has dtype {wrong.dtype}: give bool or uint8, 1 for a misclassified sample, or float32 errors"
        )
    for axis, size in zip(axes, wrong.shape, strict=True):
        if size == 0:
            raise DataError(f"wrong has no {axis}: give at least one")
    if wrong.dtype == np.float32 and not np.isfinite(wrong).all():
        raise DataError("wrong holds errors that are not finite: leave diverged runs out")
    if wrong.dtype == np.uint8 and wrong.max() > 1:
        raise DataError(f"wrong holds the value {wrong.max()}: give 0 for right and 1 for misclassified")


def check_bootstrap(n_bootstrap: int, level: float) -> None:
    """Refuse too few bootstrap samples or a level outside (0, 1).

    Raises:
        ConfigError: ``n_bootstrap`` below 100, or ``level`` not strictly between 0 and 1.
    """
    if isinstance(n_bootstrap, bool) or not isinstance(n_bootstrap, int | np.integer) or n_bootstrap < 100:
        raise ConfigError("n_bootstrap", n_bootstrap, "use an integer, at least 100")
    if not is_real(level) or not 0 < level < 1:
        raise ConfigError("level", level, "use a number between 0 and 1, such as 0.95")


def check_seed(seed: int) -> None:
    """Refuse what is no seed.

    Raises:
        ConfigError: anything but an integer >= 0.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ConfigError("seed", seed, "use an integer >= 0")


def check_n_test(n_test: int | None) -> None:
    """Refuse what is no number of test samples.

    Raises:
        ConfigError: anything but None and an integer >= 1.
    """
    if n_test is not None and (isinstance(n_test, bool) or not isinstance(n_test, int | np.integer) or n_test < 1):
        raise ConfigError("n_test", n_test, "use an integer >= 1, or leave it out")


def as_array(name: str, given: object) -> Shaped[np.ndarray, "..."]:
    """Return what a user gave as an array.

    Raises:
        DataError: rows of different lengths, or what no array can be made of.
    """
    try:
        return np.asarray(given)
    except (TypeError, ValueError, RuntimeError) as error:
        told = str(error).splitlines()[0]
        raise DataError(f"{name}: no array ({told}): give rows of one length, of a tensor x.detach().cpu()") from None
