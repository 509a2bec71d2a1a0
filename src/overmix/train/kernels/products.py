"""One replica's matrix products by oneDNN, where the library that PyTorch takes by default leaves speed on the table.

On AMD processors PyTorch's MKL keeps to AVX2. From Zen 5 on that is half of what a core can do, and oneDNN, which
PyTorch brings along for its compiler, uses all of it; Zen 4 does AVX-512 in two halves, so that AVX2 is as fast there,
and MKL the faster of the two. oneDNN has no batched product of single precision, so that a stack calls it once per
replica: worth it for large layers only.
"""

from __future__ import annotations

import functools
import math
import platform
import re
from pathlib import Path

import torch
from torch import Tensor

from overmix._typing import Float
from overmix.train.kernels.elementwise import momentum_step
from overmix.train.kernels.kernel import Kernel

_ZEN_5 = 26
"""The first processor family of AMD's whose units are 512 bits wide."""

MIN_WEIGHTS = 1 << 15
"""Layers with fewer weights are faster as one batched product of the stack."""


@functools.cache
def has_fast_products() -> bool:
    """Return whether this processor gains from them: a function of the machine and the versions, never of timing."""
    if not torch.backends.cpu.get_cpu_capability().startswith("AVX512") or not _has_whole_avx512(_processor()):
        return False
    return operators_are_there()


def operators_are_there() -> bool:
    """Return whether this PyTorch has the operators that it takes."""
    return linear.is_there and product.is_there and momentum_step.is_there


def gains(weight: Float[Tensor, "replicas output input"]) -> bool:
    """Return whether a stack's layer is faster replica by replica."""
    return weight[0].numel() >= MIN_WEIGHTS and weight.dtype == torch.float32 and weight.is_cpu and has_fast_products()


def _has_whole_avx512(processor: str) -> bool:
    """Return whether a processor is AMD's, of a family that does AVX-512 in one piece."""
    family = re.search(r"family\s*:?\s*(\d+)", processor, re.IGNORECASE)
    return "AuthenticAMD" in processor and family is not None and int(family[1]) >= _ZEN_5


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    return information.read_text() if information.exists() else platform.processor()


def _plain_linear(x: Tensor, weight: Tensor, bias: Tensor, *, relu: bool = False) -> Tensor:
    out = torch.addmm(bias, x, weight.T)
    return out.relu_() if relu else out


def _fast_linear(x: Tensor, weight: Tensor, bias: Tensor, *, relu: bool = False) -> Tensor:
    return _pointwise(x, weight, bias, "relu" if relu else "none")


def _plain_product(a: Tensor, b: Tensor) -> Tensor:
    return a @ b.T


def _fast_product(a: Tensor, b: Tensor) -> Tensor:
    return _pointwise(a, b, None, "none")


def _pointwise(x: Tensor, weight: Tensor, bias: Tensor | None, then: str) -> Tensor:
    out: Tensor = torch.ops.mkldnn._linear_pointwise.default(x, weight, bias, then, [], "")
    return out


def _example(*shapes: tuple[int, ...]) -> tuple[Tensor, ...]:
    return tuple(torch.linspace(-1, 1, math.prod(shape)).view(shape) for shape in shapes)


linear = Kernel(_plain_linear, _fast_linear, lambda: (_example((2, 3), (4, 3), (4,)), {"relu": True}))
"""``linear(x, weight, bias, *, relu)``: ``x W^T + b``, (B, out), its positive part with ``relu``; no gradient flows."""

product = Kernel(_plain_product, _fast_product, lambda: (_example((2, 3), (4, 3)), {}))
"""``product(a, b)``: ``a b^T``, (n, m), of (n, k) and (m, k); no gradient flows."""
