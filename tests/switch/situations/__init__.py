"""Small trainings as people write them, each with something of its own that a probe has to leave as it was."""

from tests.switch.situations import layers, loops, networks, optimizers, rebuilt, registered, schedulers
from tests.switch.situations.traces import left_by, memory
from tests.switch.situations.training import EPOCHS, SITUATIONS

__all__ = [
    "EPOCHS",
    "SITUATIONS",
    "layers",
    "left_by",
    "loops",
    "memory",
    "networks",
    "optimizers",
    "rebuilt",
    "registered",
    "schedulers",
]
