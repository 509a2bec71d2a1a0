"""Scores of any task: one number per held-out sample, lower is better."""

import json

import pytest
import torch

import overmix
from overmix.errors import ConfigError, DataError
from overmix.switch import AutoSwitch, Epochs
from overmix.switch import tally as module
from overmix.switch.policies.baselines import Minimum, Patience
from overmix.switch.tally import Tally


class Regression:
    """One layer that fits a line; its score is the squared error of each held-out sample, and negative ones do."""

    def __init__(self, shift=0.0):
        torch.manual_seed(2)
        self.x, self.shift, self.nan_from, self.epoch = torch.randn(24, 3), shift, None, 0
        self.y = self.x.sum(1) + 0.3 * torch.randn(24)
        self.held_out = torch.randn(20, 3)
        self.model = torch.nn.Linear(3, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.05)

    @property
    def state(self):
        return {"model": self.model, "optimizer": self.optimizer}

    def body(self, epoch):
        for x, y in zip(self.x.split(8), self.y.split(8), strict=True):
            x, target = epoch.mix(x, y)
            self.optimizer.zero_grad()
            target.loss(torch.nn.MSELoss(reduction="none"), self.model(x)[:, 0]).backward()
            self.optimizer.step()
        with torch.no_grad():
            scores = (self.model(self.held_out)[:, 0] - self.held_out.sum(1)).square() + self.shift
        epoch.observe(scores=scores)
        epoch.observe(scores=scores[:4], split="train")

    def drive(self, switch, epochs=20):
        run = Epochs(epochs, mix=overmix.Mixup(alpha=1.0), switch=switch, state=self.state)
        for epoch in run:
            self.body(epoch)
        return run


AUTO = AutoSwitch(shares=(0.1, 0.2, 0.5), tail=0.1)


@pytest.mark.parametrize("policy", [AUTO, Minimum()], ids=lambda policy: type(policy).__name__)
def test_policies_decide_on_scores_of_any_task_whatever_their_zero(policy):
    one, other = Regression().drive(policy), Regression(shift=-50.0).drive(policy)
    assert one.decision.switch_at == other.decision.switch_at
    assert one.decision.switch_at is not None
    look = one.history[0]
    assert (look.kind, look.n, look.brier, look.error, look.margin) == ("scores", 20, None, None, None)
    assert [seen.score for seen in other.history] == pytest.approx([seen.score - 50 for seen in one.history], abs=1e-3)


def test_a_probe_holds_the_scores_as_they_were_given():
    training = Regression()
    run, told = Epochs(4, mix=overmix.Mixup(), switch=AutoSwitch(shares=(0.5,)), state=training.state), []
    for epoch in run:
        training.body(epoch)
        if epoch.kind == "probe" and epoch.scored:
            told += (training.model(training.held_out)[:, 0] - training.held_out.sum(1)).square().tolist()
    (probe,) = run.decision.probes
    assert (probe.kind, probe.scores) == ("scores", pytest.approx(told))
    assert "score 0." in run.decision.reason
    assert "(mean score; ± standard error" in str(run.decision)
    assert json.loads(json.dumps(run.decision.to_dict()))["score"] == "score"


@pytest.mark.parametrize("second", ["same epoch", "other split", "later", "in a probe", "after a resume"])
def test_one_run_has_one_kind_of_scores(second, loops):
    training = loops.Training()
    run = loops.start(training, loops.Scripted(probes=(1,), tail=1), steps_per_epoch=None)
    epoch = run.next_epoch()
    if second == "in a probe":
        training.body(epoch)
        epoch = run.next_epoch()
    else:
        epoch.observe(torch.zeros(4, 2), torch.zeros(4, dtype=torch.int64))
        if second == "later":
            epoch.mix(*training.data[:8])
            epoch = run.next_epoch()
        if second == "after a resume":
            epoch.mix(*training.data[:8])
            state = run.state_dict()
            run = loops.start(training, loops.Scripted(probes=(1,), tail=1), steps_per_epoch=None)
            run.load_state_dict(state)
            epoch = run.next_epoch()
    with pytest.raises(ConfigError, match=r"^observe = 'scores=...': one run has one kind of scores: give logits and"):
        epoch.observe(scores=torch.zeros(3), split="train" if second == "other split" else "val")


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (torch.zeros(4, 1), r"^observe: scores of shape \(4, 1\) .*: give one float per sample, shape \(N,\)"),
        (torch.zeros(0), r"^observe: scores of shape \(0,\)"),
        (torch.tensor(1.0), r"^observe: scores of shape \(\)"),
        (torch.zeros(4, dtype=torch.int64), r"dtype torch.int64"),
        ([0.5], r"^observe: scores are a list: give a tensor"),
    ],
)
def test_what_is_not_one_number_per_sample_is_refused(scores, message):
    with pytest.raises(DataError, match=message):
        Epochs(1, mix=overmix.Mixup()).next_epoch().observe(scores=scores)


def test_logits_or_scores_and_not_both():
    epoch = Epochs(1, mix=overmix.Mixup()).next_epoch()
    with pytest.raises(ConfigError, match=r"^observe = 'logits and scores': give logits and labels, or scores alone"):
        epoch.observe(torch.zeros(2, 2), torch.zeros(2, dtype=torch.int64), scores=torch.zeros(2))
    with pytest.raises(DataError, match=r"^observe: got NoneType and NoneType: give tensors"):
        epoch.observe()


def test_scores_of_classes_are_not_asked_of_a_run_that_has_none():
    with pytest.raises(ConfigError, match=r'^signal = \'brier\': the run observes scores, .*: use signal="score"'):
        Regression().drive(Patience("brier"))


def test_observing_scores_waits_for_nothing_and_keeps_no_graph(no_host_sync):
    epoch, scores = Epochs(1, mix=overmix.Mixup()).next_epoch(), torch.rand(5, requires_grad=True) * 2
    with no_host_sync:
        epoch.observe(scores=scores)
    assert not epoch.seen.tallies["val"].total[1].requires_grad


@pytest.mark.parametrize("batches", [[20], [1, 12, 7]])
def test_scores_in_batches_are_scores_at_once_and_survive_a_file(batches):
    scores, tally = torch.rand(20, dtype=torch.float64), Tally()
    for part in scores.split(batches):
        tally.add_scores(part, per_sample=True)
    for held in (tally, Tally.from_plain(json.loads(json.dumps(tally.plain())))):
        assert held.samples() == tuple(scores.tolist())
        assert held.observation(3, 0.5, "val").score == pytest.approx(float(scores.mean()), rel=1e-12)


def ranks(monkeypatch, *tallies):
    vectors = iter(
        [
            [t._vector() for t in tallies],
            [module._joined(t.labels) for t in tallies],
            [module._joined(t.values) for t in tallies],
        ]
    )
    monkeypatch.setattr(module, "world_size", lambda: len(tallies))
    monkeypatch.setattr(module, "gather", lambda local: next(vectors))
    return tallies[0].pooled()


def of_scores(values):
    tally = Tally()
    tally.add_scores(torch.tensor(values, dtype=torch.float64), per_sample=True)
    return tally


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (([1.0, 2.0], [3.0, 4.0]), (1.0, 2.0, 3.0, 4.0)),  # shared out
        (([1.0, 2.0, 6.0], [3.0]), (1.0, 2.0, 6.0, 3.0)),
        (([1.0, 2.0], [1.0, 2.0]), (1.0, 2.0)),  # all look at all
    ],
)
def test_ranks_join_their_scores_or_have_the_same(monkeypatch, parts, expected):
    pooled = ranks(monkeypatch, *map(of_scores, parts))
    assert pooled.samples() == expected
    assert pooled.observation(0, 1.0, "val").score == pytest.approx(sum(expected) / len(expected))
    assert ranks(monkeypatch, Tally(), of_scores(parts[0])).samples() == tuple(parts[0])


def test_ranks_that_observe_different_kinds_are_refused(monkeypatch):
    classes = Tally()
    classes.add(torch.zeros(2, 2), torch.tensor([0, 1]), per_sample=True)
    with pytest.raises(ConfigError, match=r"^observe = \['brier', 'scores'\]: observe one kind on all ranks"):
        ranks(monkeypatch, classes, of_scores([1.0]))


@pytest.mark.parametrize("kind", ["classes", "scores"])
def test_a_training_that_diverged_is_called_so(loops, kind):
    training = loops.Training(epochs=20)
    run = loops.start(training, AUTO, epochs=20, steps_per_epoch=None)
    for epoch in run:
        epoch.mix(*training.data[:8])
        if kind == "classes":
            epoch.observe(torch.full((9, 3), torch.nan), torch.arange(9) % 3)
        else:
            epoch.observe(scores=torch.full((9,), torch.inf))
    assert run.decision.switch_at == 20
    assert str(run.decision).startswith("Mix to the end: the training diverged: no probe has a finite score")
    assert "Every probe diverged." in str(run.decision)
    assert json.loads(json.dumps(run.decision.to_dict(), allow_nan=False))["safe_epochs"] == []
    assert [seen.mixing for seen in run.history] == [1.0] * 20


def test_a_tail_that_diverged_is_never_the_best():
    def drive(bad):
        training = Regression()
        run = Epochs(20, mix=overmix.Mixup(alpha=1.0), switch=AUTO, state=training.state)
        for epoch in run:
            training.body(epoch)
            if epoch.kind == "probe" and epoch.scored and len(run.decision.probes) == bad:
                epoch.observe(scores=torch.tensor([torch.nan]))
                epoch.seen.tallies["val"].values = [torch.full((20,), torch.nan)]
        return run.decision

    for bad in range(3):
        decision = drive(bad)
        assert decision.switch_at != (2, 4, 10)[bad]
        assert decision.switch_at in (2, 4, 10)
        assert [row.worse for row in decision.rows() if row.epoch == (2, 4, 10)[bad]] in ([True], [])
