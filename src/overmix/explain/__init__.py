"""Why Mixup over-trains: theory and measurements, as pure functions of arrays and predictors."""

from overmix.explain.floor import different_class_probability, loss_floor, mean_entropy, mean_product, sample_floor

__all__ = ["different_class_probability", "loss_floor", "mean_entropy", "mean_product", "sample_floor"]
