import pytest
import torch
from scipy import stats

from overmix.errors import ConfigError, DataError
from overmix.mix import BetaCoefficient, StreamCursor, Streams
from overmix.recipes import LISA

Y = torch.tensor([0, 0, 0, 1, 1, 1, 0, 1])
DOMAIN = torch.tensor([0, 1, 0, 1, 0, 1, 1, 0])
X = torch.arange(8.0)[:, None]


def plans(recipe, count):
    cursor = StreamCursor(Streams(1))
    for step in range(count):
        yield recipe.plan(recipe.draw(cursor, 8, step=step), Y, domain=DOMAIN)


def test_within_a_class_labels_stay_whole_and_domains_are_mixed():
    recipe = LISA(within_class=1.0)
    for plan in plans(recipe, 20):
        assert (Y[plan.partner] == Y).all()
        assert (DOMAIN[plan.partner] != DOMAIN).all()
        torch.testing.assert_close(recipe.target(plan, Y).soft(2), torch.eye(2)[Y])


def test_within_a_domain_classes_are_mixed():
    for plan in plans(LISA(within_class=0.0), 20):
        assert (DOMAIN[plan.partner] == DOMAIN).all()
        assert (Y[plan.partner] != Y).all()


@pytest.mark.parametrize("probability", [0.2, 0.5])
def test_each_batch_has_one_kind_of_pairs_with_its_probability(probability):
    within = 0
    for plan in plans(LISA(within_class=probability), 600):
        same = Y[plan.partner] == Y
        assert same.all() or not same.any()
        within += bool(same.all())
    assert stats.binomtest(within, 600, probability).pvalue > 1e-3


def test_partners_are_uniform_among_the_eligible_whatever_the_kind():
    found = [int(plan.partner[0]) for plan in plans(LISA(within_class=1.0), 600)]
    counts = [found.count(j) for j in (1, 6)]  # class 0 and domain 1
    assert sum(counts) == 600
    assert stats.chisquare(counts).pvalue > 1e-3


def test_lam_comes_from_the_recipes_own_alpha_for_each_sample():
    # A reference script draws CutMix's lam from the alpha of another method.
    assert LISA().coefficient == BetaCoefficient(2.0, "sample")
    assert LISA(alpha=0.7, per="batch").coefficient == BetaCoefficient(0.7, "batch")


def test_the_control_keeps_the_partners_and_mixes_nothing():
    mixed, resampled = (next(plans(LISA(mix=mix), 1)) for mix in (True, False))
    assert torch.equal(mixed.partner, resampled.partner)
    assert ((resampled.lam == 0) | (resampled.lam == 1)).all()


def test_who_has_no_eligible_partner_stays_itself():
    recipe = LISA(within_class=1.0)
    plan = recipe.plan(recipe.draw(Streams(), 3), torch.tensor([0, 0, 1]), domain=torch.tensor([0, 0, 1]))
    assert plan.alone.all()


def test_domains_are_asked_for():
    with pytest.raises(DataError, match=r"^LISA needs domain"):
        LISA()(X, Y)


def test_bad_parameters_are_refused():
    with pytest.raises(ConfigError, match=r"^within_class = 1.5"):
        LISA(within_class=1.5)
    with pytest.raises(ConfigError, match=r"^alpha = -1"):
        LISA(alpha=-1)
    with pytest.raises(ConfigError, match=r"^mix = 1"):
        LISA(mix=1)
