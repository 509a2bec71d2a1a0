"""Masks: numbers in a batch that say where something is, and have no average."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

from overmix._typing import Shaped
from overmix.errors import ConfigError, DataError
from overmix.mix.plan import MixPlan
from overmix.mix.precision import over_samples

MaskRule: TypeAlias = Literal["union", "intersection", "keep"]
"""What becomes of a mask: where either sample has something, where both have, or as it is."""

Masks: TypeAlias = MaskRule | Mapping[str, MaskRule] | None
"""One rule for all integers and booleans of a batch, or one for each by name; None refuses them."""


def check_masks(masks: object) -> None:
    """Refuse what is no rule for masks.

    Raises:
        ConfigError: if it is neither a rule, nor a mapping of names to rules, nor None.
    """
    rules = masks.values() if isinstance(masks, Mapping) else (masks,)
    if masks is not None and not all(isinstance(rule, str) and rule in get_args(MaskRule) for rule in rules):
        raise ConfigError(
            "masks", masks, "use 'union', 'intersection' or 'keep', or a dictionary such as {'attention_mask': 'union'}"
        )


def rule_for(masks: Masks, name: str | None) -> MaskRule | None:
    """Return the rule for the integers or booleans of that name, or None if there is none."""
    return masks.get(name) if isinstance(masks, Mapping) and name is not None else masks  # type: ignore[return-value]


def is_countable(x: Tensor) -> bool:
    """Whether these are integers or booleans that are no image: masks, tokens, counts."""
    return x.dtype != torch.uint8 and not x.is_floating_point() and not x.is_complex()


def mixed_mask(plan: MixPlan, mask: Shaped[Tensor, "batch *sample"], rule: MaskRule) -> Shaped[Tensor, "batch *sample"]:
    """Return the mask of the mixed batch: elementwise maximum ("union") or minimum ("intersection") of both sides.

    A side without weight has no part in it, so that an unmixed sample keeps its own mask.

    Args:
        plan: who is mixed with whom.
        mask: integers or booleans, shape (B, ...).
        rule: which of the two, or ``"keep"``.

    Raises:
        DataError: if the mask has another number of samples than the plan.

    Example:
        >>> plan = MixPlan(torch.tensor([1, 0]), torch.tensor([0.5, 1.0]))
        >>> mixed_mask(plan, torch.tensor([[True, False], [True, True]]), "union")
        tensor([[True, True],
                [True, True]])
    """
    if rule == "keep":
        return mask
    if mask.shape[: plan.partner.dim()] != plan.partner.shape:
        raise DataError(
            f"x has a mask of shape {tuple(mask.shape)}, but the plan is for a batch of {plan.batch_size} samples"
        )
    partners, lam = mask[plan.partner], over_samples(plan.lam, mask)
    # torch's maximum takes booleans too: False < True.
    both = torch.maximum(mask, partners) if rule == "union" else torch.minimum(mask, partners)
    return torch.where(lam == 1, mask, torch.where(lam == 0, partners, both))
