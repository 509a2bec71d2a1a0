"""Why Mixup over-trains: theory and measurements, as pure functions of arrays and predictors."""

from overmix.explain.cross_fit import cross_fitted_label_noise, leave_two_folds_out
from overmix.explain.floor import different_class_probability, loss_floor, mean_entropy, mean_product, sample_floor
from overmix.explain.memorization import Memorization, dominant_label, memorization
from overmix.explain.noise import LabelNoise, label_noise, total_variation
from overmix.explain.noise_summary import GroupMeans, mean_noise, noise_by_class_pair, noise_by_lam

__all__ = [
    "GroupMeans",
    "LabelNoise",
    "Memorization",
    "cross_fitted_label_noise",
    "different_class_probability",
    "dominant_label",
    "label_noise",
    "leave_two_folds_out",
    "loss_floor",
    "mean_entropy",
    "mean_noise",
    "mean_product",
    "memorization",
    "noise_by_class_pair",
    "noise_by_lam",
    "sample_floor",
    "total_variation",
]
