"""The loss that a model of transformers computes by itself from labels, beside the one that mixed labels have."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from overmix.errors import ConfigError

_GIVE = (
    "give compute_loss_func=, a function of (outputs, target, num_items_in_batch=None) that returns the loss: target "
    "is a MixedTarget in training, and the labels in evaluation"
)


def takes_labels(model: nn.Module) -> bool:
    """Whether a model may be given labels, from which it computes its loss."""
    parameters = inspect.signature(type(model).forward).parameters.values()
    return any(p.name == "labels" or p.kind is p.VAR_KEYWORD for p in parameters)


def check_without_labels(model: nn.Module) -> None:
    """Refuse a model that cannot be called without labels: those of a mixed batch are two for each sample.

    Raises:
        ConfigError: naming the model.
    """
    labels = inspect.signature(type(model).forward).parameters.get("labels")
    if labels is not None and labels.default is labels.empty:
        remedy = "a mixed batch has two labels for each sample: let its forward do without labels, labels=None"
        raise ConfigError("model", type(model).__name__, remedy)


def check_loss(model: nn.Module, outputs: Any, labels: Tensor) -> None:
    """Refuse a model whose own loss is not the cross-entropy, with which mixed batches would be trained instead.

    Args:
        model: unwrapped, for its name and precision.
        outputs: what it returned, given labels.
        labels: classes, shape (B,).

    Raises:
        ConfigError: naming the model and both losses.
    """
    loss, logits = loss_of(outputs), logits_of(outputs)
    name = type(model).__name__
    if loss is None:
        raise ConfigError("compute_loss_func", None, f"{name} returns no loss from labels: {_GIVE}")
    expected = F.cross_entropy(logits.detach().float(), labels) if logits.dim() == 2 and logits.shape[1] > 1 else None
    precision = max((torch.finfo(p.dtype).eps for p in model.parameters() if p.is_floating_point()), default=0.0)
    precision = max(precision, torch.finfo(loss.dtype).eps)
    near = max(1e-4, 16 * precision)  # of sums in another order; of class weights little shows at equal logits
    # Not finite, it says nothing of the kind of loss.
    if expected is None or (expected.isfinite() and not torch.isclose(loss.detach().float(), expected, near, near)):
        other = "there is none of such logits" if expected is None else f"{expected.item():.4g}"
        computed = f"{name} computes a loss of its own, {loss.item():.4g}"
        remedy = f"{computed}, which is not the cross-entropy ({other}) that mixed labels have: {_GIVE}"
        raise ConfigError("compute_loss_func", None, remedy)


def loss_of(outputs: Any) -> Tensor | None:
    """Return the loss among the outputs of a model that was given labels; None if there is none."""
    loss = outputs.get("loss") if isinstance(outputs, dict) else outputs[0]
    return loss if isinstance(loss, Tensor) and loss.dim() == 0 else None


def logits_of(outputs: Any) -> Tensor:
    """Return the logits among a model's outputs."""
    if isinstance(outputs, dict):
        logits = outputs["logits"]
    else:  # a tuple begins with the loss, if there is one
        logits = outputs[0] if loss_of(outputs) is None else outputs[1]
    assert isinstance(logits, Tensor)
    return logits
