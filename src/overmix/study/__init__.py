"""Controlled studies: conditions compared over many seeds, resumable, the same bytes whatever the number of workers."""

from typing import TYPE_CHECKING

from overmix._lazy import lazily
from overmix.errors import StudyInterrupted
from overmix.study.analyse.record import Summary
from overmix.study.analyse.record_json import to_json as summary_to_json

if TYPE_CHECKING:
    from overmix.study.analyse.result import StudyResult, load_result, locked_result
    from overmix.study.analyse.tuned import choose_settings
    from overmix.study.plan.study_plan import StudyPlan, plan_study
    from overmix.study.run.run_study import Outlook, run_study
    from overmix.study.run.worker import StackProgress
    from overmix.study.spec.fair import fair_study, fair_trials
    from overmix.study.spec.parse import parse_study, read_study
    from overmix.study.spec.schema import StudySpec, resolved
    from overmix.study.spec.sweep import sweep_study

__all__ = [
    "Outlook",
    "StackProgress",
    "StudyInterrupted",
    "StudyPlan",
    "StudyResult",
    "StudySpec",
    "Summary",
    "choose_settings",
    "fair_study",
    "fair_trials",
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

__getattr__, __dir__ = lazily(
    __name__,
    {
        "analyse.result": ("StudyResult", "load_result", "locked_result"),
        "analyse.tuned": ("choose_settings",),
        "plan.study_plan": ("StudyPlan", "plan_study"),
        "run.run_study": ("Outlook", "run_study"),
        "run.worker": ("StackProgress",),
        "spec.fair": ("fair_study", "fair_trials"),
        "spec.parse": ("parse_study", "read_study"),
        "spec.schema": ("StudySpec", "resolved"),
        "spec.sweep": ("sweep_study",),
    },
)
