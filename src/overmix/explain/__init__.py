"""Why Mixup over-trains: theory and measurements, as pure functions of arrays and predictors."""

from typing import TYPE_CHECKING

from overmix._lazy import lazily
from overmix.explain.floor import different_class_probability, loss_floor, mean_entropy, mean_product, sample_floor
from overmix.explain.least_squares import LeastSquares, least_squares, least_squares_from_chunks
from overmix.explain.random_features import population_risk, propagators, risk, training_risk, trajectory
from overmix.explain.risk_bound import CleanDistance, RiskBound, clean_distance, risk_bound
from overmix.explain.stopping import StoppingTime, best_stopping_time, mode_stopping_times
from overmix.explain.switch_dynamics import SwitchCurve, switch_curve
from overmix.explain.teacher_student import Toy, ToyCurves, ToyWorld, draw_world, toy_curves, toy_switch_curves

if TYPE_CHECKING:
    from overmix.explain.cross_fit import cross_fitted_label_noise, leave_two_folds_out
    from overmix.explain.curvature import Curvature, hessian_curvature
    from overmix.explain.gradient import full_gradient, gradient_norm
    from overmix.explain.hessian import (
        InputCurvature,
        LogisticTerms,
        input_curvature,
        logistic_mixup_terms,
        mean_in_bands,
    )
    from overmix.explain.landscape import Landscape, filter_normalized_direction, loss_landscape
    from overmix.explain.memorized import Memorization, dominant_label, memorization
    from overmix.explain.noise import LabelNoise, label_noise, total_variation
    from overmix.explain.noise_summary import GroupMeans, mean_noise, noise_by_class_pair, noise_by_lam

__all__ = [
    "CleanDistance",
    "Curvature",
    "GroupMeans",
    "InputCurvature",
    "LabelNoise",
    "Landscape",
    "LeastSquares",
    "LogisticTerms",
    "Memorization",
    "RiskBound",
    "StoppingTime",
    "SwitchCurve",
    "Toy",
    "ToyCurves",
    "ToyWorld",
    "best_stopping_time",
    "clean_distance",
    "cross_fitted_label_noise",
    "different_class_probability",
    "dominant_label",
    "draw_world",
    "filter_normalized_direction",
    "full_gradient",
    "gradient_norm",
    "hessian_curvature",
    "input_curvature",
    "label_noise",
    "least_squares",
    "least_squares_from_chunks",
    "leave_two_folds_out",
    "logistic_mixup_terms",
    "loss_floor",
    "loss_landscape",
    "mean_entropy",
    "mean_in_bands",
    "mean_noise",
    "mean_product",
    "memorization",
    "mode_stopping_times",
    "noise_by_class_pair",
    "noise_by_lam",
    "population_risk",
    "propagators",
    "risk",
    "risk_bound",
    "sample_floor",
    "switch_curve",
    "total_variation",
    "toy_curves",
    "toy_switch_curves",
    "training_risk",
    "trajectory",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "cross_fit": ("cross_fitted_label_noise", "leave_two_folds_out"),
        "curvature": ("Curvature", "hessian_curvature"),
        "gradient": ("full_gradient", "gradient_norm"),
        "hessian": ("InputCurvature", "LogisticTerms", "input_curvature", "logistic_mixup_terms", "mean_in_bands"),
        "landscape": ("Landscape", "filter_normalized_direction", "loss_landscape"),
        "memorized": ("Memorization", "dominant_label", "memorization"),
        "noise": ("LabelNoise", "label_noise", "total_variation"),
        "noise_summary": ("GroupMeans", "mean_noise", "noise_by_class_pair", "noise_by_lam"),
    },
)
