"""Controlled studies: conditions compared over many seeds, resumable, the same bytes whatever the number of workers."""

from overmix.errors import StudyInterrupted
from overmix.study.analyse.record import Summary
from overmix.study.analyse.record_json import to_json as summary_to_json
from overmix.study.analyse.result import StudyResult, load_result, locked_result
from overmix.study.plan.study_plan import StudyPlan, plan_study
from overmix.study.run.run_study import Outlook, run_study
from overmix.study.run.worker import Progress
from overmix.study.spec.parse import parse_study, read_study
from overmix.study.spec.schema import StudySpec, resolved
from overmix.study.spec.sweep import sweep_study

__all__ = [
    "Outlook",
    "Progress",
    "StudyInterrupted",
    "StudyPlan",
    "StudyResult",
    "StudySpec",
    "Summary",
    "load_result",
    "locked_result",
    "parse_study",
    "plan_study",
    "read_study",
    "resolved",
    "run_study",
    "summary_to_json",
    "sweep_study",
]
