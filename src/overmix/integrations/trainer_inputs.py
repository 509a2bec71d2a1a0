"""What models of transformers take and return: mixed, and read."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from overmix.errors import ConfigError, DataError
from overmix.mix import MixedTarget
from overmix.switch import Epoch

_SAMPLES = ("pixel_values", "input_features", "input_values", "inputs_embeds")


def mixed_inputs(
    epoch: Epoch, model: nn.Module, inputs: dict[str, Any], labels: Any
) -> tuple[dict[str, Any], MixedTarget]:
    """Return a batch's inputs, mixed or as they were, and its target."""
    if not isinstance(labels, Tensor) or labels.dim() != 1 or labels.is_floating_point():
        shape = f"{labels.dtype} {tuple(labels.shape)}" if isinstance(labels, Tensor) else labels
        raise DataError(f"labels: found {shape}: give classes of whole samples, integers of shape (B,)")
    if "input_ids" in inputs:
        return _mixed_text(epoch, model, inputs, labels)
    name = next((name for name in _SAMPLES if name in inputs), None)
    if name is None:
        raise ConfigError("inputs", sorted(inputs), f"there is nothing to mix: name it one of {', '.join(_SAMPLES)}")
    mixed, target = epoch.mix(inputs[name], labels)
    return inputs | {name: mixed}, target


def _mixed_text(epoch: Epoch, model: Any, inputs: dict[str, Any], labels: Tensor) -> tuple[dict[str, Any], MixedTarget]:
    if others := [name for name in _SAMPLES if name in inputs]:
        raise ConfigError("inputs", ["input_ids", *others], "mix text or something else, not both")
    embedded = model.get_input_embeddings()(inputs["input_ids"])
    mask = inputs.get("attention_mask", torch.ones_like(inputs["input_ids"]))
    # A mixed mask is above 0 where either text has a token.
    mixed, target = epoch.mix({"embedded": embedded, "mask": mask.to(embedded.dtype)}, labels)
    if target.a is target.b:
        return inputs, target
    rest = {name: value for name, value in inputs.items() if name != "input_ids"}
    return rest | {"inputs_embeds": mixed["embedded"], "attention_mask": (mixed["mask"] > 0).to(mask.dtype)}, target


def logits_of(outputs: Any) -> Tensor:
    """Return the logits among a model's outputs."""
    logits = outputs["logits"] if isinstance(outputs, dict) else outputs[0]
    assert isinstance(logits, Tensor)
    return logits


def first(value: Any) -> Any:
    """Return the first of several outputs, or the only one."""
    return value[0] if isinstance(value, tuple | list) else value
