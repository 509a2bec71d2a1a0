"""Endpoints against what they are by hand, and replayed decisions against the engine's."""

import numpy as np
import pytest

from overmix.experiments.switch_benchmark.frozen import contenders as contenders_of
from overmix.experiments.switch_benchmark.frozen.candidates import FIRST, WATCHED, ByDistance
from overmix.experiments.switch_benchmark.frozen.contenders import Ended, contenders, decided
from overmix.experiments.switch_benchmark.frozen.endpoints import (
    PRIMARY,
    by_group,
    compared,
    judge,
    mean_and_interval,
    p_above,
    regret,
    verdict,
)
from overmix.experiments.switch_benchmark.frozen.evaluate import evaluate_frozen
from overmix.experiments.switch_benchmark.frozen.reading import FrozenRecord
from overmix.experiments.switch_benchmark.frozen.setup import Settings, Setup
from overmix.switch import AutoSwitch, Decision, History, Observation, Probe
from overmix.switch.machine import Machine


def test_a_replayed_decision_is_the_engines(recorded):
    tiny, folder, arrays = recorded
    run = Setup(tiny, folder / "data").stack(Settings(*arrays["settings"].tolist()), "auto")
    result = run.train()
    replayed = decided(AutoSwitch(), FrozenRecord(tiny, arrays))
    np.testing.assert_array_equal(replayed.switch_at, result.switch_at)
    np.testing.assert_allclose(replayed.cost, result.cost)
    np.testing.assert_allclose(replayed.error, result.metrics["test_error"][:, -1], atol=1e-6)


def test_free_schedules_are_the_runs_of_their_names(recorded):
    tiny, folder, arrays = recorded
    ended = contenders(FrozenRecord(tiny, arrays))
    settings = Settings(*arrays["settings"].tolist())
    for name, schedule, epochs in (("off at 25 %", {"off_at": 4}, 16), (PRIMARY, {"off_at": 10}, 21)):
        result = Setup(tiny, folder / "data").stack(settings, schedule, epochs=epochs).train()
        np.testing.assert_allclose(ended[name].error, result.metrics["test_error"][:, -1], atol=1e-6)


def test_the_best_look_since_a_switch_is_the_one_that_a_run_would_end_with(recorded, monkeypatch):
    tiny, _, arrays = recorded
    record, at = FrozenRecord(tiny, arrays), 8
    switched = Ended(record.error(f"off at {at}"), np.ones(2), np.full(2, at), np.zeros(2))
    monkeypatch.setattr(contenders_of, "decided", lambda policy, record: switched)
    watched = contenders(record)
    machine, looks = Machine(AutoSwitch(best=True), tiny.epochs), arrays[f"off at {at}: epochs"].tolist()
    for seed in range(tiny.seeds):
        scores = record.curve(f"off at {at}", "val_brier")[seed].tolist()
        seen = [Observation(e - 1, 1.0, 10, score, "brier") for e, score in zip(looks, scores, strict=True)]
        best = machine.best(Decision(at, "given"), seen)
        expected = record.curve(f"off at {at}", "test_error")[seed, looks.index(best)]
        assert watched[WATCHED].error[seed] == pytest.approx(expected, abs=2**-11)  # curves are kept in half precision
        assert watched[FIRST].error[seed] == switched.error[seed]


def test_only_a_prefix_of_the_list_counts(recorded):
    tiny, folder, _ = recorded
    missing = type(tiny)("toy", 12, 10, 16, "mlp", "Mixup1", "sgd")
    assert evaluate_frozen(folder, [missing, tiny])["recorded"] == 0
    assert evaluate_frozen(folder, [tiny, missing])["recorded"] == 1


def test_regret_is_against_the_epoch_that_the_other_seeds_would_choose():
    finals = np.array([[0.2, 0.4, 0.3], [0.3, 0.2, 0.2]])
    # Seed 0: the others' means are 0.35 and 0.2, so epoch 1, at 0.3; seeds 1 and 2: 0.25 both, the first, at 0.4; 0.3
    # and 0.25, epoch 1, at 0.2.
    expected = np.mean([(0.25 - 0.3) / 0.2, (0.25 - 0.4) / 0.25, (0.25 - 0.2) / 0.25])
    assert regret(np.full(3, 0.25), finals) == pytest.approx(expected)
    assert regret(np.array([0.03, 0.03]), np.full((2, 2), 0.01)) == pytest.approx(0.02 / 0.05)


def test_trainings_of_one_data_set_count_as_one():
    assert by_group([1.0, 3.0, 5.0], ["a", "a", "b"]) == {"a": 2.0, "b": 5.0}
    # A hundred trainings on one data set narrow nothing.
    names = list("abcdefghij")
    one = mean_and_interval([0.0] * 5 + [1.0] * 5, names)
    many = mean_and_interval([0.0] * 100 + [0.0] * 4 + [1.0] * 5, ["a"] * 100 + names[1:])
    assert one == many
    assert mean_and_interval([0.0] * 9, names[:9])["ci"] is None  # a bootstrap over fewer is too narrow


def test_the_bootstrap_covers_the_mean_of_data_sets():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(200):
        found = mean_and_interval(rng.normal(0.3, 1.0, 40).tolist(), [str(k) for k in range(40)])
        hits += found["ci"][0] <= 0.3 <= found["ci"][1]
    # Binomial(200, 0.95) is 178 or less once in 4,000; the percentile bootstrap of 40 is a little too narrow.
    assert hits >= 178


def judged(policy, half, group="a"):
    error = {name: np.array([policy, policy + 0.002]) for name in contenders_of.POLICIES}
    error[PRIMARY] = np.array([half, half + 0.002])
    error["plain training"] = error["Mixup to the end"] = np.array([0.2, 0.202])
    ended = {name: Ended(values, np.ones(2)) for name, values in error.items()}
    return judge("toy", group, 16, "mlp", ended, np.array([[0.1, 0.1], [0.3, 0.3]]))


def test_the_primary_endpoint_has_the_right_sign():
    sets = [str(number) for number in range(10)]
    gain = compared([judged(0.10, 0.11 + 0.002 * number, name) for number, name in enumerate(sets)], PRIMARY)
    assert gain["mean"] == pytest.approx(0.019)
    assert verdict(gain) == "better"
    assert verdict(compared([judged(0.12, 0.10, name) for name in sets], PRIMARY)) == "worse"


def test_worse_needs_more_than_the_margin():
    assert p_above(np.array([0.02, 0.021, 0.019, 0.02]), 0.01) < 0.001
    assert p_above(np.array([0.009, 0.01, 0.008, 0.009]), 0.01) > 0.5
    assert p_above(np.zeros(4), 0.01) == 1.0


def test_distances_rank_a_confident_error_less_badly():
    # One error with certainty, three perfect; against four that are all unsure: Brier prefers the second, not the root.
    sure, unsure = (2.0, 0.0, 0.0, 0.0), (0.4, 0.4, 0.4, 0.4)
    history = History(64, 64, probes=(Probe(16, 2, sure), Probe(32, 2, unsure)))
    settings = {"pull": 0.0, "shares": (0.25, 0.5)}
    assert AutoSwitch(**settings).decide(history).switch_at == 32
    assert ByDistance(**settings).decide(history).switch_at == 16
