"""What a recipe may need to know of a batch beyond its samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from overmix._typing import Float, Int, Shaped
from overmix.errors import DataError
from overmix.mix.seen import seen

Need = Literal["features", "domain", "hidden", "clean", "views", "predictions", "modalities"]
"""What a recipe must be given, or asks of the training loop, beyond a batch ``(x, y)``.

- ``"features"``, ``"domain"``: side information, see :class:`SideInfo`.
- ``"hidden"``: it mixes inside the model, so the loop must call ``recipe.objective``.
- ``"clean"``: its mixed batch also holds clean samples, and is larger than the batch.
- ``"views"``: y holds the other view of each sample, not a label; the loss compares all pairs.
- ``"predictions"``: what the model says of the clean batch, from which labels are made, see ``recipe.relabelled``.
- ``"modalities"``: the model returns embeddings and logits of several modalities.
"""

_MEANING = {
    "features": "representations of shape (B, D)",
    "domain": "the domain of each sample, integers of shape (B,)",
}


@dataclass(frozen=True)
class SideInfo:
    """What is known of a batch when its pairs are made.

    Args:
        y: labels, shape (B, ...).
        features: representations, shape (B, D).
        domain: where each sample comes from, shape (B,).
    """

    y: Shaped[Tensor, "batch *label"] | None = None
    features: Float[Tensor, "batch dim"] | None = None
    domain: Int[Tensor, " batch"] | None = None

    def classes(self, reason: str) -> Int[Tensor, " batch"]:
        """Return the class of each sample, shape (B,).

        Args:
            reason: what they are needed for, as the beginning of a message.

        Raises:
            DataError: if there are no labels, or they are no class indices.
        """
        if self.y is not None and not self.y.is_floating_point() and self.y.dim() == 1:
            return self.y
        given = "missing" if self.y is None else f"of dtype {self.y.dtype} and shape {tuple(self.y.shape)}"
        raise DataError(f"{reason}, but y is {given}: give class indices of shape (B,)")

    @classmethod
    def checked(cls, y: Any, features: Any, domain: Any, batch: Tensor | None) -> SideInfo:
        """Return what is known of a batch, if it can be used: values are looked at on the CPU alone.

        Args:
            y: labels; those that are no tensor are left out.
            features: as the user gave them.
            domain: likewise.
            batch: something with one entry for each sample, on the batch's device, if there is.

        Raises:
            DataError: if features or domains are of another type, dtype, size or device, or features are not finite.
        """
        for need, value in (("features", features), ("domain", domain)):
            if value is not None:
                _check_one_each(need, value, batch)
        if features is not None and (features.dim() != 2 or not features.is_floating_point()):
            raise DataError(_refusal("features", _of_form(features)))
        finite = None if features is None else seen(torch.isfinite(features))
        if finite is not None and not finite.all():
            raise DataError(
                "features hold NaN or inf: give finite numbers; the model that they come from may have diverged"
            )
        if domain is not None and (domain.dim() != 1 or domain.is_floating_point() or domain.is_complex()):
            raise DataError(_refusal("domain", _of_form(domain)))
        return cls(y if isinstance(y, Tensor) else None, features, domain)

    def require(self, needs: frozenset[Need], who: str) -> None:
        """Refuse to go on without what is needed.

        Raises:
            DataError: if something in ``needs`` is missing; the message says what it is.
        """
        for need, meaning in _MEANING.items():
            if need in needs and getattr(self, need) is None:
                raise DataError(f"{who} needs {need}, {meaning}: give it as {need}=")


def _check_one_each(need: str, value: Any, batch: Tensor | None) -> None:
    """Refuse what is no tensor with one entry for each sample, where the batch is."""
    if not isinstance(value, Tensor):
        raise DataError(_refusal(need, f"a {type(value).__name__}, no tensor (torch.as_tensor makes one)"))
    if batch is None:
        return
    if value.dim() == 0 or value.shape[0] != batch.shape[0]:
        raise DataError(_refusal(need, f"{_of_form(value)}, but the batch has {batch.shape[0]} samples"))
    if value.device != batch.device:
        raise DataError(f"{need} is on {value.device} but the batch is on {batch.device}: move both to one device")


def _refusal(need: str, given: str) -> str:
    return f"{need} is {given}: give {_MEANING[need]}"


def _of_form(value: Tensor) -> str:
    return f"of dtype {value.dtype} and shape {tuple(value.shape)}"
