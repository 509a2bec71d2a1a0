"""What a decision says beside itself, and where a policy keeps mixing because going off has done harm."""

import numpy as np
import pytest
import torch

from overmix.errors import ConfigError
from overmix.recipes import LISA, BiMixCo, CMixup, CutMix, Mixup, OneOf, SelectiveMixup
from overmix.switch import AutoSwitch, Epochs, History, Observation, Phases, Probe, make_schedule
from overmix.switch.cautions import cautions

MANY = [Probe(at, 2, tuple(np.linspace(0, 1, 60).tolist())) for at in (4, 8)]


def looks(scores):
    return [Observation(at, 1.0, 60, float(score)) for at, score in enumerate(scores)]


def test_nothing_is_said_where_all_is_well():
    flat = looks(np.full(64, 0.3))
    assert cautions(MANY, flat) == ()
    assert cautions([], looks(np.linspace(2, 0.1, 64))) == ()  # nothing was decided from probes


def test_few_samples_are_counted():
    (said,) = cautions([Probe(4, 2, (0.1,) * 49)], [])
    assert said.startswith("Only 49 held-out samples: ")
    assert cautions([Probe(4, 2, (0.1,) * 50)], []) == ()


def test_a_run_that_still_improves_fast_is_noticed_whatever_the_scale():
    falling = np.array([epoch**-0.5 for epoch in range(1, 65)])  # loses 29 % when the epochs double
    slow = np.array([epoch**-0.1 for epoch in range(1, 65)])  # loses 7 %
    for scale in (1, 1000):
        (said,) = cautions(MANY, looks(scale * falling))
        share = int(said.split("fell by ")[1].split(" %")[0])
        assert share == pytest.approx(29, abs=3)
        assert cautions(MANY, looks(scale * slow)) == ()


def test_tails_that_diverged_are_counted():
    lost = Probe(16, 2, (float("nan"),) * 60)
    assert cautions([*MANY, lost], []) == ("1 of 3 tails diverged: lower the learning rate.",)


@pytest.mark.parametrize(
    ("recipe", "task"),
    [
        (Mixup(), ""),
        (SelectiveMixup(label="different"), ""),
        (CMixup(), "regression"),
        (BiMixCo(), "contrastive learning"),
        (LISA(), "a shift between domains"),
        (SelectiveMixup(domain="different"), "a shift between domains"),
        (OneOf(CutMix(), LISA()), "a shift between domains"),
        (Phases([(0, Mixup()), (0.5, LISA())]), "a shift between domains"),
    ],
    ids=repr,
)
def test_a_recipe_says_where_switching_off_has_done_harm(recipe, task):
    assert recipe.off_doubt == task


def test_auto_switch_stays_there_and_says_so_unless_told():
    history = History(epochs=64, doubt="regression")
    decision = AutoSwitch().decide(history)
    assert (decision.switch_at, "in regression" in decision.reason) == (64, True)
    told = make_schedule({"auto": {"anywhere": True}})
    assert told.decide(history).switch_at is None
    assert repr(told) != repr(AutoSwitch())
    with pytest.raises(ConfigError, match=r"^anywhere = 1: use True or False"):
        AutoSwitch(anywhere=1)


def test_a_loop_trains_no_tail_there():
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = Epochs(50, mix=CMixup(), switch=AutoSwitch(), state={"model": model, "optimizer": optimizer})
    x, y = torch.rand(8, 3), torch.rand(8)
    for epoch in run:
        mixed, target = epoch.mix(x, y)
        optimizer.zero_grad()
        target.loss(torch.nn.MSELoss(reduction="none"), model(mixed)[:, 0]).backward()
        optimizer.step()
        epoch.observe(scores=(model(x)[:, 0].detach() - y) ** 2)
    assert (run.spent, run.decision.answer) == (50, "Mixup to the end")
    assert str(run.decision).startswith("Mix to the end: in regression switching off has done harm")
