"""find_switch: from saved checkpoints to the one that deserves a tail of plain training."""

import json

import numpy as np
import pytest
import torch

from overmix.errors import ConfigError, DataError
from overmix.switch import Probe, find_switch
from overmix.switch.outcome import beside_the_best, safe_epochs

N = 200


def noisy(scores, spread=0.1, seed=0):
    """A branch whose samples scatter around a known score, each in its own way."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(0, 0.2, N)  # hard samples are hard for every checkpoint

    def branch(checkpoint, epochs):
        values = 0.8 + scores[checkpoint] + shared + rng.normal(0, spread, N)
        return torch.from_numpy(values).clamp(0, 2)

    return branch


def test_the_checkpoint_with_the_lowest_score_is_chosen_and_each_tail_is_as_long():
    asked, scores = [], {"a": 0.3, "b": 0.0, "c": 0.4}
    branch = noisy(scores)

    def counting(checkpoint, epochs):
        asked.append((checkpoint, epochs))
        return branch(checkpoint, epochs)

    found = find_switch(counting, {100: "c", 10: "a", 30: "b"}, budget=17)
    assert asked == [("a", 5), ("b", 5), ("c", 5)]
    assert (found.answer, found.switch_at, found.spent) == ("switch", 30, 15)
    assert [(probe.epoch, probe.tail) for probe in found.probes] == [(10, 5), (30, 5), (100, 5)]
    assert str(found).startswith("Go back to the checkpoint after 30 epochs: a tail of 5 epochs")
    assert json.loads(json.dumps(found.to_dict()))["safe_epochs"] == [30]


def test_checkpoints_that_cannot_be_told_apart_are_undecided():
    found = find_switch(noisy({0: 0.0, 1: 0.0, 2: 0.0}), {5: 0, 10: 1, 20: 2}, budget=3)
    assert (found.answer, found.switch_at) == ("undecided", None)
    assert "hold out more samples" in str(found)


def test_equal_checkpoints_are_seldom_told_apart():
    # The best of several owes its place to luck: the margin must pay for that, not just for the number of candidates.
    decided = [
        find_switch(noisy(dict.fromkeys(range(4), 0.0), seed=seed), {k: k for k in range(4)}, budget=4).switch_at
        for seed in range(400)
    ]
    assert np.mean([at is not None for at in decided]) < 0.08  # 5 % expected at most, three standard errors more


def test_pairs_tell_more_than_means():
    # 0.03 apart under a spread of 0.2 between samples, 0.05 within pairs.
    found = find_switch(noisy({0: 0.03, 1: 0.0}, spread=0.05), {5: 0, 10: 1}, budget=2)
    assert found.switch_at == 10


def test_logits_and_labels_are_scored_and_a_diverged_tail_loses():
    labels = torch.arange(30) % 3
    logits = {0: torch.full((30, 3), torch.nan), 1: 4.0 * torch.eye(3)[labels], 2: torch.zeros(30, 3)}
    found = find_switch(lambda checkpoint, _: (logits[checkpoint], labels), {1: 0, 2: 1, 3: 2}, budget=3)
    assert found.switch_at == 2
    assert found.probes[0].score == float("inf")
    assert json.loads(json.dumps(found.to_dict()))["probes"][0]["score"] is None


def test_any_scores_do_and_if_every_tail_diverged_nothing_is_decided():
    generator = torch.Generator().manual_seed(0)
    errors = {at: level + torch.rand(60, generator=generator) for at, level in ((1, -40.0), (2, -90.0), (3, -20.0))}
    found = find_switch(lambda checkpoint, _: errors[checkpoint], {at: at for at in errors}, budget=3)
    assert (found.switch_at, found.to_dict()["score"]) == (2, "score")
    assert "has the lowest score, -89." in found.reason
    lost = find_switch(lambda checkpoint, _: torch.full((9,), torch.nan), {1: 1, 2: 2}, budget=2)
    assert (lost.switch_at, lost.reason) == (None, "every tail diverged: train them at a lower learning rate")


LABELS = torch.arange(4) % 2
GOOD = torch.zeros(4, 2), LABELS


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([GOOD, 0.3], r"^checkpoint 2: branch returned a float: return \(logits, labels\), or a score"),
        ([GOOD, torch.zeros(4, 2)], r"^checkpoint 2: branch returned a tensor of shape \(4, 2\)"),
        ([(torch.zeros(4, 2), LABELS[:3]), GOOD], r"^checkpoint 1: observe: logits of shape \(4, 2\) and labels"),
        ([GOOD, (torch.zeros(4, 2), 1 - LABELS)], r"^checkpoint 2: other held-out samples than checkpoint 1"),
        ([torch.zeros(4), torch.zeros(3)], r"^checkpoint 2: other held-out samples than checkpoint 1"),
        ([GOOD, torch.zeros(4)], r"^checkpoint 2: another kind of scores than checkpoint 1"),
        ([torch.zeros(1), torch.zeros(1)], r"^checkpoint 1: one held-out sample tells nothing"),
    ],
)
def test_answers_that_cannot_be_compared_are_refused(answers, message):
    with pytest.raises(DataError, match=message):
        find_switch(lambda checkpoint, _: answers[checkpoint], {1: 0, 2: 1}, budget=2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"branch": "train"}, r"^branch = 'train': give a function"),
        ({"checkpoints": ["a", "b"]}, r"^checkpoints = 'list': give them by epoch"),
        ({"checkpoints": {1: "a"}}, r"^checkpoints = \[1\]: give two or more"),
        ({"checkpoints": {"1": "a", "2": "b"}}, r"^checkpoints = \['1', '2'\]: the keys are epochs"),
        ({"checkpoints": {-1: "a", 2: "b"}}, r"^checkpoints = \[-1, 2\]: the keys are epochs"),
        ({"budget": 1}, r"^budget = 1: use an integer >= 2, an epoch for each checkpoint"),
        ({"budget": 2.0}, r"^budget = 2.0: "),
    ],
)
def test_settings_that_cannot_work_are_refused_before_anything_is_trained(settings, message):
    def branch(checkpoint, epochs):
        raise AssertionError("trained")

    with pytest.raises(ConfigError, match=message):
        find_switch(**{"branch": branch, "checkpoints": {1: "a", 2: "b"}, "budget": 4, **settings})


def test_a_single_sample_tells_nothing_apart():
    rows = beside_the_best([Probe(0, 1, (0.9,)), Probe(5, 1, (0.1,))])
    assert [row.worse for row in rows] == [False, False]
    assert safe_epochs(rows) == (0, 5)


def test_the_first_of_several_equal_probes_is_the_best_and_no_noise_is_needed():
    rows = beside_the_best([Probe(0, 1, (0.2, 0.4)), Probe(5, 1, (0.2, 0.4)), Probe(9, 1, (0.3, 0.5))])
    assert [row.worse for row in rows] == [False, False, True]
    assert [row.standard_error for row in rows] == pytest.approx([0, 0, 0], abs=1e-12)


def test_arrays_and_their_integers_do_as_well():
    scores = {10: 0.3, 20: 0.2, 40: 0.4}

    def brier(score, epochs):
        return np.full(50, score) + 0.01 * np.arange(50) / 50

    def logits(score, epochs):
        return np.stack([np.linspace(0.1, 1, 50) * (1 - score), np.zeros(50)], axis=1)[:, ::-1], np.ones(
            50, dtype=np.int32
        )

    for branch in (brier, logits):
        found = find_switch(branch, {np.int64(epoch): score for epoch, score in scores.items()}, budget=12)
        as_tensors = find_switch(
            lambda score, epochs, branch=branch: (
                [torch.tensor(np.array(part)) for part in branch(score, epochs)]
                if branch is logits
                else torch.tensor(branch(score, epochs))
            ),
            scores,
            budget=12,
        )
        assert found == as_tensors
        assert found.switch_at == 20


class Foreign:
    """A read-only array of another framework: all that is known of it is how it becomes NumPy's."""

    shape = (50,)

    def __init__(self, values):
        self.values = values
        self.values.flags.writeable = False

    def __array__(self, dtype=None, copy=None):
        return self.values


def test_arrays_of_any_framework_are_scored_and_a_budget_may_be_numpys():
    def branch(score, epochs):
        return Foreign(np.full(50, score) + 0.01 * np.arange(50) / 50)

    found = find_switch(branch, {10: 0.3, 20: 0.2, 40: 0.4}, budget=np.int64(12))
    assert (found.switch_at, found.spent, type(found.spent)) == (20, 12, int)


def test_arrays_without_numbers_are_refused():
    with pytest.raises(DataError, match=r"^checkpoint 10: branch returned a ndarray: return \(logits, labels\)"):
        find_switch(lambda score, epochs: np.array(["a", "b"]), {10: 0.3, 20: 0.2}, budget=4)


def test_labels_without_a_class_name_the_checkpoint():
    with pytest.raises(DataError, match=r"^checkpoint 10: observe: 50 labels are none of the classes 0 to 2"):
        find_switch(lambda score, epochs: (torch.zeros(50, 3), torch.full((50,), 7)), {10: 0.3, 20: 0.2}, budget=4)
