"""What Mixup penalises, exactly for logistic regression and measured for networks.

For a score ``u = theta^T x``, the loss ``l(u, y) = h(u) - y u`` with ``h(u) = log(1 + e^u)``, and one weight ``lam``
for scores and labels, the loss of a mixture splits without approximation:

    l(u~, y~) = lam l_i + (1 - lam) l_j - G + lam (1 - lam) (y_i - y_j) (u_i - u_j)
    G = lam h(u_i) + (1 - lam) h(u_j) - h(u~) >= 0
    G = 1/2 lam (1 - lam) s(xi) (1 - s(xi)) (u_i - u_j)^2 to second order, s the sigmoid, xi between the scores

``s (1 - s) theta theta^T`` is the Hessian of the loss in its input, so G is a Hessian term along the segment, and its
weight ``lam (1 - lam)`` is largest at one half, far from both originals. That Mixup acts as Jacobian regularisation
near an original and as Hessian regularisation far from it is the claim of Sugiyama and Uchida, *Exploring Hessian
Regularization in Mixup* (ICMLA 2023). We know it from its abstract; the identity above is derived for overmix and is
not theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import expit
from torch import Tensor, nn

from overmix._typing import Float, Int, Shaped
from overmix.errors import ConfigError, DataError
from overmix.explain.evaluation import SampleLoss, data_chunks, evaluating, sample_losses
from overmix.mix.precision import in_widest


@dataclass(frozen=True)
class LogisticTerms:
    """Terms of the loss of a mixture under logistic regression: ``mixup = interpolated - gap + label_term``.

    Attributes:
        mixup: ``l(u~, y~)``.
        interpolated: ``lam l_i + (1 - lam) l_j``, what ERM would pay.
        gap: G, the Jensen gap of h.
        label_term: ``lam (1 - lam) (y_i - y_j) (u_i - u_j)``, zero for equal labels.
        second_order: the Hessian form of G, with xi at ``u~``.
    """

    mixup: Float[np.ndarray, "*pairs"]
    interpolated: Float[np.ndarray, "*pairs"]
    gap: Float[np.ndarray, "*pairs"]
    label_term: Float[np.ndarray, "*pairs"]
    second_order: Float[np.ndarray, "*pairs"]


def logistic_mixup_terms(
    u: Float[np.ndarray, "*pairs"],
    other_u: Float[np.ndarray, "*pairs"],
    y: Float[np.ndarray, "*pairs"],
    other_y: Float[np.ndarray, "*pairs"],
    lam: Float[np.ndarray, "*pairs"],
) -> LogisticTerms:
    """Split the loss of each mixture.

    Args:
        u: score of the sample.
        other_u: score of its partner.
        y: label of the sample, 0 or 1 or between.
        other_y: label of its partner.
        lam: weight of the sample.

    Example:
        >>> one = np.ones(1)
        >>> terms = logistic_mixup_terms(2 * one, -one, one, 0 * one, 0.5 * one)
        >>> [round(part.item(), 4) for part in (terms.interpolated, terms.gap, terms.label_term, terms.mixup)]
        [0.2201, 0.246, 0.75, 0.7241]
    """
    mixed_u, mixed_y = lam * u + (1 - lam) * other_u, lam * y + (1 - lam) * other_y
    h, other_h, mixed_h = (np.logaddexp(0, score) for score in (u, other_u, mixed_u))
    slope = expit(mixed_u)
    return LogisticTerms(
        mixup=mixed_h - mixed_y * mixed_u,
        interpolated=lam * (h - y * u) + (1 - lam) * (other_h - other_y * other_u),
        gap=lam * h + (1 - lam) * other_h - mixed_h,
        label_term=lam * (1 - lam) * (y - other_y) * (u - other_u),
        second_order=0.5 * lam * (1 - lam) * slope * (1 - slope) * (u - other_u) ** 2,
    )


@dataclass(frozen=True)
class InputCurvature:
    """Derivatives of a model in its input, one entry per sample, on the CPU in double precision.

    Attributes:
        hessian_trace: estimate of the trace of the input Hessian of the loss.
        jacobian_norm: estimate of the squared Frobenius norm of the Jacobian of the outputs.
    """

    hessian_trace: Float[np.ndarray, " samples"]
    jacobian_norm: Float[np.ndarray, " samples"]


def input_curvature(
    model: nn.Module,
    x: Shaped[Tensor, "samples ..."],
    targets: tuple[Tensor, ...],
    loss: SampleLoss,
    *,
    num_probes: int = 8,
    seed: int = 0,
    chunk_size: int = 256,
) -> InputCurvature:
    """Estimate ``tr d^2 l / dx^2`` and ``||d f / dx||_F^2`` at each input.

    Both are means over random signs v: of ``v^T H v``, v as an input, and of ``||J^T v||^2``, v as an output
    (Hutchinson 1989). Both are unbiased; averages over many samples need few probes. The model runs in evaluation mode
    and is left as it is, and it must treat samples independently. Networks that are piecewise linear have curvature
    through the loss only.

    Args:
        model: maps inputs (batch, ...) to outputs (batch, ...).
        x: all inputs, usually mixtures, floating point.
        targets: tensors with one entry per sample, handed to the loss.
        loss: ``loss(output, *targets)`` with one number per sample.
        num_probes: random vectors per sample.
        seed: seed of these vectors.
        chunk_size: samples per pass.

    Raises:
        ConfigError: if a setting cannot work.
        DataError: if shapes do not fit, or the inputs are not floating point.

    Example:
        >>> def square(output, scale):
        ...     return scale * (output**2).sum(1)
        >>> x, scale = torch.zeros(2, 3), torch.tensor([1.0, 5.0])
        >>> curvature = input_curvature(nn.Identity(), x, (scale,), square)
        >>> curvature.hessian_trace.tolist(), curvature.jacobian_norm.tolist()
        ([6.0, 30.0], [3.0, 3.0])
    """
    if num_probes < 1:
        raise ConfigError("num_probes", num_probes, "use at least 1")
    if not x.is_floating_point():
        raise DataError(f"inputs have dtype {x.dtype}: a derivative needs floating point")
    generator = torch.Generator().manual_seed(seed)
    parameters = {name: value.detach() for name, value in model.named_parameters()}
    traces, norms = [], []
    with evaluating(model), torch.enable_grad():
        for inputs, labels in data_chunks(x, targets, chunk_size):
            leaf = inputs.detach().clone().requires_grad_()
            losses = sample_losses(model, parameters, leaf, labels, loss)
            output = torch.func.functional_call(model, parameters, (leaf,))
            traces.append(_hessian_traces(losses, leaf, num_probes, generator))
            norms.append(_jacobian_norms(output, leaf, num_probes, generator))
    return InputCurvature(torch.cat(traces).numpy(), torch.cat(norms).numpy())


def mean_in_bands(
    values: Float[np.ndarray, " samples"],
    lam: Float[np.ndarray, " samples"],
    bands: Sequence[tuple[float, float]] = ((0.45, 0.55), (0.9, 1.0)),
) -> tuple[Float[np.ndarray, " bands"], Int[np.ndarray, " bands"]]:
    """Return the mean of a quantity over the mixtures with a weight in each closed band, and their number.

    The default compares mixtures far from both originals with mixtures near the first one. An empty band has the mean
    NaN and the number 0.

    Args:
        values: one number per mixture.
        lam: its weight.
        bands: pairs of lowest and highest weight.

    Example:
        >>> mean_in_bands(np.array([1.0, 2.0, 4.0]), np.array([0.5, 0.55, 0.95]))
        (array([1.5, 4. ]), array([2, 1]))
    """
    inside = [(lam >= low) & (lam <= high) for low, high in bands]
    means = [values[mask].mean() if mask.any() else np.nan for mask in inside]
    return np.array(means, dtype=np.float64), np.array([mask.sum() for mask in inside])


def _signs_like(value: Tensor, generator: torch.Generator) -> Tensor:
    return (2 * torch.randint(2, value.shape, generator=generator) - 1).to(value)


def _hessian_traces(losses: Tensor, leaf: Tensor, num_probes: int, generator: torch.Generator) -> Tensor:
    (gradient,) = torch.autograd.grad(losses.sum(), leaf, create_graph=True)
    total = torch.zeros(len(leaf), dtype=torch.float64)
    if not gradient.requires_grad:  # a loss linear in its input
        return total
    for _ in range(num_probes):
        signs = _signs_like(leaf, generator)
        (product,) = torch.autograd.grad((gradient * signs).sum(), leaf, retain_graph=True, materialize_grads=True)
        total += in_widest(product * signs).flatten(1).sum(1).cpu() / num_probes
    return total


def _jacobian_norms(output: Tensor, leaf: Tensor, num_probes: int, generator: torch.Generator) -> Tensor:
    total = torch.zeros(len(leaf), dtype=torch.float64)
    for _ in range(num_probes):
        (row,) = torch.autograd.grad(output, leaf, _signs_like(output, generator), retain_graph=True)
        total += in_widest(row).square().flatten(1).sum(1).cpu() / num_probes
    return total
