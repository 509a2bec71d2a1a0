"""find_switch decides as AutoSwitch would on the same looks, and refuses what cannot be compared."""

import json

import numpy as np
import pytest
import torch

from overmix.errors import ConfigError, DataError
from overmix.switch import AutoSwitch, find_switch

N = 200


def noisy(scores, spread=0.05, seed=0):
    """A branch whose samples scatter around a known score, each in its own way."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(0, 0.2, N)  # hard samples are hard for every checkpoint

    def branch(checkpoint, tail):
        return torch.from_numpy((0.8 + scores[checkpoint] + shared + rng.normal(0, spread, N)).clip(0, 2))

    return branch


def test_each_checkpoint_is_looked_at_and_probed_in_turn_until_it_is_decided():
    asked, branch = [], noisy({"a": 0.3, "b": 0.0, "c": 0.4, "d": 0.5})

    def counting(checkpoint, tail):
        asked.append((checkpoint, tail))
        return branch(checkpoint, tail)

    outcome = find_switch(counting, {100: "c", 10: "a", 30: "b", 190: "d"}, epochs=200)
    # At 100, half of the training, its guess is passed, and the probe at 30 is still kept: the last is left alone.
    assert asked == [("a", 0), ("a", 4), ("b", 0), ("b", 4), ("c", 0), ("c", 4)]
    assert (outcome.answer, outcome.switch_at, outcome.spent) == ("switch", 30, 12)
    assert str(outcome).startswith("Mixup off after 30 of 200 epochs: score 0.7963 after 30 epochs is")
    assert json.loads(json.dumps(outcome.to_dict()))["safe_epochs"] == [30]


def test_what_the_samples_cannot_tell_is_settled_by_the_guess_and_said():
    outcome = find_switch(noisy({0: 0.0, 1: 0.0, 2: 0.0}), {5: 0, 48: 1, 90: 2}, epochs=100)
    assert outcome.switch_at == 48
    assert not outcome.clear
    assert "The samples do not decide" in str(outcome)


def test_a_policy_of_its_own_settings_has_its_own_tails():
    tails = set()

    def branch(checkpoint, tail):
        tails.add(tail)
        return torch.full((50,), float(checkpoint))

    outcome = find_switch(branch, {10: 0.3, 20: 0.2}, epochs=100, policy=AutoSwitch(tail=0.1))
    assert (tails, outcome.spent) == ({0, 10}, 20)


def test_logits_of_any_framework_are_scored_and_a_diverged_tail_loses():
    labels = np.arange(60) % 3
    logits = {0: np.full((60, 3), np.nan), 1: 4.0 * np.eye(3)[labels], 2: np.zeros((60, 3))}
    for part in (labels, *logits.values()):
        part.flags.writeable = False

    outcome = find_switch(
        lambda checkpoint, _: (logits[checkpoint], labels), {np.int64(at + 1): at for at in range(3)}, epochs=5
    )
    assert outcome.switch_at == 2
    assert [probe.kind for probe in outcome.probes] == ["brier"] * 3
    assert outcome.probes[0].score == float("inf")
    assert outcome.cautions[-1] == "1 of 3 tails diverged: lower the learning rate."
    assert outcome.observations[-1].error is not None


def test_if_every_tail_diverged_it_mixes_to_the_end():
    outcome = find_switch(lambda *_: torch.full((9,), torch.nan), {1: 1, 2: 2}, epochs=9)
    assert (outcome.switch_at, outcome.answer) == (9, "Mixup to the end")
    assert "the training diverged" in outcome.reason


LABELS = torch.arange(4) % 2
GOOD = torch.zeros(4, 2), LABELS


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([GOOD, 0.3], r"^checkpoint 2: got a float: return \(logits, labels\), or a score"),
        ([GOOD, np.array(["a", "b"])], r"^checkpoint 2: got a ndarray: return"),
        ([GOOD, torch.zeros(4, 2)], r"^checkpoint 2: observe: scores of shape \(4, 2\)"),
        ([(torch.zeros(4, 2), LABELS[:3]), GOOD], r"^checkpoint 1: observe: logits of shape \(4, 2\) and labels"),
        ([(torch.zeros(4, 2), LABELS + 7), GOOD], r"^checkpoint 1: observe: 4 labels are none of the classes 0 to 1"),
        ([GOOD, (torch.zeros(4, 2), 1 - LABELS)], r"^checkpoint 2: probe after epoch 2: .* other labels"),
        ([torch.zeros(4), torch.zeros(3)], r"^checkpoint 2: probe after epoch 2: 3 held-out samples, the first .* 4"),
        ([GOOD, torch.zeros(4)], r"^checkpoint 2: observe = 'scores=...': one run has one kind"),
    ],
)
def test_answers_that_cannot_be_compared_are_refused(answers, message):
    with pytest.raises(DataError, match=message):
        find_switch(lambda checkpoint, _: answers[checkpoint], {1: 0, 2: 1}, epochs=4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"branch": "train"}, r"^branch = 'train': give a function"),
        ({"checkpoints": ["a", "b"]}, r"^checkpoints = 'list': give them by epoch"),
        ({"checkpoints": {1: "a", 8: "b", 9: "c"}}, r"^checkpoints = \[1, 8, 9\]: give two or more from epoch 7 or"),
        ({"checkpoints": {"1": "a", "2": "b"}}, r"^checkpoints = \['1', '2'\]: the keys are epochs"),
        ({"checkpoints": {-1: "a", 2: "b"}}, r"^checkpoints = \[-1, 2\]: -1 is none of the training's 0 to 9 epochs"),
        (
            {"checkpoints": {1: "a", 2: "b", 10: "c"}},
            r"^checkpoints = \[1, 2, 10\]: 10 is none of .* 0 to 9 epochs: .*steps .*write {step}",
        ),
        ({"epochs": 0}, r"^epochs = 0: use an integer >= 1"),
        ({"policy": "auto"}, r"^policy = 'auto': give an AutoSwitch"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_anything_is_trained(settings, message):
    def branch(checkpoint, tail):
        raise AssertionError("trained")

    with pytest.raises(ConfigError, match=message):
        find_switch(**{"branch": branch, "checkpoints": {1: "a", 2: "b"}, "epochs": 9, **settings})
