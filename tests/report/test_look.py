"""Colours are told apart by everybody, and text can be read."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from overmix.report.look import DARK, LIGHT, Look, assign_strokes, chart_config

LOOKS = pytest.mark.parametrize("look", [LIGHT, DARK], ids=["light", "dark"])
# Simulation of colour vision deficiencies at full severity in linear RGB: Machado, Oliveira and Fernandes, "A
# Physiologically-based Model for Simulation of Color Vision Deficiency", 2009.
VISION = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def linear(color: str) -> np.ndarray:
    c = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(a: str, b: str) -> float:
    """Contrast ratio of the Web Content Accessibility Guidelines."""
    dark, bright = sorted(float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (a, b))
    return (bright + 0.05) / (dark + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
    x = np.array(to_xyz) @ np.clip(rgb, 0, 1) / [0.95047, 1, 1.08883]
    f = np.where(x > 0.008856, np.cbrt(x), 7.787 * x + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@LOOKS
@pytest.mark.parametrize("vision", VISION)
def test_series_are_told_apart(look: Look, vision: str) -> None:
    seen = [lab(np.array(VISION[vision]) @ linear(color)) for color in look.series]
    assert min(float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2)) >= 15


@LOOKS
def test_text_can_be_read(look: Look) -> None:
    for color in (look.ink, look.muted, look.focus, *look.series):
        assert contrast(color, look.paper) >= 4.5
    assert contrast(look.ink, look.panel) >= 4.5


def test_erm_is_neutral_and_no_other_condition_is() -> None:
    strokes = assign_strokes(["mixup", "erm", "other", "switched", "erm"])
    assert [s.color == 0 for s in strokes] == [False, True, False, False, True]


def test_strokes_are_distinct_while_colours_and_dashes_last() -> None:
    roles = ["erm"] * 4 + ["mixup"] * 10 + ["switched"] * 8 + ["other"] * 7
    strokes = assign_strokes(roles)
    assert len(set(strokes)) == len(roles)


def test_palette_follows_conditions() -> None:
    strokes = assign_strokes(["erm", "mixup", "switched"])
    assert chart_config(DARK, strokes)["range"]["category"] == list(DARK.series[:3])
