"""The first steps of the paper's own scale and of a GPU's, on fake data of the true shape."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from overmix.experiments.reproduce import gradients, weights
from overmix.experiments.reproduce.catalogue import EXPERIMENTS, study_spec
from overmix.experiments.reproduce.parts import Parts
from overmix.experiments.reproduce.weights import LossSamples, Snapshots, samples_of
from overmix.explain import loss_landscape
from overmix.mix import mixed_cross_entropy
from overmix.study.data import Dataset
from overmix.study.plan.cells import StackTask, expand
from overmix.study.plan.trainings import model_factory, training_of

SAMPLES = {"cifar10": (50_000, 10, 3, 32), "cifar100": (50_000, 100, 3, 32), "svhn": (73_257, 10, 3, 32)}
SAMPLES |= {"fashion_mnist": (60_000, 10, 1, 28)}


class Enough(Exception):
    """Two steps were done."""


def fake(name):
    count, classes, channels, side = SAMPLES[name]
    pixels = np.random.default_rng(0)
    x = torch.from_numpy(pixels.integers(256, size=(count, channels, side, side), dtype=np.uint8))
    y = torch.arange(count) % classes
    return Dataset(name=name, x=x, y=y, x_test=x[:16], y_test=y[:16], num_classes=classes)


def training_for(cell, dataset):
    return training_of(StackTask((cell,), "looped", "cpu"), dataset, allow_code=False)


SETTINGS = [(entry.name, setting.key, "paper") for entry in EXPERIMENTS for setting in entry.paper]
SETTINGS += [(entry.name, setting.key, "gpu") for entry in EXPERIMENTS for setting in entry.gpu]
MEASURED = [(entry.name, setting.key) for entry in EXPERIMENTS for setting in entry.paper if setting.measure]
KEYS = sorted({key for _, key in MEASURED})


@pytest.mark.slow
@pytest.mark.parametrize(("experiment", "key", "scale"), SETTINGS)
def test_the_first_steps_run(experiment, key, scale):
    spec = study_spec(experiment, key, scale)
    dataset = fake(spec.data.name)
    cell = [cell for cell in expand(spec) if cell.condition.startswith("Mixup")][-1]
    size = cell.data.train_size or len(dataset.x) - cell.data.val_size
    assert training_for(cell, dataset).steps_per_epoch == size // 128
    # Of a step at that scale, the size of its batch is what takes long.
    training = training_for(replace(cell, train=cell.train.model_copy(update={"batch_size": 16})), dataset)
    before = {name: value.detach().clone() for name, value in training.model.parameters.items()}

    def stop(training):
        if training.step == 2:
            raise Enough

    with pytest.raises(Enough):
        training.train(stop)
    assert float(training.looks.loss_sum.sum()) > 0
    assert np.isfinite(float(training.looks.loss_sum.sum()))
    assert all(bool(value.isfinite().all()) for value in training.model.parameters.values())
    assert any(not torch.equal(value, before[name]) for name, value in training.model.parameters.items())


@pytest.mark.slow
@pytest.mark.parametrize("key", KEYS)
def test_what_is_measured_there_can_be(key, monkeypatch, tmp_path):
    monkeypatch.setattr(weights, "PAIRS", 8)
    spec, *others = (study_spec(name, setting, "paper") for name, setting in MEASURED if setting == key)
    assert all(expand(other) == expand(spec) for other in others)  # or each has to be tried
    dataset = fake(spec.data.name)
    for number, condition in enumerate(spec.condition_names):
        cells = [cell for cell in expand(spec) if cell.condition == condition][:1]
        state = dict(model_factory(cells[0], dataset, allow_code=False)().state_dict())
        parts = Parts(tmp_path, {})
        found = Snapshots(condition, number, cells, dataset, [1], [[state]], np.ones(1), np.ones((1, 1)), parts)
        samples = samples_of(found, 0)
        assert samples.clean[0].shape == (50_000, 3, 32, 32)
        few = LossSamples((samples.clean[0][:8], (samples.clean[1][0][:8],)), samples.mixed, samples.raw)
        for measure in (gradients.mixed_gradient, gradients.clean_gradient, gradients.mean_mixed_loss):
            value = measure(found, 0, 0, few)
            assert np.isfinite(value)
            assert value > 0
        model, (x, targets) = weights.model_of(found, 0, 0), few.mixed
        directions = [gradients._direction(found, model, 0, d) for d in range(2)]
        steps = [np.array([0.0, 0.5])] * 2
        loss = loss_landscape(model, x, targets, mixed_cross_entropy, directions, steps).loss
        assert loss[0, 0] == pytest.approx(gradients.mean_mixed_loss(found, 0, 0, few), rel=1e-4)
        assert loss[1, 1] != loss[0, 0]
