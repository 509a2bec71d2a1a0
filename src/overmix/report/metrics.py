"""The measured quantities, in the words and units that a reader sees."""

from __future__ import annotations

from dataclasses import dataclass

from overmix.report.numbers import NONE, decimal, decimal_range, percent, percent_range


@dataclass(frozen=True)
class Metric:
    """A column of the curves.

    Args:
        key: the column (``"test_error"``).
        label: what a reader calls it.
        scale: 100 for fractions that are shown as percent, else 1.
        digits: decimals in tables and tooltips.
    """

    key: str
    label: str
    scale: float = 1.0
    digits: int = 3

    @property
    def heading(self) -> str:
        """The label with its unit, as a chart's title."""
        return f"{self.label}, %" if self.scale == 100 else self.label

    def text(self, x: float | None) -> str:
        """Write a value with its unit."""
        return percent(x, self.digits) if self.scale == 100 else decimal(x, self.digits)

    def interval(self, lo: float | None, hi: float | None) -> str:
        """Write an interval with its unit."""
        return percent_range(lo, hi, self.digits) if self.scale == 100 else decimal_range(lo, hi, self.digits)

    def with_interval(self, x: float | None, lo: float | None, hi: float | None) -> str:
        """Write a value and, where there is one, its interval in brackets."""
        bounds = self.interval(lo, hi)
        if bounds == NONE:
            return self.text(x)
        bare = bounds.removesuffix("\u00a0%")
        return f"{self.text(x)} ({bare})"


def error_metric(digits: int) -> Metric:
    """Share of test samples predicted wrongly."""
    return Metric("test_error", "Test error", 100.0, digits)


TEST_CROSS_ENTROPY = Metric("test_cross_entropy", "Test cross-entropy")
TEST_BRIER = Metric("test_brier", "Brier score")
TEST_ECE = Metric("test_ece", "Calibration error (ECE)", 100.0, 1)
MIX_LOSS = Metric("mix_loss", "Training loss", digits=2)
TRAIN_ERROR = Metric("train_error", "Error on clean training data", 100.0, 1)
NORM_MIXED = Metric("gradient_norm_mixed", "Gradient norm, mixtures")
NORM_CLEAN = Metric("gradient_norm_clean", "Gradient norm, clean samples")
MEMORIZED = Metric("noise_memorized", "Noisy mixtures predicted as labelled", 100.0, 1)
RESISTED = Metric("noise_resisted", "Noisy mixtures predicted as the truth", 100.0, 1)
LEARNT = Metric("mixtures_learnt", "Clean mixtures predicted as labelled", 100.0, 1)
