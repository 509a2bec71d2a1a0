"""torchvision's contract for MixUp and CutMix, rewritten from what its own tests check, and what ours adds."""

import random

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, default_collate
from torchvision import tv_tensors
from torchvision.transforms import v2

import overmix
from overmix.errors import ConfigError, DataError
from overmix.integrations.torchvision import CutMix, MixUp

BOTH = pytest.mark.parametrize("transform", [MixUp, CutMix])


@BOTH
@pytest.mark.parametrize("wrap", [lambda x: x, tv_tensors.Image])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_pair_keeps_its_types_and_gives_probabilities(transform, wrap, dtype):
    images, labels = wrap(torch.rand(6, 3, 12, 16).to(dtype)), torch.tensor([0, 1, 2, 3, 4, 0])
    before = images.clone()
    mixed, rows = transform(alpha=0.5, num_classes=5)(images, labels)
    assert type(mixed) is type(images)
    assert (mixed.dtype, mixed.shape) == (dtype, images.shape)
    assert (rows.shape, rows.dtype) == ((6, 5), torch.float32)
    assert torch.allclose(rows.sum(1), torch.ones(6))
    assert torch.equal(images, before)


@BOTH
def test_rows_are_the_weights_of_the_images(transform):
    # Image k is all k, so that its mean after mixing says which labels were mixed, and how much.
    images = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 1, 16, 16)
    mixed, rows = transform(num_classes=8)(images, torch.arange(8))
    assert torch.allclose(mixed.mean(dim=(1, 2, 3)), rows @ torch.arange(8.0), atol=1e-5)


@BOTH
def test_probabilities_are_mixed_as_they_are(transform):
    rows = torch.rand(6, 4).softmax(1)
    _, labels = transform()(torch.rand(6, 3, 8, 8), rows)
    assert labels.shape == (6, 4)
    assert torch.allclose(labels.sum(1), torch.ones(6))


@BOTH
def test_structures_keep_their_form_and_everything_else(transform):
    batch = {
        "image": tv_tensors.Image(torch.rand(4, 3, 8, 8)),
        "labels": torch.arange(4),
        "name": list("abcd"),
        "id": 7,
    }
    mixed = transform(num_classes=4)(batch)
    assert list(mixed) == list(batch)
    assert isinstance(mixed["image"], tv_tensors.Image)
    assert (mixed["labels"].shape, mixed["name"], mixed["id"]) == ((4, 4), list("abcd"), 7)
    own = {"img": torch.rand(4, 3, 8, 8), "target": {"class": torch.arange(4)}}
    named = transform(num_classes=4, labels_getter=lambda batch: batch["target"]["class"])(own)
    assert named["target"]["class"].shape == (4, 4)


@BOTH
def test_on_a_device_nothing_looks_at_a_value(transform):
    # "meta" has no values: what asks for one fails there.
    images, labels = torch.rand(6, 3, 12, 16, device="meta"), torch.tensor([0, 1, 2, 3, 4, 0], device="meta")
    mixed, rows = transform(num_classes=5)(images, labels)
    assert mixed.device.type == rows.device.type == "meta"
    assert rows.shape == (6, 5)


@BOTH
def test_videos(transform):
    video = tv_tensors.Video(torch.rand(4, 5, 3, 8, 8))
    mixed, _ = transform(num_classes=4)(video, torch.arange(4))
    assert isinstance(mixed, tv_tensors.Video)
    assert mixed.shape == video.shape


@BOTH
@pytest.mark.parametrize("workers", [0, 2])
def test_in_a_collate_function(transform, workers):
    data = TensorDataset(torch.randint(256, (8, 3, 8, 8), dtype=torch.uint8), torch.arange(8))
    mix = transform(num_classes=8)
    loader = DataLoader(data, batch_size=4, collate_fn=lambda batch: mix(*default_collate(batch)), num_workers=workers)
    torch.manual_seed(0)
    first = [(images, labels) for images, labels in loader]
    assert all(images.dtype == torch.float32 and labels.shape == (4, 8) for images, labels in first)
    assert not torch.equal(first[0][1].max(1).values, first[1][1].max(1).values)
    torch.manual_seed(0)
    assert all(torch.equal(a, b) for one, two in zip(first, loader, strict=True) for a, b in zip(one, two, strict=True))


def test_a_choice_between_both():
    random.seed(0)
    choice = v2.RandomChoice([CutMix(num_classes=3), MixUp(num_classes=3)])
    images, labels = choice(torch.rand(6, 3, 8, 8), torch.tensor([0, 1, 2, 0, 1, 2]))
    loss = nn.CrossEntropyLoss()(torch.randn(6, 3), labels)
    assert images.shape == (6, 3, 8, 8)
    assert loss.dim() == 0


def test_a_generator_repeats_it():
    images, labels = torch.rand(6, 3, 8, 8), torch.arange(6)
    one, two = (MixUp(num_classes=6, generator=torch.Generator().manual_seed(1))(images, labels) for _ in range(2))
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[1], two[1])


@BOTH
def test_it_follows_a_run(transform):
    mix = transform(num_classes=4)
    run = overmix.Epochs(4, mix=mix.recipe, switch=overmix.off_at(0.5), seed=0)
    images, labels = torch.rand(8, 3, 8, 8), torch.arange(8) % 4
    hard = []
    for _ in mix.follow(run):
        mixed, rows = mix(images, labels)
        hard.append(bool((rows.max(1).values == 1).all()) and torch.equal(mixed, images))
    assert hard == [False, False, True, True]
    assert [seen.mixing for seen in run.history] == []
    with pytest.raises(ConfigError, match=r"give the run this mixer's recipe"):
        next(mix.follow(overmix.Epochs(4, mix=overmix.Mixup(alpha=1.0))))


@BOTH
@pytest.mark.parametrize(
    ("settings", "batch", "message"),
    [
        ({}, (torch.rand(4, 3, 8, 8), torch.arange(4)), "num_classes = None: give the number of classes"),
        ({"num_classes": 3}, (torch.rand(4, 3, 8, 8), torch.rand(4, 5)), "5 columns, but num_classes is 3"),
        ({"num_classes": 3}, (torch.rand(4, 3, 8, 8), "cat"), "labels: found str"),
        ({"num_classes": 3}, (torch.rand(4, 3, 8, 8), torch.rand(4, 3, 2)), r"labels: found \(4, 3, 2\)"),
        ({"num_classes": 9}, (torch.rand(3, 8, 8), torch.arange(3)), r"images: shape \(3, 8, 8\) has 3 dimensions"),
        ({"num_classes": 9}, (torch.rand(3, 3, 8, 8), torch.arange(4)), "x has shape"),
        ({"num_classes": 9}, ("cat", torch.arange(4)), "it holds no tensor of images"),
        ({"num_classes": 9}, (tv_tensors.Mask(torch.zeros(4, 8, 8)), torch.arange(4)), "it holds Mask"),
    ],
)
def test_what_cannot_be_mixed_is_named(transform, settings, batch, message, unchecked_shapes):
    with pytest.raises((ConfigError, DataError), match=message):
        transform(**settings)(*batch)


@BOTH
def test_a_getter_of_labels_that_the_batch_does_not_hold_is_refused(transform):
    batch = torch.rand(4, 3, 8, 8), {"label": torch.arange(4.0)}
    with pytest.raises(DataError, match="labels_getter returned a new tensor: return one that the batch holds"):
        transform(num_classes=4, labels_getter=lambda batch: batch[1]["label"].long())(*batch)


def test_settings_that_cannot_work():
    with pytest.raises(ConfigError, match="num_classes = '9': use an integer >= 1"):
        MixUp(num_classes="9")
    with pytest.raises(ConfigError, match="num_classes = 0"):
        MixUp(num_classes=0)
    with pytest.raises(ConfigError, match="labels_getter = 'second'"):
        CutMix(labels_getter="second")
    assert "Mixup(" in repr(MixUp(num_classes=3))
