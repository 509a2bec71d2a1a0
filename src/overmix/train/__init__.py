"""The engine: many training runs as one, on data that lies on the device."""

from overmix.train.adamw import AdamW
from overmix.train.augment import CropFlip
from overmix.train.deciding import DecidingTraining
from overmix.train.engine import StackTraining
from overmix.train.evaluation import ALSO_MEASURED, METRICS, SPLITS, evaluation_epochs
from overmix.train.lr_schedule import LRSchedule
from overmix.train.needs import check_needs, objective_for, share_a_step, stays_apart
from overmix.train.optimizer import SGD, Optimizer
from overmix.train.plan import Replica
from overmix.train.repeated import FirstRun, RepeatedTraining
from overmix.train.resident import Normalization, ResidentData
from overmix.train.result import StackResult, diverged
from overmix.train.stacked_model import Execution, ModelFactory, StackedModel, choose_execution, stacking_error
from overmix.train.track import TRACKED, TRACKS

__all__ = [
    "ALSO_MEASURED",
    "METRICS",
    "SGD",
    "SPLITS",
    "TRACKED",
    "TRACKS",
    "AdamW",
    "CropFlip",
    "DecidingTraining",
    "Execution",
    "FirstRun",
    "LRSchedule",
    "ModelFactory",
    "Normalization",
    "Optimizer",
    "RepeatedTraining",
    "Replica",
    "ResidentData",
    "StackResult",
    "StackTraining",
    "StackedModel",
    "check_needs",
    "choose_execution",
    "diverged",
    "evaluation_epochs",
    "objective_for",
    "share_a_step",
    "stacking_error",
    "stays_apart",
]
