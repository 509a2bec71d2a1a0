import pytest
import torch

from overmix.errors import DataError
from overmix.mix import InputSpace, MixPlan


@pytest.mark.parametrize("batch_size", [0, 1, 5])
def test_the_identity_plan_leaves_a_batch_as_it_is(batch_size):
    plan = MixPlan.identity(batch_size)
    x = torch.randn(batch_size, 3)
    assert plan.batch_size == batch_size
    assert plan.partner.dtype == torch.int64
    assert torch.equal(InputSpace().apply(plan, x), x)


@pytest.mark.usefixtures("unchecked_shapes")
def test_a_plan_needs_one_lam_per_partner():
    with pytest.raises(DataError, match=r"partner has shape \(3,\) but lam has \(2,\)"):
        MixPlan(torch.arange(3), torch.ones(2))


def full_plan(batch_size=3, seed=0):
    g = torch.Generator().manual_seed(seed)
    part = MixPlan(torch.randperm(batch_size, generator=g), torch.rand(batch_size, generator=g))
    box = torch.randint(1, 9, (batch_size, 4), generator=g)
    return MixPlan(part.partner, part.lam, box, (9, 9), torch.zeros(batch_size, dtype=torch.int64), (part, part))


def tensors(plan):
    own = [plan.partner, plan.lam, plan.box, plan.choice]
    return [t for t in own if t is not None] + [t for part in plan.parts for t in tensors(part)]


def assert_equal(one, other):
    assert one.grid == other.grid
    pairs = list(zip(tensors(one), tensors(other), strict=True))
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_plan_moves_as_a_whole():
    moved = full_plan().to("meta")
    assert {tensor.device.type for tensor in tensors(moved)} == {"meta"}
    assert len(tensors(moved)) == 8
    assert moved.grid == (9, 9)
    assert MixPlan.identity(2).to("meta").box is None


def test_plans_stack_and_a_stack_holds_each():
    plans = [full_plan(seed=seed) for seed in range(4)]
    stack = MixPlan.stack(plans)
    assert stack.batch_size == 3
    assert stack.partner.shape == (4, 3)
    assert stack.box.shape == (4, 3, 4)
    unstacked = torch.func.vmap(lambda plan: plan)(stack)
    for r, plan in enumerate(plans):
        for whole, alone in zip(tensors(unstacked), tensors(plan), strict=True):
            assert torch.equal(whole[r], alone)


def test_plans_are_mapped_over_by_vmap():
    plans = [full_plan(seed=seed) for seed in range(4)]
    x = torch.randn(4, 3, 2)
    mapped = torch.func.vmap(lambda plan, batch: batch[plan.parts[1].partner] * plan.lam[:, None])(
        MixPlan.stack(plans), x
    )
    for r, plan in enumerate(plans):
        assert torch.equal(mapped[r], x[r][plan.parts[1].partner] * plan.lam[:, None])


def test_only_where_leaves_the_other_samples_as_they_are():
    plan = full_plan()
    kept = plan.only_where(torch.tensor([True, False, True]))
    for whole, some in zip(tensors(plan), tensors(kept), strict=True):
        assert torch.equal(whole[0], some[0])
        assert torch.equal(whole[2], some[2])
    assert kept.partner[1] == 1
    assert kept.lam[1] == 1
    assert (kept.box[1] == 0).all()
    assert kept.parts[0].lam[1] == 1
    assert_equal(plan.only_where(torch.ones(3, dtype=torch.bool)), plan)


def test_only_where_decides_for_whole_batches_of_a_stack():
    stack = MixPlan.stack([full_plan(seed=seed) for seed in range(2)])
    kept = stack.only_where(torch.tensor([[True], [False]]))
    assert_equal(MixPlan.stack([full_plan(seed=0), full_plan(seed=1).only_where(torch.tensor([False]))]), kept)


def test_samples_that_are_their_own_partner_are_named():
    assert MixPlan(torch.tensor([1, 0, 2]), torch.rand(3)).alone.tolist() == [False, False, True]
