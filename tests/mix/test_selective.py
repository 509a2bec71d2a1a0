import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from overmix.errors import ConfigError, DataError
from overmix.mix import SelectivePairing, SideInfo, StreamCursor, Streams

RELATIONS = ["any", "same", "different"]


def holds(relation, one, other):
    return {"any": True, "same": one == other, "different": one != other}[relation]


@given(
    st.sampled_from(RELATIONS),
    st.sampled_from(RELATIONS),
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=9),
    st.integers(0, 2**31),
)
def test_every_pair_satisfies_the_predicate_or_has_nobody(label, domain, samples, seed):
    y, d = (torch.tensor(column) for column in zip(*samples, strict=True))
    pairing = SelectivePairing(label, domain)
    drawn = pairing.draw(np.random.default_rng(seed), len(samples))
    partner = pairing.partner(drawn, SideInfo(y=y, domain=d)).tolist()
    for i, j in enumerate(partner):
        candidates = [
            k for k in range(len(samples)) if k != i and holds(label, y[i], y[k]) and holds(domain, d[i], d[k])
        ]
        assert j in candidates if candidates else j == i


def partner_classes(pairing, y, batches=400, domain=None):
    cursor = StreamCursor(Streams(8))
    drawn = [pairing.draw(cursor.generator("pairing", step=step), len(y)) for step in range(batches)]
    return torch.stack([y[pairing.partner(d, SideInfo(y=y, domain=domain))] for d in drawn])


def marginal(p):
    """Law of the partner's class if it must be another one: p_c * sum over e != c of p_e / (1 - p_e)."""
    p = np.asarray(p)
    return np.array([p[c] * sum(p[e] / (1 - p[e]) for e in range(len(p)) if e != c) for c in range(len(p))])


@pytest.mark.parametrize(
    ("p", "expected", "union"),
    [
        ((0.9, 0.1), (0.1, 0.9), (0.5, 0.5)),
        ((0.8, 0.15, 0.05), (0.1833, 0.6079, 0.2088), (0.4916, 0.3789, 0.1294)),
    ],
)
def test_partners_of_another_class_have_the_closed_form_law(p, expected, union):
    np.testing.assert_allclose(marginal(p), expected, atol=1e-4)
    np.testing.assert_allclose((np.array(p) + marginal(p)) / 2, union, atol=1e-4)
    y = torch.repeat_interleave(torch.arange(len(p)), torch.tensor([round(20 * share) for share in p]))
    classes = partner_classes(SelectivePairing("different"), y)
    # Given who is asked, the draws are independent: compare class by class of the asking sample.
    for own in range(len(p)):
        found = np.bincount(classes[:, y == own].flatten(), minlength=len(p))
        law = np.array([0 if c == own else p[c] / (1 - p[own]) for c in range(len(p))])
        assert found[own] == 0
        others = law > 0
        if others.sum() > 1:
            assert stats.chisquare(found[others], found.sum() * law[others]).pvalue > 1e-3
    overall = np.bincount(classes.flatten(), minlength=len(p)) / classes.numel()
    np.testing.assert_allclose(overall, expected, atol=0.022)  # four standard errors of 8,000 draws


def entropy(p):
    p = np.asarray(p)
    return -(p[p > 0] * np.log(p[p > 0])).sum()


@given(st.lists(st.integers(1, 12), min_size=2, max_size=6))
def test_partners_of_another_class_never_lower_the_entropy_of_classes(counts):
    # In expectation over draws, from the weights themselves: exact for any composition of a batch.
    y = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    weights = SelectivePairing("different").weights(SideInfo(y=y)).double()
    law = (weights / weights.sum(1, keepdim=True)).mean(0)
    partner = np.bincount(y, weights=law.numpy(), minlength=len(counts))
    own = np.array(counts) / sum(counts)
    np.testing.assert_allclose(partner, marginal(own), atol=1e-12)
    assert entropy((own + partner) / 2) >= entropy(own) - 1e-12


def test_with_two_classes_partners_of_the_other_make_the_union_uniform():
    y = torch.tensor([0] * 18 + [1] * 2)
    classes = partner_classes(SelectivePairing("different"), y, batches=3)
    for row in classes:
        assert torch.bincount(torch.cat([row, y])).tolist() == [20, 20]


def test_partners_of_the_same_class_keep_the_law_of_classes():
    y = torch.tensor([0, 0, 0, 1, 1, 2])
    assert torch.equal(partner_classes(SelectivePairing("same"), y, 5), y.expand(5, 6))


def test_partners_are_uniform_among_the_eligible():
    y, d = torch.tensor([0, 0, 0, 0, 1]), torch.tensor([0, 1, 1, 1, 1])
    pairing, cursor = SelectivePairing("same", "different"), StreamCursor(Streams(1))
    found = [
        int(pairing.partner(pairing.draw(cursor.generator("pairing", step=s), 5), SideInfo(y=y, domain=d))[0])
        for s in range(900)
    ]
    assert stats.chisquare(np.bincount(found, minlength=5)[1:4]).pvalue > 1e-3


@pytest.mark.parametrize("pair", list(itertools.product(RELATIONS, RELATIONS)))
def test_domains_are_needed_only_if_they_matter(pair):
    assert SelectivePairing(*pair).needs == (frozenset() if pair[1] == "any" else {"domain"})


@pytest.mark.parametrize("field", ["label", "domain"])
def test_an_unknown_relation_is_refused(field):
    with pytest.raises(ConfigError, match=rf"^{field} = 'other': use 'any', 'same' or 'different'"):
        SelectivePairing(**{field: "other"})


@pytest.mark.parametrize("y", [None, torch.rand(3), torch.zeros(3, 2, dtype=torch.int64)])
def test_labels_that_are_no_classes_are_refused_where_classes_matter(y):
    with pytest.raises(DataError, match="pairs are made by class, but y is"):
        SelectivePairing("same").eligible(SideInfo(y=y))


def test_where_classes_do_not_matter_any_labels_will_do():
    domain = torch.tensor([0, 0, 1])
    for y in (None, torch.rand(3)):
        eligible = SelectivePairing("any", "same").eligible(SideInfo(y=y, domain=domain))
        assert eligible.tolist() == [[False, True, False], [True, False, False], [False, False, False]]
    with pytest.raises(DataError, match="neither is given"):
        SelectivePairing("any", "any").eligible(SideInfo())
