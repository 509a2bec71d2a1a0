"""When to mix: fixed schedules, and the loop that drives a training through them."""

from overmix.switch.by_step import OffAtStep, OnFromStep
from overmix.switch.epoch import Epoch
from overmix.switch.epochs import Epochs
from overmix.switch.gate import Gate
from overmix.switch.gradual import Fade, Hesitation, LinearDecay, OnFrom, fade
from overmix.switch.held_out import HeldOut
from overmix.switch.named import make_schedule, schedule_name
from overmix.switch.outcome import Outcome
from overmix.switch.phases import Phases
from overmix.switch.policies import AutoSwitch, register_policy, registered_policies, unregister_policy
from overmix.switch.policy import Decision, Fit, History, Observation, Policy, Probe, tail_factor
from overmix.switch.rescue import find_switch
from overmix.switch.schedule import (
    Always,
    Never,
    OffAt,
    Progress,
    Schedule,
    always,
    epochs_in,
    mixes,
    never,
    off_at,
)

__all__ = [
    "Always",
    "AutoSwitch",
    "Decision",
    "Epoch",
    "Epochs",
    "Fade",
    "Fit",
    "Gate",
    "HeldOut",
    "Hesitation",
    "History",
    "LinearDecay",
    "Never",
    "Observation",
    "OffAt",
    "OffAtStep",
    "OnFrom",
    "OnFromStep",
    "Outcome",
    "Phases",
    "Policy",
    "Probe",
    "Progress",
    "Schedule",
    "always",
    "epochs_in",
    "fade",
    "find_switch",
    "make_schedule",
    "mixes",
    "never",
    "off_at",
    "register_policy",
    "registered_policies",
    "schedule_name",
    "tail_factor",
    "unregister_policy",
]
