"""The measured quantities, in the words and units that a reader sees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from overmix._typing import LabelKind
from overmix.report.numbers import NONE, decimal, decimal_range, percent, percent_range, points


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
        return f"{self.label}, %" if self.is_share else self.label

    @property
    def is_share(self) -> bool:
        """Whether it is a fraction, shown as percent; differences are then in points."""
        return self.scale == 100

    def text(self, x: float | None) -> str:
        """Write a value with its unit."""
        return percent(x, self.digits) if self.is_share else decimal(x, self.digits)

    def number(self, x: float | None) -> str:
        """Write a value without its unit."""
        return NONE if x is None else decimal(self.scale * x, self.digits)

    def interval(self, lo: float | None, hi: float | None) -> str:
        """Write an interval with its unit."""
        return percent_range(lo, hi, self.digits) if self.is_share else decimal_range(lo, hi, self.digits)

    def with_interval(self, x: float | None, lo: float | None, hi: float | None) -> str:
        """Write a value and, where there is one, its interval in brackets."""
        bounds = self.interval(lo, hi)
        if bounds == NONE:
            return self.text(x)
        bare = bounds.removesuffix("\u00a0%")
        return f"{self.text(x)} ({bare})"

    def difference(self, x: float | None) -> str:
        """Write a difference of two values, without a unit: of shares in percentage points."""
        return points(x) if self.is_share else decimal(x, self.digits + 1)

    def difference_range(self, lo: float | None, hi: float | None) -> str:
        """Write an interval of differences; ``to``, because a dash beside a minus sign misleads."""
        return NONE if lo is None or hi is None else f"{self.difference(lo)} to {self.difference(hi)}"

    def difference_with_interval(self, x: float | None, lo: float | None, hi: float | None) -> str:
        """Write a difference and, where there is one, its interval in brackets."""
        interval = self.difference_range(lo, hi)
        return self.difference(x) if interval == NONE else f"{self.difference(x)} ({interval})"

    def difference_heading(self, name: str) -> str:
        """Return the title of a column of differences."""
        return f"{name}, points" if self.is_share else name


_OF_VALUES: dict[LabelKind, str] = {"values": "Test error (mean squared)", "views": "Test error (retrieval loss)"}


def error_metric(finals: Sequence[float], labels: LabelKind = "classes") -> Metric:
    r"""Return how the test error is written: in percent where it is a share, else as a plain number.

    A share has one decimal, or two where all are below 2 %; another number three significant digits of the largest.

    Args:
        finals: the errors at the end.
        labels: what a label is.

    Example:
        >>> error_metric([0.0743, 0.0912]).with_interval(0.0743, 0.07, 0.08)
        '7.4\xa0% (7.0–8.0)'
        >>> error_metric([3012.4, 2896.6], "values").with_interval(2896.6, 2800.0, 3000.0)
        '2,897 (2,800–3,000)'
    """
    largest = max(finals, default=0.0)
    if labels not in _OF_VALUES:
        return Metric("test_error", "Test error", 100.0, 2 if finals and largest < 0.02 else 1)
    known = math.isfinite(largest) and largest > 0
    digits = 2 - math.floor(math.log10(largest)) if known else 3
    return Metric("test_error", _OF_VALUES[labels], 1.0, min(max(digits, 0), 8))


TEST_CROSS_ENTROPY = Metric("test_cross_entropy", "Test cross-entropy")
TEST_BRIER = Metric("test_brier", "Brier score")
TEST_ECE = Metric("test_ece", "Calibration error (ECE)", 100.0, 1)
MIX_LOSS = Metric("mix_loss", "Training loss", digits=2)
NORM_MIXED = Metric("gradient_norm_mixed", "Gradient norm, mixtures")
NORM_CLEAN = Metric("gradient_norm_clean", "Gradient norm, clean samples")
MEMORIZED = Metric("noise_memorized", "Noisy mixtures predicted as labelled", 100.0, 1)
RESISTED = Metric("noise_resisted", "Noisy mixtures predicted as the truth", 100.0, 1)
LEARNT = Metric("mixtures_learnt", "Clean mixtures predicted as labelled", 100.0, 1)
