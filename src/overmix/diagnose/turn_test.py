"""Does one curve turn? The likelihood of curves that turn against that of curves that only fall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp, softmax

from overmix._typing import Float, Int
from overmix.diagnose.autoregression import RHO_GRID, autoregressive, local_size, memory_prior, whitened

LAST_TURN, N_TURNS = 0.7, 10  # the share of the looks after which the curve turns at the latest, and turns in all
N_COEFFICIENTS = 3  # level, fall, rise
SIZE_MEDIAN, SIZE_SPREAD = 0.6, 0.8  # of log-normal noise over the sampling error, as recorded (see `docs/diagnose.md`)
N_FLAT = 2000  # simulated flat curves: of few, the luck of one seed moves p as much as the curve does
BLOCK = 250  # of them at a time: so many are simulated at least
ENOUGH = 100  # as large ones: p is then far above any level, or known well enough
LEAST = 1e-12  # of the variance: what rounding leaves of a curve that a shape fits


@dataclass(frozen=True)
class TurnTest:
    """Whether a curve turns, and the noise that it would have if it did.

    Attributes:
        p_value: against curves that only fall.
        rho: correlation of the noise from look to look.
        weights: shape (memories,), of as many memories of `RHO_GRID` as the curve is long enough for.
        scales: shape (memories,), standard deviation of the noise under each.
        size: shape (looks,), its relative size along the curve.
    """

    p_value: float
    rho: float
    weights: Float[np.ndarray, " memories"]
    scales: Float[np.ndarray, " memories"]
    size: Float[np.ndarray, " looks"]

    def noise(self, rng: np.random.Generator, n_draws: int, n_before: int) -> Float[np.ndarray, "draws epochs"]:
        """Draw noise along the curve and the steep start before it, each draw of a memory that may be."""
        at = _memories(self.weights, n_draws, rng)
        size = np.concatenate([np.full(n_before, self.size[0]), self.size])
        chance = rng.chisquare(len(self.size) - N_COEFFICIENTS, n_draws) / (len(self.size) - N_COEFFICIENTS)
        scale = self.scales[at] / np.sqrt(chance)  # its size is known from as many looks, and no better
        white = rng.standard_normal((n_draws, len(size)))
        drawn: np.ndarray = scale[:, None] * size * autoregressive(white, RHO_GRID[at])
        return drawn


def turn_test(
    epochs: Float[np.ndarray, " looks"],
    position: Float[np.ndarray, " looks"],
    values: Float[np.ndarray, " looks"],
    residual: Float[np.ndarray, " looks"],
    *,
    sampling_error: float | None,
    rng: np.random.Generator,
) -> TurnTest:
    """Hold curves that turn against curves that only fall, under noise of unknown size and memory.

        ``y_t = a + b (τ - t)₊ + c (t - τ)₊ + s_t ε_t``,   ``b >= 0``,   ``c <= 0``: falls,   ``c >= 0``: turns

    with ``ε`` autoregressive from look to look. For each turn τ, axis (log epoch, or the number of the look) and
    memory ρ the restricted likelihood of the best ``b`` and ``c`` is

        ``L = π(ρ) |Σ|^-½ |X'Σ⁻¹X|^-½ RSS^-(n-3)/2``,   ``Λ = log Σ L(turns) - log Σ L(falls)``

    and ``p`` is the share of simulated flat curves with a Λ as large, whose memories are drawn by ``L(falls)``: of
    `N_FLAT`, or of fewer once `ENOUGH` are as large. A long memory that could explain the rise must so explain the
    roughness of the curve too.

    Args:
        epochs: where the curve has settled.
        position: of these on the log axis.
        values: of the curve there.
        residual: what smoothing leaves of them, for the size of the noise along the curve.
        sampling_error: standard deviation from the number of test samples; then ``L`` has a factor for the noise's
            size, log-normal around it.
        rng: the source of randomness.

    Source: H. D. Patterson and R. Thompson, "Recovery of inter-block information when block sizes are unequal", 1971
    (restricted likelihood); D. W. K. Andrews and W. Ploberger, "Optimal tests when a nuisance parameter is present only
    under the alternative", 1994 (averaged likelihood); T. Robertson, F. T. Wright and R. L. Dykstra, "Order Restricted
    Statistical Inference", 1988 (a flat curve is the least favourable of those that fall); J. Besag and P. Clifford,
    "Sequential Monte Carlo p-values", 1991 (fewer once enough are as large).
    """
    size = local_size(residual)
    shapes = _shapes(position) / size
    models = _models(shapes, 1 / size, memory_prior(epochs))
    falls, turns = _fit(models, (values / size)[None], sampling_error)
    observed = float(_evidence(falls, turns)[0])
    drawn = as_large = 0
    for at in np.split(_memories(softmax(falls.log[:, 0]), N_FLAT, rng), N_FLAT // BLOCK):
        white = rng.standard_normal((BLOCK, len(values)))
        flat = falls.scales[at, 0, None] * autoregressive(white, RHO_GRID[at])
        drawn += BLOCK
        as_large += int(np.sum(_evidence(*_fit(models, flat, sampling_error)) >= observed))
        if as_large >= ENOUGH:
            break
    by_turn = softmax(turns.log[:, 0])
    return TurnTest(
        p_value=(1 + as_large) / (1 + drawn),
        rho=float(by_turn @ RHO_GRID[: len(by_turn)]),
        weights=by_turn,
        scales=turns.scales[:, 0],
        size=size,
    )


@dataclass(frozen=True)
class _Model:
    """Shapes as they look once noise of one memory is made white and the level is taken out.

    Attributes:
        rho: the memory.
        level: shape (looks,), of length 1.
        shapes: shape (looks, 2 · shapes), fall and rise by turns.
        gram: shape (shapes, 2, 2), inner products of each fall and rise.
        log_weight: ``log π(ρ) - ½ log |Σ|`` and, less its value for white noise, ``-½ log |X'Σ⁻¹X|``, per shape.
    """

    rho: float
    level: Float[np.ndarray, " looks"]
    shapes: Float[np.ndarray, "looks columns"]
    gram: Float[np.ndarray, "shapes 2 2"]
    log_weight: Float[np.ndarray, " shapes"]


def _models(
    shapes: Float[np.ndarray, "columns looks"],
    level: Float[np.ndarray, " looks"],
    prior: Float[np.ndarray, " memories"],
) -> list[_Model]:
    """Models of all memories; every shape weighs the same where the noise is white."""
    models: list[_Model] = []
    of_white = np.zeros(len(shapes) // 2)
    has_fall = shapes[::2].any(axis=1)
    for rho, weight in zip(RHO_GRID.tolist(), prior.tolist(), strict=True):
        if weight == 0:
            break
        flat = whitened(level[None], rho)[0]
        length = float(np.linalg.norm(flat))
        flat = flat / length
        white = whitened(shapes, rho)
        white = white - (white @ flat)[:, None] * flat
        pairs = white.reshape(len(of_white), 2, -1)
        gram = pairs @ pairs.transpose(0, 2, 1)
        determinant = np.linalg.det(gram)
        volume = np.log(length) + 0.5 * np.log(np.where(has_fall, determinant, 1.0))
        of_white = of_white if models else volume
        lost = 0.5 * (len(level) - 1) * np.log(1 - rho * rho)
        models.append(_Model(rho, flat, white.T, gram, np.log(weight) - lost - (volume - of_white)))
    return models


@dataclass(frozen=True)
class _Fit:
    """Curves under each memory, all of which fall, or all of which turn.

    Attributes:
        log: shape (memories, curves), logarithm of the likelihood, summed over shapes.
        scales: shape (memories, curves), standard deviation of the noise by the best shape.
    """

    log: Float[np.ndarray, "memories curves"]
    scales: Float[np.ndarray, "memories curves"]

    @classmethod
    def empty(cls, n_memories: int, n_curves: int) -> _Fit:
        return cls(np.empty((n_memories, n_curves)), np.empty((n_memories, n_curves)))


def _evidence(falls: _Fit, turns: _Fit) -> Float[np.ndarray, " curves"]:
    """``Λ`` of each curve."""
    ratio: np.ndarray = logsumexp(turns.log, axis=0) - logsumexp(falls.log, axis=0)
    return ratio


def _fit(
    models: list[_Model], curves: Float[np.ndarray, "curves looks"], sampling_error: float | None
) -> tuple[_Fit, _Fit]:
    """Fit curves that fall, and curves that turn."""
    falls, turns = (_Fit.empty(len(models), len(curves)) for _ in range(2))
    freedom = curves.shape[1] - N_COEFFICIENTS
    for i, model in enumerate(models):
        white = whitened(curves, model.rho)
        white -= (white @ model.level)[:, None] * model.level
        total, products = np.sum(white**2, axis=1, keepdims=True), white @ model.shapes
        for fit, rise in ((falls, -1.0), (turns, 1.0)):
            rss = np.maximum(total - _gain(products, model.gram, rise=rise), LEAST * total)
            fit.scales[i] = np.sqrt(rss.min(axis=1) / freedom)
            log_variance = np.log(rss / freedom + np.finfo(float).tiny)
            likelihood = model.log_weight - 0.5 * freedom * log_variance
            if sampling_error is not None:
                off = 0.5 * log_variance - np.log(SIZE_MEDIAN * sampling_error)
                likelihood -= 0.5 * (off / SIZE_SPREAD) ** 2
            fit.log[i] = _log_sum(likelihood)
    return falls, turns


def _log_sum(log: Float[np.ndarray, "curves shapes"]) -> Float[np.ndarray, " curves"]:
    """Logarithm of the sum over shapes; SciPy's checks take longer than the sum."""
    highest = log.max(axis=1)
    summed: np.ndarray = highest + np.log(np.exp(log - highest[:, None]).sum(axis=1))
    return summed


def _gain(
    products: Float[np.ndarray, "curves columns"], gram: Float[np.ndarray, "shapes 2 2"], *, rise: float
) -> Float[np.ndarray, "curves shapes"]:
    """By how much the best fall ``b >= 0`` and rise, of the sign of ``rise``, lower the sum of squares.

    Both are free where the least squares have the right signs; else one of them is zero, or both.
    """
    fall, up = products[:, ::2], rise * products[:, 1::2]
    across, of_fall, of_up = rise * gram[:, 0, 1], gram[:, 0, 0], gram[:, 1, 1]
    of_fall = np.maximum(of_fall, LEAST)  # of a straight line, which has no fall
    determinant = of_fall * of_up - across**2
    b, c = (of_up * fall - across * up) / determinant, (of_fall * up - across * fall) / determinant
    one = np.maximum(np.maximum(fall, 0) ** 2 / of_fall, np.maximum(up, 0) ** 2 / of_up)
    gain: np.ndarray = np.where((b > 0) & (c > 0), fall * b + up * c, one)
    return gain


def _shapes(position: Float[np.ndarray, " looks"]) -> Float[np.ndarray, "columns looks"]:
    """Falls up to a turn and rises from it, by turns, each at most 1."""
    n = len(position)
    turns = np.unique(np.linspace(0, LAST_TURN * n, N_TURNS).astype(int))
    columns = []
    for axis in (position, np.arange(n, dtype=np.float64)):
        for at in turns:
            columns += [np.maximum(axis[at] - axis, 0), np.maximum(axis - axis[at], 0)]
    stacked = np.stack(columns)
    shapes: np.ndarray = stacked / np.maximum(stacked.max(axis=1, keepdims=True), LEAST)
    return shapes


def _memories(
    weights: Float[np.ndarray, " memories"], n_draws: int, rng: np.random.Generator
) -> Int[np.ndarray, " draws"]:
    """Indices of memories, as often as their weights say, in random order."""
    evenly = rng.permutation((np.arange(n_draws) + 0.5) / n_draws)
    return np.searchsorted(np.cumsum(weights), evenly).clip(max=len(weights) - 1)
