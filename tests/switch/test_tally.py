"""Scores of one epoch, and what ranks make of each other's."""

import math

import pytest
import torch

from overmix.switch import tally as module
from overmix.switch.tally import Tally, brier_per_sample


def filled(logits, labels):
    tally = Tally()
    tally.add(logits, labels, per_sample=True)
    return tally


def samples(n, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 3, generator=generator), torch.randint(3, (n,), generator=generator)


def pooled(monkeypatch, *tallies):
    """What each of several ranks would get."""
    vectors = [[t._vector() for t in tallies], [module._joined(t.labels) for t in tallies]]
    vectors.append([module._joined(t.values) for t in tallies])
    answers = iter(vectors)
    monkeypatch.setattr(module, "world_size", lambda: len(tallies))
    monkeypatch.setattr(module, "gather", lambda local: next(answers))
    return tallies[0].pooled()


def test_the_mean_over_samples_is_the_score():
    logits, labels = samples(40, 0)
    tally = filled(logits, labels)
    assert tally.observation(3, 0.5, "val").brier == pytest.approx(sum(tally.samples()) / 40)


def test_shards_are_joined(monkeypatch):
    logits, labels = samples(11, 0)
    parts = [filled(logits[:5], labels[:5]), filled(logits[5:], labels[5:])]
    whole, together = filled(logits, labels), pooled(monkeypatch, *parts)
    assert together.samples() == whole.samples()
    expected, found = whole.observation(0, 1.0, "val"), together.observation(0, 1.0, "val")
    assert (found.n, found.error) == (expected.n, expected.error)
    assert [found.brier, found.cross_entropy, found.ece] == pytest.approx(
        [expected.brier, expected.cross_entropy, expected.ece], rel=1e-5
    )


def test_samples_that_every_rank_looks_at_count_once(monkeypatch):
    logits, labels = samples(20, 1)
    together = pooled(monkeypatch, filled(logits, labels), filled(logits, labels))
    assert together.samples() == pytest.approx(filled(logits, labels).samples())
    assert together.observation(0, 1.0, "val").n == 20


def test_ranks_that_disagree_about_the_same_samples_have_their_mean(monkeypatch):
    labels = torch.zeros(4, dtype=torch.long)
    right, wrong = torch.tensor([5.0, 0.0]), torch.tensor([0.0, 5.0])
    parts = [filled(torch.stack([wrong] * n + [right] * (4 - n)), labels) for n in (0, 1)]
    means = pooled(monkeypatch, *parts).observation(0, 1.0, "train")
    alone = [part.observation(0, 1.0, "train") for part in parts]
    assert (means.n, means.error) == (4, 0.125)
    for name in ("score", "cross_entropy", "margin"):
        assert getattr(means, name) == pytest.approx(sum(getattr(one, name) for one in alone) / 2)


def test_a_rank_that_observes_nothing_learns_what_the_others_did(monkeypatch):
    logits, labels = samples(20, 1)
    together = pooled(monkeypatch, Tally(), filled(logits, labels))
    assert together.samples() == filled(logits, labels).samples()
    assert pooled(monkeypatch, Tally(), Tally()).observation(0, 1.0, "val") is None


def test_a_saved_tally_gives_the_same_means():
    tally = filled(*samples(20, 2))
    tally.add(*samples(7, 3), per_sample=True)
    loaded = Tally.from_plain(tally.plain())
    assert loaded.observation(1, 1.0, "train") == tally.observation(1, 1.0, "train")
    assert loaded.samples() == tally.samples()


def test_what_is_saved_comes_to_the_cpu_before_it_becomes_float64(monkeypatch):
    # Not every device has it: float64 on one of Apple's is refused.
    tally = filled(*samples(7, 4))
    saved, come, cpu, double = tally.plain(), [], torch.Tensor.cpu, torch.Tensor.double

    def to_cpu(tensor):
        come.append(cpu(tensor).clone())
        return come[-1]

    def to_double(tensor):
        assert any(tensor is one for one in come)
        return double(tensor)

    monkeypatch.setattr(torch.Tensor, "cpu", to_cpu)
    monkeypatch.setattr(torch.Tensor, "double", to_double)
    assert tally.plain() == saved


def test_predictions_that_are_not_finite_have_no_score():
    logits = torch.tensor([[torch.nan, 0.0], [torch.inf, 0.0], [0.0, 0.0]])
    assert brier_per_sample(logits, torch.tensor([0, 0, 0])).tolist() == pytest.approx(
        [math.nan, math.nan, 0.5], nan_ok=True
    )
