import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from overmix.errors import ConfigError, DataError
from overmix.mix import ContrastiveTarget, MixPlan, SoftClipTarget, cosine_annealed

seeds = st.integers(0, 2**31)
batch_sizes = st.integers(1, 9)
KEYS = torch.eye(4, 5)


def problem(seed, batch_size, width=5, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    queries, keys = torch.randn(2, batch_size, width, generator=g, dtype=dtype)
    plan = MixPlan(torch.randperm(batch_size, generator=g), torch.rand(batch_size, generator=g))
    return queries, keys, plan


def dense_rows(plan):
    """The matrix of targets, entry by entry; a fixed point keeps both of its shares."""
    rows = torch.zeros(plan.batch_size, plan.batch_size, dtype=torch.float64)
    for i, (j, lam) in enumerate(zip(plan.partner.tolist(), plan.lam.tolist(), strict=True)):
        rows[i, i] += lam
        rows[i, j] += 1 - lam
    return rows


def dense_loss(queries, keys, rows, temperature, direction):
    """The losses by their formulas, with dense matrices."""
    similarity = F.normalize(queries, dim=1) @ F.normalize(keys, dim=1).T / temperature
    forward = -(rows * F.log_softmax(similarity, dim=1)).sum(1).mean()
    backward = -(rows.T * F.log_softmax(similarity.T, dim=1)).sum(1).mean()
    return forward if direction == "forward" else (forward + backward) / 2


@given(seeds, batch_sizes, st.sampled_from(["forward", "both"]), st.sampled_from([0.006, 0.1, 1.0]))
def test_the_loss_is_that_of_the_dense_formula(seed, batch_size, direction, temperature):
    queries, keys, plan = problem(seed, batch_size)
    found = ContrastiveTarget.of(plan, keys, temperature, direction).cross_entropy(queries)
    expected = dense_loss(queries, keys, dense_rows(plan), temperature, direction)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)  # lam is float32


@given(seeds, batch_sizes)
def test_rows_of_the_target_sum_to_one_with_at_most_two_entries_fixed_points_included(seed, batch_size):
    _, keys, plan = problem(seed, batch_size)
    rows = ContrastiveTarget.of(plan, keys, 0.1, "both").soft(batch_size)
    torch.testing.assert_close(rows.double(), dense_rows(plan), atol=1e-7, rtol=0)
    torch.testing.assert_close(rows.sum(1), torch.ones(batch_size))
    assert rows.sum() == pytest.approx(batch_size, abs=1e-5)
    assert ((rows > 0).sum(1) <= 2).all()


def test_an_unmixed_fixed_point_keeps_its_mass():
    # Reference codes write 1 - lam over the diagonal: at a fixed point with lam = 1 the whole row becomes 0.
    partner = torch.tensor([1, 2, 0, 3, 5, 4, 7, 6])
    lam = torch.tensor([0.3, 0.8, 0.6, 1.0, 0.5, 0.9, 0.2, 0.7])
    rows = ContrastiveTarget.of(MixPlan(partner, lam), torch.randn(8, 4), 0.1, "both").soft(8)
    overwritten = torch.diag(lam)
    overwritten[torch.arange(8), partner] = 1 - lam
    assert overwritten[3].sum() == 0
    assert rows[3, 3] == 1
    assert rows.sum() == pytest.approx(8, abs=1e-6)


def info_nce(queries, keys, temperature):
    similarity = F.normalize(queries, dim=1) @ F.normalize(keys, dim=1).T / temperature
    own = torch.arange(len(queries))
    return (F.cross_entropy(similarity, own) + F.cross_entropy(similarity.T, own)) / 2


@given(seeds, batch_sizes)
def test_unmixed_it_is_symmetric_info_nce_whoever_the_partners_are(seed, batch_size):
    queries, keys, plan = problem(seed, batch_size)
    plan = MixPlan(plan.partner, torch.ones(batch_size))
    expected = info_nce(queries, keys, 0.1)
    found = ContrastiveTarget.of(plan, keys, 0.1, "both").cross_entropy(queries)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)
    everyone_alone = MixPlan.identity(batch_size)
    found = ContrastiveTarget.of(everyone_alone, keys, 0.1, "both").cross_entropy(queries)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)
    assert batch_size == 1 or found > 0


@given(seeds, st.integers(2, 9))
def test_one_direction_is_the_first_half_of_both(seed, batch_size):
    queries, keys, plan = problem(seed, batch_size)
    forward = ContrastiveTarget.of(plan, keys, 0.1, "forward").cross_entropy(queries)
    both = ContrastiveTarget.of(plan, keys, 0.1, "both").cross_entropy(queries)
    rest = dense_loss(queries, keys, dense_rows(plan), 0.1, "both") - forward / 2
    torch.testing.assert_close(both - forward / 2, rest, rtol=1e-5, atol=1e-6)


def test_columns_of_the_target_need_not_sum_to_one():
    plan = MixPlan(torch.tensor([1, 0, 2]), torch.tensor([0.9, 0.2, 1.0]))
    rows = ContrastiveTarget.of(plan, torch.randn(3, 2), 0.1, "both").soft(3)
    torch.testing.assert_close(rows.sum(0), torch.tensor([0.9 + 0.8, 0.1 + 0.2, 1.0]))


@given(seeds, batch_sizes, st.floats(0.01, 100), st.floats(0.01, 100))
def test_only_directions_matter(seed, batch_size, a, b):
    queries, keys, plan = problem(seed, batch_size)
    losses = [
        ContrastiveTarget.of(plan, k, 0.1, "both").cross_entropy(q)
        for q, k in ((queries, keys), (a * queries, b * keys))
    ]
    torch.testing.assert_close(*losses, rtol=1e-9, atol=1e-9)


def test_accuracy_is_the_mass_retrieved_first():
    keys = torch.eye(3)
    plan = MixPlan(torch.tensor([1, 0, 2]), torch.tensor([0.75, 0.75, 0.5]))
    target = ContrastiveTarget.of(plan, keys, 0.1, "both")
    assert target.accuracy(keys) == (0.75 + 0.75 + 1) / 3
    assert target.accuracy(keys[[1, 2, 2]]) == pytest.approx((0.25 + 0 + 1) / 3)


def entropy(rows):
    return -(rows * rows.log()).sum(1).mean()


@given(seeds, st.integers(2, 9))
def test_softclip_is_at_least_the_entropy_of_its_targets_and_equal_where_queries_are_keys(seed, batch_size):
    queries, keys, plan = problem(seed, batch_size)
    target = SoftClipTarget.of(plan, keys, 0.3)
    unit = F.normalize(keys, dim=1)
    bound = entropy(F.softmax(unit @ unit.T / 0.3, dim=1))
    assert target.cross_entropy(queries) >= bound - 1e-12
    torch.testing.assert_close(target.cross_entropy(keys), bound)
    torch.testing.assert_close(target.cross_entropy(7 * keys), bound)
    shuffled = target.cross_entropy(keys.roll(1, 0))
    assert shuffled > bound + 1e-6


@given(seeds, st.integers(2, 9))
def test_softclip_says_the_targets_that_it_has(seed, batch_size):
    _, keys, plan = problem(seed, batch_size)
    target = SoftClipTarget.of(plan, keys, 0.3)
    unit = F.normalize(keys, dim=1)
    rows = F.softmax(unit @ unit.T / 0.3, dim=1)
    for soft in (target.soft(), target.soft(batch_size)):
        torch.testing.assert_close(soft, rows)
    torch.testing.assert_close(target.entropy(), -(rows * rows.log()).sum(1))
    with pytest.raises(ConfigError, match=r"^num_classes = 10: leave it out"):
        target.soft(10)


@given(seeds, batch_sizes, st.sampled_from(["forward", "both"]))
def test_no_queries_are_below_the_entropy_of_their_matches(seed, batch_size, direction):
    queries, keys, plan = problem(seed, batch_size)
    target = ContrastiveTarget.of(plan, keys, 0.1, direction)
    assert target.cross_entropy(queries) >= target.entropy().mean() - 1e-6


def test_what_is_for_classes_or_values_is_refused():
    _, keys, plan = problem(0, 4)
    for target in (ContrastiveTarget.of(plan, keys, 0.1, "both"), SoftClipTarget.of(plan, keys, 0.1)):
        with pytest.raises(ConfigError, match=r"^criterion = 'CrossEntropyLoss': use target.cross_entropy"):
            target.loss(torch.nn.CrossEntropyLoss(reduction="none"), keys)
        with pytest.raises(ConfigError, match=r"^loss = 'binary_cross_entropy': use 'cross_entropy'"):
            target.entropy("binary_cross_entropy")


def test_softclip_by_its_formula():
    queries, keys, plan = problem(3, 6)
    q, k = F.normalize(queries, dim=1), F.normalize(keys, dim=1)
    rows, similarity = F.softmax(k @ k.T / 0.2, dim=1), q @ k.T / 0.2
    both = sum(-(rows * F.log_softmax(s, dim=1)).sum(1).mean() for s in (similarity, similarity.T))
    torch.testing.assert_close(SoftClipTarget.of(plan, keys, 0.2).cross_entropy(queries), both / 2)


def test_softclip_tends_to_info_nce_as_the_temperature_falls():
    # Keys at right angles: at a low temperature each row's mass is on itself.
    keys = torch.eye(5, dtype=torch.float64)
    queries = keys + 0.2 * torch.randn(5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    plan = MixPlan.identity(5)
    for temperature, gap in ((0.5, 0.05), (0.02, 1e-12)):
        soft = SoftClipTarget.of(plan, keys, temperature).cross_entropy(queries)
        hard = info_nce(queries, keys, temperature)
        assert abs(float(soft - hard)) < gap if gap < 0.01 else abs(float(soft - hard)) > gap


def test_softclip_does_not_mix():
    _, keys, plan = problem(0, 4)
    target = SoftClipTarget.of(plan, keys, 0.1)
    assert torch.equal(target.b, torch.arange(4))
    assert (target.lam == 1).all()
    assert target.accuracy(keys) == 1


def test_temperatures_are_annealed_along_half_a_cosine():
    values = cosine_annealed(0.004, 0.0075, steps=161)
    assert values[0] == pytest.approx(0.004, abs=1e-15)
    assert values[80] == pytest.approx(0.00575, abs=1e-15)
    assert values[-1] == pytest.approx(0.0075, abs=1e-15)
    assert values == sorted(values)
    for i in (17, 90):
        assert values[i] == pytest.approx(0.0075 - 0.0035 * (1 + math.cos(math.pi * i / 160)) / 2, abs=1e-15)


def test_one_step_of_annealing_is_the_first_value():
    # A formula with steps - 1 in its denominator divides by zero here.
    assert cosine_annealed(0.004, 0.0075, steps=1) == [0.004]
    with pytest.raises(ConfigError, match=r"^steps = 0"):
        cosine_annealed(0.004, 0.0075, steps=0)


@pytest.mark.parametrize(
    "keys", [torch.zeros(3, 2), torch.zeros(4), torch.zeros(4, 2, dtype=torch.int64), torch.zeros(4, 2, 2)]
)
def test_what_holds_no_views_is_refused(keys):
    for make in (
        lambda: ContrastiveTarget.of(MixPlan.identity(4), keys, 0.1, "both"),
        lambda: SoftClipTarget.of(MixPlan.identity(4), keys, 0.1),
    ):
        with pytest.raises(DataError, match=r"floating-point rows of shape \(4, D\)"):
            make()


def test_class_weights_are_refused():
    _, keys, plan = problem(0, 4)
    for target in (ContrastiveTarget.of(plan, keys, 0.1, "both"), SoftClipTarget.of(plan, keys, 0.1)):
        with pytest.raises(ConfigError, match=r"^weight = .*: leave it out"):
            target.cross_entropy(keys, weight=torch.ones(4, dtype=torch.float64))


def test_targets_move_as_a_whole():
    _, keys, plan = problem(0, 4)
    for target in (ContrastiveTarget.of(plan, keys, 0.1, "both"), SoftClipTarget.of(plan, keys, 0.1)):
        moved = target.to("meta")
        assert type(moved) is type(target)
        assert moved.keys.device.type == moved.lam.device.type == "meta"
        assert moved.temperature == 0.1


@pytest.mark.parametrize(
    "target",
    [ContrastiveTarget.of(MixPlan.identity(4), KEYS, 0.1, "both"), SoftClipTarget.of(MixPlan.identity(4), KEYS, 1)],
)
def test_matches_have_no_ignored_class(target):
    assert target.accuracy(KEYS) == 1
    for refused in (
        lambda: target.cross_entropy(KEYS, ignore_index=0),
        lambda: target.accuracy(KEYS, ignore_index=0),
        lambda: target.entropy(ignore_index=0),
    ):
        with pytest.raises(ConfigError, match=r"^ignore_index = 0: leave it out"):
            refused()
