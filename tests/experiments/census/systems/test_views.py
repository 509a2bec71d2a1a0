"""Weak views are images of grey values."""

import numpy as np
import torch

from overmix.experiments.census.systems.views import weak_views


def test_views_are_images_of_grey_values_and_those_of_a_symmetric_square_stay_it():
    x = torch.zeros(200, 1, 28, 28)
    x[:, :, 8:20, 8:20] = 1
    weak = weak_views(x, np.random.default_rng(0))
    assert weak.flatten(1).sum(1).allclose(torch.tensor(144.0), atol=1e-3)
    assert {float(v) for v in weak.unique().round(decimals=4)} == {0.0, 1.0}
    assert weak.sum((1, 2)).argmax(1).unique().tolist() == [6, 7, 8, 9, 10]  # moved by up to two pixels
