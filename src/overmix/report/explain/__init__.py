"""Explanations: numbers, words and charts of ``overmix explain``, one function per command, and their page."""

from typing import TYPE_CHECKING

from overmix._lazy import lazily

if TYPE_CHECKING:
    from overmix.report.explain.arrays import explain_arrays
    from overmix.report.explain.dynamics import explain_dynamics
    from overmix.report.explain.explanation import Explanation, ExplanationFiles
    from overmix.report.explain.floor import explain_floor
    from overmix.report.explain.hessian import explain_hessian
    from overmix.report.explain.noise import explain_noise
    from overmix.report.explain.writing import check_explanation_place, still, write_explanation

__all__ = [
    "Explanation",
    "ExplanationFiles",
    "check_explanation_place",
    "explain_arrays",
    "explain_dynamics",
    "explain_floor",
    "explain_hessian",
    "explain_noise",
    "still",
    "write_explanation",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "arrays": ("explain_arrays",),
        "dynamics": ("explain_dynamics",),
        "explanation": ("Explanation", "ExplanationFiles"),
        "floor": ("explain_floor",),
        "hessian": ("explain_hessian",),
        "noise": ("explain_noise",),
        "writing": ("check_explanation_place", "still", "write_explanation"),
    },
)
