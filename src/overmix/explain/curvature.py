"""How sharp is a minimum? Top eigenvalues and trace of the Hessian of the mean loss over the weights.

A slice of the landscape shows two directions of many; these numbers are about all of them. They are not invariant to
the rescaling of filters that :mod:`overmix.explain.landscape` normalises away: compare checkpoints of one training run,
not networks.

The matrix-free Hessian is curvlinops' (the extra ``curvature``), the eigenvalues are ARPACK's, and the trace is an
average over random signs (Hutchinson, *A stochastic estimator of the trace of the influence matrix for Laplacian
smoothing splines*, 1989).
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import torch
from scipy.sparse.linalg import eigsh
from torch import Tensor, nn

from overmix._typing import Float, Shaped
from overmix.errors import ConfigError, MissingExtraError
from overmix.explain.evaluation import SampleLoss, data_chunks, evaluating

_PROBES_AT_ONCE = 8  # vectorised by curvlinops; each has its own activations in memory


@dataclass(frozen=True)
class Curvature:
    """Hessian of the mean loss.

    Attributes:
        eigenvalues: the largest ones, descending.
        trace: estimate of the trace.
        trace_error: standard error of that estimate.
    """

    eigenvalues: Float[np.ndarray, " k"]
    trace: float
    trace_error: float


class _IndexedLoss(nn.Module):
    """A mean over per-sample losses whose targets are looked up by position, since curvlinops hands on one tensor."""

    reduction = "mean"

    def __init__(self, loss: SampleLoss, targets: tuple[Tensor, ...]) -> None:
        super().__init__()
        self.loss, self.targets = loss, targets

    def forward(self, output: Tensor, index: Tensor) -> Tensor:
        losses: Tensor = self.loss(output, *(target[index] for target in self.targets))
        return losses.mean()


def hessian_curvature(
    model: nn.Module,
    x: Shaped[Tensor, "samples ..."],
    targets: tuple[Tensor, ...],
    loss: SampleLoss,
    *,
    num_eigenvalues: int = 1,
    num_probes: int = 32,
    seed: int = 0,
    chunk_size: int = 1024,
) -> Curvature:
    """Return the top eigenvalues and the trace of the Hessian over all trainable parameters.

    The model runs in evaluation mode and is left as it is. One product with the Hessian costs about two gradients over
    all samples; ARPACK takes some tens of them, the trace takes ``num_probes``.

    Args:
        model: maps inputs (batch, ...) to outputs.
        x: all inputs.
        targets: tensors with one entry per sample, handed to the loss.
        loss: ``loss(output, *targets)`` with one number per sample.
        num_eigenvalues: how many.
        num_probes: random vectors for the trace, at least 2.
        seed: seed of these vectors.
        chunk_size: samples per pass.

    Raises:
        MissingExtraError: without curvlinops.
        ConfigError: if a setting cannot work.
        DataError: if shapes do not fit.
    """
    curvlinops = _load()
    parameters = {name: value for name, value in model.named_parameters() if value.requires_grad}
    size = sum(value.numel() for value in parameters.values())
    if not 1 <= num_eigenvalues < size:
        raise ConfigError("num_eigenvalues", num_eigenvalues, f"use 1 to {size - 1}: there are {size} parameters")
    if num_probes < 2:
        raise ConfigError("num_probes", num_probes, "use at least 2")
    index = torch.arange(len(x), device=x.device)
    data = [(inputs, rows) for inputs, (rows, *_) in data_chunks(x, (index, *targets), chunk_size)]
    rng = np.random.default_rng(seed)
    with evaluating(model), torch.enable_grad(), _without_jit_warning():
        hessian = curvlinops.HessianLinearOperator(
            model,
            _IndexedLoss(loss, targets),
            list(parameters.values()),
            data,
            num_data=len(x),
            check_deterministic=False,  # evaluation mode is; the check would cost as much as several products
        )
        eigenvalues = eigsh(
            hessian.to_scipy(), k=num_eigenvalues, which="LA", v0=rng.normal(size=size), return_eigenvectors=False
        )
        samples = np.concatenate(
            [
                _signed_products(hessian, rng.choice([-1.0, 1.0], size=(size, min(_PROBES_AT_ONCE, num_probes - done))))
                for done in range(0, num_probes, _PROBES_AT_ONCE)
            ]
        )
    return Curvature(
        eigenvalues=np.sort(np.asarray(eigenvalues))[::-1].copy(),
        trace=float(samples.mean()),
        trace_error=float(samples.std(ddof=1) / np.sqrt(num_probes)),
    )


def _signed_products(hessian: Any, signs: Float[np.ndarray, "parameters probes"]) -> Float[np.ndarray, " probes"]:
    """Return ``v^T H v`` for each column v; its mean over random signs is the trace."""
    v = torch.as_tensor(signs, dtype=hessian.dtype, device=hessian.device)
    return np.asarray((v * (hessian @ v)).sum(0).double().cpu())


@contextmanager
def _without_jit_warning() -> Iterator[None]:
    """Be silent about ``torch.jit.script``, which packages that curvlinops imports, some of them late, still use."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.script.*")
        yield


def _load() -> ModuleType:
    try:
        with _without_jit_warning():
            return importlib.import_module("curvlinops")
    except ImportError as error:
        raise MissingExtraError("curvlinops", "curvature") from error
