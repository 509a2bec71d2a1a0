"""Crops and flips: against NumPy written per sample, and inside of the engine against a plain loop."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import overmix
from overmix.errors import ConfigError
from overmix.mix import Streams
from overmix.recipes import CutMix
from overmix.train import METRICS, SGD, CropFlip, LRSchedule, ResidentData
from overmix.train.plan import Planner
from overmix.train.resident import Labels
from overmix.train.stacked_model import seeded_model

SHAPE, CLASSES, POOL, TEST, BATCH = (2, 5, 6), 3, 120, 50, 12
EXECUTIONS = ["stacked", "looped"]


def images(dtype=torch.uint8):
    generator = torch.Generator().manual_seed(3)
    x = torch.randint(256, (POOL + TEST, *SHAPE), generator=generator).to(dtype)
    y = torch.randint(CLASSES, (POOL + TEST,), generator=generator)
    return ResidentData(x[:POOL], y[:POOL], x[POOL:], y[POOL:], CLASSES)


def flat_model():
    return nn.Sequential(nn.Flatten(), nn.Linear(60, 8), nn.ReLU(), nn.Linear(8, CLASSES))


def conv_model():
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(48, CLASSES))


def by_hand(image, top, left, flip, crop):
    """What the equation says, one image and one pixel at a time."""
    _, height, width = image.shape
    out = np.zeros_like(image)
    for i in range(height):
        for j in range(width):
            row, column = i + top - crop, (width - 1 - j if flip else j) + left - crop
            if 0 <= row < height and 0 <= column < width:
                out[:, i, j] = image[:, row, column]
    return out


# The augmentation itself.


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("augment", [CropFlip(2), CropFlip(3, flip=False), CropFlip(0)], ids=str)
def test_each_sample_is_what_numpy_makes_of_it(augment, dtype):
    x = images(dtype).x[:BATCH]
    draws = augment.draw(Streams(replica_seed=5), BATCH, epoch=2, step=1)
    done = augment.apply(x, torch.from_numpy(draws))
    assert done.dtype == dtype
    expected = [by_hand(image, *draw, augment.crop) for image, draw in zip(x.numpy(), draws, strict=True)]
    np.testing.assert_array_equal(done.numpy(), expected)


def test_crops_agree_with_torchvision_and_every_window_occurs():
    augment, x = CropFlip(1, flip=False), images().x[:1]
    torchvision = pytest.importorskip("torchvision.transforms.functional")
    for top in range(3):
        for left in range(3):
            expected = torchvision.crop(torchvision.pad(x, [1, 1, 1, 1]), top, left, *SHAPE[1:])
            assert torch.equal(augment.apply(x, torch.tensor([[top, left, 0]])), expected)
    assert torch.equal(CropFlip(1).apply(x, torch.tensor([[1, 1, 1]])), torchvision.hflip(x))


def test_draws_are_uniform_and_independent_of_one_another():
    n = 20_000
    top, left, flip = CropFlip(4).draw(Streams(), n, epoch=0, step=0).T
    for value in (top, left):
        counts = np.bincount(value, minlength=9)
        assert len(counts) == 9
        assert np.abs(counts - n / 9).max() < 5 * np.sqrt(n / 9)
    assert abs(flip.mean() - 0.5) < 5 * 0.5 / np.sqrt(n)
    assert np.abs(np.corrcoef([top, left, flip]) - np.eye(3)).max() < 5 / np.sqrt(n)


def test_draws_have_an_address_and_settings_share_them():
    def draws(seed=0, epoch=1, step=2, crop=4, flip=True):
        return CropFlip(crop, flip).draw(Streams(replica_seed=seed), 64, epoch=epoch, step=step)

    assert np.array_equal(draws(), draws())
    others = (draws(seed=1), draws(epoch=2), draws(step=1))
    assert all(not np.array_equal(draws(), other) for other in others)
    assert np.array_equal(draws()[:, 2], draws(crop=0)[:, 2])
    assert np.array_equal(draws()[:, :2], draws(flip=False)[:, :2])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CropFlip(-1), "augment.crop = -1: use a number of pixels >= 0"),
        (lambda: CropFlip(0, flip=False), "leave it out: it would change nothing"),
        (lambda: CropFlip(1).check((40,)), r"it needs images \(channels, height, width\), these samples have shape"),
        (lambda: CropFlip(5).check(SHAPE), "train.augment.crop = 5: use at most 4"),
    ],
)
def test_what_cannot_work(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


# In the engine.


def runs_of(replica, **settings):
    return [
        replica(0, recipe=overmix.NoMixup(), **settings),
        replica(0, **settings),
        replica(1, recipe=overmix.Mixup(alpha=0.5, per="sample"), schedule=overmix.off_at(2), **settings),
    ]


def plain_run(own, run, r, factory, augment):
    """A loop that augments image by image, in NumPy, then mixes within the batch that it made."""
    model = seeded_model(factory, run.streams.torch_seed("init"))
    optimizer = torch.optim.SGD(model.parameters(), lr=run.lr, momentum=0.9)
    planner = Planner([run], Labels(own.data.y), SHAPE, own.epochs, BATCH, torch.device("cpu"))
    mean, std = own.normalization.mean[r], own.normalization.std[r]
    y = F.one_hot(own.data.y, CLASSES).float()
    for epoch in range(own.epochs):
        plan = planner.epoch(epoch)
        for step in range(own.steps_per_epoch):
            index = plan.index[step, 0]
            draws = augment.draw(run.streams, BATCH, epoch=epoch, step=step)
            batch = [by_hand(own.data.x[i].numpy(), *d, augment.crop) for i, d in zip(index, draws, strict=True)]
            x = (torch.from_numpy(np.stack(batch)).float() - mean) / std
            at, lam = plan.partner[step, 0], plan.lam[step, 0]
            mixed = lam.view(-1, 1, 1, 1) * x + (1 - lam.view(-1, 1, 1, 1)) * x[at]
            loss = F.cross_entropy(model(mixed), lam[:, None] * y[index] + (1 - lam[:, None]) * y[index[at]])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return {name: p.detach() for name, p in model.named_parameters()}


@pytest.mark.parametrize("factory", [flat_model, conv_model])
@pytest.mark.parametrize("execution", EXECUTIONS)
def test_the_engine_augments_and_mixes_as_a_plain_loop_does(replica, training, execution, factory):
    runs, augment = runs_of(replica), CropFlip(2)
    own = training(runs, factory, execution, data=images(), augment=augment)
    own.train()
    for r, run in enumerate(runs):
        found = {name: p.detach()[r] for name, p in own.model.parameters.items()}
        torch.testing.assert_close(found, plain_run(own, run, r, factory, augment), rtol=2e-5, atol=5e-6)


def test_patches_are_cut_from_the_augmented_partner(replica, training):
    own = training([replica(2, recipe=CutMix(per="sample"))], flat_model, data=images(), augment=CropFlip(1))
    plan = own.planner.epoch(0)
    mean, std = own.normalization.mean[0], own.normalization.std[0]
    stored = own.data.x[plan.index[0, 0]]
    clean = (CropFlip(1).apply(stored, plan.augmentation[0, 0]).float() - mean) / std
    mixed, at = own.batches.of(plan, 0, own.model).x[0], plan.partner[0, 0]
    assert not torch.equal(at, torch.arange(BATCH))
    assert bool(((mixed == clean) | (mixed == clean[at])).all())


def test_data_stay_bytes_and_what_the_test_set_says_is_about_images_as_they_are(replica, training):
    own = training([replica(0)], flat_model, data=images(), augment=CropFlip(2))
    before = own.data.x.clone()
    result = own.train()
    assert own.data.x.dtype == torch.uint8
    assert torch.equal(own.data.x, before)
    own.model.eval()
    logits = own.model(own.normalization.apply_(own.data.x_test.float()[None].clone()))
    assert result.metrics["test_error"][0, -1] == pytest.approx((logits[0].argmax(1) != own.data.y_test).float().mean())


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_it_goes_on_from_any_step_to_the_same_bits(replica, training, execution):
    def new():
        return training(runs_of(replica), conv_model, execution, data=images(), augment=CropFlip(2))

    states = []
    whole = new().train(after_step=lambda own: states.append(own.state_dict()))
    for state in states[1::4]:
        again = new()
        again.load_state_dict(state)
        result = again.train()
        for name in METRICS:
            np.testing.assert_array_equal(result.metrics[name], whole.metrics[name], err_msg=name)
        np.testing.assert_array_equal(result.mix_loss, whole.mix_loss)


def test_twins_see_the_same_images_and_a_probe_leaves_no_trace(replica, training):
    runs = runs_of(replica, lr_schedule=LRSchedule("cosine"))
    own = training(runs, flat_model, data=images(), augment=CropFlip(2))
    plan = own.planner.epoch(1)
    assert plan.augmentation is not None
    assert torch.equal(plan.augmentation[:, 0], plan.augmentation[:, 1])
    assert not torch.equal(plan.augmentation[:, 0], plan.augmentation[:, 2])
    unmixed = own.planner.epoch(1, mixing=False)
    assert torch.equal(plan.augmentation, unmixed.augmentation)
    before = own.state_dict()
    own.probe(tail=1)
    torch.testing.assert_close(own.state_dict(), before, rtol=0, atol=0, equal_nan=True)


def test_without_augmentation_nothing_else_is_drawn(replica, training):
    plain, augmented = (
        training(runs_of(replica), flat_model, data=images(), augment=augment) for augment in (None, CropFlip(2))
    )
    one, other = plain.planner.epoch(2), augmented.planner.epoch(2)
    for name in ("index", "partner", "lam", "a", "b"):
        assert torch.equal(getattr(one, name), getattr(other, name)), name
    assert one.augmentation is None
    assert not np.array_equal(plain.train().mix_loss, augmented.train().mix_loss)


def test_the_engine_refuses_what_is_no_image(replica, training):
    with pytest.raises(ConfigError, match=r"train\.augment = .*: it needs images"):
        training([replica(0)], augment=CropFlip(1), optimizer=SGD())
