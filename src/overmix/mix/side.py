"""What a recipe may need to know of a batch beyond its samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from overmix._typing import Float, Int, Shaped
from overmix.errors import DataError

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

    def require(self, needs: frozenset[Need], who: str) -> None:
        """Refuse to go on without what is needed.

        Raises:
            DataError: if something in ``needs`` is missing; the message says what it is.
        """
        for need, meaning in _MEANING.items():
            if need in needs and getattr(self, need) is None:
                raise DataError(f"{who} needs {need}, {meaning}: give it as {need}=")
