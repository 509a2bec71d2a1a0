"""Clothes with a residual network: calibration is measured, and scaling mends what it can."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from overmix.diagnose import scores
from overmix.experiments.census.loop import train
from overmix.experiments.census.systems.images import ROWS, Calibration, FewClothes, scaled_logits, temperature
from overmix.experiments.census.task import Samples, evaluated
from overmix.mix import Streams
from overmix.recipes import Mixup
from overmix.switch import always, never


@pytest.fixture(scope="module")
def data():
    return Calibration().data(Streams(replica_seed=1))


def calibrated(n=4000):
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(n, 10, generator=generator)
    return logits, torch.multinomial(logits.softmax(1), 1, generator=generator).squeeze(1)


def ece(logits, y):
    return float(scores.finish(scores.sums(logits, y)[0]).ece)


def test_the_temperature_of_calibrated_logits_is_that_which_they_were_multiplied_by():
    logits, y = calibrated()
    for factor in (0.4, 1.0, 3.0):
        assert temperature(factor * logits, y) == pytest.approx(factor, rel=0.05)


def test_scaling_mends_overconfidence_and_no_sample_chooses_its_own_temperature():
    logits, y = calibrated()
    assert ece(3 * logits, y) > 0.1
    assert ece(scaled_logits(3 * logits, y), y) < 0.03
    other = y.clone()
    other[0] = (y[0] + 1) % 10
    torch.testing.assert_close(scaled_logits(logits, other)[::2], scaled_logits(logits, y)[::2], rtol=0, atol=0)
    assert not torch.equal(scaled_logits(logits, other)[1::2], scaled_logits(logits, y)[1::2])


def test_features_are_what_the_last_layer_sees_of_the_evaluating_model(data):
    task = Calibration()
    torch.manual_seed(0)
    model, batch = task.model(), data.train.at(torch.arange(8))
    features = task.features(model, batch)
    assert not features.requires_grad
    assert model.training
    torch.testing.assert_close(model[-1](features), model.eval()(batch.x))


def test_the_calibration_error_comes_first_and_the_error_beside_it(data):
    torch.manual_seed(0)
    model, some = FewClothes().model(), data.test.at(torch.arange(200))
    model.eval()
    with torch.no_grad():
        plain, calibration = FewClothes().score(model, some), Calibration().score(model, some)
    assert calibration.value == plain.ece
    assert calibration.further["error"] == plain.value
    assert plain.further["cross-entropy"] == pytest.approx(F.cross_entropy(model(some.x), some.y).item(), rel=1e-5)


@pytest.mark.slow
def test_labels_are_learned_mixup_calibrates_and_shuffled_labels_say_nothing(data):
    task = replace(Calibration(), epochs=30)
    some = data.test.at(torch.arange(1000))

    def score(recipe, schedule, y):
        net, _ = train(task, replace(data, train=Samples(data.train.x, y)), recipe, schedule, 0)
        return evaluated(lambda: task.score(net, some), net)

    y = data.train.y
    plain, shuffled = (score(Mixup(), never(), labels) for labels in (y, y.roll(1)))
    sk = score(ROWS[0].recipe, always(), y)
    assert plain.further["error"] < 0.5
    assert shuffled.further["error"] > 0.8
    assert sk.value < plain.value
    assert plain.further["ECE after temperature scaling"] < plain.value
