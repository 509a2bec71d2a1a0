"""Defects that were found in other Mixup libraries; each is a property that overmix must have."""

import numpy as np
import pytest
import torch
from scipy import stats

from overmix.errors import DataError
from overmix.mix import Recipe, StreamCursor, Streams
from overmix.recipes import make_recipe


def test_mixing_does_not_touch_or_alias_the_users_batch():
    # timm mixes its input in place.
    x, y = torch.randn(6, 3, 4, 4), torch.arange(6)
    before = x.clone()
    x_mixed, _ = make_recipe("Mixup")(x, y)
    assert x_mixed.untyped_storage().data_ptr() != x.untyped_storage().data_ptr()
    assert torch.equal(x, before)


def test_regression_values_are_mixed_linearly_and_never_cast_to_integers():
    # timm casts float targets to class indices, and every target becomes one.
    y = torch.tensor([0.25, 1.5, -3.75, 10.0])
    _, target = make_recipe("Mixup")(torch.randn(4, 2), y)
    expected = target.lam * y + (1 - target.lam) * y[make_partners(target, y)]
    torch.testing.assert_close(target.soft(), expected)
    output = torch.zeros(4)
    by_hand = (target.lam * y.square() + (1 - target.lam) * target.b.square()).mean()
    torch.testing.assert_close(target.loss(torch.nn.MSELoss(reduction="none"), output), by_hand)


def make_partners(target, y):
    return torch.stack([(y == value).nonzero()[0, 0] for value in target.b])


@pytest.mark.parametrize("name", ["Mixup", "NoMixup"])
def test_labels_are_not_smoothed(name):
    # timm smooths by 0.1 unless told not to: its smallest target among ten classes is 0.01.
    _, target = make_recipe(name)(torch.randn(8, 2), torch.arange(8))
    rows = target.soft(10)
    assert rows.min() == 0
    torch.testing.assert_close(rows.sum(1), torch.ones(8))
    for row, lam in zip(rows, target.lam, strict=True):
        heights = row[row > 0]
        assert all(min(abs(h - share) for share in (lam, 1 - lam, 1.0)) < 1e-6 for h in heights)


@pytest.mark.parametrize("layout", [(2,), (4, 3), (3, 5, 5), (2, 3, 4, 4)])
@pytest.mark.parametrize("kind", ["indices", "rows"])
def test_dense_targets_have_one_row_per_sample_that_sums_to_one_in_every_layout(layout, kind):
    # The package "mixup" returns targets of shape (B, 1, B, C) for one of its methods.
    y = torch.randint(4, (5,))
    y = y if kind == "indices" else torch.eye(4)[y]
    _, target = make_recipe("Mixup", per="sample")(torch.randn(5, *layout), y)
    rows = target.soft(4 if kind == "indices" else None)
    assert rows.shape == (5, 4)
    torch.testing.assert_close(rows.sum(1), torch.ones(5))


def test_boxes_and_masks_of_a_batch_are_those_of_each_sample():
    # keras joins boxes and their labels along different axes, and gathers masks without one: (4, 2, 2, 1) comes out as
    # (4, 2, 2, 4), mixed with the first pixels of sample 0.
    masks = torch.rand(4, 2, 2, 1)
    recipe = make_recipe("Mixup", per="sample")
    plan = recipe.plan(recipe.draw(StreamCursor(Streams(1)), 4))
    target = recipe.target(plan, masks)
    assert target.a.shape == target.b.shape == target.soft().shape == (4, 2, 2, 1)
    objects = [{"boxes": torch.rand(3, 4), "labels": torch.randint(5, (3,))} for _ in range(4)]
    both = make_recipe("LossMix", per="sample").target(plan, objects)
    for i, (j, lam) in enumerate(zip(plan.partner.tolist(), plan.lam, strict=True)):
        torch.testing.assert_close(target.soft()[i], lam * masks[i] + (1 - lam) * masks[j])
        for key in ("boxes", "labels"):
            assert both.a[i][key] is objects[i][key]
            assert both.b[i][key] is objects[j][key]


def test_integer_labels_stay_classes_and_labels_that_are_no_tensor_are_refused():
    # The package "mixup" takes class indices for one-hot rows, and returns meaningless floats.
    y = torch.tensor([7, 3, 9])
    _, target = make_recipe("Mixup")(torch.randn(3, 2), y)
    assert target.a.dtype == target.b.dtype == torch.int64
    assert set(target.b.tolist()) == {3, 7, 9}
    with pytest.raises(DataError, match="y must be a tensor"):
        make_recipe("Mixup")(torch.randn(3, 2), [7, 3, 9])


def test_lam_has_the_beta_law_through_the_recipe():
    # kornia draws lam from a uniform law, TensorFlow's model garden from a wrong one for years.
    recipe: Recipe = make_recipe("Mixup", alpha=0.4)
    cursor = StreamCursor(Streams(3, 4))
    lam = np.array([float(recipe.plan(recipe.draw(cursor, 2, step=step)).lam[0]) for step in range(2000)])
    assert stats.kstest(lam, stats.beta(0.4, 0.4).cdf).pvalue > 1e-3  # the seed is fixed
    assert stats.kstest(lam, "uniform").pvalue < 1e-6


def test_torch_manual_seed_alone_makes_a_mixture_repeat():
    # timm, composer and others draw from NumPy's global generator.
    x, y = torch.randn(16, 3), torch.arange(16)
    mixtures = []
    for numpy_seed in (0, 1):
        torch.manual_seed(9)
        np.random.seed(numpy_seed)  # noqa: NPY002 another generator must not matter
        mixtures.append(make_recipe("Mixup")(x, y)[0])
    assert torch.equal(*mixtures)


@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_batches_may_be_odd(batch_size):
    # timm asserts an even batch.
    x_mixed, target = make_recipe("Mixup")(torch.randn(batch_size, 2), torch.arange(batch_size))
    assert len(x_mixed) == len(target.lam) == batch_size


def test_tables_can_be_mixed():
    # torchvision mixes images and videos only.
    assert make_recipe("Mixup")(torch.randn(6, 4), torch.arange(6))[0].shape == (6, 4)


def test_over_many_epochs_no_plan_repeats():
    # FFCV derives lam from an index of the data set, and has only so many of them.
    recipe = make_recipe("Mixup")
    lams = [float(recipe.draw(Streams(), 4, epoch=epoch).coefficient[0]) for epoch in range(1000)]
    assert len(set(lams)) > 995  # float32 has 2**24 values in [0, 1): a few coincide
