"""overmix: the instrument for over-training with Mixup.

It mixes, shows whether and when a training over-trains, explains why, and switches Mixup off at the right moment.
"""

from overmix import recipes
from overmix.diagnose import diagnose_curve
from overmix.diagnose import sample_scores as scores
from overmix.mix import MixedTarget, MixPlan, Recipe
from overmix.recipes import Mixup, NoMixup
from overmix.switch import AutoSwitch, Epochs, always, never, off_at

__version__ = "0.1.0"

__all__ = [
    "AutoSwitch",
    "Epochs",
    "MixPlan",
    "MixedTarget",
    "Mixup",
    "NoMixup",
    "Recipe",
    "always",
    "diagnose_curve",
    "never",
    "off_at",
    "recipes",
    "scores",
]
