import pytest

from overmix.switch import AutoSwitch, Decision, Observation, Probe
from overmix.switch.policies.baselines import CleanError, Fixed, Minimum, Patience, Turned
from overmix.switch.replay import replay

LOOKS = (1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256)


def looks(brier=None, error=None, train_error=None, at=LOOKS):
    """Return looks at both splits; a curve is a function of the number of epochs trained."""
    flat = lambda done: 0.5  # noqa: E731
    brier, error, train_error = brier or flat, error or flat, train_error or flat
    return [
        Observation(done - 1, 1.0, 100, brier(done), "brier", split, error=value(done))
        for done in at
        for split, value in (("val", error), ("train", train_error))
    ]


def lowest_at(epoch):
    """Return a curve that is lowest after so many epochs."""
    return lambda done: 0.2 + 0.001 * abs(done - epoch)


@pytest.mark.parametrize(
    ("policy", "seen", "switch_at", "done"),
    [
        (Fixed(0.0), looks(), 0, 0),
        (Fixed(0.5), looks(), 128, 0),
        (Fixed(1.0), looks(), 256, 0),
        (Minimum("error"), looks(error=lowest_at(32), brier=lowest_at(96)), 32, 256),
        (Minimum("brier"), looks(error=lowest_at(32), brier=lowest_at(96)), 96, 256),
        # Half as long again as it took to the best, 64, is 96: where the next look is.
        (Patience("brier"), looks(error=lowest_at(8), brier=lowest_at(64)), 64, 96),
        (CleanError(), looks(train_error=lambda done: 0.0 if done >= 16 else 0.1), 16, 16),
        (CleanError(factor=2.0), looks(train_error=lambda done: 0.0 if done >= 16 else 0.1), 32, 32),
        # What never comes is Mixup to the end.
        (CleanError(), looks(train_error=lambda done: 0.1), 256, 256),
        (Turned("brier"), looks(brier=lambda done: 1 / done), 256, 256),
    ],
)
def test_what_each_policy_chooses_on_a_known_curve(policy, seen, switch_at, done):
    found = replay(policy, 256, seen)
    assert (found.switch_at, found.done, found.probes) == (switch_at, done, 0)


def test_a_turned_curve_is_gone_back_to_before_its_end():
    many = tuple(range(4, 257, 4))
    found = replay(Turned("brier"), 256, looks(brier=lambda done: 0.2 + 0.3 * abs(done / 64 - 1), at=many))
    assert 56 <= found.switch_at <= 72
    assert found.switch_at < found.done < 256


def test_the_price_counts_what_going_back_discards_and_the_tails():
    found = replay(Minimum("error"), 256, looks(error=lowest_at(64)))
    assert found.cost(256) == (256 + 256 - 64) / 256
    assert replay(Fixed(0.25), 256, looks()).cost(256) == 1


class Probing:
    """Probes after 4 and 32 epochs; decides on the better one once it has both."""

    def probe_epochs(self, epochs):
        return (4, 32)

    def tail_epochs(self, epochs):
        return 8

    def decide(self, history):
        if len(history.probes) < 2:
            return Decision(None, "not yet")
        return Decision(min(history.probes, key=lambda probe: probe.score).epoch, "the better one")


def test_probes_are_asked_for_where_the_policy_wants_them_and_paid():
    asked = []

    def probe(epoch, tail):
        asked.append((epoch, tail))
        return Probe(epoch, tail, (0.1,) if epoch == 4 else (0.3,))

    found = replay(Probing(), 256, looks(), probe=probe)
    assert asked == [(4, 8), (32, 8)]
    assert (found.switch_at, found.done, found.probes) == (4, 32, 2)
    assert found.cost(256, tail=8) == (32 + 256 - 4 + 16) / 256


def test_it_is_asked_where_nobody_looked_if_told_to():
    at = [3, 20]
    found = replay(Probing(), 256, looks(at=(64,)), also_at=[4, 32], probe=lambda e, t: Probe(e, t, (0.1 * e,)))
    assert (found.switch_at, found.done) == (4, 32)
    never = replay(Probing(), 256, looks(at=(64,)), also_at=at, probe=lambda e, t: Probe(e, t, (0.1,)))
    assert (never.switch_at, never.probes) == (256, 0)


def test_nothing_later_is_seen():
    class Spying(Probing):
        def decide(self, history):
            assert all(seen.epoch < history.done for seen in history.observations)
            return Decision(None, "not yet")

    assert replay(Spying(), 256, looks()).switch_at == 256


def test_a_policy_that_probes_mixes_to_the_end_where_none_were_recorded():
    assert replay(AutoSwitch(), 256, looks()).switch_at == 256
