"""The floor under a Mixup training loss.

Soft labels have an entropy of their own, so a cross-entropy against them cannot fall to zero: a training loss that
levels off may have nothing left to learn. The floor depends on how often the two labels of a mixture differ and on the
law of the mixing weight, and on nothing else.

Lemma 3.1 of Liu, Wang, Guo, Mao, *Over-training with Mixup May Hurt Generalization* (ICLR 2023) is the balanced case
with a uniform weight; the other cases here are derived for overmix.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from scipy.special import digamma, xlogy

from overmix._typing import Float, Int
from overmix.errors import ConfigError, DataError

Numbers: TypeAlias = Sequence[int] | Sequence[float] | np.ndarray
LossKind: TypeAlias = Literal["cross_entropy", "squared_error", "squared_error_mixed"]


def mean_entropy(alpha: float) -> float:
    """Mean binary entropy of a weight drawn from Beta(alpha, alpha), in nats.

    ``E h(lam) = psi(2 alpha + 1) - psi(alpha + 1)`` with ``h(u) = -u ln u - (1 - u) ln(1 - u)``. The limits are 0 for
    ``alpha = 0`` (no mixing) and ln 2 for ``alpha = inf`` (always one half). Folding the weight to
    ``max(lam, 1 - lam)`` changes nothing.

    Raises:
        ConfigError: if alpha is negative or not a number.

    Example:
        >>> [round(mean_entropy(alpha), 4) for alpha in (0.0, 0.4, 1.0, math.inf)]
        [0.0, 0.3464, 0.5, 0.6931]
    """
    _check_alpha(alpha)
    if alpha > 1e15:  # the difference of the two digammas has reached ln 2 to the last bit
        return math.log(2)
    return float(digamma(2 * alpha + 1) - digamma(alpha + 1))


def mean_product(alpha: float) -> float:
    """Mean of ``lam (1 - lam)`` under Beta(alpha, alpha): ``alpha / (2 (2 alpha + 1))``.

    Raises:
        ConfigError: if alpha is negative or not a number.

    Example:
        >>> round(mean_product(1.0), 6)
        0.166667
    """
    _check_alpha(alpha)
    return 0.25 if math.isinf(alpha) else alpha / (2 * (2 * alpha + 1))


def different_class_probability(
    counts: Numbers | None = None,
    *,
    num_classes: int | None = None,
    batch_size: int | float | None = None,
    num_samples: int | float | None = None,
) -> float:
    """Probability that the two samples of a mixture differ in class.

    Over all ordered pairs, a sample with itself included, it is ``1 - sum_c p_c^2``. When the partner comes from a
    random permutation of a random batch, it is ``(1 - 1/B) (1 - sum_c p_c^2) n / (n - 1)``: a sample meets itself with
    probability 1/B, and otherwise any of the n - 1 others.

    Args:
        counts: examples per class, or class shares.
        num_classes: number of balanced classes; give this or ``counts``.
        batch_size: size B of the batches that are permuted, None for all ordered pairs. ``math.inf`` stands for a
            pairing in which nothing meets itself (a shifted or reversed batch).
        num_samples: size n of the training set, needed with ``batch_size`` unless ``counts`` are whole numbers,
            with which it must agree; ``math.inf`` is allowed.

    Raises:
        ConfigError: if an argument is missing, given twice, or cannot work.

    Example:
        >>> round(different_class_probability(num_classes=10), 6)
        0.9
        >>> different_class_probability([2, 2], batch_size=math.inf)
        0.6666666666666666
    """
    different, total = _different_pairs(counts, num_classes)
    for name, size in (("num_classes", num_classes), ("batch_size", batch_size), ("num_samples", num_samples)):
        if size is not None and size % 1 != 0 and not (math.isinf(size) and name != "num_classes"):
            raise ConfigError(name, size, "use a whole number")
    if total is not None and num_samples is not None and num_samples != total:
        raise ConfigError(
            "num_samples", num_samples, f"the counts add up to {total:,.0f}: leave it out or correct them"
        )
    if batch_size is None:
        return different
    n = num_samples if num_samples is not None else total
    if n is None:
        remedy = "give the size of the training set; math.inf is allowed"
        raise ConfigError("num_samples", None, remedy)
    if not n >= 2:
        raise ConfigError("num_samples", n, "use at least 2 samples")
    if not (batch_size >= 1 and (math.isinf(batch_size) or batch_size <= n)):
        raise ConfigError("batch_size", batch_size, f"use a size from 1 to the {n} samples, or math.inf")
    return (1.0 - 1.0 / batch_size) * different * (1.0 if math.isinf(n) else n / (n - 1))


def loss_floor(
    counts: Numbers | None = None,
    *,
    num_classes: int | None = None,
    alpha: float = 1.0,
    lam: float | Numbers | None = None,
    batch_size: int | float | None = None,
    num_samples: int | float | None = None,
    loss: LossKind = "cross_entropy",
) -> float:
    """Lowest mean training loss that any predictor can reach on Mixup's synthetic samples.

    ``floor = P(classes differ) * E h(lam)``; over all ordered pairs and ``lam ~ Beta(alpha, alpha)`` this is
    ``(1 - sum_c p_c^2) (psi(2 alpha + 1) - psi(alpha + 1))``, and ``(C - 1) / (2 C)`` for C balanced classes and
    alpha = 1. It is reached only if the predictor returns every soft label exactly, which is impossible where one
    input arises with two labels.

    Args:
        counts: examples per class, or class shares.
        num_classes: number of balanced classes; give this or ``counts``.
        alpha: parameter of the symmetric Beta law; 0 is no mixing, ``math.inf`` always one half.
        lam: a fixed weight, or a sample of the weights that are used, in place of the Beta law.
        batch_size: size of the batches whose random permutation gives the partners, see
            :func:`different_class_probability`. A logged in-batch loss lies a little below the all-pairs floor.
        num_samples: size of the training set, where ``counts`` do not say it.
        loss: ``"cross_entropy"``; ``"squared_error"``, the squared error against the mixed one-hot label, whose
            floor is 0; or ``"squared_error_mixed"``, the same mix of the squared errors against the two labels, whose
            floor is ``P(classes differ) * 2 E lam (1 - lam)``. Squared errors are summed over the classes; divide by
            C for a mean.

    Returns:
        The floor in nats (cross-entropy) or in squared label units. Label smoothing would raise it and is not
        included.

    Raises:
        ConfigError: if an argument is missing, given twice, or cannot work.

    Example:
        >>> round(loss_floor(num_classes=10), 12)
        0.45
        >>> round(loss_floor(num_classes=10, batch_size=128, num_samples=50_000), 6)
        0.446493
        >>> round(loss_floor([50, 30, 20], alpha=0.4), 6)
        0.214753

    References:
        Liu, Wang, Guo, Mao, *Over-training with Mixup May Hurt Generalization*, 2023: following Lemma 3.1, the
        balanced cross-entropy with a uniform weight. The other cases are ours.
    """
    different = different_class_probability(
        counts, num_classes=num_classes, batch_size=batch_size, num_samples=num_samples
    )
    if loss == "squared_error":
        _check_alpha(alpha)
        return 0.0
    if loss == "squared_error_mixed":
        return different * 2 * (mean_product(alpha) if lam is None else float(np.mean(_product(lam))))
    if loss != "cross_entropy":
        raise ConfigError("loss", loss, "use cross_entropy, squared_error or squared_error_mixed")
    return different * (mean_entropy(alpha) if lam is None else float(np.mean(_entropy(_weights(lam)))))


def sample_floor(a: Int[np.ndarray, " n"], b: Int[np.ndarray, " n"], lam: Float[np.ndarray, " n"]) -> float:
    """Cross-entropy floor of one given set of mixtures: the mean of ``h(lam)`` where the labels differ, 0 elsewhere.

    Args:
        a: first labels.
        b: second labels.
        lam: weights of the first labels.

    Raises:
        DataError: if there is no mixture, or labels and weights differ in number.
        ConfigError: if a weight lies outside [0, 1].

    Example:
        >>> round(sample_floor(np.array([0, 1]), np.array([1, 1]), np.array([0.5, 0.5])), 6)
        0.346574
    """
    if not np.shape(a) == np.shape(b) == np.shape(lam):
        raise DataError(
            f"labels {np.shape(a)} and {np.shape(b)}, weights {np.shape(lam)}: give one of each per mixture"
        )
    if len(lam) == 0:
        raise DataError("no mixtures given: the floor of an empty set is not defined")
    return float(np.mean(_entropy(_weights(lam)) * (a != b)))


def _entropy(u: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    return np.asarray(-xlogy(u, u) - xlogy(1 - u, 1 - u))


def _product(lam: float | Numbers) -> Float[np.ndarray, " n"]:
    weights = _weights(lam)
    return np.asarray(weights * (1 - weights))


def _weights(lam: float | Numbers) -> Float[np.ndarray, " n"]:
    weights = np.atleast_1d(np.asarray(lam, dtype=np.float64))
    if weights.size == 0 or not np.all((weights >= 0) & (weights <= 1)):
        raise ConfigError("lam", lam, "use weights from 0 to 1")
    return weights


def _check_alpha(alpha: float) -> None:
    if not alpha >= 0:
        raise ConfigError("alpha", alpha, "use a number >= 0")


def _different_pairs(counts: Numbers | None, num_classes: int | None) -> tuple[float, float | None]:
    """``1 - sum_c p_c^2`` over all ordered pairs, and the number of samples where whole counts say it."""
    if counts is not None and num_classes is not None:
        raise ConfigError("num_classes", num_classes, "give either counts or num_classes")
    if counts is None:
        if num_classes is None or num_classes < 1:
            raise ConfigError("num_classes", num_classes, "use at least one class, or give counts")
        return (num_classes - 1) / num_classes, None
    sizes = np.asarray(counts, dtype=np.float64)
    if sizes.ndim != 1 or not np.all(np.isfinite(sizes) & (sizes >= 0)) or not sizes.sum() > 0:
        raise ConfigError("counts", counts, "use one finite number >= 0 per class, not all 0")
    total = float(sizes.sum())
    if np.all(sizes == np.round(sizes)):
        # In whole numbers, so that ten equal classes give 0.9 and not the float before it.
        n, whole = int(total), [int(size) for size in sizes]
        return (n * n - sum(size * size for size in whole)) / (n * n), total
    shares = sizes / total
    return 1.0 - float(np.dot(shares, shares)), None
