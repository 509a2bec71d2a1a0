import itertools
import math
from collections import Counter

import numpy as np
import pytest
import torch
from scipy import stats

from overmix.mix import RandomPairing, SelfPairing, SideInfo, Streams


def permutations(batch_size, count):
    streams = Streams(study_seed=3)
    pairing = RandomPairing()
    for step in range(count):
        drawn = pairing.draw(streams.generator("pairing", step=step), batch_size)
        yield pairing.partner(drawn, SideInfo())


@pytest.mark.parametrize("batch_size", [2, 3, 4])
def test_every_permutation_is_equally_likely(batch_size):
    count = 6000
    seen = Counter(tuple(partner.tolist()) for partner in permutations(batch_size, count))
    everyone = list(itertools.permutations(range(batch_size)))
    assert set(seen) <= set(everyone)
    assert stats.chisquare([seen[p] for p in everyone]).pvalue > 1e-3  # the seed is fixed


@pytest.mark.parametrize("batch_size", [8, 32, 128])
def test_a_permutation_has_a_fixed_point_with_probability_near_one_minus_one_over_e(batch_size):
    count = 4000
    itself = torch.arange(batch_size)
    share = np.mean([bool((partner == itself).any()) for partner in permutations(batch_size, count)])
    exact = 1 - sum((-1) ** k / math.factorial(k) for k in range(batch_size + 1))
    assert exact == pytest.approx(1 - 1 / math.e, abs=1e-4)
    assert share == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / count))


@pytest.mark.parametrize("batch_size", [0, 1, 2, 5, 64])
def test_partners_are_a_permutation_for_odd_and_even_batches(batch_size):
    for partner in permutations(batch_size, 5):
        assert partner.dtype == torch.int64
        assert sorted(partner.tolist()) == list(range(batch_size))


@pytest.mark.parametrize("batch_size", [0, 1, 5])
def test_self_pairing_pairs_everyone_with_themselves(batch_size):
    pairing = SelfPairing()
    drawn = pairing.draw(np.random.default_rng(0), batch_size)
    assert pairing.partner(drawn, SideInfo()).tolist() == list(range(batch_size))
