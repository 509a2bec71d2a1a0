"""Few labels, several modalities: what each task promises about its data."""

import numpy as np
import pytest
import torch

from overmix.experiments.census.tasks.multimodal import TwoViews
from overmix.experiments.census.tasks.semi import FewLabels
from overmix.mix import IGNORE_INDEX, Streams

STREAMS = Streams(replica_seed=2)


def test_few_labels_hold_all_classes_and_the_rest_is_ignored():
    task = FewLabels()
    y = task.data(STREAMS).train.y
    kept = y[y != IGNORE_INDEX]
    assert len(kept) == task.labelled
    assert torch.equal(kept.unique(), torch.arange(10))
    assert len(y) == 440


def test_only_confident_predictions_become_labels():
    task = FewLabels()
    batch = task.data(STREAMS).train.at(torch.arange(30, 90))

    class Sure(torch.nn.Module):
        def __init__(self, scale):
            super().__init__()
            self.scale = scale

        def forward(self, x):
            return self.scale * torch.eye(10)[torch.full((len(x),), 7)]

    unsure, sure = (task.prepare(Sure(scale), batch).y for scale in (1.0, 50.0))
    assert torch.equal(unsure, batch.y)
    ignored = batch.y == IGNORE_INDEX
    assert (sure[ignored] == 7).all()
    assert torch.equal(sure[~ignored], batch.y[~ignored])


def test_the_plain_loss_of_samples_without_a_label_is_zero():
    task = FewLabels()
    batch = task.data(STREAMS).train.at(torch.arange(100, 120))
    assert (batch.y == IGNORE_INDEX).all()
    assert task.plain(task.model(), batch).item() == 0.0


def test_the_masked_pixels_are_the_steps_own():
    task = FewLabels()
    batch, model = task.data(STREAMS).train, task.model()
    one, again, other = (task.extra(model, batch, np.random.default_rng(seed)).item() for seed in (0, 0, 1))
    assert one == again != other


def test_halves_are_two_modalities_of_one_image():
    data = TwoViews(noise=0.0).data(STREAMS)
    left, right = data.train.x
    assert left.shape == right.shape == (200, 32)
    noisy = TwoViews(noise=1.0).data(STREAMS).train.x[0] - left
    assert float(noisy.std()) == pytest.approx(1.0, abs=0.05)
