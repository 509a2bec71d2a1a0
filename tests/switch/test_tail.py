"""What remembers earlier batches begins anew in a probe's tail: running statistics, averaged weights."""

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from overmix.switch.fresh_statistics import FreshStatistics
from overmix.switch.probing import Tail
from overmix.switch.registered import Registered
from overmix.switch.snapshot import restore, take

STEPS = 6


class Training:
    def __init__(self, norm, stale=0.0, lr=0.1):
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(4, 3), norm, nn.Linear(3, 2))
        self.norm = norm
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=lr)
        self.registered = Registered({"model": self.model, "optimizer": self.optimizer})
        self.batches = [torch.randn(16, 4) for _ in range(STEPS)]
        norm.running_mean.fill_(stale)
        norm.num_batches_tracked.fill_(50)
        self.seen = []
        norm.register_forward_pre_hook(lambda module, inputs: self.seen.append(inputs[0].detach().double()))

    def tail(self, forwards=1, upto=STEPS):
        """Train a tail as the loop does: what the tail sets up is called before each step."""
        snapshot = take(self.registered)
        tail = Tail(self.registered, snapshot, STEPS)
        tail.begin()
        self.model.train()
        for step, x in enumerate(self.batches[:upto]):
            for part in x.chunk(forwards):
                self.model(part).square().mean().backward()
            tail.step(step)
            self.optimizer.step()
        return snapshot, tail


def weighted(batches, momentum):
    """The exponential average of what the batches are, its weights adding up to 1, in double precision."""
    weights = torch.tensor([(1 - momentum) ** k for k in range(len(batches))][::-1], dtype=torch.float64)
    weights /= weights.sum()
    mean = sum(w * batch.mean(0) for w, batch in zip(weights, batches, strict=True))
    return mean, sum(w * batch.var(0) for w, batch in zip(weights, batches, strict=True))


@pytest.mark.parametrize("momentum", [0.1, 0.01, 0.7, 1.0])
@pytest.mark.parametrize("forwards", [1, 2])
def test_running_statistics_are_the_average_of_the_tail_alone(momentum, forwards):
    training = Training(nn.BatchNorm1d(3, momentum=momentum), stale=30.0)
    training.tail(forwards)
    mean, variance = weighted(training.seen, momentum)
    tolerance = 30 * 2e-7 / momentum  # a float's rounding of what was there, over the weight of a batch
    torch.testing.assert_close(training.norm.running_mean.double(), mean, rtol=1e-5, atol=tolerance)
    torch.testing.assert_close(training.norm.running_var.double(), variance, rtol=1e-5, atol=tolerance)
    assert training.norm.momentum == momentum


def test_the_first_batch_replaces_what_was_there():
    training = Training(nn.BatchNorm1d(3), stale=30.0)
    training.tail(upto=1)
    torch.testing.assert_close(training.norm.running_mean.double(), training.seen[0].mean(0), rtol=1e-4, atol=1e-4)


def test_a_layer_that_averages_all_it_counts_counts_anew():
    training = Training(nn.BatchNorm1d(3, momentum=None), stale=30.0)
    snapshot, _ = training.tail()
    mean = torch.stack([batch.mean(0) for batch in training.seen]).mean(0)
    torch.testing.assert_close(training.norm.running_mean.double(), mean, rtol=1e-5, atol=1e-6)
    restore(training.registered, snapshot)
    assert int(training.norm.num_batches_tracked) == 50


def test_a_layer_that_evaluates_keeps_its_statistics():
    training = Training(nn.BatchNorm1d(3).double(), stale=0.1)
    training.model.double()
    training.batches = [x.double() for x in training.batches]
    training.model.train = lambda: training.norm.eval()
    training.tail()
    assert training.norm.running_mean.tolist() == [0.1] * 3


def test_a_tail_that_goes_on_after_a_resume_has_the_same_statistics():
    whole, parts = (Training(nn.BatchNorm1d(3), stale=2.0) for _ in range(2))
    whole.tail()
    snapshot, _ = parts.tail(upto=2)
    saved = dict(snapshot)
    tail = Tail(parts.registered, saved, STEPS)  # as another process would, from the saved snapshot
    tail.begin()
    for step, x in enumerate(parts.batches[2:], start=2):
        parts.model(x).square().mean().backward()
        tail.step(step)
        parts.optimizer.step()
    assert torch.equal(whole.norm.running_mean, parts.norm.running_mean)
    assert torch.equal(whole.norm.running_var, parts.norm.running_var)
    tail.end()
    assert "statistics" not in saved


def test_statistics_wait_for_no_device(no_host_sync):
    training = Training(nn.BatchNorm1d(3))
    fresh = FreshStatistics(training.registered, take(training.registered))
    training.model(training.batches[0])
    with no_host_sync:
        fresh.correct(0)


def test_an_averaged_model_holds_the_weights_of_the_tail():
    training = Training(nn.BatchNorm1d(3), lr=0.5)
    average = AveragedModel(training.model, multi_avg_fn=get_ema_multi_avg_fn(0.9999))
    training.registered = Registered({**training.registered.objects, "average": average})
    average.update_parameters(training.model)
    before = [p.detach().clone() for p in average.parameters()]
    hook = training.optimizer.register_step_post_hook(lambda *_: average.update_parameters(training.model))
    snapshot, _ = training.tail()
    hook.remove()
    assert all(torch.equal(a, b) for a, b in zip(average.module.parameters(), training.model.parameters(), strict=True))
    assert torch.equal(average.module[1].running_mean, training.norm.running_mean)
    restore(training.registered, snapshot)
    assert all(torch.equal(a, b) for a, b in zip(average.parameters(), before, strict=True))
    assert int(average.n_averaged) == 1


def test_groups_that_come_inside_of_a_tail_are_annealed_from_their_own_rate():
    training = Training(nn.BatchNorm1d(3))
    snapshot = take(training.registered)
    tail = Tail(training.registered, snapshot, STEPS)
    tail.begin()
    tail.step(0)
    training.optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(1))], "lr": 0.4})
    tail.step(3)
    assert [group["lr"] for group in training.optimizer.param_groups] == [pytest.approx(0.05), pytest.approx(0.2)]
    tail.step(99)
    assert training.optimizer.param_groups[0]["lr"] == pytest.approx(0.1 / STEPS)
    training.optimizer.param_groups.pop()
    restore(training.registered, snapshot)
    assert training.optimizer.param_groups[0]["lr"] == 0.1
