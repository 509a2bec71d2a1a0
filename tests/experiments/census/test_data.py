"""Shifts between training and test: what the arrays of studies promise."""

import numpy as np
import pytest

from overmix.experiments.census.data import AGREEMENT, RATIO, coloured_digits, imbalanced_digits


def test_colours_say_the_class_in_training_and_nothing_among_the_others():
    arrays = coloured_digits()
    assert (arrays["domain"] == arrays["y"]).mean() == pytest.approx(AGREEMENT, abs=0.02)
    for part in ("val", "test"):
        one, other = np.split(arrays[f"x_{part}"], 2)
        np.testing.assert_array_equal(*np.split(arrays[f"y_{part}"], 2))
        np.testing.assert_array_equal(one, other[:, ::-1])  # the same images, in the other colour
        assert not one[:, 1].any()


def test_the_colour_is_the_channel_that_holds_the_image():
    arrays = coloured_digits()
    ink = arrays["x"].any(axis=(2, 3))
    np.testing.assert_array_equal(ink, np.eye(2, dtype=bool)[arrays["domain"]])


def test_classes_are_rare_in_training_only():
    arrays = imbalanced_digits()
    train, val, test = (np.bincount(arrays[name], minlength=10) for name in ("y", "y_val", "y_test"))
    assert (np.diff(train) < 0).all()
    assert train[0] / train[-1] == pytest.approx(RATIO, rel=0.1)
    assert max(part.max() / part.min() for part in (val, test)) < 1.2


@pytest.mark.parametrize("arrays", [coloured_digits, imbalanced_digits])
def test_no_image_is_in_two_parts(arrays):
    made = arrays()
    parts = [{image.sum(axis=0).tobytes() for image in made[name]} for name in ("x", "x_val", "x_test")]
    assert not parts[0] & parts[1]
    assert not (parts[0] | parts[1]) & parts[2]
