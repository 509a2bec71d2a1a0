"""Weak and strong views are images of grey values."""

import numpy as np
import pytest
import torch

from overmix.experiments.census.systems.views import shifted_views, strong_views, weak_views


def square():
    x = torch.zeros(200, 1, 28, 28)
    x[:, :, 8:20, 8:20] = 1
    return x


@pytest.mark.parametrize(("views", "most"), [(weak_views, 2), (shifted_views, 1)])
def test_views_are_images_of_grey_values_and_those_of_a_symmetric_square_stay_it(views, most):
    weak = views(square(), np.random.default_rng(0))
    assert weak.flatten(1).sum(1).allclose(torch.tensor(144.0), atol=1e-3)
    assert {float(v) for v in weak.unique().round(decimals=4)} == {0.0, 1.0}
    assert weak.sum((1, 2)).argmax(1).unique().tolist() == [*range(8 - most, 9 + most)]  # moved by up to this


def test_strong_views_stay_grey_values_and_differ_much():
    strong = strong_views(square(), np.random.default_rng(0))
    assert 0 <= float(strong.min()) <= float(strong.max()) <= 1
    assert strong.flatten(1).sum(1).std() > 20
