"""The first steps of the paper's own scale, on fake data of the true shape."""

import numpy as np
import pytest
import torch

from overmix.experiments.reproduce.catalogue import study_spec
from overmix.study.cells import StackTask, expand
from overmix.study.data import Dataset
from overmix.study.prepare import training_of

SAMPLES = {"cifar10": (50_000, 10), "cifar100": (50_000, 100), "svhn": (73_257, 10)}


class Enough(Exception):
    """Two steps were done."""


def fake(name):
    count, classes = SAMPLES[name]
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(256, (count, 3, 32, 32), generator=generator, dtype=torch.uint8)
    y = torch.arange(count) % classes
    return Dataset(x=x, y=y, x_test=x[:16], y_test=y[:16], num_classes=classes)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("experiment", "key"),
    [
        ("over-training", "cifar10-30-resnet18"),
        ("over-training", "cifar100-resnet34"),
        ("over-training", "svhn-resnet18"),
        ("augmentation", "cifar10-resnet18"),
        ("mse", "cifar10-resnet18"),
    ],
)
def test_the_first_steps_run(experiment, key):
    spec = study_spec(experiment, key, "paper")
    dataset = fake(spec.data.name)
    cell = [cell for cell in expand(spec) if cell.condition.startswith("Mixup")][-1]
    training = training_of(StackTask((cell,), "looped", "cpu"), dataset, allow_code=False)
    before = {name: value.detach().clone() for name, value in training.model.parameters.items()}
    size = spec.data.train_size or len(dataset.x)
    assert training.steps_per_epoch == size // 128

    def stop(training):
        if training.step == 2:
            raise Enough

    with pytest.raises(Enough):
        training.train(stop)
    assert float(training._loss_sum.sum()) > 0
    assert np.isfinite(float(training._loss_sum.sum()))
    assert all(bool(value.isfinite().all()) for value in training.model.parameters.values())
    assert any(not torch.equal(value, before[name]) for name, value in training.model.parameters.items())
