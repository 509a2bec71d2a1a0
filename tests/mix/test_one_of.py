import pytest
import torch
from torch import nn

from overmix.errors import DataError
from overmix.mix import HiddenSpace, InputSpace, MixPlan, OneOfSpace, PatchSpace, one_of

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


@pytest.mark.parametrize("seen", [True, False], ids=["choice seen", "choice on a device"])
@pytest.mark.parametrize("k", [0, 1, 2])
def test_the_chosen_space_mixes_and_the_others_change_nothing(k, seen, monkeypatch):
    if not seen:
        monkeypatch.setattr(one_of, "seen", lambda choice: None)
    x, parts = torch.randn(4, 3, 4, 4), part_plans()
    space, plan = OneOfSpace(SPACES), chosen_plan(k, parts)
    expected = SPACES[k].apply(parts[k], x)
    assert torch.equal(space.apply(plan, x), expected)
    before = x.clone()
    assert torch.equal(space.combine(plan, x, x[plan.partner]), expected)
    assert torch.equal(x, before)


class Counted(InputSpace):
    """Counts the samples that it mixes."""

    def combine(self, plan, x, partners):
        samples.append(len(x))
        return super().combine(plan, x, partners)


samples = []


def test_only_the_chosen_space_makes_a_copy_of_the_batch():
    samples.clear()
    x, parts = torch.randn(4, 3, 4, 4), part_plans()
    mixed = OneOfSpace((Counted(), PatchSpace())).apply(chosen_plan(1, parts[:2]), x)
    assert not samples
    assert torch.equal(mixed, PatchSpace().apply(parts[1], x))
    stacked = MixPlan.stack([chosen_plan(k, parts[:2]) for k in (0, 1)])
    both = OneOfSpace((Counted(), PatchSpace())).apply(stacked, torch.stack([x, x]))
    assert torch.equal(both[1], mixed)
    assert samples == [2]


def test_values_that_are_not_finite_stay_with_their_own_sample():
    x, parts = torch.full((4, 3, 4, 4), torch.inf), part_plans()
    assert torch.equal(OneOfSpace(SPACES).apply(chosen_plan(1, parts), x), x)


@pytest.mark.parametrize("k", [0, 1])
def test_what_any_space_cannot_mix_is_refused_whichever_was_chosen(k):
    plan, space = chosen_plan(k, part_plans()[:2]), OneOfSpace((InputSpace(), PatchSpace()))
    with pytest.raises(DataError, match=r"has dtype torch\.int64, which is not mixed"):
        space.apply(plan, torch.ones(4, 3, 4, 4, dtype=torch.int64))
    with pytest.raises(DataError, match="the plan's box lies in axes of sizes"):
        space.apply(plan, [torch.ones(4, 3, 4, 4), torch.ones(4, 3, 5, 4)])


class Brightest(InputSpace):
    """Looks at all samples of a batch."""

    def combine(self, plan, x, partners):
        return super().combine(plan, x / x.amax(0), partners)


def test_a_space_that_was_not_chosen_is_not_tried_on_an_empty_batch():
    x, parts = torch.rand(4, 3), part_plans()
    space, plan = OneOfSpace((Brightest(), InputSpace())), chosen_plan(1, (parts[0], parts[0]))
    assert torch.equal(space.apply(plan, {"a": x})["a"], InputSpace().apply(parts[0], x))


class UnitSpace(InputSpace):
    """Scales samples, mixed or not."""

    @property
    def is_linear(self):
        return False

    def combine(self, plan, x, partners):
        return super().combine(plan, x, partners) / 2


def test_a_space_that_changes_samples_it_does_not_mix_changes_them():
    x, parts = torch.randn(4, 3, 4, 4), part_plans()
    space, plan = OneOfSpace((InputSpace(), UnitSpace())), chosen_plan(0, (parts[0], parts[0]))
    assert torch.equal(space.apply(plan, x), InputSpace().apply(parts[0], x) / 2)


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
