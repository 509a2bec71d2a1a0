"""When to mix: fixed schedules, and the loop that drives a training through them."""

from overmix.switch.epochs import Epoch, Epochs, Observation
from overmix.switch.schedule import (
    Always,
    Never,
    OffAt,
    Progress,
    Schedule,
    always,
    epochs_in,
    make_schedule,
    mixes,
    never,
    off_at,
)

__all__ = [
    "Always",
    "Epoch",
    "Epochs",
    "Never",
    "Observation",
    "OffAt",
    "Progress",
    "Schedule",
    "always",
    "epochs_in",
    "make_schedule",
    "mixes",
    "never",
    "off_at",
]
