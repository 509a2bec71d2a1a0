"""Gradients through activation checkpoints are those of the plain model, whatever is mixed inside of them."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from overmix.errors import ConfigError
from overmix.mix import HiddenSpace, MixPlan
from overmix.mix.capture import captured, replaced

# PyTorch's own word on a reentrant checkpoint that runs without gradients, as inside of another.
pytestmark = pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad=True")


class Block(nn.Module):
    def __init__(self, width, inner=None):
        super().__init__()
        self.first, self.second, self.inner = nn.Linear(width, width), nn.Linear(width, width), inner or nn.Identity()

    def forward(self, h):
        return h + self.second(torch.tanh(self.inner(self.first(h))))


class Model(nn.Module):
    """Two blocks, the second with a block inside; ``reentrant`` says how they are checkpointed, None: not at all."""

    def __init__(self, reentrant, nested=False):
        super().__init__()
        self.stem, self.one = nn.Linear(3, 4), Block(4)
        self.two, self.head = Block(4, Checkpointed(Block(4), reentrant if nested else None)), nn.Linear(4, 2)
        self.reentrant = reentrant

    def forward(self, x):
        # A block's own call, and a function around one.
        h = _run(self.one, self.stem(x), self.reentrant)
        return self.head(_run(lambda h: self.two(2 * h), h, self.reentrant))


class Checkpointed(nn.Module):
    def __init__(self, block, reentrant):
        super().__init__()
        self.block, self.reentrant = block, reentrant

    def forward(self, h):
        return _run(self.block, h, self.reentrant)


def _run(function, h, reentrant):
    return function(h) if reentrant is None else checkpoint(function, h, use_reentrant=reentrant)


def plan_at(layer, seed):
    g = torch.Generator().manual_seed(seed)
    return MixPlan(torch.randperm(5, generator=g), torch.rand(5, generator=g), choice=torch.full((5,), layer))


def hooks(model):
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


LAYERS = ("stem", "one", "one.first", "two.second", "two.inner.block.first", "two.inner.block")


def mixed_loss(model, space, plan, x):
    with space.inside(model, plan):
        return model(x).square().sum()


def gradients(loss_of, reentrant, nested):
    torch.manual_seed(0)
    model = Model(reentrant, nested)
    loss_of(model)
    assert hooks(model) == 0
    return [p.grad for p in model.parameters()]


def one_pass(layer):
    def train(model):
        mixed_loss(model, HiddenSpace(LAYERS), plan_at(layer, 1), torch.ones(5, 3).cumsum(0)).backward()

    return train


def passes_of_one_graph(model):
    """Two mixtures and the clean batch before one backward: each repetition has to find its own plan."""
    space, x = HiddenSpace(LAYERS), torch.ones(5, 3).cumsum(0)
    losses = [mixed_loss(model, space, plan_at(layer, layer), x) for layer in (1, 4)]
    (losses[0] + 2 * losses[1] + 3 * model(x).square().sum()).backward()


def a_skipped_batch_and_a_look_before_backward(model):
    space, x = HiddenSpace(LAYERS), torch.ones(5, 3).cumsum(0)
    skipped = mixed_loss(model, space, plan_at(1, 7), x)
    loss = mixed_loss(model, space, plan_at(2, 8), x)
    with torch.no_grad():
        plain = model(x)
    with space.inside(model, plan_at(3, 9)):
        model(x)
        loss.backward()  # inside of another mixing context
    del skipped, loss
    assert torch.equal(model(x), plain)


@pytest.mark.parametrize(("reentrant", "nested"), [(True, False), (False, False), (True, True), (False, True)])
@pytest.mark.parametrize(
    "loss_of", [one_pass(1), one_pass(3), one_pass(5), passes_of_one_graph, a_skipped_batch_and_a_look_before_backward]
)
def test_gradients_are_those_without_checkpoints(loss_of, reentrant, nested):
    for found, expected in zip(gradients(loss_of, reentrant, nested), gradients(loss_of, None, False), strict=True):
        assert expected.abs().sum() > 0
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("reentrant", [True, False])
def test_samples_added_in_a_checkpointed_block_are_added_again(reentrant):
    def loss_of(model):
        with replaced(model, "one.first", lambda h: torch.cat([h, 2 * h])):
            _run(model.one, model.stem(torch.ones(5, 3)), model.reentrant).square().sum().backward()

    # The skip connection sees the larger batch too.
    Block.forward, forward = lambda self, h: self.second(torch.tanh(self.first(h))), Block.forward
    try:
        with_checkpoints, without = (
            [g for g in gradients(loss_of, how, False) if g is not None] for how in (reentrant, None)
        )
    finally:
        Block.forward = forward
    assert len(without) == 6
    torch.testing.assert_close(with_checkpoints, without)


def test_a_representation_without_a_gradient_is_refused():
    model, x = Model(reentrant=True), torch.ones(5, 3)
    with pytest.raises(ConfigError, match=r"^layer = 'one': checkpoint its block with use_reentrant=False"):
        with captured(model, "one"):
            model(x)
    with torch.no_grad(), captured(model, "one") as seen:
        model(x)
    assert len(seen) == 1
    model.reentrant = False
    with captured(model, "one") as seen:
        loss = model(x).sum()
    (loss + F.mse_loss(seen[0], torch.zeros(5, 4))).backward()
    assert len(seen) == 1
    assert model.one.first.weight.grad.abs().sum() > 0
