"""timm's documented behaviour, rewritten from what its Mixup does, and what ours adds."""

import numpy as np
import pytest
import torch
from timm.data import Mixup as TimmMixup
from timm.data.mixup import mixup_target

import overmix
from overmix.errors import ConfigError
from overmix.integrations.timm import Mixup
from overmix.mix import streams_from

IMAGES = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 3, 16, 16)  # image k is all k
LABELS = torch.arange(8)


@pytest.mark.parametrize(
    "settings",
    [
        *({"mode": mode, "mixup_alpha": 0.8} for mode in ("batch", "pair", "elem")),
        *({"mode": mode, "mixup_alpha": 0, "cutmix_alpha": 1} for mode in ("batch", "pair", "elem")),
        {"cutmix_alpha": 1, "switch_prob": 0.0},
        {"cutmix_alpha": 1, "switch_prob": 1.0},
        {"cutmix_alpha": 1, "prob": 0.5},
    ],
)
def test_rows_are_those_of_timm_for_what_was_mixed(settings):
    torch.manual_seed(1)
    mixup_fn = Mixup(**settings, label_smoothing=0.1, num_classes=8)
    mixed, rows = mixup_fn(IMAGES, LABELS)
    assert (rows.dtype, rows.shape, rows.device) == (torch.float32, (8, 8), IMAGES.device)
    assert torch.equal(IMAGES[:, 0, 0, 0], LABELS.float())  # not overwritten
    # Smoothing undone, the row's mean label is the image's mean: the weights are of what is in the image.
    hard = (rows - 0.1 / 8) / 0.9
    assert torch.allclose(hard @ LABELS.float(), mixed.mean(dim=(1, 2, 3)), atol=1e-4)


@pytest.mark.parametrize("settings", [{}, {"mode": "elem"}, {"mixup_alpha": 0, "cutmix_alpha": 1.0}])
def test_the_rows_of_a_lam_and_a_partner_are_timms(settings):
    mixup_fn = Mixup(**settings, label_smoothing=0.1, num_classes=8)
    torch.manual_seed(2)
    draws = mixup_fn.recipe.draw(streams_from(None), 8)
    plan = mixup_fn.recipe.plan(draws, LABELS, sample_shape=IMAGES.shape[1:])
    torch.manual_seed(2)
    _, rows = mixup_fn(IMAGES, LABELS)
    for i, (partner, lam) in enumerate(zip(plan.partner.tolist(), plan.lam.tolist(), strict=True)):
        # timm's partner in a batch of two is the other one.
        theirs = mixup_target(torch.tensor([i, partner]), 8, lam=lam, smoothing=0.1)[0]
        assert torch.allclose(rows[i], theirs, atol=1e-6)


def test_without_mixing_rows_are_equal_to_timms():
    theirs, ours = (kind(label_smoothing=0.1, num_classes=8) for kind in (TimmMixup, Mixup))
    theirs.mixup_enabled = ours.mixup_enabled = False
    (_, a), (x, b) = theirs(IMAGES.clone(), LABELS), ours(IMAGES, LABELS)
    assert torch.equal(x, IMAGES)
    assert torch.allclose(a, b, atol=1e-7)
    rows = torch.eye(8)[:, :5]
    theirs, ours = (kind(label_smoothing=0.2, num_classes=5, multi_label=True) for kind in (TimmMixup, Mixup))
    theirs.mixup_enabled = ours.mixup_enabled = False
    assert torch.allclose(theirs(IMAGES.clone(), rows)[1], ours(IMAGES, rows)[1], atol=1e-7)


@pytest.mark.slow
def test_lam_has_timms_law():
    np.random.seed(0)  # noqa: NPY002  # timm draws from it
    torch.manual_seed(0)
    x, y, draws = torch.rand(2, 1, 2, 2), torch.tensor([0, 1]), []
    for kind in (TimmMixup, Mixup):
        mixup_fn = kind(mixup_alpha=0.4, prob=0.7, label_smoothing=0, num_classes=2)
        # A partner of our own may be the sample itself; timm's in a batch of two never is.
        lams = [float(mixup_fn(x.clone(), y)[1][0, 0]) for _ in range(3000)]
        draws.append(np.sort(np.asarray([min(lam, 1 - lam) for lam in lams if 0 < lam < 1])))
    theirs, ours = draws
    assert abs(len(theirs) / 3000 - 0.7) < 0.03
    assert abs(len(ours) / 3000 - 0.35) < 0.03
    assert np.abs(np.quantile(theirs, [0.25, 0.5, 0.75]) - np.quantile(ours, [0.25, 0.5, 0.75])).max() < 0.03


def test_odd_batches():
    mixed, rows = Mixup(mode="elem", label_smoothing=0.0, num_classes=8)(IMAGES[:7], LABELS[:7])
    assert mixed.shape == IMAGES[:7].shape
    assert torch.allclose(rows.sum(1), torch.ones(7))


def test_it_follows_a_run():
    mixup_fn = Mixup(label_smoothing=0.0, num_classes=8)
    run = overmix.Epochs(4, mix=mixup_fn.recipe, switch=overmix.off_at(2), seed=0)
    hard = [bool((mixup_fn(IMAGES, LABELS)[1].amax(1) == 1).all()) for _ in mixup_fn.follow(run)]
    assert hard == [False, False, True, True]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cutmix_minmax": (0.2, 0.8)}, "cutmix_minmax = "),
        ({"correct_lam": False}, "correct_lam = False"),
        ({"mode": "half"}, "mode = 'half': use one of batch, pair, elem"),
        ({"mixup_alpha": 0}, "use mixup_alpha > 0, cutmix_alpha > 0, or both"),
        ({"mixup_alpha": float("nan"), "cutmix_alpha": 1.0}, "mixup_alpha = nan: use a number >= 0"),
        ({"cutmix_alpha": float("nan")}, "cutmix_alpha = nan: use a number >= 0"),
        ({"cutmix_alpha": -1}, "cutmix_alpha = -1"),
        ({"prob": 2}, "prob = 2"),
        ({"switch_prob": -1}, "switch_prob = -1"),
        ({"label_smoothing": 1}, "label_smoothing = 1"),
        ({"prob": "0.5"}, "prob = '0.5': use a probability"),
        ({"switch_prob": None}, "switch_prob = None: use a probability"),
        ({"label_smoothing": "0.1"}, "label_smoothing = '0.1': use a share"),
        ({"num_classes": "10"}, "num_classes = '10': use an integer >= 1"),
        ({"mode": "elem", "cutmix_alpha": 1}, "mode = 'elem': use \"batch\""),
    ],
)
def test_what_is_not_offered_is_named(settings, message):
    with pytest.raises(ConfigError, match=message):
        Mixup(**settings)


def test_rows_that_do_not_fit():
    with pytest.raises(ConfigError, match=r"target.shape = \(8,\): give rows of 5 labels"):
        Mixup(num_classes=5, multi_label=True)(IMAGES, LABELS)


@pytest.mark.parametrize("settings", [{}, {"cutmix_alpha": 1}, {"mixup_alpha": 0, "cutmix_alpha": 1}])
@pytest.mark.parametrize("multi_label", [False, True])
def test_on_a_device_nothing_looks_at_a_value(settings, multi_label):
    # "meta" has no values: what asks for one fails there.
    labels = torch.eye(8)[LABELS].long() if multi_label else LABELS
    mixup_fn = Mixup(**settings, num_classes=8, multi_label=multi_label)
    for mixup_fn.mixup_enabled in (True, False):
        mixed, rows = mixup_fn(IMAGES.to("meta"), labels.to("meta"))
        assert (mixed.device.type, mixed.shape, rows.device.type, rows.shape) == ("meta", IMAGES.shape, "meta", (8, 8))


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.uint8, torch.float32])
@pytest.mark.parametrize("images", [torch.uint8, torch.float32])
def test_multi_label_rows_of_any_dtype_are_mixed_as_rows(images, dtype):
    labels = torch.eye(8)[LABELS].to(dtype)
    for alpha in (0.0, 0.5):
        mixup_fn = Mixup(mixup_alpha=alpha, cutmix_alpha=1.0, num_classes=8, multi_label=True, label_smoothing=0.0)
        _, rows = mixup_fn(IMAGES.to(images), labels)
        torch.testing.assert_close(rows.sum(1), torch.ones(8))
