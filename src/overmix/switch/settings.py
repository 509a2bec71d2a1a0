"""The settings of a run, checked before it starts."""

from __future__ import annotations

from difflib import get_close_matches
from operator import index
from typing import Any

from overmix.errors import ConfigError
from overmix.mix import Recipe, Streams
from overmix.switch.phases import Phases
from overmix.switch.policy import Policy
from overmix.switch.schedule import Schedule, always

_MEANT = {
    "auto": "overmix.AutoSwitch()",
    "autoswitch": "overmix.AutoSwitch()",
    "always": "overmix.always()",
    "never": "overmix.never()",
    "off_at": "overmix.off_at(0.5)",
}
"""What stands for the names of a study file in code."""


def check_recipe(mix: Any, epochs: int) -> None:
    """Refuse what is no recipe, or recipes one after another that do not fit into so many epochs.

    Raises:
        ConfigError: if it cannot be mixed with.
    """
    if mix is not None and not isinstance(mix, Recipe | Phases):
        remedy = "give a recipe, such as overmix.Mixup(alpha=1.0), or None for what you gate by epoch.on"
        raise ConfigError("mix", mix, remedy)
    if isinstance(mix, Phases):
        mix.starts(epochs)


def switch_of(switch: Any) -> Schedule | Policy:
    """Return what says when batches are mixed; always, if nothing was said.

    Raises:
        ConfigError: if it is neither a schedule nor a policy.
    """
    if switch is None:
        return always()
    if isinstance(switch, type):
        raise ConfigError("switch", switch.__name__, f"that is the class: give an instance, {switch.__name__}()")
    if isinstance(switch, str):
        close = get_close_matches(switch.lower(), _MEANT, n=1)
        meant = _MEANT[close[0]] if close else "overmix.off_at(0.5) or overmix.AutoSwitch()"
        raise ConfigError("switch", switch, f"names are for study files: give {meant}")
    if not isinstance(switch, Schedule | Policy):
        off = f"overmix.off_at({switch if type(switch) in (int, float) and switch > 0 else 0.5})"
        remedy = (
            f"give a schedule, such as {off}, or a policy, such as overmix.AutoSwitch(); "
            "one of your own inherits from overmix.switch.Schedule or overmix.switch.Policy"
        )
        raise ConfigError("switch", switch, remedy)
    return switch


def whole_number(field: str, value: Any) -> int:
    """Return an integer >= 1, NumPy's as Python's.

    Raises:
        ConfigError: for anything else.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__") or index(value) < 1:
        raise ConfigError(field, value, "use an integer >= 1")
    return index(value)


def streams_of(seed: int, rank: int) -> Streams:
    """Return where a run's random numbers come from.

    Raises:
        ConfigError: for a seed or a rank that has none.
    """
    try:
        return Streams(replica_seed=seed, rank=rank)
    except ConfigError as error:
        if error.field != "replica_seed":
            raise
        raise ConfigError("seed", seed, "use an integer in [0, 2**64)") from None  # the name that the user wrote
