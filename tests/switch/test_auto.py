import pytest

from overmix.errors import ConfigError
from overmix.switch import AutoSwitch, History, Policy, Probe


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


def test_a_first_look_decides_nothing():
    policy = AutoSwitch()
    assert policy.decide(history(policy=policy)).switch_at is None
    assert policy.decide(history(0.1, policy=policy)).switch_at is None


def test_the_same_history_gives_the_same_decision():
    policy = AutoSwitch()
    seen = history(0.3, 0.2, 0.1, 0.2, 0.3, policy=policy)
    assert policy.decide(seen) == AutoSwitch().decide(seen)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tail": 0}, r"^tail = 0: "),
        ({"tail": 0.6}, r"^tail = 0.6: "),
        ({"shares": ()}, r"^shares = \(\): use increasing shares"),
        ({"shares": (0.5, 0.25)}, r"^shares = "),
        ({"shares": (0.5, 1.0)}, r"^shares = "),
        ({"margin": -1.0}, r"^margin = -1.0: "),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        AutoSwitch(**settings)
