from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overmix.report import numbers
from overmix.report.metrics import TEST_BRIER, error_metric


def test_no_negative_zero() -> None:
    assert numbers.points(-0.00001) == "0.00"


@pytest.mark.parametrize("x", [0.0595, 0.0595 - 1e-17, 0.0595 + 1e-17, 0.1 * 0.595])
def test_noise_of_arithmetic_does_not_decide_how_a_half_is_rounded(x: float) -> None:
    assert numbers.percent(x) == "6.0\u00a0%"
    assert numbers.points(-x, 1) == "\u22126.0"


@given(st.floats(-1e6, 1e6), st.integers(0, 4))
def test_rounding_is_to_the_nearest(x: float, digits: int) -> None:
    written = float(numbers.decimal(x, digits).replace("\u2212", "-").replace(",", ""))
    assert abs(written - x) <= 0.5 * 10.0**-digits + 1e-8 * abs(x)


def test_minus_is_a_minus_sign() -> None:
    assert numbers.points(-0.0132) == "\u22121.32"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (float("nan"), "–"), (0.04, "0.0 s"), (59.94, "59.9 s"), (59.97, "1 min 0 s"), (3599.7, "1 h 0 min")],
)
def test_duration(seconds: float | None, text: str) -> None:
    assert numbers.duration(seconds) == text


def test_metric_with_interval_names_its_unit_once() -> None:
    assert error_metric([0.1]).with_interval(0.07, 0.06, 0.08) == "7.0\u00a0% (6.0–8.0)"
    assert TEST_BRIER.with_interval(0.1234, 0.1, 0.2) == "0.123 (0.100–0.200)"
    assert error_metric([0.01]).with_interval(0.07, None, None) == "7.00\u00a0%"
