"""M3Co: multimodal Mixup contrast."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from overmix._typing import Float
from overmix.errors import ConfigError, DataError
from overmix.mix import (
    BetaCoefficient,
    ContrastiveTarget,
    Draws,
    GatedCoefficient,
    InputSpace,
    MixPlan,
    Need,
    Objective,
    RandomPairing,
    Recipe,
    SideInfo,
    SoftClipTarget,
    StreamSource,
)
from overmix.mix.contrastive import check_temperature
from overmix.mix.space import gather_partners, weight_like
from overmix.real_numbers import is_real
from overmix.recipes.registry import register

Contrast = Literal["mixed", "soft"]
"""What modalities are contrasted with: mixtures (M3Co), or each other's similarities (SoftCLIP, its later phase)."""


class MultimodalOutput(NamedTuple):
    """What a model of several modalities returns.

    Attributes:
        embeddings: one of shape (B, D) for each modality.
        logits: one of shape (B, C) for each head: of the modalities, and of what they are fused to.
    """

    embeddings: tuple[Tensor, ...]
    logits: tuple[Tensor, ...]


@register(
    source="Kumar, Singhal et al.: Harnessing Shared Relations via Multimodal Mixup Contrastive Learning for "
    "Multimodal Classification (TMLR 2025)",
    target="clean labels for every head, plus lam_i on the own embedding in the next modality and the rest on the "
    "partner's, cross-entropy of rows and columns",
    place="embeddings of each modality",
    schedule="the first third, then SoftCLIP between modalities",
)
class M3Co(Recipe):
    """``loss = sum_heads CE + weight * sum_(m, n) BiMixCo(lam z^m_i + (1 - lam) z^m_j, z^n)``, z^m embeddings.

    Every modality has its own partners and its own lam; mixed embeddings of one have to find the unmixed ones of the
    next: from each to the other of two, in a circle of more. Labels and inputs are not mixed. The model takes the clean
    batch and returns a :class:`MultimodalOutput`; because embeddings are mixed, the loss comes from
    ``recipe.objective(model, x, y, plan)``. Off, without a plan, it is not the heads' cross-entropy alone: the contrast
    goes on as SoftCLIP's between modalities, with the temperature ``soft_temperature``.

    Args:
        alpha: concentration of the Beta law, >= 0, one lam for each sample.
        probability: of a sample to be mixed at all, in [0, 1].
        weight: of the contrastive term, >= 0.
        temperature: divides the cosines, > 0.
        modalities: how many there are, >= 2.
        contrast: ``"mixed"``, or ``"soft"`` for the later phase, in which nothing is mixed.
        soft_temperature: of the later phase, once mixtures are off, > 0; the authors use 0.125, too.

    Raises:
        ConfigError: if a parameter is out of range.
    """

    asks: ClassVar[frozenset[Need]] = frozenset({"hidden", "modalities"})
    for_labels = ("classes",)

    def __init__(
        self,
        alpha: float = 0.15,
        probability: float = 0.5,
        weight: float = 0.1,
        temperature: float = 0.1,
        modalities: int = 2,
        contrast: Contrast = "mixed",
        soft_temperature: float = 0.125,
    ) -> None:
        # Inputs are not mixed, so that one modality may be tokens.
        coefficient = GatedCoefficient(BetaCoefficient(alpha, "sample"), probability)
        super().__init__(RandomPairing(), coefficient, InputSpace(masks="keep"))
        check_temperature(temperature)
        check_temperature(soft_temperature, "soft_temperature")
        if not is_real(weight) or not 0 <= weight < float("inf"):
            raise ConfigError("weight", weight, "use a number >= 0")
        if isinstance(modalities, bool) or not isinstance(modalities, int) or modalities < 2:
            raise ConfigError("modalities", modalities, "use an integer >= 2")
        if contrast not in ("mixed", "soft"):
            raise ConfigError("contrast", contrast, "use 'mixed' or 'soft'")
        self.weight, self.temperature = float(weight), float(temperature)
        self.modalities, self.contrast, self.soft_temperature = modalities, contrast, float(soft_temperature)

    def draw(self, streams: StreamSource, batch_size: int, *, epoch: int = 0, step: int = 0) -> Draws:
        """Return the raw numbers of each modality."""
        rng = streams.generator("pairing", epoch=epoch, step=step)
        pairings = [self.pairing.draw(rng, batch_size) for _ in range(self.modalities)]
        rng = streams.generator("coefficient", epoch=epoch, step=step)
        coefficients = [self.coefficient.draw(rng, batch_size) for _ in range(self.modalities)]
        return Draws(parts=tuple(Draws(p, c) for p, c in zip(pairings, coefficients, strict=True)))

    def _plan(self, draws: Draws, side: SideInfo, sample_shape: tuple[int, ...] | None) -> MixPlan:
        if len(draws.parts) != self.modalities:
            raise DataError(f"M3Co: these draws have {len(draws.parts)} parts for {self.modalities} modalities")
        parts = tuple(super(M3Co, self)._plan(drawn, side, sample_shape) for drawn in draws.parts)
        # Nothing in the batch itself is mixed.
        return MixPlan(parts[0].itself, torch.ones_like(parts[0].lam), parts=parts)

    def apply(self, plan: MixPlan, x: Any) -> Any:
        """Return the batch as it is: embeddings are mixed, not inputs."""
        return self.space.unmixed(x)

    def _plain_loss(self, model: Callable[[Any], Any], x: Any, y: Tensor, loss: Objective | None) -> Tensor:
        # The authors go on with SoftCLIP's contrast; a recipe that is this phase already has nothing to go on with.
        soft = copy(self)
        if self.contrast == "mixed":
            soft.contrast, soft.temperature = "soft", self.soft_temperature
        return soft.objective(model, x, y, MixPlan.identity(len(y), device=y.device), loss)

    def mixed_loss(
        self, model: Callable[[Any], Any], x_mixed: Any, y: Tensor, plan: MixPlan, loss: Objective | None = None
    ) -> Tensor:
        """Return the sum of the heads' cross-entropies and the weighted contrastive term.

        Raises:
            ConfigError: if another loss is asked for.
            DataError: if the model returns another number of embeddings than there are modalities.
        """
        if loss is not None:
            raise ConfigError("loss", type(loss).__name__, "leave it out: M3Co has a loss of its own for every head")
        embeddings, logits = model(x_mixed)
        if len(embeddings) != self.modalities:
            raise DataError(f"the model returned {len(embeddings)} embeddings for {self.modalities} modalities")
        heads = sum((F.cross_entropy(head, y) for head in logits), start=torch.zeros_like(logits[0].sum()))
        return heads + self.weight * self.contrastive_term(tuple(embeddings), plan)

    def contrastive_term(self, embeddings: tuple[Tensor, ...], plan: MixPlan) -> Float[Tensor, ""]:
        """Return the sum of the contrastive losses between modalities.

        Args:
            embeddings: one of shape (B, D) for each modality, unmixed; they are not modified.
            plan: the plan, with a part for each modality.
        """
        if self.contrast == "soft":
            # Two modalities are one pair, since the loss looks both ways.
            pairs = self._circle()[: 1 if self.modalities == 2 else None]
            losses = [
                SoftClipTarget.of(plan, embeddings[n], self.temperature).cross_entropy(embeddings[m]) for m, n in pairs
            ]
        else:
            losses = [self._mixed_term(embeddings[m], embeddings[n], plan.parts[m]) for m, n in self._circle()]
        return torch.stack(losses).sum()

    def _circle(self) -> list[tuple[int, int]]:
        return [(m, (m + 1) % self.modalities) for m in range(self.modalities)]

    def _mixed_term(self, z: Tensor, keys: Tensor, part: MixPlan) -> Tensor:
        mixed = torch.lerp(gather_partners(z, part.partner), z, weight_like(part.lam, z))
        return ContrastiveTarget.of(part, keys, self.temperature, "both").cross_entropy(mixed)
