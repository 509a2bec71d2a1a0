"""overmix: the instrument for over-training with Mixup.

It mixes, shows whether and when a training over-trains, explains why, and switches Mixup off at the right moment.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from overmix import diagnose as diagnose
    from overmix import mix as mix
    from overmix import recipes as recipes
    from overmix import switch as switch
    from overmix.diagnose import diagnose_curve
    from overmix.diagnose import sample_scores as scores
    from overmix.mix import MixedTarget, Recipe
    from overmix.recipes import CutMix, ManifoldMixup, Mixup, NoMixup, OneOf, RegMixup
    from overmix.switch import AutoSwitch, Epochs, always, never, off_at

__version__ = "0.1.0"

__all__ = [
    "AutoSwitch",
    "CutMix",
    "Epochs",
    "ManifoldMixup",
    "MixedTarget",
    "Mixup",
    "NoMixup",
    "OneOf",
    "Recipe",
    "RegMixup",
    "always",
    "diagnose_curve",
    "never",
    "off_at",
    "scores",
]

_ROOMS = ("diagnose", "mix", "recipes", "switch")


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: PyTorch takes seconds, and ``overmix --help`` needs none of it."""
    if name in _ROOMS:
        return import_module(f"overmix.{name}")
    if name == "scores":
        return import_module("overmix.diagnose.sample_scores")
    if name not in __all__:
        raise AttributeError(f"module 'overmix' has no attribute {name!r}")
    rooms = (import_module(f"overmix.{room}") for room in _ROOMS)
    globals()[name] = value = next(getattr(room, name) for room in rooms if name in room.__all__)
    return value


def __dir__() -> list[str]:
    """Name what can be asked for."""
    return sorted({*globals(), *__all__, *_ROOMS})
