import math

import numpy as np
import pytest
import torch
from scipy import stats

from overmix.errors import ConfigError
from overmix.mix import (
    BetaCoefficient,
    CoinCoefficient,
    FixedCoefficient,
    FoldedCoefficient,
    GatedCoefficient,
    SideInfo,
    SimilarityCoefficient,
    StreamCursor,
    Streams,
)


def lams(law, batches=40, batch_size=200):
    cursor = StreamCursor(Streams(2, 3))
    partner = torch.arange(batch_size).roll(1)
    drawn = [law.draw(cursor.generator("coefficient", step=step), batch_size) for step in range(batches)]
    return torch.stack([law.lam(d, partner, SideInfo()) for d in drawn]).numpy()


@pytest.mark.parametrize("alpha", [0.5, 1.0, 4.0])
def test_folded_lam_is_the_larger_part_and_has_the_folded_law(alpha):
    drawn = lams(FoldedCoefficient(BetaCoefficient(alpha, "sample"))).ravel()
    law = stats.beta(alpha, alpha)
    assert drawn.min() >= 0.5
    assert stats.kstest(drawn, lambda u: 2 * law.cdf(u) - 1).pvalue > 1e-3


def test_folding_keeps_one_lam_for_the_batch():
    drawn = lams(FoldedCoefficient(BetaCoefficient(0.5)), batches=5)
    assert (drawn == drawn[:, :1]).all()


@pytest.mark.parametrize("probability", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_the_mixing_rate_is_the_probability(probability):
    # kornia once applied its probability twice; tests with probability 1 could not see it.
    drawn = lams(GatedCoefficient(BetaCoefficient(1.0, "sample"), probability)).ravel()
    rate = (drawn < 1).mean()
    assert rate == pytest.approx(probability, abs=4 * math.sqrt(probability * (1 - probability) / drawn.size))
    if probability:
        assert stats.kstest(drawn[drawn < 1], "uniform").pvalue > 1e-3


def test_gates_of_a_batch_are_independent_of_each_other_and_of_lam():
    law = GatedCoefficient(FoldedCoefficient(BetaCoefficient(1.0, "sample")), 0.5)
    cursor = StreamCursor(Streams(4))
    drawn = torch.stack([law.draw(cursor.generator("coefficient", step=step), 2) for step in range(2000)]).numpy()
    first, second = drawn[:, 0, 1], drawn[:, 1, 1]
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.1  # standard error 0.02
    assert abs(np.corrcoef(first, drawn[:, 0, 0])[0, 1]) < 0.1


def test_mean_of_the_larger_part_under_the_reference_setting_of_mixco():
    # Beta(0.15, 0.15): 66 % of draws outside of [0.05, 0.95]; the larger part is 0.919 on average.
    drawn = lams(BetaCoefficient(0.15, "sample"), batches=100).ravel().astype(float)
    assert ((drawn < 0.05) | (drawn > 0.95)).mean() == pytest.approx(0.661, abs=0.015)
    assert np.maximum(drawn, 1 - drawn).mean() == pytest.approx(0.919, abs=0.005)


def test_the_coin_is_zero_or_one_for_each_sample():
    drawn = lams(CoinCoefficient())
    assert set(np.unique(drawn)) == {0.0, 1.0}
    assert stats.binomtest(int(drawn.sum()), drawn.size, 0.5).pvalue > 1e-3
    assert len({row.tobytes() for row in drawn}) == len(drawn)


@pytest.mark.parametrize("probability", [-0.1, 1.1, math.nan, "0.5", True, None])
def test_what_is_no_probability_is_refused(probability):
    with pytest.raises(ConfigError, match=r"^probability = .*: use a number in \[0, 1\]"):
        GatedCoefficient(FixedCoefficient(0.5), probability)


def test_needs_are_handed_on():
    inner = SimilarityCoefficient()
    assert FoldedCoefficient(inner).needs == GatedCoefficient(inner).needs == {"features"}
    assert CoinCoefficient().needs == frozenset()
