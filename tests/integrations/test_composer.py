"""What composer's tests of its functional mixup and cutmix check, rewritten: given who is mixed and how much."""

import pytest
import torch
import torch.nn.functional as F

from overmix.mix import MixPlan
from overmix.recipes import CutMix, Mixup

B, CLASSES = 6, 4
LAMS = pytest.mark.parametrize("lam", [0.0, 0.2, 0.5, 1.0])


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(B, 3, 10, 14, generator=generator)
    return images, torch.randint(CLASSES, (B,), generator=generator), torch.randperm(B, generator=generator)


@LAMS
def test_mixup_of_given_indices_and_weight(batch, lam):
    x, y, indices = batch
    plan = MixPlan(indices, torch.full((B,), lam))
    mixed, target = Mixup().mix(x, y, plan)
    again, _ = Mixup().mix(x, y, plan)
    for i in range(B):
        assert torch.allclose(mixed[i], lam * x[i] + (1 - lam) * x[indices[i]], atol=1e-6)
    assert torch.equal(mixed, again)
    assert torch.equal(target.b, y[indices])
    rows = lam * F.one_hot(y, CLASSES) + (1 - lam) * F.one_hot(y[indices], CLASSES)
    assert torch.allclose(target.soft(CLASSES), rows.float(), atol=1e-6)


@LAMS
def test_interpolated_losses_are_the_loss_of_interpolated_labels(batch, lam):
    x, y, indices = batch
    _, target = Mixup().mix(x, y, MixPlan(indices, torch.full((B,), lam)))
    logits = torch.randn(B, CLASSES, generator=torch.Generator().manual_seed(1))
    interpolated = lam * F.cross_entropy(logits, y) + (1 - lam) * F.cross_entropy(logits, y[indices])
    assert torch.allclose(F.cross_entropy(logits, target), interpolated, atol=1e-6)
    assert torch.allclose(F.cross_entropy(logits, target.soft(CLASSES)), interpolated, atol=1e-6)


@pytest.mark.parametrize("box", [(0, 0, 10, 14), (2, 3, 7, 4), (9, 0, 10, 14), (4, 4, 4, 4)])
def test_cutmix_of_a_given_box(batch, box):
    x, y, indices = batch
    top, left, bottom, right = box
    lam = 1 - (bottom - top) * (right - left) / (10 * 14)
    plan = MixPlan(indices, torch.full((B,), lam), torch.tensor([box]).expand(B, 4), (10, 14))
    mixed, target = CutMix().mix(x, y, plan)
    expected = x.clone()
    expected[:, :, top:bottom, left:right] = x[indices][:, :, top:bottom, left:right]
    assert torch.equal(mixed, expected)
    assert torch.allclose(target.soft(CLASSES).gather(1, y[:, None])[y != y[indices]], torch.tensor(lam), atol=1e-6)


def test_the_weight_of_a_drawn_box_is_what_the_box_leaves():
    areas = []
    for seed in range(50):
        generator = torch.Generator().manual_seed(seed)
        # Pixels that say whose they are.
        owner = torch.arange(float(B)).view(B, 1, 1, 1).expand(B, 1, 10, 14)
        mixed, target = CutMix(alpha=1.0)(owner, torch.arange(B), generator=generator)
        kept = (mixed == owner).float().mean(dim=(1, 2, 3))
        assert torch.allclose(target.soft(B).diagonal(), kept, atol=1e-6)  # clipped boxes included
        areas.append(1 - float(kept.min()))
    assert min(areas) < 0.1 < 0.4 < max(areas)  # boxes of all sizes were seen
