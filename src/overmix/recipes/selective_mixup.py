"""Selective Mixup."""

from __future__ import annotations

from overmix.mix import Per, Recipe, Relation, SelectivePairing
from overmix.mix.coefficient_shapes import beta_or_coin
from overmix.recipes.registry import register


@register(
    source="Teney, Wang, Abbasnejad: Selective Mixup Helps with Distribution Shifts, But Not (Only) because of Mixup "
    "(ICML 2024)"
)
class SelectiveMixup(Recipe):
    """``x' = lam x_i + (1 - lam) x_j``, ``y'`` likewise, j uniform among classes and domains that are (un)like i's.

    Choosing partners also resamples the training data: with partners of another class, rare classes become more
    frequent. ``mix=False`` is the control that keeps this and leaves the mixing out: every sample is itself or its
    partner, whole, with equal probability.

    Args:
        alpha: concentration of the Beta law, >= 0; ``alpha=0`` mixes nothing, and resamples nothing.
        label: whether a partner's class must be ``"different"``, the ``"same"``, or may be ``"any"``.
        domain: the same of its domain; other than ``"any"`` it needs ``domain``.
        per: ``"batch"`` draws one lam for the batch, ``"sample"`` one for each sample.
        mix: ``True`` mixes, ``False`` only resamples.

    Raises:
        ConfigError: if a parameter is none of these.

    Example:
        >>> import torch
        >>> x, y = torch.rand(4, 3), torch.tensor([0, 0, 0, 1])
        >>> x_mixed, target = SelectiveMixup(label="different")(x, y)
        >>> target.b[:3]
        tensor([1, 1, 1])
    """

    for_labels = ("classes",)

    def __init__(
        self,
        alpha: float = 1.0,
        label: Relation = "different",
        domain: Relation = "any",
        per: Per = "batch",
        mix: bool = True,
    ) -> None:
        super().__init__(SelectivePairing(label, domain), beta_or_coin(alpha, per, mix=mix))
