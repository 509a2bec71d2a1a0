import pytest
import torch
from torch import nn

from overmix.errors import DataError
from overmix.mix import HiddenSpace, InputSpace, MixPlan, OneOfSpace, PatchSpace

SPACES = (InputSpace(), PatchSpace(), HiddenSpace(("input", "0")))


def part_plans(batch_size=4, seed=0):
    g = torch.Generator().manual_seed(seed)
    partner, lam = torch.randperm(batch_size, generator=g), torch.rand(batch_size, generator=g)
    box = torch.tensor([[1, 0, 3, 4]]).expand(batch_size, 4)
    last = torch.ones(batch_size, dtype=torch.int64)
    return (
        MixPlan(partner, lam),
        MixPlan(partner, torch.full_like(lam, 0.5), box, (4, 4)),
        MixPlan(partner, lam, choice=last),
    )


def chosen_plan(k, parts):
    choice = torch.full((parts[0].batch_size,), k)
    return MixPlan(
        parts[k].partner,
        parts[k].lam,
        choice=choice,
        parts=tuple(p.only_where(choice == i) for i, p in enumerate(parts)),
    )


@pytest.mark.parametrize("k", [0, 1, 2])
def test_the_chosen_space_mixes_and_the_others_change_nothing(k):
    x, parts = torch.randn(4, 3, 4, 4), part_plans()
    space, plan = OneOfSpace(SPACES), chosen_plan(k, parts)
    expected = SPACES[k].apply(parts[k], x)
    assert torch.equal(space.apply(plan, x), expected)
    before = x.clone()
    assert torch.equal(space.combine(plan, x, x[plan.partner]), expected)
    assert torch.equal(x, before)


def test_hidden_states_are_mixed_only_if_the_hidden_space_is_chosen():
    model, x, parts = nn.Sequential(nn.Flatten(), nn.Linear(48, 2)), torch.randn(4, 3, 4, 4), part_plans()
    space = OneOfSpace((InputSpace(), HiddenSpace(("input", "1"))))
    for k in (0, 1):
        plan = chosen_plan(k, (parts[0], parts[2]))
        with space.inside(model, plan):
            found = model(space.apply(plan, x))
        mixed_input = InputSpace().apply(parts[0], x)
        expected = model(mixed_input) if k == 0 else InputSpace().apply(parts[0], model(x).detach())
        torch.testing.assert_close(found, expected)
    assert space.needs == {"hidden"}


@pytest.mark.parametrize("k", [0, 1, 2])
@pytest.mark.parametrize(
    "y", [torch.arange(4), torch.eye(4), torch.arange(64).view(4, 4, 4)], ids=["classes", "rows", "map"]
)
def test_labels_are_those_of_the_chosen_space(k, y):
    parts = part_plans()
    found = OneOfSpace(SPACES).labels(chosen_plan(k, parts), y)
    for side, expected in zip(found, SPACES[k].labels(parts[k], y), strict=True):
        assert torch.equal(side, expected)


def test_a_plan_of_another_recipe_is_refused():
    with pytest.raises(DataError, match="it has 0 parts for 3 methods"):
        OneOfSpace(SPACES).apply(MixPlan.identity(4), torch.zeros(4, 3, 4, 4))
