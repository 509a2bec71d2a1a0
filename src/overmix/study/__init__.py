"""Controlled studies: conditions compared over many seeds, resumable, the same bytes whatever the number of workers."""

from overmix.errors import StudyInterrupted
from overmix.study.parse import parse_study, read_study
from overmix.study.prepared import Prepared, prepare
from overmix.study.result import StudyResult, finished_result, load_result
from overmix.study.run import Outlook, run_study
from overmix.study.spec import StudySpec, resolved
from overmix.study.sweep import sweep_study
from overmix.study.worker import Progress

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
