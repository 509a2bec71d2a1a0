import numpy as np
import pytest
import torch
from scipy import stats

from overmix.errors import ConfigError, DataError
from overmix.mix import BetaCoefficient, CoinCoefficient, SelectivePairing, Streams
from overmix.recipes import SelectiveMixup

Y = torch.tensor([0] * 9 + [1])
X = torch.arange(10.0)[:, None]


def plans(recipe, count=200, **side):
    for step in range(count):
        yield recipe.plan(recipe.draw(Streams(1), 10, step=step), Y, **side)


def test_it_is_selective_pairs_and_a_beta_lam_or_a_coin():
    assert SelectiveMixup().pairing == SelectivePairing("different", "any")
    assert SelectiveMixup(0.5, "same", "different").pairing == SelectivePairing("same", "different")
    assert SelectiveMixup(0.5, per="sample").coefficient == BetaCoefficient(0.5, "sample")
    assert SelectiveMixup(mix=False).coefficient == CoinCoefficient()
    assert SelectiveMixup(domain="same").needs == {"domain"}
    assert SelectiveMixup().needs == frozenset()


def test_pairs_of_different_classes_resample_the_classes_to_equal_shares():
    # Classes 9 to 1: every sample of the large class meets the small one and the other way round.
    recipe = SelectiveMixup()
    mass = torch.zeros(2)
    for plan in plans(recipe):
        assert (Y[plan.partner] != Y).all()
        mass += recipe.target(plan, Y).soft(2).sum(0)
    # lam is uniform, one per batch: its mean over 200 batches has the standard error 0.02.
    assert mass[1] / mass.sum() == pytest.approx(0.5, abs=0.08)


def test_the_control_resamples_alike_and_mixes_nothing():
    control, mixing = SelectiveMixup(mix=False), SelectiveMixup()
    minority = 0
    for plan, mixed_plan in zip(plans(control), plans(mixing), strict=True):
        assert torch.equal(plan.partner, mixed_plan.partner)
        whole = control.apply(plan, X)
        assert torch.equal(whole, torch.where(plan.lam[:, None] == 1, X, X[plan.partner]))
        rows = control.target(plan, Y).soft(2)
        assert ((rows == 0) | (rows == 1)).all()
        minority += int(rows[:, 1].sum())
    assert stats.binomtest(minority, 2000, 0.5).pvalue > 1e-3


def test_a_class_alone_in_the_batch_stays_itself_and_the_plan_says_so():
    y = torch.zeros(4, dtype=torch.int64)
    recipe = SelectiveMixup()
    plan = recipe.plan(recipe.draw(Streams(), 4), y)
    assert plan.alone.all()
    assert torch.equal(recipe.apply(plan, X[:4]), X[:4])
    assert torch.equal(recipe.target(plan, y).soft(2), torch.eye(2)[y])


def test_pairs_of_one_class_keep_labels_whole():
    domain = torch.tensor([0, 1] * 5)
    recipe = SelectiveMixup(label="same", domain="different")
    for plan in plans(recipe, 10, domain=domain):
        rows = recipe.target(plan, Y).soft(2)
        torch.testing.assert_close(rows, torch.eye(2)[Y])
        assert ((domain[plan.partner] != domain) | plan.alone).all()


def test_alpha_zero_neither_mixes_nor_resamples():
    _, target = SelectiveMixup(alpha=0)(X, Y)
    assert np.array_equal(target.soft(2), np.eye(2, dtype=np.float32)[Y])


def test_bad_parameters_are_refused():
    with pytest.raises(ConfigError, match=r"^label = 'other'"):
        SelectiveMixup(label="other")
    with pytest.raises(ConfigError, match=r"^mix = 'no'"):
        SelectiveMixup(mix="no")
    with pytest.raises(DataError, match=r"^SelectiveMixup needs domain"):
        SelectiveMixup(domain="same")(X, Y)
