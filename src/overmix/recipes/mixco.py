"""MixCo, its bidirectional form, its grouped form, and SoftCLIP."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from overmix.mix import (
    BetaCoefficient,
    ContrastiveTarget,
    FixedCoefficient,
    GatedCoefficient,
    GroupPairing,
    MatchDirection,
    MixPlan,
    Need,
    Pairing,
    RandomPairing,
    Recipe,
    SelfPairing,
    SoftClipTarget,
)
from overmix.mix.contrastive import check_temperature
from overmix.mix.recipe import batch_size_of, device_of
from overmix.mix.space import map_tensors
from overmix.recipes.registry import register

_MIND_EYE = (
    "Scotti et al.: Reconstructing the Mind's Eye: fMRI-to-Image with Contrastive Learning and "
    "Diffusion Priors (NeurIPS 2023)"
)
_ROWS = "lam_i on the own view and 1 - lam_i on the partner's"


class _OfViews(Recipe):
    """Its labels are views, which stay unmixed."""

    asks: ClassVar[frozenset[Need]] = frozenset({"views"})
    for_labels = ("views",)

    def unmixed(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Return the batch as it is, with the targets of a plan that mixes nothing."""
        plan = MixPlan.identity(batch_size_of(y), device=device_of(y))
        return self.space.unmixed(x), map_tensors(lambda views: self.target(plan, views), y)


class _Contrastive(_OfViews):
    """Mixes the samples, not the views that they have to find; off, each sample has to find its own view alone."""

    direction: ClassVar[MatchDirection]
    pairs: ClassVar[type[Pairing]] = RandomPairing

    def __init__(self, alpha: float = 0.15, probability: float = 0.5, temperature: float = 0.006) -> None:
        super().__init__(self.pairs(), GatedCoefficient(BetaCoefficient(alpha, "sample"), probability))
        check_temperature(temperature)
        self.temperature = float(temperature)

    def target(self, plan: MixPlan, y: Tensor) -> ContrastiveTarget:
        """Return the matches of the mixed samples with the unmixed views ``y``, shape (B, D)."""
        return ContrastiveTarget.of(plan, y, self.temperature, self.direction)


@register(
    source="Kim, Lee, Bae, Yun: MixCo: Mix-up Contrastive Learning for Visual Representation (2020)",
    target=f"{_ROWS}, cross-entropy of the rows",
)
class MixCo(_Contrastive):
    """``x'_i = lam_i x_i + (1 - lam_i) x_j``; its query has to find view i with weight lam_i and view j with the rest.

    The second argument of the recipe holds the other view of each sample, rows of shape (B, D), which stay unmixed; the
    model maps mixed samples to queries of the same shape. Similarities are cosines over the temperature. Off, it is the
    same loss with lam = 1.

    Args:
        alpha: concentration of the Beta law, >= 0, one lam for each sample.
        probability: of a sample to be mixed at all, in [0, 1].
        temperature: divides the cosines, > 0.

    Raises:
        ConfigError: if a parameter is out of range.

    Example:
        >>> import torch
        >>> voxels, images, encoder = torch.rand(6, 9), torch.rand(6, 4), torch.nn.Linear(9, 4)
        >>> x_mixed, target = MixCo()(voxels, images)
        >>> loss = target.cross_entropy(encoder(x_mixed))
    """

    direction = "forward"


@register(
    source=_MIND_EYE, target=f"{_ROWS}, cross-entropy of rows and columns", schedule="the first third, then SoftCLIP"
)
class BiMixCo(_Contrastive):
    """MixCo in both directions: ``(loss of the rows + loss of the columns) / 2``, the views looking for queries too.

    Off, it is the same loss with lam = 1. The authors go on with :class:`SoftCLIP`, a recipe of its own, in phases.

    Args:
        alpha: concentration of the Beta law, >= 0, one lam for each sample.
        probability: of a sample to be mixed at all, in [0, 1].
        temperature: divides the cosines, > 0.

    Raises:
        ConfigError: if a parameter is out of range.

    Example:
        >>> import torch
        >>> voxels, images, encoder = torch.rand(6, 9), torch.rand(6, 4), torch.nn.Linear(9, 4)
        >>> x_mixed, target = BiMixCo()(voxels, images)
        >>> loss = target.cross_entropy(encoder(x_mixed))
    """

    direction = "both"


@register(
    source="Wang et al.: TROI: Cross-Subject Pretraining with Sparse Voxel Selection for Enhanced fMRI Visual "
    "Decoding (ICASSP 2025), which trains with MixCo",
    target=f"{_ROWS}, cross-entropy of rows and columns",
    schedule="the first third, then SoftCLIP",
)
class GroupedMixCo(_Contrastive):
    """BiMixCo with partners from the same group only, on and off, and one loss over the whole batch.

    For samples of several subjects, whose inputs cannot be averaged with each other's. It needs ``domain``, the group
    of each sample; inputs of different widths are padded to one.

    Args:
        alpha: concentration of the Beta law, >= 0, one lam for each sample.
        probability: of a sample to be mixed at all, in [0, 1].
        temperature: divides the cosines, > 0.

    Raises:
        ConfigError: if a parameter is out of range.

    Example:
        >>> import torch
        >>> voxels, images, subject = torch.rand(6, 9), torch.rand(6, 4), torch.tensor([0, 0, 0, 1, 1, 1])
        >>> x_mixed, target = GroupedMixCo()(voxels, images, domain=subject)
        >>> bool((subject[target.b] == subject).all())
        True
    """

    direction = "both"
    pairs = GroupPairing


@register(
    source=_MIND_EYE,
    target="softmax of the views' similarities with each other, cross-entropy of rows and columns",
    schedule="after BiMixCo",
)
class SoftCLIP(_OfViews):
    """``x' = x_i``; the query has to find all views in proportion to their similarity with view i, in both directions.

    Nothing is mixed, on or off: it is what BiMixCo is switched to, ``Phases([(0, BiMixCo()), (20, SoftCLIP())])``.

    Args:
        temperature: of targets and predictions, > 0; annealed from 0.004 to 0.0075 by the authors.

    Raises:
        ConfigError: if the temperature is not positive.

    Example:
        >>> import torch
        >>> voxels, images, encoder = torch.rand(6, 9), torch.rand(6, 4), torch.nn.Linear(9, 4)
        >>> x, target = SoftCLIP()(voxels, images)
        >>> loss = target.cross_entropy(encoder(x))
    """

    def __init__(self, temperature: float = 0.004) -> None:
        super().__init__(SelfPairing(), FixedCoefficient(1.0))
        check_temperature(temperature)
        self.temperature = float(temperature)

    def target(self, plan: MixPlan, y: Tensor) -> SoftClipTarget:
        """Return the soft matches of the samples with the views ``y``, shape (B, D)."""
        return SoftClipTarget.of(plan, y, self.temperature)
