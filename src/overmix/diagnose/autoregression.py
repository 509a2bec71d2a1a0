"""Noise along a curve that remembers itself from look to look, its likelihood's two halves, and its size by place."""

from __future__ import annotations

import numpy as np

from overmix._typing import Float

RHO_GRID = np.array([0.0, 0.15, 0.3, 0.45, 0.6, 0.7, 0.8, 0.875, 0.925, 0.95, 0.97, 0.985, 0.993])
MOST_WEIGHT = 0.75  # of short memories over long ones, where looks lie far apart
LONGEST = 1 / 3  # of the looks: what remembers for longer is no noise
LOCAL_SHARE = 1 / 6  # of the curve: standard deviation of the window in which the local size of the noise is read


def autoregressive(
    white: Float[np.ndarray, "draws epochs"], rho: float | Float[np.ndarray, " draws"]
) -> Float[np.ndarray, "draws epochs"]:
    """Turn white noise into autoregressive noise of the same variance, ``u_t = ρ u_{t-1} + √(1 - ρ²) w_t``.

    Example:
        >>> autoregressive(np.array([[1.0, 0.0, 0.0]]), 0.5)
        array([[1.  , 0.5 , 0.25]])
    """
    out = np.ascontiguousarray(white.T)  # epochs first: each step of the recursion then reads one row
    root = np.sqrt(1 - rho * rho)
    for t in range(1, len(out)):
        out[t] = rho * out[t - 1] + root * out[t]
    return out.T


def whitened(noise: Float[np.ndarray, "draws epochs"], rho: float) -> Float[np.ndarray, "draws epochs"]:
    """Undo `autoregressive`; ``log |Σ| = (epochs - 1) log(1 - ρ²)`` is the volume that is lost.

    Example:
        >>> whitened(np.array([[1.0, 0.5, 0.25]]), 0.5)
        array([[1., 0., 0.]])
    """
    white = noise.copy()
    white[:, 1:] -= rho * noise[:, :-1]
    white[:, 1:] /= np.sqrt(1 - rho * rho)
    return white


def memory_prior(epochs: Float[np.ndarray, " epochs"]) -> Float[np.ndarray, " memories"]:
    """Weight of each memory in `RHO_GRID`, of density ``(1 - ρ)^κ``, ``κ = ¾ (1 - smallest gap / median gap)``.

    Noise remembers for so many epochs: where looks lie ever farther apart, most neighbours know little of each other;
    where every epoch is looked at, any memory from look to look is as likely. What remembers for more than a third of
    the curve is not called noise: its shape is the curve's own.

    Example:
        >>> even, apart = memory_prior(np.arange(1.0, 50.0)), memory_prior(np.geomspace(1, 1000, 50))
        >>> bool(even[7] / even[1] > 2 * apart[7] / apart[1]), float(RHO_GRID[even > 0].max())
        (True, 0.925)
    """
    gaps = np.diff(epochs)
    weights = np.gradient(RHO_GRID) * (1 - RHO_GRID) ** (MOST_WEIGHT * (1 - gaps.min() / np.median(gaps)))
    allowed: np.ndarray = np.where(RHO_GRID <= np.exp(-1 / (LONGEST * len(epochs))), weights, 0.0)
    return allowed


def local_size(residual: Float[np.ndarray, " epochs"]) -> Float[np.ndarray, " epochs"]:
    """Relative size of residuals along the curve, root mean square about 1; ones if there are none to speak of.

    Half local, half global, so that chance does not look like growth.
    """
    square = residual**2
    if not square.mean() > 0:
        return np.ones_like(residual)
    index = np.arange(len(square))
    kernel = np.exp(-0.5 * ((index[:, None] - index) / (LOCAL_SHARE * len(square))) ** 2)
    size: np.ndarray = np.sqrt(0.5 * kernel @ square / kernel.sum(axis=1) / square.mean() + 0.5)
    return size
