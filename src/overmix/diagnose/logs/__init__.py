"""Logs that other tools leave: read, searched for a held-out metric, and lined up as one curve per run."""

from overmix.diagnose.logs.curves import LoggedCurves
from overmix.diagnose.logs.kinds import KINDS, MetricKind, describe_kinds, kind_of
from overmix.diagnose.logs.reading import read_curves

__all__ = ["KINDS", "LoggedCurves", "MetricKind", "describe_kinds", "kind_of", "read_curves"]
