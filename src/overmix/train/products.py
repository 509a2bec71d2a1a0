"""One replica's matrix products by oneDNN, where the library that PyTorch takes by default leaves speed on the table.

On AMD processors with AVX-512, PyTorch's MKL keeps to AVX2, which is half of what such a core can do; oneDNN, which
PyTorch brings along for its compiler, uses all of it. It has no batched product of single precision, so that a stack
calls it once per replica: worth it for large layers only.
"""

from __future__ import annotations

import functools
import platform
from pathlib import Path

import torch
from torch import Tensor

from overmix._typing import Float

MIN_WEIGHTS = 1 << 15
"""Layers with fewer weights are faster as one batched product of the stack."""


@functools.cache
def has_fast_products() -> bool:
    """Return whether this processor gains from them: a function of the machine and the versions, never of timing."""
    if not torch.backends.cpu.get_cpu_capability().startswith("AVX512") or "AuthenticAMD" not in _vendor():
        return False
    x, weight, bias = torch.rand(2, 3), torch.rand(4, 3), torch.rand(4)
    try:
        found = linear(x, weight, bias), linear(x, weight, bias, relu=True), product(x, weight)
        p, v = torch.ones(2), torch.ones(2)
        momentum_step(p, torch.ones(2), v, lr=0.5, momentum=0.5, weight_decay=1.0)
    except (AttributeError, RuntimeError, TypeError):
        # They are not part of PyTorch's public interface, and may go.
        return False
    plain = torch.addmm(bias, x, weight.T)
    same = all(torch.allclose(a, b) for a, b in zip(found, (plain, plain.relu(), x @ weight.T), strict=True))
    return same and bool((v == 2.5).all() and (p == -0.25).all())


def gains(weight: Float[Tensor, "replicas output input"]) -> bool:
    """Return whether a stack's layer is faster replica by replica."""
    return weight[0].numel() >= MIN_WEIGHTS and weight.dtype == torch.float32 and weight.is_cpu and has_fast_products()


def _vendor() -> str:
    information = Path("/proc/cpuinfo")
    return information.read_text() if information.exists() else platform.processor()


def linear(
    x: Float[Tensor, "batch input"],
    weight: Float[Tensor, "output input"],
    bias: Float[Tensor, " output"],
    *,
    relu: bool = False,
) -> Float[Tensor, "batch output"]:
    """Return ``x W^T + b``, and its positive part with ``relu``; no gradient flows through it."""
    return _linear(x, weight, bias, "relu" if relu else "none")


def product(a: Float[Tensor, "n k"], b: Float[Tensor, "m k"]) -> Float[Tensor, "n m"]:
    """Return ``a b^T``."""
    return _linear(a, b, None, "none")


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None, then: str) -> Tensor:
    out: Tensor = torch.ops.mkldnn._linear_pointwise.default(x, weight, bias, then, [], "")
    return out


def momentum_step(
    p: Tensor, gradient: Tensor, velocity: Tensor, *, lr: float, momentum: float, weight_decay: float
) -> None:
    """Do ``v <- momentum v + g + weight_decay w``, ``w <- w - lr v`` in place, in one pass over memory."""
    torch._fused_sgd_(
        [p],
        [gradient],
        [velocity],
        weight_decay=weight_decay,
        momentum=momentum,
        lr=lr,
        dampening=0.0,
        nesterov=False,
        maximize=False,
        is_first_step=False,
    )
