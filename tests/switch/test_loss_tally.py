"""The training loss of one epoch and its floor."""

import math

import pytest
import torch

import overmix
from overmix.errors import DataError
from overmix.mix import MixedTarget, precision
from overmix.switch import Decision, Epochs, Fit
from overmix.switch import loss_tally as module
from overmix.switch.loss_tally import LossTally

HALF = MixedTarget(torch.tensor([0, 1]), torch.tensor([1, 1]), torch.tensor([0.5, 0.3]))
"""One label of entropy log 2, and one whose two sides are one class."""


def test_losses_are_weighted_by_the_size_of_their_batches():
    tally = LossTally()
    tally.add(torch.tensor(1.0), HALF)
    tally.add(torch.tensor([2.5]), MixedTarget(torch.tensor([0]), torch.tensor([2]), torch.tensor([1.0])))
    fit = tally.fit(3, 0.5)
    assert fit == Fit(3, 0.5, 3, pytest.approx(1.5), pytest.approx(math.log(2) / 3))
    assert fit.above_floor == pytest.approx(1.5 - math.log(2) / 3)
    assert LossTally.from_plain(tally.plain()).fit(3, 0.5) == fit
    assert LossTally.from_plain(LossTally().plain()).fit(0, 0.0) is None


def test_ranks_are_added_up(monkeypatch):
    parts = [LossTally(), LossTally(), LossTally()]
    parts[0].add(torch.tensor(1.0), HALF)
    parts[1].add(torch.tensor(3.0), HALF)
    monkeypatch.setattr(module, "world_size", lambda: 3)
    monkeypatch.setattr(module, "gather", lambda own: [part._vector() for part in parts])
    assert parts[2].pooled().fit(0, 1.0) == Fit(0, 1.0, 4, 2.0, pytest.approx(math.log(2) / 2))


def test_sums_are_float64_or_what_their_device_has(monkeypatch):
    monkeypatch.setitem(precision._WIDEST, "meta", torch.float32)
    here, there = LossTally(), LossTally()
    for _ in range(2):
        here.add(torch.tensor(1.0), HALF)
        there.add(torch.tensor(1.0, device="meta"), HALF.to("meta"))
    assert [(tally.loss.dtype, tally.floor.dtype) for tally in (here, there)] == [
        (torch.float64,) * 2,
        (torch.float32,) * 2,
    ]


def test_nothing_of_the_graph_is_kept():
    loss = torch.ones((), requires_grad=True) * 2
    tally = LossTally()
    tally.add(loss, HALF)
    assert not tally.loss.requires_grad


def test_a_loss_per_sample_is_refused():
    with pytest.raises(DataError, match=r"^observe_loss: the loss has shape \(2,\): give the mean over the batch$"):
        LossTally().add(torch.zeros(2), HALF)


class WhenFitted:
    """Switches when the loss has come near its floor, and keeps nothing."""

    def __init__(self, level):
        self.level = level

    def __repr__(self):
        return f"WhenFitted({self.level})"

    def probe_epochs(self, epochs):
        return ()

    def tail_epochs(self, epochs):
        return 1

    def decide(self, history):
        near = history.fits and history.fits[-1].above_floor < self.level
        return Decision(history.done, "near its floor") if near else Decision(None, "far above")


def told(run, losses):
    """A loop whose losses are given; returns the share mixed of each epoch."""
    for epoch in run:
        x, y = torch.rand(8, 4), torch.arange(8) % 3
        x, target = epoch.mix(x, y)
        epoch.observe_loss(target.entropy().mean() + losses[epoch.index], target)
        yield epoch


def test_a_policy_may_look_at_the_distance_to_the_floor():
    run = Epochs(5, mix=overmix.Mixup(alpha=1.0), switch=WhenFitted(0.5))
    assert [epoch.kind for epoch in told(run, [0.9, 0.7, 0.4, 0.3, 0.2])] == ["train"] * 3 + ["final"] * 2
    assert run.decision.switch_at == 3
    assert [fit.above_floor for fit in run.fits] == pytest.approx([0.9, 0.7, 0.4, 0.3, 0.2], abs=1e-6)
    assert [fit.floor > 0.1 for fit in run.fits] == [True] * 3 + [False] * 2


@pytest.mark.parametrize("switch", [WhenFitted(0.5), overmix.off_at(3)], ids=["policy", "schedule"])
def test_what_was_told_survives_a_resume(switch):
    losses = [0.9, 0.7, 0.4, 0.3, 0.2]
    whole = Epochs(5, mix=overmix.Mixup(alpha=1.0), switch=switch)
    assert len(list(told(whole, losses))) == 5
    first = Epochs(5, mix=overmix.Mixup(alpha=1.0), switch=switch)
    for epoch in told(first, losses):
        if epoch.index == 2:
            state = first.state_dict()
            break
    second = Epochs(5, mix=overmix.Mixup(alpha=1.0), switch=switch)
    second.load_state_dict(state)
    assert len(list(told(second, losses))) == 2
    assert second.decision.switch_at == whole.decision.switch_at == 3
    assert [fit.epoch for fit in second.fits] == [0, 1, 2, 3, 4]
    assert [fit.above_floor for fit in second.fits] == pytest.approx(losses, abs=1e-6)
