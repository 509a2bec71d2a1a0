import jaxtyping
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


@pytest.fixture
def unchecked_shapes():
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.usefixtures("unchecked_shapes")
def test_a_plan_needs_one_lam_per_partner():
    with pytest.raises(DataError, match=r"partner has shape \(3,\) but lam has \(2,\)"):
        MixPlan(torch.arange(3), torch.ones(2))


@pytest.mark.parametrize("box", [None, torch.zeros(2, 4, dtype=torch.int64)])
def test_a_plan_moves_as_a_whole(box):
    plan = MixPlan(torch.arange(2), torch.ones(2), box).to("meta")
    assert {plan.partner.device.type, plan.lam.device.type} == {"meta"}
    assert plan.box is None if box is None else plan.box.device.type == "meta"
