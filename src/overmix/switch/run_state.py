"""What a saved run must hold to be gone on with: checked before anything is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from overmix.errors import ConfigError, OvermixError
from overmix.switch.position import Position

VERSION = 7

_PARTS = ("run", "position", "spent", "steps", "pending", "course")


def check_state(state: Any, identity: Mapping[str, Any]) -> None:
    """Refuse what no run with these settings has saved.

    Args:
        state: as :meth:`Epochs.state_dict` returned it.
        identity: the settings that both runs must share.

    Raises:
        ConfigError: if the state was saved by a run with other settings, naming the first that differs, or holds
            numbers that cannot be.
        OvermixError: if it is no state, or was written by another version of the format.
    """
    if not isinstance(state, Mapping):
        raise OvermixError(f"state: a {type(state).__name__} is no saved run: give what run.state_dict() returned")
    if state.get("version") != VERSION:
        raise OvermixError(f"state: version {state.get('version')!r} is not {VERSION}: start a new run")
    if missing := [part for part in _PARTS if part not in state]:
        raise OvermixError(f"state: {', '.join(missing)} missing: give what run.state_dict() returned")
    for field, value in identity.items():
        saved = state["run"].get(field) if isinstance(state["run"], Mapping) else None
        if saved != value:
            raise ConfigError(field, value, f"the saved run has {saved!r}: use the same settings")
    position_of(state, identity["epochs"])


def position_of(state: Mapping[str, Any], epochs: int) -> Position:
    """Return where a saved run stood.

    Raises:
        ConfigError: if no run of so many epochs can stand there.
    """
    saved = state["position"]
    try:
        at = Position(**saved)
    except TypeError:
        raise ConfigError("state.position", saved, "give what run.state_dict() returned") from None
    counts = {"epoch": at.epoch, "reached": at.reached, "step": at.step, "mixed": at.mixed, "tail": at.tail or 0}
    for name, value in {**counts, "spent": state["spent"]}.items():
        if not _is_count(value):
            raise ConfigError(f"state.{name}", value, "it is damaged: a count is an integer >= 0")
    steps = state["steps"]
    if not isinstance(steps, Sequence) or len(steps) != 3 or not all(map(_is_count, steps)):
        raise ConfigError("state.steps", steps, "it is damaged: give what run.state_dict() returned")
    if not at.epoch <= at.reached <= epochs or at.mixed > at.step:
        raise ConfigError("state.position", saved, f"it is damaged: a run of {epochs} epochs cannot stand there")
    return at


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
