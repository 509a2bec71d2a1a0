"""Coefficient by similarity: close pairs are mixed strongly, distant ones hardly."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy import special
from torch import Tensor

from overmix._typing import Float
from overmix.errors import ConfigError
from overmix.mix.coefficient import BetaCoefficient, Coefficient
from overmix.mix.side import Need, SideInfo
from overmix.real_numbers import is_real

_STEP = 0.08
_LOG_TAU = 14.0
_LOGIT = 17.0
"""The table spans tau in [1e-6, 1e6] and lam in [4e-8, 1 - 4e-8], in steps of 0.08 of their logarithm and logit."""


@dataclass(frozen=True)
class SimilarityCoefficient(Coefficient):
    """``lam = I^-1_l(tau, tau)`` with ``tau = tau_max exp(-(d - 1) / (2 tau_std**2))`` and ``l ~ Beta(alpha, alpha)``.

    I^-1 is the inverse of the regularised incomplete beta function: with alpha = 1, lam ~ Beta(tau, tau). The distance
    ``d = ||z_i - z_j||**2 / mean_k ||z_k - z_partner(k)||**2`` is relative to the batch, so that the scale of the
    features does not matter. Close pairs have tau > tau_max and lam near 1/2, distant ones tau < tau_max and lam near 0
    or 1. If all pairs coincide, d is taken to be 1.

    Args:
        alpha: concentration of the law that is warped, >= 0.
        tau_max: tau of a pair at the mean distance, > 0.
        tau_std: how slowly tau falls with the distance, > 0.

    Raises:
        ConfigError: if a parameter is out of range.

    Example:
        >>> law = SimilarityCoefficient()
        >>> z = torch.tensor([[0.0], [0.1], [3.0], [5.0]])
        >>> law.tau(torch.tensor([1, 0, 3, 2]), z) > 1     # the first two are close to each other
        tensor([ True,  True, False, False])
    """

    alpha: float = 1.0
    tau_max: float = 1.0
    tau_std: float = 0.25

    def __post_init__(self) -> None:
        BetaCoefficient(self.alpha)
        for field in ("tau_max", "tau_std"):
            value = getattr(self, field)
            if not is_real(value) or not 0 < value < math.inf:
                raise ConfigError(field, value, "use a number > 0")

    @property
    def needs(self) -> frozenset[Need]:
        """The features that distances are measured in."""
        return frozenset({"features"})

    def draw(self, rng: np.random.Generator, batch_size: int) -> Tensor:
        """Return l, one for each sample, shape (B,), float32."""
        return BetaCoefficient(self.alpha, "sample").draw(rng, batch_size)

    def lam(self, drawn: Tensor, partner: Tensor, side: SideInfo) -> Float[Tensor, " batch"]:
        """Return l warped by the similarity of each pair; no gradient flows to the features."""
        if side.features is None:
            raise ConfigError("features", None, "give a representation of each sample, shape (B, D)")
        return warp(drawn, self.tau(partner, side.features))

    def tau(self, partner: Tensor, features: Float[Tensor, "batch dim"]) -> Float[Tensor, " batch"]:
        """Return tau of each pair, shape (B,), clipped to [1e-6, 1e6]."""
        z = features.detach().to(torch.float32)
        squared = (z - z[partner]).square().sum(-1)
        mean = squared.mean()
        relative = torch.where(mean > 0, squared / mean.clamp_min(torch.finfo(torch.float32).tiny), 1.0)
        log_tau = math.log(self.tau_max) - (relative - 1) / (2 * self.tau_std**2)
        return log_tau.clamp(-_LOG_TAU, _LOG_TAU).exp()


def warp(lam: Float[Tensor, " batch"], tau: Float[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    """Return the quantile at ``lam`` of Beta(tau, tau).

    It is monotone, symmetric (1 - lam gives 1 minus it), and lam itself for tau = 1. Interpolated in a table, since
    PyTorch has no inverse of the incomplete beta function. The error is below 5e-5 for tau >= 0.4, and below 5e-3
    everywhere: for a small tau the quantile is nearly a step.

    Args:
        lam: shape (B,), in [0, 1]; 0 and 1 stay what they are.
        tau: shape (B,), in [1e-6, 1e6].
    """
    logit = torch.logit(lam).clamp(-_LOGIT, _LOGIT)
    table = _table(lam.device)
    row = ((tau.log().clamp(-_LOG_TAU, _LOG_TAU) + _LOG_TAU) / _STEP).clamp(0, table.shape[0] - 1.001)
    column = (logit.abs() / _STEP).clamp(0, table.shape[1] - 1.001)
    i, j = row.long(), column.long()
    down, right = row - i, column - j
    upper = torch.lerp(table[i, j], table[i, j + 1], right)
    lower = torch.lerp(table[i + 1, j], table[i + 1, j + 1], right)
    size = torch.lerp(upper, lower, down) / _scale(tau)
    warped = torch.sigmoid(torch.where(logit < 0, -size, size))
    return torch.where((lam == 0) | (lam == 1) | (lam == 0.5), lam, warped)


def _scale(tau: Tensor) -> Tensor:
    # The quantile's logit grows as 1 / tau for small tau and as 1 / sqrt(tau) for large: this makes it flat in between.
    return tau * torch.rsqrt(1 + tau)


@functools.lru_cache(maxsize=8)
def _table(device: torch.device) -> Float[Tensor, "log_tau logit"]:
    """The quantile's logit times the scale, on a grid of log tau and of logit(lam) >= 0, from SciPy."""
    log_tau = np.arange(0, 2 * _LOG_TAU + 2 * _STEP, _STEP) - _LOG_TAU
    tau = np.exp(log_tau)[:, None]
    u = special.expit(-np.arange(0, _LOGIT + 2 * _STEP, _STEP))[None, :]
    quantile = special.betaincinv(tau, tau, u)
    with np.errstate(divide="ignore"):
        logit = special.logit(quantile)
    # Below the smallest float: I_w(tau, tau) = w**tau / (tau B(tau, tau)) to first order.
    tail = (np.log(u) + np.log(tau) + special.betaln(tau, tau)) / tau
    logit = np.where(quantile > 1e-250, logit, tail)
    return torch.as_tensor(-logit * tau / np.sqrt(1 + tau), dtype=torch.float32, device=device)
