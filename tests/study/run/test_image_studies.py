"""Studies of photographs: files in the published forms, balanced subsets, bytes on the device, the first steps."""

import numpy as np
import pytest
import torch
from scipy.io import savemat

from overmix.errors import ConfigError
from overmix.mix import Streams
from overmix.study import parse_study, plan_study
from overmix.study.data import split_indices
from overmix.study.plan.trainings import open_dataset, training_of

RNG = np.random.default_rng(4)
PER_CLASS = 20


def pixels(n):
    return RNG.integers(256, size=(n, 3, 32, 32), dtype=np.uint8)


def write_cifar(folder, num_classes, labels_of):
    """Write the binary form: five training batches for ten classes, one for a hundred."""
    folder.mkdir()
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] if num_classes == 10 else ["train.bin"]
    y = np.repeat(np.arange(num_classes), PER_CLASS)
    parts = np.array_split(RNG.permutation(y), len(names))
    for name, labels in zip([*names, "test_batch.bin" if num_classes == 10 else "test.bin"], [*parts, y], strict=True):
        records = [
            bytes(labels_of(label)) + image.tobytes() for label, image in zip(labels, pixels(len(labels)), strict=True)
        ]
        (folder / name).write_bytes(b"".join(records))


def write(name, folder):
    if name == "cifar10":
        write_cifar(folder, 10, lambda label: [label])
    elif name == "cifar100":
        write_cifar(folder, 100, lambda label: [label // 5, label])
    else:
        folder.mkdir()
        for split in ("train", "test"):
            y = RNG.permutation(np.repeat(np.arange(1, 11), PER_CLASS)).astype(np.uint8)
            content = {"X": pixels(len(y)).transpose(2, 3, 1, 0), "y": y[:, None]}
            savemat(folder / f"{split}_32x32.mat", content)


PAPER = {"cifar10": ("resnet18", 10), "cifar100": ("resnet34", 100), "svhn": ("vgg16", 10)}


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.3, 0.1])
@pytest.mark.parametrize("name", PAPER)
def test_the_first_steps_of_the_papers_settings_on_files_of_the_true_form(tmp_path, name, share):
    write(name, tmp_path / "data")
    model, num_classes = PAPER[name]
    spec = parse_study(
        {
            "data": {"name": name, "path": str(tmp_path / "data"), "train_size": share, "balanced": True},
            "model": {"name": model, "width": 4},
            "train": {
                "epochs": 200,
                "batch_size": 8,
                "optimizer": {"lr": 0.1, "momentum": 0.9, "weight_decay": 1e-4},
                "lr_schedule": {"name": "multistep", "milestones": [100, 150]},
                "augment": {"crop": 4, "flip": True},
                "track": ["gradient_norm", "memorization"],
            },
            "compare": [{"name": "Mixup"}],
            "seeds": 1,
            "device": "cpu",
        }
    )
    (task,) = plan_study(spec).tasks
    training = training_of(task, open_dataset(task.cells[0].data), allow_code=False)
    assert training.data.x.dtype == training.data.x_test.dtype == torch.uint8
    assert training.data.x.shape == (num_classes * PER_CLASS, 3, 32, 32)
    (replica,) = training.planner.replicas
    counts = np.bincount(training.data.y.numpy()[replica.train_index], minlength=num_classes)
    assert counts.tolist() == [round(share * PER_CLASS)] * num_classes
    plan, before = training.planner.epoch(0), [p.detach().clone() for p in training.model.trainable]
    training.model.train()
    for step in range(2):
        loss = training.take_step(plan, step, training.lr[step], step)
        assert torch.isfinite(loss).all()
    assert all(not torch.equal(p, old) for p, old in zip(training.model.trainable, before, strict=True))
    assert training.data.x.dtype == torch.uint8
    assert training.looks.tracker is not None
    assert torch.isfinite(training.looks.tracker(training.model)).all()


# Training images of each class as published.
SVHN = [4948, 13861, 10585, 8497, 7458, 6882, 5727, 5595, 5045, 4659]
POOLS = {"cifar10": [5000] * 10, "cifar100": [500] * 100, "svhn": SVHN}


@pytest.mark.parametrize("share", [0.3, 0.1])
@pytest.mark.parametrize("name", POOLS)
def test_balanced_shares_of_the_published_sizes_exist(name, share):
    counts, streams = POOLS[name], Streams(replica_seed=1)
    y = RNG.permutation(np.repeat(np.arange(len(counts)), counts))
    index, _ = split_indices(
        y,
        train_size=share,
        val_size=0,
        balanced=True,
        subset_rng=streams.generator("subset"),
        val_rng=streams.generator("validation"),
        num_classes=len(counts),
    )
    assert len(index) == len(set(index.tolist())) == round(share * sum(counts))
    drawn = np.bincount(y[index])
    assert drawn.max() - drawn.min() <= 1


@pytest.mark.parametrize(("name", "title"), [("cifar10", "CIFAR-10"), ("cifar100", "CIFAR-100"), ("svhn", "SVHN")])
def test_what_is_not_there_says_how_to_get_it(tmp_path, name, title):
    with pytest.raises(ConfigError, match=rf"{title}.*download: true"):
        plan_study(parse_study({"data": {"name": name, "path": str(tmp_path)}, "seeds": 1, "compare": [{}]}))
