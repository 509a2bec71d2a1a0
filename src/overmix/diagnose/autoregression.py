"""Noise along a curve that remembers itself: how strong it is, how long it remembers, and draws of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overmix._typing import Float

RHO_GRID = np.array([0.0, 0.15, 0.3, 0.45, 0.6, 0.7, 0.8, 0.875, 0.925, 0.95, 0.97, 0.985])
RHO_TAIL = 0.2  # the memory that is shown lies at the upper end of what the residuals allow
N_REFERENCE = 100  # simulated noises per value of the grid
LOCAL_SHARE = 1 / 6  # of the curve: standard deviation of the window in which the local size of the noise is read


@dataclass(frozen=True)
class Noise:
    """First-order autoregressive noise, ``ε_t = s_t u_t``, ``u_t = ρ u_{t-1} + √(1 - ρ²) w_t``, ``w_t`` normal.

    How long it remembers is known from few looks only roughly. So ``ρ`` has a distribution, and the variance one value
    per ``ρ``: what looks like short memory would be weak noise that remembers long.

    Attributes:
        below: shape (memories,), falling: chance of residuals as pale as observed if ``ρ`` were that of `RHO_GRID`.
        variances: shape (memories,), of the noise under each.
        profile: shape (epochs,), relative size along the curve.
    """

    below: Float[np.ndarray, " memories"]
    variances: Float[np.ndarray, " memories"]
    profile: Float[np.ndarray, " epochs"]

    @property
    def rho(self) -> float:
        """Correlation of neighbouring epochs, an upper estimate: 80 % of the drawn ones lie below."""
        return float(self._memories(np.array([RHO_TAIL]))[0])

    @property
    def scale(self) -> Float[np.ndarray, " epochs"]:
        """Standard deviation ``s_t`` under that memory."""
        scale: np.ndarray = self.profile * np.sqrt(np.interp(self.rho, RHO_GRID, self.variances))
        return scale

    def draw(self, rng: np.random.Generator, n_draws: int) -> Float[np.ndarray, "draws epochs"]:
        """Noises, shape (n_draws, epochs), stationary from the first epoch on, each of a memory that may be."""
        rho = self._memories(rng.permutation((np.arange(n_draws) + 0.5) / n_draws))
        scale = np.sqrt(np.interp(rho, RHO_GRID, self.variances))[:, None] * self.profile
        drawn: np.ndarray = scale * autoregressive(rng.standard_normal((n_draws, len(self.profile))), rho)
        return drawn

    def _memories(self, chance: Float[np.ndarray, " draws"]) -> Float[np.ndarray, " draws"]:
        """Return the memories under which so pale residuals have these chances; the ends of the grid beyond them."""
        memories: np.ndarray = np.interp(-chance, -self.below, RHO_GRID)
        return memories


def autoregressive(
    white: Float[np.ndarray, "draws epochs"], rho: float | Float[np.ndarray, " draws"]
) -> Float[np.ndarray, "draws epochs"]:
    """Turn white noise into autoregressive noise of the same variance.

    Example:
        >>> autoregressive(np.array([[1.0, 0.0, 0.0]]), 0.5)
        array([[1.  , 0.5 , 0.25]])
    """
    out = np.ascontiguousarray(white.T)  # epochs first: each step of the recursion then reads one row
    root = np.sqrt(1 - rho * rho)
    for t in range(1, len(out)):
        out[t] = rho * out[t - 1] + root * out[t]
    return out.T


def estimate_noise(
    values: Float[np.ndarray, " epochs"],
    smoother: Float[np.ndarray, "epochs epochs"],
    first: int,
    rng: np.random.Generator,
) -> Noise:
    """Estimate the noise of a curve from what a linear smoother leaves of it.

    The residuals ``(I - S)² y`` (smoothed twice, so that bends of the curve itself hardly count) are paler than the
    noise, as the smoother follows slow noise. So noises of known ``ρ`` are sent through the same, and compared: the
    chance that the lag-one correlation of their residuals is as low as observed falls with ``ρ``, and is taken as the
    distribution of ``ρ``; the variance is that of the residuals over the share that survives at this ``ρ``. What the
    smoother misses of the curve itself counts as noise.

    Args:
        values: shape (epochs,).
        smoother: shape (epochs, epochs), its rows sum to 1.
        first: index of the first epoch that is used; the steep start is no place to look for noise.
        rng: the source of randomness.

    Source: C. Gourieroux, A. Monfort and E. Renault, "Indirect inference", 1993; T. Schweder and N. L. Hjort,
    "Confidence and Likelihood", 2002 (confidence distributions).
    """
    left_over = _residuals(values[None], smoother)[0]
    profile = _local_size(left_over, first)
    if profile is None:
        return Noise(np.ones(len(RHO_GRID)), np.zeros(len(RHO_GRID)), np.zeros_like(values))
    observed = (left_over / profile)[first:]
    white = rng.standard_normal((N_REFERENCE, len(values)))
    below, left = np.empty((2, len(RHO_GRID)))
    for i, rho in enumerate(RHO_GRID):
        drawn = profile * autoregressive(white, float(rho))
        residual = (_residuals(drawn, smoother) / profile)[:, first:]
        below[i] = np.mean(_lag_one(residual) <= _lag_one(observed[None])[0])
        left[i] = np.mean(residual**2)
    return Noise(np.minimum.accumulate(below), np.mean(observed**2) / left, profile)


def _residuals(
    curves: Float[np.ndarray, "draws epochs"], smoother: Float[np.ndarray, "epochs epochs"]
) -> Float[np.ndarray, "draws epochs"]:
    """What smoothing leaves of each curve, and smoothing that again."""
    once = curves - curves @ smoother.T
    twice: np.ndarray = once - once @ smoother.T
    return twice


def _lag_one(residual: Float[np.ndarray, "draws epochs"]) -> Float[np.ndarray, " draws"]:
    """Lag-one correlation of each row."""
    correlation: np.ndarray = np.sum(residual[:, 1:] * residual[:, :-1], axis=1) / np.sum(residual**2, axis=1)
    return correlation


def _local_size(residual: Float[np.ndarray, " epochs"], first: int) -> Float[np.ndarray, " epochs"] | None:
    """Relative size of the residuals along the curve, root mean square 1; None if there are none to speak of.

    Half local, half global, so that chance does not look like growth; constant before ``first``.
    """
    square = residual[first:] ** 2
    if not square.mean() > 0:
        return None
    index = np.arange(len(square))
    kernel = np.exp(-0.5 * ((index[:, None] - index) / (LOCAL_SHARE * len(square))) ** 2)
    local = 0.5 * kernel @ square / kernel.sum(axis=1) / square.mean() + 0.5
    size: np.ndarray = np.sqrt(np.concatenate([np.full(first, local[0]), local]))
    return size
