"""Rescue: a training that is over is finished without mixing, from the checkpoint where AutoSwitch switches off.

Trainings of Lightning and of transformers have a module of their own, which imports the framework.
"""

from overmix.switch.rescue.checkpoints import Checkpoints
from overmix.switch.rescue.finishing import Rescued, rescue
from overmix.switch.rescue.plain import PlainTraining
from overmix.switch.rescue.search import find_switch
from overmix.switch.rescue.training import Training

__all__ = ["Checkpoints", "PlainTraining", "Rescued", "Training", "find_switch", "rescue"]
