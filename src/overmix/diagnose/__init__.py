"""Did it over-train? Turning epoch, depth and a verdict with an interval, as pure functions of arrays."""

from overmix.diagnose.advice import Advice, advise
from overmix.diagnose.compare import Comparison, holm, paired_difference, paired_values
from overmix.diagnose.compare_turns import TurnComparison, compare_turns
from overmix.diagnose.curve import diagnose_curve
from overmix.diagnose.diagnosis import Diagnosis, more_seeds
from overmix.diagnose.ensemble import diagnose_ensemble
from overmix.diagnose.evidence import Evidence, Role
from overmix.diagnose.turning import smooth, turning_epoch

__all__ = [
    "Advice",
    "Comparison",
    "Diagnosis",
    "Evidence",
    "Role",
    "TurnComparison",
    "advise",
    "compare_turns",
    "diagnose_curve",
    "diagnose_ensemble",
    "holm",
    "more_seeds",
    "paired_difference",
    "paired_values",
    "smooth",
    "turning_epoch",
]
