"""Loaders that count their own passes, and order their samples by that count: the count as state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Passes:
    """How often a loader was read, as state that goes back with the rest.

    Args:
        loader: counts its passes.
        attribute: where it counts them.
    """

    def __init__(self, loader: Any, attribute: str) -> None:
        self._loader, self._attribute = loader, attribute

    def state_dict(self) -> dict[str, int]:
        """Return the count."""
        return {"iteration": int(getattr(self._loader, self._attribute))}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Let the loader count on from there."""
        setattr(self._loader, self._attribute, state["iteration"])
        if hasattr(self._loader, "set_epoch"):
            self._loader.set_epoch(state["iteration"])
