"""A run that is saved and resumed inside of an epoch is, to the bit, the run that was never stopped."""

import math
from dataclasses import dataclass

import pytest
import torch

import overmix
from overmix.errors import DataError
from overmix.switch import Decision, Epochs, Policy
from overmix.switch.loss_tally import LossTally
from overmix.switch.policies.baselines import CleanMargin, NearFloor
from overmix.switch.tally import Tally

EPOCHS, BATCHES = 4, 4
Y = torch.arange(6) % 3


@dataclass(frozen=True)
class LowScore(Policy):
    """Switches once the mean of the user's own training scores is low."""

    level: float = 1.4

    def decide(self, history):
        low = [seen.score < self.level for seen in history.observations if seen.split == "train"]
        return Decision(history.done, "low") if low and low[-1] else Decision(None, "high")


def tell(epoch, step, told):
    """Tell of a batch what falls with the epochs, and lies higher in the first half of an epoch than in the second."""
    generator = torch.Generator().manual_seed(BATCHES * epoch.index + step)
    _, target = epoch.mix(torch.rand(6, 2, generator=generator), Y)
    if told == "losses":
        epoch.observe_loss(torch.tensor(3.0 if step < 2 else 0.5) * 0.9**epoch.index, target)
        return
    noise = torch.rand(6, 3, generator=generator)
    if told == "scores":
        epoch.observe(scores=noise[:, 0] + 3 * 0.7**epoch.index / (1 + step), split="train")
    else:
        epoch.observe(noise + (epoch.index + step / 4) * torch.eye(3)[Y], Y, split="train")


def look(epoch, told):
    noise = torch.rand(6, 3, generator=torch.Generator().manual_seed(epoch.index))
    if told == "scores":
        epoch.observe(scores=noise[:, 0])
    else:
        epoch.observe(noise, Y)


def drive(run, told, save_at=None, trained=False):
    """Train to the end, or until the state is saved after a batch; return the state."""
    for epoch in run:
        for step in range(epoch.step, BATCHES):
            tell(epoch, step, told)
            if (epoch.index, step) == save_at:
                if step % 2:
                    look(epoch, told)  # what is looked at again must not count twice
                return epoch.state_dict(trained=trained)
        look(epoch, told)
    return None


def outcome(run):
    return run.decision, run.history, run.fits, run.spent


CASES = {"losses": NearFloor(0.75), "predictions": CleanMargin(0.6), "scores": LowScore()}


def run_of(told):
    return Epochs(EPOCHS, mix=overmix.Mixup(), switch=CASES[told])


@pytest.mark.parametrize("told", CASES)
def test_at_every_batch(told, tmp_path):
    unbroken = run_of(told)
    drive(unbroken, told)
    assert unbroken.decision.switch_at in (2, 3)
    for epoch in range(EPOCHS):
        for step in range(BATCHES):
            for trained in {False, step == BATCHES - 1}:
                state = drive(run_of(told), told, (epoch, step), trained)
                torch.save(state, tmp_path / "state.pt")
                resumed = run_of(told)
                resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
                again = run_of(told)
                again.load_state_dict(resumed.state_dict())  # saved once more before it has gone on
                for run in (resumed, again):
                    drive(run, told)
                    assert outcome(run) == outcome(unbroken)


def test_a_run_that_never_switches_does_not_switch_because_it_was_resumed():
    def finish(run, save_at=None):
        for epoch in run:
            for step in range(epoch.step, 4):
                epoch.mix(torch.rand(6, 2), Y)
                epoch.observe_loss(
                    torch.tensor([3.0, 3.0, 0.5, 0.5][step]), overmix.mix.MixedTarget(Y, Y, torch.ones(6))
                )
                if (epoch.index, step) == save_at:
                    return epoch.state_dict()
        return None

    runs = [Epochs(4, mix=overmix.Mixup(), switch=NearFloor(0.3)) for _ in range(3)]
    finish(runs[0])
    runs[2].load_state_dict(finish(runs[1], save_at=(1, 1)))
    finish(runs[2])
    assert runs[0].decision.switch_at is runs[2].decision.switch_at is None
    assert [fit.loss for fit in runs[2].fits] == [1.75] * 4


def test_what_was_saved_goes_on_where_the_next_batches_lie(monkeypatch):
    losses, looks = LossTally(2, *torch.ones(2, dtype=torch.float64)), Tally()
    looks.add(torch.rand(6, 3), Y, per_sample=False)
    there = overmix.mix.MixedTarget(Y[:2], Y[2:4], torch.ones(2)).to("meta")
    losses.add(torch.ones((), device="meta"), there)
    looks.add(torch.rand(6, 3, device="meta"), Y.to("meta"), per_sample=False)
    parts = (losses.loss, losses.floor, looks.margin, *looks.sums[1:])
    assert {part.device.type for part in parts} == {"meta"}


@pytest.mark.parametrize("loss", [1.5, math.nan, None])
def test_a_loss_that_is_no_tensor_is_refused(loss):
    with pytest.raises(DataError, match=r"^observe_loss: the loss is a (float|NoneType): give the tensor"):
        LossTally().add(loss, overmix.mix.MixedTarget(Y, Y, torch.ones(6)))
