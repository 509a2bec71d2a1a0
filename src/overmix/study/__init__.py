"""Controlled studies: conditions compared over many seeds, resumable, the same bytes whatever the number of workers."""

from overmix.errors import StudyInterrupted
from overmix.study.analyse.result import StudyResult, finished_result, load_result
from overmix.study.plan.study_plan import Prepared, prepare
from overmix.study.run.run_study import Outlook, run_study
from overmix.study.run.worker import Progress
from overmix.study.spec.parse import parse_study, read_study
from overmix.study.spec.schema import StudySpec, resolved
from overmix.study.spec.sweep import sweep_study

__all__ = [
    "Outlook",
    "Prepared",
    "Progress",
    "StudyInterrupted",
    "StudyResult",
    "StudySpec",
    "finished_result",
    "load_result",
    "parse_study",
    "prepare",
    "read_study",
    "resolved",
    "run_study",
    "sweep_study",
]
