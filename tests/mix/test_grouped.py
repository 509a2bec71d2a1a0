import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from overmix.errors import DataError
from overmix.mix import IGNORE_INDEX, GroupPairing, LabelledPairing, RandomPairing, SideInfo, StreamCursor, Streams
from overmix.mix.grouped import permute_within

seeds = st.integers(0, 2**31)


@given(st.lists(st.integers(-3, 3), min_size=0, max_size=12), seeds)
def test_every_group_is_permuted_onto_itself(groups, seed):
    group = torch.tensor(groups, dtype=torch.int64)
    listing = torch.from_numpy(np.random.default_rng(seed).permutation(len(groups)))
    partner = permute_within(listing, group)
    assert sorted(partner.tolist()) == list(range(len(groups)))
    assert torch.equal(group[partner], group)


@given(st.integers(1, 12), seeds)
def test_a_single_group_is_permuted_as_the_random_pairing_does(batch_size, seed):
    pairings = (GroupPairing(), LabelledPairing(), RandomPairing())
    side = SideInfo(y=torch.zeros(batch_size, dtype=torch.int64), domain=torch.full((batch_size,), 7))
    grouped, labelled, plain = (p.partner(p.draw(np.random.default_rng(seed), batch_size), side) for p in pairings)
    assert torch.equal(grouped, plain)
    assert torch.equal(labelled, plain)


def test_permutations_within_groups_are_uniform_and_independent():
    group = torch.tensor([0, 1, 0, 1, 1])
    cursor, pairing, count = StreamCursor(Streams(2)), GroupPairing(), 2400
    seen = Counter()
    for step in range(count):
        drawn = pairing.draw(cursor.generator("pairing", step=step), 5)
        seen[tuple(pairing.partner(drawn, SideInfo(domain=group)).tolist())] += 1
    assert len(seen) == math.factorial(2) * math.factorial(3)
    assert stats.chisquare(list(seen.values())).pvalue > 1e-3


@given(st.lists(st.sampled_from([IGNORE_INDEX, 0, 1, 2]), min_size=1, max_size=12), seeds)
def test_who_has_no_label_is_nobodys_partner_and_stays_itself(labels, seed):
    y = torch.tensor(labels)
    pairing = LabelledPairing()
    partner = pairing.partner(pairing.draw(np.random.default_rng(seed), len(labels)), SideInfo(y=y))
    itself = torch.arange(len(labels))
    assert torch.equal(partner[y == IGNORE_INDEX], itself[y == IGNORE_INDEX])
    assert (y[partner[y != IGNORE_INDEX]] != IGNORE_INDEX).all()
    assert sorted(partner.tolist()) == itself.tolist()


def test_classes_of_one_byte_are_all_labels():
    y = torch.tensor([156, 3, 156, 2])  # 156 is what -100 would be
    partners = (
        LabelledPairing().partner(torch.tensor([2, 3, 0, 1]), SideInfo(y=y.to(dtype)))
        for dtype in (y.dtype, torch.uint8)
    )
    assert torch.equal(*partners)


def test_groups_are_needed_and_asked_for():
    assert GroupPairing().needs == {"domain"}
    with pytest.raises(DataError, match="give the group of each sample as domain="):
        GroupPairing().partner(torch.arange(2), SideInfo())


@pytest.mark.parametrize("y", [None, torch.rand(2), torch.zeros(2, 2, dtype=torch.int64)])
def test_labels_that_are_no_classes_are_refused(y):
    with pytest.raises(DataError, match="the pool is who has a label, but y is"):
        LabelledPairing().partner(torch.arange(2), SideInfo(y=y))
