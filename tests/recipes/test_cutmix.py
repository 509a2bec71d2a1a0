import numpy as np
import pytest
import torch
from kornia.augmentation import RandomCutMixV2
from scipy import stats
from timm.data.mixup import Mixup as TimmMixup
from timm.data.mixup import cutmix_bbox_and_lam
from torchvision.transforms import v2

from overmix.errors import ConfigError
from overmix.mix import BetaCoefficient, MixPlan, PatchSpace, RandomPairing, Streams
from overmix.recipes import CutMix

SHAPE = (3, 12, 10)


def test_cutmix_is_random_pairs_one_beta_lam_and_a_box():
    recipe = CutMix(0.5)
    assert recipe.pairing == RandomPairing()
    assert recipe.coefficient == BetaCoefficient(0.5, "batch")
    assert recipe.space == PatchSpace("batch")
    assert CutMix(per="sample", axes=1).space == PatchSpace("sample", 1)
    assert recipe.needs == frozenset()


@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_torchvision_for_its_partners_and_box(seed):
    g = torch.Generator().manual_seed(seed)
    x, y = torch.rand(6, *SHAPE, generator=g), torch.randint(10, (6,), generator=g)
    theirs = v2.CutMix(num_classes=10, alpha=1.0)
    torch.manual_seed(seed)
    params = theirs.make_params([x])
    torch.manual_seed(seed)
    expected_x, expected_rows = theirs(x, y)
    left, top, right, bottom = params["box"]
    box = torch.tensor([[top, left, bottom, right]]).expand(6, 4)
    plan = MixPlan(torch.arange(6).roll(1), torch.full((6,), params["lam_adjusted"]), box, SHAPE[1:])
    mixed, target = CutMix().mix(x, y, plan)
    assert torch.equal(mixed, expected_x)
    torch.testing.assert_close(target.soft(10), expected_rows, atol=1e-6, rtol=0)


@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_timm_for_its_partners_and_box(seed):
    g = torch.Generator().manual_seed(seed)
    x, y = torch.rand(6, *SHAPE, generator=g), torch.randint(10, (6,), generator=g)
    theirs = TimmMixup(mixup_alpha=0.0, cutmix_alpha=1.0, label_smoothing=0.0, num_classes=10)
    np.random.seed(seed)  # noqa: NPY002 timm draws from NumPy's global generator
    lam, _ = theirs._params_per_batch()
    (top, bottom, left, right), lam = cutmix_bbox_and_lam(x.shape, lam, correct_lam=True)
    np.random.seed(seed)  # noqa: NPY002
    expected_x, expected_rows = theirs(x.clone(), y)  # timm mixes in place
    box = torch.tensor([[top, left, bottom, right]]).expand(6, 4)
    plan = MixPlan(torch.arange(6).flip(0), torch.full((6,), lam), box, SHAPE[1:])
    mixed, target = CutMix().mix(x, y, plan)
    assert torch.equal(mixed, expected_x)
    torch.testing.assert_close(target.soft(10), expected_rows.float(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_kornia_for_its_partners_and_boxes_of_each_sample(seed):
    g = torch.Generator().manual_seed(seed)
    x, y = torch.rand(6, *SHAPE, generator=g), torch.randint(10, (6,), generator=g)
    theirs = RandomCutMixV2(p=1.0, data_keys=["input", "class"], use_correct_lambda=True)
    torch.manual_seed(seed)
    expected_x, sides = theirs(x.clone(), y)
    corners = theirs._params["crop_src"][0].long()  # left, top first; right and bottom belong to the box
    box = torch.cat([corners[:, 0].flip(1), corners[:, 2].flip(1) + 1], dim=1)
    share = (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1]) / (SHAPE[1] * SHAPE[2])
    plan = MixPlan(theirs._params["mix_pairs"][0], 1 - share, box, SHAPE[1:])
    mixed, target = CutMix(per="sample").mix(x, y, plan)
    assert torch.equal(mixed, expected_x)
    torch.testing.assert_close(torch.stack([target.a, target.b, target.lam], dim=1), sides[0], atol=1e-6, rtol=0)


def test_label_weight_is_the_pixel_share_exactly():
    x = torch.arange(6.0)[:, None, None, None].expand(6, *SHAPE)
    recipe = CutMix(per="sample")
    for step in range(20):
        plan = recipe.plan(recipe.draw(Streams(2), 6, step=step), sample_shape=SHAPE)
        mixed, target = recipe.mix(x, torch.arange(6), plan)
        pixels = torch.stack([(mixed[:, 0] == k).sum((1, 2)) for k in range(6)], dim=1)
        torch.testing.assert_close(target.soft(6), pixels / (12 * 10), atol=1e-6, rtol=0)


def test_lam_before_clipping_is_uniform_for_alpha_one():
    recipe = CutMix()
    raw = [float(recipe.draw(Streams(7), 2, step=step).coefficient[0]) for step in range(3000)]
    assert stats.kstest(raw, "uniform").pvalue > 1e-3


def test_alpha_zero_cuts_nothing():
    x, y = torch.randn(5, *SHAPE), torch.arange(5)
    mixed, target = CutMix(alpha=0)(x, y)
    assert torch.equal(mixed, x)
    assert (target.lam == 1).all()


def test_tables_and_signals_are_cut_along_their_axis():
    mixed, target = CutMix(alpha=4.0)(torch.arange(40.0).view(4, 10), torch.arange(4))
    assert mixed.shape == (4, 10)
    assert target.lam.dtype == torch.float32


def test_bad_parameters_are_refused():
    with pytest.raises(ConfigError, match=r"^alpha = -1"):
        CutMix(-1)
    with pytest.raises(ConfigError, match=r"^per = 'pair'"):
        CutMix(per="pair")
    with pytest.raises(ConfigError, match=r"^axes = 3"):
        CutMix(axes=3)
