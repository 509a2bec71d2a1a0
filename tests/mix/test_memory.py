"""How much memory a mix takes: its result, and what it needs on the way to it."""

import gc

import pytest
import torch
from torch import nn

from overmix.mix import HiddenSpace, InputSpace, MixPlan, OneOfSpace, PatchSpace, Streams

SHAPES = {"images": (3, 32, 32), "one channel": (32, 32)}
SPACES = {
    "InputSpace": InputSpace(),
    "HiddenSpace, input": HiddenSpace(("input",)),
    "PatchSpace, one box": PatchSpace("batch"),
    "PatchSpace, a box each": PatchSpace("sample"),
    "OneOfSpace": OneOfSpace((InputSpace(), PatchSpace("sample"), PatchSpace("batch"))),
}


def plan_of(space, shape, lam, batch_size=16):
    partner, own = torch.arange(batch_size).roll(1), torch.full((batch_size,), lam)
    if not isinstance(space, OneOfSpace):
        drawn = space.draw(Streams().generator("space"), batch_size)
        return space.plan(drawn, partner, own, shape)
    parts = [plan_of(each, shape, lam) for each in space.spaces]
    choice = torch.ones(batch_size, dtype=torch.int64)
    parts = tuple(part.only_where(choice == k) for k, part in enumerate(parts))
    return MixPlan(partner, own, choice=choice, parts=parts)


@pytest.fixture
def batches_for(peak_memory):
    """Return how many batches' memory a call takes at most."""

    def measured(function, x):
        gc.collect()
        with peak_memory, torch.no_grad():
            function()
        return peak_memory.peak / x.nbytes

    return measured


@pytest.mark.parametrize("lam", [0.2, 0.9], ids=["large box", "small box"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_a_mix_of_inputs_takes_its_result_and_no_second_batch(space, shape, lam, batches_for):
    x, plan = torch.randn(16, *shape), plan_of(space, shape, lam)
    box = 0.4 if isinstance(space, PatchSpace) and space.per == "batch" else 0.0  # gathered, if it is a smaller part
    assert 1 <= batches_for(lambda: space.apply(plan, x), x) <= 1.15 + box


def test_a_mix_of_signals_of_one_channel_takes_a_mask_as_large_as_they_are(batches_for):
    x, space = torch.randn(16, 256), PatchSpace("sample", axes=1)
    assert 2 <= batches_for(lambda: space.apply(plan_of(space, (256,), 0.3), x), x) <= 2.5


def test_a_mix_of_hidden_states_takes_its_result_and_the_partners(batches_for):
    # Not in place, as torch.func.vmap has no rule for that.
    model, space, x = nn.Sequential(nn.Identity(), nn.Identity()), HiddenSpace(("0",)), torch.randn(16, 256)
    plan = plan_of(space, (256,), 0.3)

    def forward():
        with space.inside(model, plan):
            model(x)

    assert 2 <= batches_for(forward, x) <= 2.1
