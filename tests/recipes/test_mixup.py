import numpy as np
import pytest
import torch
from kornia.augmentation import RandomMixUpV2
from timm.data.mixup import Mixup as TimmMixup
from torchvision.transforms import v2

from overmix.errors import ConfigError
from overmix.mix import BetaCoefficient, MixPlan, RandomPairing
from overmix.recipes import Mixup, NoMixup


def test_mixup_is_random_pairs_one_beta_lam_and_the_input():
    recipe = Mixup(alpha=0.3)
    assert recipe.pairing == RandomPairing()
    assert recipe.coefficient == BetaCoefficient(0.3, "batch")
    assert Mixup(0.3, per="sample").coefficient == BetaCoefficient(0.3, "sample")
    assert recipe.needs == frozenset()


def test_alpha_zero_mixes_nothing():
    x, y = torch.randn(7, 3), torch.arange(7)
    x_mixed, target = Mixup(alpha=0)(x, y)
    assert torch.equal(x_mixed, x)
    assert torch.equal(target.soft(7), torch.eye(7))


def test_alpha_infinity_takes_halves():
    x, y = torch.randn(7, 3), torch.arange(7)
    x_mixed, target = Mixup(alpha=float("inf"))(x, y)
    torch.testing.assert_close(x_mixed, (x + x[target.b]) / 2)
    assert (target.lam == 0.5).all()


def test_a_negative_alpha_is_refused():
    with pytest.raises(ConfigError, match=r"^alpha = -0.5"):
        Mixup(alpha=-0.5)


def test_no_mixup_is_plain_training():
    x, y = torch.randn(5, 3), torch.tensor([0, 1, 2, 1, 0])
    x_mixed, target = NoMixup()(x, y)
    assert torch.equal(x_mixed, x)
    logits = torch.randn(5, 3)
    torch.testing.assert_close(target.cross_entropy(logits), torch.nn.functional.cross_entropy(logits, y))


def images(batch_size):
    g = torch.Generator().manual_seed(0)
    return torch.rand(batch_size, 3, 6, 5, generator=g), torch.randint(10, (batch_size,), generator=g)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("batch_size", [2, 5, 8])
def test_agrees_with_torchvision_for_its_partners_and_lam(seed, batch_size):
    x, y = images(batch_size)
    theirs = v2.MixUp(num_classes=10, alpha=0.7)
    torch.manual_seed(seed)
    lam = theirs.make_params([])["lam"]
    torch.manual_seed(seed)
    expected_x, expected_rows = theirs(x, y)
    plan = MixPlan(torch.arange(batch_size).roll(1), torch.full((batch_size,), lam))
    mixed, target = Mixup().mix(x, y, plan)
    torch.testing.assert_close(mixed, expected_x, atol=1e-6, rtol=0)
    torch.testing.assert_close(target.soft(10), expected_rows, atol=1e-6, rtol=0)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("mode", ["batch", "elem"])
def test_agrees_with_timm_for_its_partners_and_lam(seed, mode):
    x, y = images(8)
    theirs = TimmMixup(mixup_alpha=0.7, label_smoothing=0.0, num_classes=10, mode=mode)
    np.random.seed(seed)  # noqa: NPY002 timm draws from NumPy's global generator
    lam = theirs._params_per_batch()[0] if mode == "batch" else theirs._params_per_elem(8)[0]
    np.random.seed(seed)  # noqa: NPY002
    expected_x, expected_rows = theirs(x.clone(), y)  # timm mixes in place
    plan = MixPlan(torch.arange(8).flip(0), torch.as_tensor(lam, dtype=torch.float32).expand(8))
    mixed, target = Mixup().mix(x, y, plan)
    torch.testing.assert_close(mixed, expected_x, atol=1e-6, rtol=0)
    torch.testing.assert_close(target.soft(10), expected_rows.float(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("batch_size", [2, 5, 8])
def test_agrees_with_kornia_for_its_partners_and_lam_of_each_sample(seed, batch_size):
    x, y = images(batch_size)
    theirs = RandomMixUpV2(lambda_val=torch.tensor([0.0, 1.0]), p=1.0, data_keys=["input", "class"])
    torch.manual_seed(seed)
    expected_x, sides = theirs(x.clone(), y)
    # Their lambda is the partner's share.
    plan = MixPlan(theirs._params["mixup_pairs"], 1 - theirs._params["mixup_lambdas"])
    mixed, target = Mixup(per="sample").mix(x, y, plan)
    torch.testing.assert_close(mixed, expected_x, atol=1e-6, rtol=0)
    torch.testing.assert_close(torch.stack([target.a, target.b, 1 - target.lam], dim=1), sides, atol=1e-6, rtol=0)
