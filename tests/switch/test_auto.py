from dataclasses import replace

import numpy as np
import pytest

from overmix.errors import ConfigError
from overmix.switch import AutoSwitch, History, Observation, Policy, Probe
from overmix.switch.policies.auto import own_minimum


def history(*scores, policy, epochs=1000, spread=0.0, n=50):
    """The run just after its last probe; each probe's samples scatter around its score in the same way."""
    scatter = [spread * (-1) ** i for i in range(n)]
    planned = policy.probe_epochs(epochs)
    probes = tuple(Probe(planned[k], 20, tuple(score + s for s in scatter)) for k, score in enumerate(scores))
    return History(epochs, planned[len(scores) - 1] if scores else 0, (), probes)


def test_it_is_a_policy():
    assert isinstance(AutoSwitch(), Policy)


def test_probe_epochs_increase_and_lie_inside_of_any_training():
    for epochs in (1, 2, 3, 5, 10, 200, 1000):
        found = AutoSwitch().probe_epochs(epochs)
        assert list(found) == sorted(set(found))
        assert all(0 < epoch < epochs for epoch in found)


def test_short_trainings_are_probed_at_fewer_epochs_that_lie_apart():
    policy = AutoSwitch()
    assert {epochs: policy.probe_epochs(epochs) for epochs in (1, 5, 8, 10, 20, 30)} == {
        1: (),
        5: (),
        8: (),
        10: (2, 5),
        20: (1, 4, 8, 15),
        30: (1, 4, 8, 11, 22),
    }
    for epochs in range(1, 75):
        planned = policy.probe_epochs(epochs)
        assert len(planned) * policy.tail_epochs(epochs) <= 0.35 * epochs + 1  # the last tail may begin below 35 %
        assert len(planned) != 1
        assert set(planned) <= {max(1, round(share * epochs)) for share in policy.shares}


@pytest.mark.parametrize("policy", [AutoSwitch(), AutoSwitch(tail=0.1), AutoSwitch(tail=0.001)])
def test_long_trainings_are_probed_at_all_shares(policy):
    for epochs in (50, 75, 100, 199, 200, 300, 512, 1000):
        assert policy.probe_epochs(epochs) == tuple(sorted({max(1, round(s * epochs)) for s in policy.shares}))


def test_the_epochs_of_a_long_training_are_these():
    assert [AutoSwitch().probe_epochs(epochs) for epochs in (200, 300, 512, 1000)] == [
        (3, 6, 12, 25, 38, 50, 75, 100, 150),
        (5, 9, 19, 38, 56, 75, 112, 150, 225),
        (8, 16, 32, 64, 96, 128, 192, 256, 384),
        (16, 31, 62, 125, 188, 250, 375, 500, 750),
    ]


def test_shares_and_tails_that_were_asked_for_are_followed_however_short_the_training():
    assert AutoSwitch(shares=(0.25, 0.5, 0.75)).probe_epochs(8) == (2, 4, 6)
    assert AutoSwitch(tail=0.4).probe_epochs(8) == (1, 2, 3, 4, 6)


def test_a_first_look_decides_nothing():
    policy = AutoSwitch()
    assert policy.decide(history(policy=policy)).switch_at is None
    assert policy.decide(history(0.1, policy=policy)).switch_at is None


def test_the_same_history_gives_the_same_decision():
    policy = AutoSwitch()
    seen = history(0.3, 0.2, 0.1, 0.2, 0.3, policy=policy)
    assert policy.decide(seen) == AutoSwitch().decide(seen)


def test_a_clear_minimum_is_found_however_early():
    policy = AutoSwitch()
    epochs = policy.probe_epochs(1000)
    decision = policy.decide(history(0.3, 0.1, 0.2, 0.25, 0.3, policy=policy))
    assert decision.switch_at == epochs[1]


def test_what_is_clear_from_the_scores_is_not_overruled_by_the_guess():
    epochs = AutoSwitch().probe_epochs(1000)
    rng = np.random.default_rng(0)
    hard = rng.uniform(0, 0.5, size=200)
    # The earliest probe is the best by ten standard errors of the paired difference.
    probes = tuple(
        Probe(epoch, 20, tuple((hard + 0.01 * rng.normal(size=200) + (0.01 if at else 0.0)).tolist()))
        for at, epoch in enumerate(epochs)
    )
    seen = History(1000, epochs[-1], (), probes)
    assert AutoSwitch().decide(seen).switch_at == epochs[0]
    assert AutoSwitch(limit=float("inf")).decide(seen).switch_at > epochs[0]


def test_within_the_noise_the_guess_decides():
    policy, epochs = AutoSwitch(), AutoSwitch().probe_epochs(1000)
    rng = np.random.default_rng(0)
    probes = tuple(Probe(epoch, 20, tuple((0.2 + 0.3 * rng.normal(size=200)).tolist())) for epoch in epochs)
    # All that differs between them is noise: the lowest may lie anywhere, what is chosen lies near half of 1,000.
    seen = History(1000, epochs[-1], (), probes)
    assert policy.decide(seen).switch_at in (375, 500, 750)


def in_pure_noise(seed, policy, spread=0.3):
    """Ask after each of nine probes that are equally good, as a run does; return the epochs done and the decision."""
    rng = np.random.default_rng(seed)
    hard, epochs = rng.uniform(0, 0.5, size=200), policy.probe_epochs(1000)
    probes = tuple(Probe(epoch, 20, tuple((hard + spread * rng.normal(size=200)).tolist())) for epoch in epochs)
    for count in range(1, 10):
        decision = policy.decide(History(1000, epochs[count - 1], (), probes[:count]))
        if decision.switch_at is not None:
            return epochs[count - 1], decision
    raise AssertionError("after the last probe it decides")


def test_asked_probe_by_probe_noise_seldom_decides_before_the_guess():
    done = np.array([in_pure_noise(seed, AutoSwitch())[0] for seed in range(300)])
    # Three in a row beyond two standard errors of the same kept probe: it must have been lucky itself.
    assert (done < 500).mean() < 0.05


def test_three_clearly_worse_probes_in_a_row_decide_before_the_guess():
    policy = AutoSwitch()
    seen = history(0.3, 0.1, 0.2, 0.2, policy=policy)
    assert policy.decide(seen).switch_at is None
    decision = policy.decide(history(0.3, 0.1, 0.2, 0.2, 0.2, policy=policy))
    assert (decision.switch_at, decision.keep) == (31, 31)
    # Without any noise the smallest difference is clear.
    assert policy.decide(history(0.3, 0.1, 0.2, 0.2, 0.1001, policy=policy)).switch_at == 31
    noisy = np.random.default_rng(0).normal(0, 1, size=(5, 200))
    probes = tuple(
        Probe(epoch, 20, tuple((level + row).tolist()))
        for epoch, level, row in zip(policy.probe_epochs(1000)[:5], (0.3, 0.1, 0.2, 0.2, 0.2), noisy, strict=True)
    )
    assert policy.decide(History(1000, probes[-1].epoch, (), probes)).switch_at is None


def test_the_reason_names_the_lowest_probe_and_what_settled():
    for seed in range(40):
        policy, epochs = AutoSwitch(), AutoSwitch().probe_epochs(1000)
        done, decision = in_pure_noise(seed, policy)
        rng = np.random.default_rng(seed)
        hard = rng.uniform(0, 0.5, size=200)
        scores = [float((hard + 0.3 * rng.normal(size=200)).mean()) for _ in epochs][: epochs.index(done) + 1]
        kept, lowest = epochs.index(decision.switch_at), int(np.argmin(scores))
        assert decision.reason.startswith(f"Brier score {scores[kept]:.4f} after {epochs[kept]} epochs is ")
        if kept != lowest:
            assert f"behind the lowest, {scores[lowest]:.4f} after {epochs[lowest]}" in decision.reason
            assert "nearer to the guess of 500, which settles what is not clear" in decision.reason
        else:
            assert f"is the lowest of {len(scores)} probes" in decision.reason
    first = AutoSwitch().decide(history(0.1, 0.2, 0.3, 0.4, policy=AutoSwitch()))
    assert first.switch_at == 16
    assert first.reason.endswith("is the lowest of 4 probes, and the first: a later switch gains nothing")


def test_plain_training_from_the_start_may_be_a_candidate():
    policy = AutoSwitch(shares=(0, 0.25, 0.5, 0.75))
    assert policy.probe_epochs(100) == (0, 25, 50, 75)
    decision = policy.decide(history(0.1, 0.2, 0.3, 0.4, policy=policy, epochs=100))
    assert decision.switch_at == 0
    assert policy.decide(history(0.4, 0.1, 0.2, 0.3, policy=policy, epochs=100)).switch_at == 25
    assert AutoSwitch(shares=(0, 0.5), pull=0).decide(history(0.4, 0.1, policy=policy)).switch_at == 250


def test_as_long_as_later_probes_are_better_it_goes_on():
    policy = AutoSwitch()
    falling = [0.5 - 0.05 * k for k in range(8)]
    for count in range(1, 9):
        decision = policy.decide(history(*falling[:count], policy=policy))
        assert decision.switch_at is None
        assert decision.keep == policy.probe_epochs(1000)[count - 1]
    last = policy.decide(history(*falling, 0.05, policy=policy))
    assert last.switch_at == policy.probe_epochs(1000)[-1]


def test_it_waits_while_its_own_curve_still_falls():
    policy = AutoSwitch()
    scores = (0.5, 0.4, 0.35, 0.3, 0.25, 0.2, 0.21)
    seen = history(*scores, policy=policy)
    falling = tuple(Observation(e, 1.0, 50, 1 - e / 1000) for e in range(0, seen.done, 25))
    turned = tuple(Observation(e, 1.0, 50, abs(e - 200) / 1000) for e in range(0, seen.done, 25))
    assert policy.decide(replace(seen, observations=falling)).switch_at is None
    assert policy.decide(replace(seen, observations=turned)).switch_at == 250


def test_it_goes_back_only_to_the_state_that_it_kept():
    policy = AutoSwitch()
    rng = np.random.default_rng(1)
    for _ in range(200):
        scores = rng.normal(0.2, 0.02, 9)
        kept = None
        for count in range(1, 10):
            decision = policy.decide(history(*scores[:count], policy=policy))
            newest = policy.probe_epochs(1000)[count - 1]
            assert decision.keep in (kept, newest)
            kept = decision.keep
            if decision.switch_at is not None:
                assert decision.switch_at == kept
                break
        else:
            raise AssertionError("after the last probe it decides")


def test_a_training_too_short_for_a_probe_keeps_mixing():
    assert AutoSwitch().decide(History(1)).switch_at == 1


def test_the_own_minimum_needs_looks_and_numbers():
    looks = [Observation(e, 1.0, 50, (e - 10) ** 2) for e in range(1, 30)]
    assert own_minimum(looks) == pytest.approx(11, abs=2)
    assert own_minimum(looks[:4]) is None
    assert own_minimum([*looks, replace(looks[0], epoch=30, score=float("nan"))]) is None
    assert own_minimum([replace(look, split="train") for look in looks]) is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tail": 0}, r"^tail = 0: "),
        ({"tail": 0.6}, r"^tail = 0.6: "),
        ({"shares": ()}, r"^shares = \(\): use increasing shares"),
        ({"shares": 0.5}, r"^shares = 0.5: use increasing shares"),
        ({"shares": ("a",)}, r"^shares = \('a',\): use increasing shares"),
        ({"tail": "a"}, r"^tail = 'a': use a share of the training in"),
        ({"wait": None}, r"^wait = None: use a number >= 0$"),
        ({"limit": True}, r"^limit = True: use a number of standard errors"),
        ({"shares": (0.5, 0.25)}, r"^shares = "),
        ({"shares": (0.5, 1.0)}, r"^shares = "),
        ({"pull": -1.0}, r"^pull = -1.0: "),
        ({"guess": 1.0}, r"^guess = 1.0: "),
        ({"limit": -1.0}, r"^limit = -1.0: "),
        ({"limit": float("nan")}, r"^limit = nan: "),
        ({"blend": 1.5}, r"^blend = 1.5: "),
        ({"wait": float("nan")}, r"^wait = nan: "),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        AutoSwitch(**settings)


def test_shares_may_be_a_list():
    policy = AutoSwitch(shares=[0.25, 0.5])
    assert policy == AutoSwitch(shares=(0.25, 0.5))
    assert policy.decide(history(0.1, 0.2, policy=policy)).switch_at == 250
