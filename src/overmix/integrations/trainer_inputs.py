"""What models of transformers take, mixed."""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from overmix.errors import ConfigError, DataError
from overmix.mix import MixedTarget
from overmix.switch import Epoch

_SAMPLES = ("pixel_values", "input_features", "input_values", "inputs_embeds")


class MixedBatch(NamedTuple):
    """What a model is given for a batch, and what its logits are held against.

    Args:
        inputs: mixed, or as they were.
        target: both labels of each sample.
        is_mixed: whether mixing was on.
    """

    inputs: dict[str, Any]
    target: MixedTarget
    is_mixed: bool


def mixed_inputs(epoch: Epoch, model: nn.Module, inputs: dict[str, Any], labels: Any) -> MixedBatch:
    """Return a batch's inputs, mixed or as they were, and its target.

    Args:
        epoch: what mixes.
        model: unwrapped; it embeds the tokens of a text.
        inputs: of the model, without labels.
        labels: classes, shape (B,).

    Raises:
        ConfigError: if there is nothing to mix, or the model looks for the end of a text among its tokens.
        DataError: if the labels are no classes, or a text's padding would be taken for its end.
    """
    if not isinstance(labels, Tensor) or labels.dim() != 1 or labels.is_floating_point():
        shape = f"{labels.dtype} {tuple(labels.shape)}" if isinstance(labels, Tensor) else labels
        raise DataError(f"labels: found {shape}: give classes of whole samples, integers of shape (B,)")
    if "input_ids" in inputs:
        return _mixed_text(epoch, model, inputs, labels)
    name = next((name for name in _SAMPLES if name in inputs), None)
    if name is None:
        raise ConfigError("inputs", sorted(inputs), f"there is nothing to mix: name it one of {', '.join(_SAMPLES)}")
    batches = epoch.seen.mixed
    mixed, target = epoch.mix(inputs[name], labels)
    return MixedBatch(inputs | {name: mixed}, target, epoch.seen.mixed > batches)


def _mixed_text(epoch: Epoch, model: Any, inputs: dict[str, Any], labels: Tensor) -> MixedBatch:
    if others := [name for name in _SAMPLES if name in inputs]:
        raise ConfigError("inputs", ["input_ids", *others], "mix text or something else, not both")
    embedded = model.get_input_embeddings()(inputs["input_ids"])
    mask = inputs.get("attention_mask", torch.ones_like(inputs["input_ids"]))
    batches = epoch.seen.mixed
    # A mixed mask is above 0 where either text has a token.
    mixed, target = epoch.mix({"embedded": embedded, "mask": mask.to(embedded.dtype)}, labels)
    if epoch.seen.mixed == batches:
        return MixedBatch(inputs, target, is_mixed=False)
    _check_ends(model, inputs["input_ids"])
    rest = {name: value for name, value in inputs.items() if name != "input_ids"}
    embeds = {"inputs_embeds": mixed["embedded"], "attention_mask": (mixed["mask"] > 0).to(mask.dtype)}
    return MixedBatch(rest | embeds, target, is_mixed=True)


def _check_ends(model: Any, ids: Tensor) -> None:
    """Refuse texts whose end the model finds by their tokens: of embeddings it takes the last position."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model  # of an adapter, such as PEFT's
    reads, pad = _names_in(type(inner).forward), _padding_token(inner)
    if "eos_token_id" in reads:
        remedy = "it finds the end of a text among its tokens, which mixed texts lack: use a model that does not"
        raise ConfigError("model", type(inner).__name__, remedy)
    if "pad_token_id" not in reads or pad is None:
        return
    # The device is waited for, as Trainer does at every step to see whether a loss is finite.
    ended = int((ids[:, -1] == pad).sum())
    if ended:
        raise DataError(
            f"input_ids: {ended} of {len(ids)} texts end with the padding token, {pad}, and {type(inner).__name__} "
            "answers at the last position of a mixed text: pad on the left (tokenizer.padding_side = 'left'), in "
            "training and evaluation, with a token that ends no text"
        )


def _padding_token(model: nn.Module) -> int | None:
    config: Any = getattr(model, "config", None)
    of_text = config.get_text_config() if hasattr(config, "get_text_config") else config
    token: int | None = getattr(of_text, "pad_token_id", None)
    return token


def _names_in(function: Any) -> frozenset[str]:
    """Return the names that a function's own code reads, past its decorators."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return frozenset() if code is None else frozenset(code.co_names)


def first(value: Any) -> Any:
    """Return the first of several outputs, or the only one."""
    return value[0] if isinstance(value, tuple | list) else value
