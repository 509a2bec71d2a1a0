"""Models of a study."""

from overmix.study.models.registry import build_model, check_model_name, model_names, model_options

__all__ = ["build_model", "check_model_name", "model_names", "model_options"]
