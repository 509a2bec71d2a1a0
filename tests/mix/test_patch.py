import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from overmix.errors import ConfigError, DataError
from overmix.mix import MixPlan, PatchSpace, Streams
from overmix.recipes import CutMix, Mixup, OneOf

seeds = st.integers(0, 2**31)


def plan_of(sample_shape, lam, batch_size=4, seed=0, per="sample", axes=None):
    space = PatchSpace(per, axes)
    drawn = space.draw(Streams(seed).generator("space"), batch_size)
    partner = (torch.arange(batch_size) + 1) % batch_size
    return space.plan(drawn, partner, torch.as_tensor(lam, dtype=torch.float32).expand(batch_size), sample_shape)


def own_share(mixed, x):
    """Share of each sample's values that are its own; values are unique, so that nothing else is equal."""
    return (mixed == x).flatten(1).double().mean(1)


@given(
    st.sampled_from([(7,), (3, 5), (3, 8, 6), (2, 3, 4, 9), (1, 12)]),
    st.integers(2, 5),
    st.floats(0, 1),
    seeds,
    st.sampled_from(["batch", "sample"]),
)
def test_every_value_comes_from_exactly_one_sample_and_lam_is_the_exact_share(layout, batch_size, lam, seed, per):
    plan = plan_of(layout, lam, batch_size, seed, per)
    x = torch.arange(batch_size * int(np.prod(layout)), dtype=torch.float64).view(batch_size, *layout)
    mixed = PatchSpace(per).apply(plan, x)
    assert ((mixed == x) | (mixed == x[plan.partner])).all()
    torch.testing.assert_close(own_share(mixed, x).float(), plan.lam, atol=1e-7, rtol=0)


@given(st.integers(2, 40), st.integers(2, 40), st.floats(0, 1), seeds)
def test_boxes_follow_the_authors_rule_and_lie_inside(height, width, lam, seed):
    plan = plan_of((3, height, width), lam, batch_size=6, seed=seed)
    centre = PatchSpace("sample").draw(Streams(seed).generator("space"), 6)
    ratio = (1 - torch.tensor(lam, dtype=torch.float32)).sqrt()
    for box, (v, u) in zip(plan.box.tolist(), centre, strict=True):
        half_h, half_w = int(0.5 * ratio * height), int(0.5 * ratio * width)
        row, column = int(v * height), int(u * width)
        top, bottom = max(row - half_h, 0), min(row + half_h, height)
        left, right = max(column - half_w, 0), min(column + half_w, width)
        expected = [top, left, bottom, right] if (bottom - top) * (right - left) else [0, 0, 0, 0]
        assert box == expected


def test_centres_are_uniform_over_all_positions():
    from scipy import stats

    space = PatchSpace("sample")
    centres = torch.cat([space.draw(Streams().generator("space", step=s), 100) for s in range(60)])
    for axis in (0, 1):
        counts = np.bincount((centres[:, axis] * 8).long().numpy(), minlength=8)
        assert stats.chisquare(counts).pvalue > 1e-3
    assert abs(np.corrcoef(centres.T.numpy())[0, 1]) < 0.05


def test_a_batch_shares_one_box_and_samples_have_their_own():
    assert len({tuple(box) for box in plan_of((3, 32, 32), 0.6, 8, per="batch").box.tolist()}) == 1
    assert len({tuple(box) for box in plan_of((3, 32, 32), 0.6, 8, per="sample").box.tolist()}) > 4


def test_lam_one_cuts_nothing_and_lam_zero_in_the_middle_cuts_all():
    x = torch.randn(4, 3, 8, 8)
    plan = plan_of((3, 8, 8), 1.0)
    assert torch.equal(PatchSpace().apply(plan, x), x)
    assert (plan.lam == 1).all()
    middle = torch.full((4, 2), 0.5)
    whole = PatchSpace().plan(middle, plan.partner, torch.zeros(4), (3, 8, 8))
    assert torch.equal(PatchSpace().apply(whole, x), x[whole.partner])
    assert (whole.lam == 0).all()


@pytest.mark.parametrize(
    ("sample_shape", "axes", "grid"),
    [
        ((40,), None, (40,)),
        ((1, 40), None, (40,)),
        ((28, 28), None, (28, 28)),
        ((3, 28, 20), None, (28, 20)),
        ((5, 3, 28, 20), None, (28, 20)),
        ((3, 40), 1, (40,)),
        ((3, 40), 2, (3, 40)),
    ],
)
def test_the_axes_that_are_cut_follow_the_samples_shape_unless_told(sample_shape, axes, grid):
    assert plan_of(sample_shape, 0.5, axes=axes).grid == grid


def test_an_interval_of_a_signal_has_the_length_of_its_share():
    plan = plan_of((100,), 0.7, batch_size=200)
    lengths = plan.box[:, 3] - plan.box[:, 1]
    assert lengths.max() == 2 * int(0.5 * 0.3 * 100)
    x = torch.arange(200 * 100.0).view(200, 100)
    assert torch.equal((PatchSpace().apply(plan, x) != x).sum(1), lengths)


@given(seeds)
def test_several_inputs_are_cut_by_one_box(seed):
    plan = plan_of((3, 8, 6), 0.4, seed=seed)
    image, depth = torch.randn(4, 3, 8, 6), torch.randn(4, 8, 6, dtype=torch.float64)
    together = PatchSpace().apply(plan, {"image": image, "depth": depth})
    inside = together["depth"] != depth
    assert torch.equal((together["image"] != image).all(1), inside)


def test_an_input_of_another_size_than_the_box_is_for_is_refused():
    plan = plan_of((3, 8, 6), 0.4)
    with pytest.raises(
        DataError, match=r"x has shape \(4, 3, 4, 6\), but the plan's box lies in axes of sizes \(8, 6\)"
    ):
        PatchSpace().apply(plan, [torch.zeros(4, 3, 8, 6), torch.zeros(4, 3, 4, 6)])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.uint8])
def test_values_are_copied_bit_for_bit(dtype):
    x = torch.arange(4 * 48).view(4, 3, 4, 4).to(dtype)
    x_before = x.clone()
    plan = plan_of((3, 4, 4), 0.4)
    mixed = PatchSpace().apply(plan, x)
    assert mixed.dtype == (torch.float32 if dtype == torch.uint8 else dtype)
    values = x.to(mixed.dtype)
    assert ((mixed == values) | (mixed == values[plan.partner])).all()
    mixed.fill_(0)
    assert torch.equal(x, x_before)


def test_values_that_are_not_finite_stay_where_they_are():
    x = torch.zeros(2, 4, 4)
    x[1] = torch.nan
    box = torch.tensor([[0, 0, 2, 2], [0, 0, 2, 2]])
    mixed = PatchSpace().apply(MixPlan(torch.tensor([1, 0]), torch.full((2,), 0.75), box, (4, 4)), x)
    assert mixed.isnan().sum((1, 2)).tolist() == [4, 12]


@given(st.integers(1, 3), seeds)
def test_a_stack_of_batches_is_cut_as_each_alone(replicas, seed):
    space = PatchSpace("sample")
    draws = [space.draw(Streams(seed, r).generator("space"), 5) for r in range(replicas)]
    partner = torch.stack([torch.randperm(5, generator=torch.Generator().manual_seed(r)) for r in range(replicas)])
    lam = torch.rand(replicas, 5, generator=torch.Generator().manual_seed(seed))
    stacked = space.plan(torch.stack(draws), partner, lam, (3, 8, 7))
    x = torch.randn(replicas, 5, 3, 8, 7)
    mixed = space.apply(stacked, x)
    for r, drawn in enumerate(draws):
        plan = space.plan(drawn, partner[r], lam[r], (3, 8, 7))
        assert torch.equal(stacked.box[r], plan.box)
        assert torch.equal(stacked.lam[r], plan.lam)
        assert torch.equal(mixed[r], space.apply(plan, x[r]))


def test_no_value_is_copied_to_the_host(no_host_sync):
    space = PatchSpace("sample")
    drawn = space.draw(Streams().generator("space"), 4)
    x, y = torch.randn(4, 3, 8, 8), torch.zeros(4, 8, 8, dtype=torch.int64)
    with no_host_sync:
        plan = space.plan(drawn, torch.tensor([1, 0, 3, 2]), torch.rand(4), (3, 8, 8))
        space.apply(plan, x)
        space.labels(plan, y)


def test_class_maps_are_cut_as_their_images_are():
    plan = plan_of((3, 8, 6), 0.4)
    y = torch.arange(4)[:, None, None].expand(4, 8, 6)
    a, b, lam = PatchSpace().labels(plan, y)
    x = y[:, None].expand(4, 3, 8, 6).double()
    assert torch.equal(PatchSpace().apply(plan, x)[:, 0].long(), a)
    assert torch.equal(a, b)
    assert (lam == 1).all()
    soft = torch.nn.functional.one_hot(y, 4).movedim(-1, 1).double()
    assert torch.equal(PatchSpace().labels(plan, soft)[0].argmax(1), a)


@pytest.mark.parametrize("y", [torch.arange(4), torch.eye(4), torch.randn(4)], ids=["classes", "rows", "values"])
def test_labels_without_positions_keep_both_sides_and_the_share(y):
    plan = plan_of((3, 8, 6), 0.4)
    a, b, lam = PatchSpace().labels(plan, y)
    assert torch.equal(a, y)
    assert torch.equal(b, y[plan.partner])
    assert lam is plan.lam


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool])
@pytest.mark.parametrize("sample", [(3, 8, 6), (1, 40)], ids=["images", "signals"])
def test_rows_of_any_dtype_are_no_maps(sample, dtype):
    y, plan = torch.eye(4).to(dtype), plan_of(sample, 0.4)
    a, b, lam = PatchSpace().labels(plan, y)
    assert torch.equal(a, y)
    assert torch.equal(b, y[plan.partner])
    assert lam is plan.lam


def test_rows_of_as_many_classes_as_a_signal_has_positions_are_told_from_maps_by_what_is_asked_for():
    x, y = torch.rand(6, 1, 5), torch.nn.functional.one_hot(torch.arange(6) % 5, 5)
    for recipe in (CutMix(axes=1), OneOf(Mixup(), CutMix(axes=1))):
        with pytest.raises(DataError, match=r"^y has shape \(6, 5\) .*rows as y\.float\(\), .* y\.unsqueeze\(1\)"):
            recipe(x, y)
        assert torch.equal(recipe(x, y.float())[1].a, y.float())
    mixed, target = CutMix(axes=1)(y.unsqueeze(1).float(), y.unsqueeze(1))
    assert torch.equal(target.a, mixed.long())
    assert target.cross_entropy(torch.zeros(6, 2, 5).unsqueeze(2)).isclose(torch.tensor(2.0).log())


def test_labels_with_other_positions_than_the_image_are_refused():
    with pytest.raises(DataError, match=r"y has shape \(4, 50\) and holds classes, but the box lies in 100 positions"):
        CutMix(axes=1)(torch.rand(4, 2, 100), torch.randint(1, 4, (4, 50)))
    with pytest.raises(DataError, match=r"y has shape \(4, 4, 3\), but the plan's box lies in axes of sizes \(8, 6\)"):
        PatchSpace().labels(plan_of((3, 8, 6), 0.4), torch.zeros(4, 4, 3, dtype=torch.int64))


def test_bad_settings_and_shapes_are_refused():
    with pytest.raises(ConfigError, match=r"^per = 'elem'"):
        PatchSpace(per="elem")
    with pytest.raises(ConfigError, match=r"^axes = 3"):
        PatchSpace(axes=3)
    with pytest.raises(DataError, match=r"cuts 2 axes, but a sample has shape \(40,\): use axes=1"):
        plan_of((40,), 0.5, axes=2)
    for shape in (None, ()):
        with pytest.raises(DataError, match="give sample_shape="):
            plan_of(shape, 0.5)
    with pytest.raises(DataError, match="it has no box"):
        PatchSpace().apply(MixPlan.identity(2), torch.zeros(2, 4, 4))
