"""A least-squares problem on fixed features, taken apart into the eigenmodes of its Gram matrix.

For features ``phi(x_i)`` in R^d and labels ``y_i``, i = 1..m, all that training ever sees is the (d, d) matrix
``G = (1/m) sum_i phi(x_i) phi(x_i)^T`` and the vector ``(1/m) sum_i phi(x_i) y_i``. Both are sums over samples, so they
are gathered chunk by chunk, and nothing of size (m, m) is formed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy.linalg import eigh

from overmix._typing import Bool, Float
from overmix.errors import ConfigError, DataError

Chunk: TypeAlias = tuple[np.ndarray, np.ndarray] | tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class LeastSquares:
    """A least-squares problem in its eigenbasis, in double precision.

    Attributes:
        eigenvalues: mu, ascending. Those that are zero to rounding are exactly zero: along these *null* modes the data
            say nothing and training moves nothing.
        basis: eigenvectors in columns.
        moment: components of ``(1/m) sum_i phi(x_i) y_i``, zero on null modes.
        noise_moment: the same for the label noise ``z_i = y_i - y*_i``, zero where none was given.
        mean_square: mean of the squared labels.
        noise_peak: largest squared label noise.
        num_samples: number of samples m.
    """

    eigenvalues: Float[np.ndarray, " features"]
    basis: Float[np.ndarray, "features features"]
    moment: Float[np.ndarray, " features"]
    noise_moment: Float[np.ndarray, " features"]
    mean_square: float
    noise_peak: float
    num_samples: int

    @property
    def null(self) -> Bool[np.ndarray, " features"]:
        """Whether a mode is null."""
        return np.asarray(self.eigenvalues == 0)

    @property
    def largest_stable_eta(self) -> float:
        """``2 / mu_max``: gradient descent diverges from this learning rate on; infinite if all features are zero."""
        return float(2 / self.eigenvalues[-1]) if self.eigenvalues[-1] > 0 else np.inf

    @property
    def solution(self) -> Float[np.ndarray, " features"]:
        """Components of the least-squares solution of smallest norm, ``theta* + theta^noise``."""
        return self._solve(self.moment)

    @property
    def clean_solution(self) -> Float[np.ndarray, " features"]:
        """Components of ``theta*``, the solution for the clean labels."""
        return self._solve(self.moment - self.noise_moment)

    @property
    def noise_solution(self) -> Float[np.ndarray, " features"]:
        """Components of ``theta^noise``, which training adds to ``theta*`` in the end."""
        return self._solve(self.noise_moment)

    def _solve(self, moment: Float[np.ndarray, " features"]) -> Float[np.ndarray, " features"]:
        return np.asarray(np.divide(moment, self.eigenvalues, out=np.zeros_like(moment), where=~self.null))


def least_squares(
    features: Float[np.ndarray, "samples features"],
    targets: Float[np.ndarray, " samples"],
    *,
    noise: Float[np.ndarray, " samples"] | None = None,
    chunk_size: int = 2048,
) -> LeastSquares:
    """Decompose a least-squares problem.

    Args:
        features: ``phi(x_i)`` in rows.
        targets: labels ``y_i``.
        noise: the part of the labels that is noise, ``z_i = y_i - y*_i``, where it is known.
        chunk_size: rows that are converted to double precision at a time.

    Raises:
        DataError: without samples, if the shapes do not fit, or if a number is not finite.
        ConfigError: if ``chunk_size`` cannot work.

    Example:
        >>> problem = least_squares(np.eye(2), np.array([1.0, 3.0]))
        >>> problem.eigenvalues.tolist(), problem.largest_stable_eta
        ([0.5, 0.5], 4.0)
    """
    return least_squares_from_chunks(array_chunks(features, targets, noise, chunk_size=chunk_size))


def least_squares_from_chunks(chunks: Iterable[Chunk]) -> LeastSquares:
    """Decompose a problem whose samples arrive in chunks, so that the features need never exist at once.

    Args:
        chunks: pairs (features, targets) or triples (features, targets, noise) of arrays.

    Raises:
        DataError: as for :func:`least_squares`.
    """
    gram, moments = np.zeros((0, 0)), np.zeros((0, 2))
    mean_square, noise_peak, m = 0.0, 0.0, 0
    for phi, labels in checked_chunks(chunks):
        if m == 0:
            d = phi.shape[1]
            gram, moments = np.zeros((d, d)), np.zeros((d, 2))
        with np.errstate(over="ignore", invalid="ignore"):  # reported below
            gram += phi.T @ phi
            moments += phi.T @ labels
            mean_square += float(labels[:, 0] @ labels[:, 0])
            noise_peak = max(noise_peak, float(np.max(labels[:, 1] ** 2)))
        m += len(phi)
    if m == 0:
        raise DataError("no samples given: least squares needs at least one")
    if not (np.isfinite(gram).all() and np.isfinite(moments).all() and np.isfinite([mean_square, noise_peak]).all()):
        raise DataError("features or targets overflow when squared: scale them down")
    gram /= m
    # SciPy asks for too little room for a matrix of one entry before 1.14.
    driver = "evd" if len(gram) > 1 else "ev"
    eigenvalues, basis = eigh(gram, overwrite_a=True, check_finite=False, driver=driver)
    # What is below the rounding of the largest eigenvalue cannot be told from zero.
    null = eigenvalues <= len(gram) * np.finfo(np.float64).eps * max(eigenvalues[-1], 0.0)
    components = np.where(null[:, None], 0.0, basis.T @ (moments / m))
    return LeastSquares(
        eigenvalues=np.where(null, 0.0, eigenvalues),
        basis=basis,
        moment=components[:, 0],
        noise_moment=components[:, 1],
        mean_square=mean_square / m,
        noise_peak=noise_peak,
        num_samples=m,
    )


def array_chunks(
    features: Float[np.ndarray, "samples features"],
    targets: Float[np.ndarray, " samples"],
    noise: Float[np.ndarray, " samples"] | None = None,
    *,
    chunk_size: int = 2048,
) -> Iterator[Chunk]:
    """Cut arrays into chunks of rows.

    Raises:
        DataError: if the lengths differ.
        ConfigError: if ``chunk_size`` cannot work.
    """
    if chunk_size < 1:
        raise ConfigError("chunk_size", chunk_size, "use at least 1")
    if len(targets) != len(features) or (noise is not None and len(noise) != len(features)):
        raise DataError(f"features have {len(features)} rows but there are {len(targets)} targets: give one per row")
    for start in range(0, len(features), chunk_size):
        rows = slice(start, start + chunk_size)
        yield (features[rows], targets[rows]) if noise is None else (features[rows], targets[rows], noise[rows])


def checked_chunks(chunks: Iterable[Chunk]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield features (rows, d), and labels beside their noise (rows, 2), in double precision; skip empty chunks.

    Raises:
        DataError: if the shapes do not fit, or if a number is not finite.
    """
    offset, columns = 0, None
    for chunk in chunks:
        phi = np.asarray(chunk[0], dtype=np.float64)
        noise = chunk[2] if len(chunk) == 3 else np.zeros(len(phi))
        columns = phi.shape[-1] if columns is None else columns
        if phi.ndim != 2 or columns == 0 or phi.shape[1] != columns or not len(phi) == len(chunk[1]) == len(noise):
            raise DataError(
                f"from row {offset} on, features are {phi.shape} and targets {chunk[1].shape}: give "
                f"(samples, {columns or 1}) features and one label each"
            )
        for name, values in (("targets", chunk[1]), ("noise", noise)):
            if np.ndim(values) != 1:
                raise DataError(f"{name} have shape {np.shape(values)}: give one number per row, as from ravel()")
        labels = np.stack([np.asarray(chunk[1], dtype=np.float64), np.asarray(noise, dtype=np.float64)], axis=1)
        for name, array in (("features", phi), ("targets", labels)):
            bad = ~np.isfinite(array).all(axis=1)
            if bad.any():
                raise DataError(f"{name}: row {offset + int(bad.argmax())} is not finite; remove or repair it")
        if len(phi):
            yield phi, labels
        offset += len(phi)
