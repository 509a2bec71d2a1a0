"""Shifts, few labels, several modalities: what each task promises about its data."""

import numpy as np
import pytest
import torch

from overmix.experiments.census.tasks.multimodal import TwoViews
from overmix.experiments.census.tasks.semi import FewLabels
from overmix.experiments.census.tasks.shift import ColouredDigits, ImbalancedDigits
from overmix.mix import IGNORE_INDEX, Streams

STREAMS = Streams(replica_seed=2)


def test_colours_say_the_class_in_training_and_nothing_in_the_test():
    data = ColouredDigits().data(STREAMS)
    agreement = (data.train.domain == data.train.y).float().mean()
    assert float(agreement) == pytest.approx(0.9, abs=0.05)
    for part in (data.val, data.test):
        half = len(part) // 2
        assert torch.equal(part.y[:half], part.y[half:])
        assert torch.equal(part.x[:half].sum(1), part.x[half:].sum(1))  # the same images
        assert (part.domain[:half] == 0).all()
        assert (part.domain[half:] == 1).all()


def test_the_colour_is_the_channel_that_holds_the_image():
    train = ColouredDigits().data(STREAMS).train
    for channel in (0, 1):
        assert (train.x[train.domain == channel][:, 1 - channel] == 0).all()


def test_the_worst_group_is_scored():
    task, data = ColouredDigits(), ColouredDigits().data(STREAMS)

    class ByColour(torch.nn.Module):
        def forward(self, x):
            return x.abs().sum((2, 3))  # says what the colour says

    assert task.score(ByColour(), data.test).value == 1.0


def test_classes_are_rare_in_training_only():
    data = ImbalancedDigits().data(STREAMS)
    train, test = (torch.bincount(part.y, minlength=10).float() for part in (data.train, data.test))
    assert train[:3].sum() > 2 * train[-3:].sum()
    assert float(test.max() / test.min()) < 1.5
    assert len(data.train) == 200


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
