"""Logs that other tools leave: read, searched for a held-out metric, and lined up as one curve per run."""

from overmix.diagnose.logs.curves import LoggedCurves, read_curves

__all__ = ["LoggedCurves", "read_curves"]
