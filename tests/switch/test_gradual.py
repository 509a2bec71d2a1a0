import pytest

from overmix.errors import ConfigError
from overmix.mix import Streams
from overmix.switch import Hesitation, LinearDecay, OnFrom, Progress, fade, make_schedule, mixes


def probabilities(schedule, epochs):
    return [schedule.probability(Progress(epoch, epochs)) for epoch in range(epochs)]


def test_mixing_that_sets_in_late():
    assert probabilities(OnFrom(3), 5) == [0, 0, 0, 1, 1]
    assert probabilities(OnFrom(0.6), 5) == [0, 0, 0, 1, 1]


def test_mixing_that_fades_out():
    assert probabilities(LinearDecay(0.5, 1.0), 4) == [1, 1, 1, 0.5]
    assert probabilities(LinearDecay(0.0, 0.5), 4) == [1, 0.5, 0, 0]


def test_mixing_that_is_full_until_a_half_and_gone_at_three_quarters():
    assert probabilities(fade(), 8) == [1, 1, 1, 1, 1, 0.5, 0, 0]
    assert probabilities(fade(0.25, 1.0), 4) == probabilities(LinearDecay(0.25, 1.0), 4)
    assert make_schedule("fade") == make_schedule({"fade": {"start": 0.5, "end": 0.75}}) == fade()


def test_hesitation_has_the_probabilities_of_its_authors_code():
    found = probabilities(Hesitation(), 100)
    assert found[:60] == [1] * 60
    assert found[60:90] == [1, 0] * 15
    assert found[90:] == pytest.approx([(100 - epoch) / 10 for epoch in range(90, 100)])
    assert min(found[90:]) > 0


def test_a_share_of_the_batches_is_mixed():
    streams, schedule = Streams(replica_seed=3), LinearDecay()
    mixed = [mixes(schedule, Progress(50, 100, step), streams) for step in range(2000)]
    # Binomial(2000, 1/2): six standard deviations are 0.067.
    assert sum(mixed) / 2000 == pytest.approx(0.5, abs=0.067)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OnFrom(-1), r"^on_from = -1: "),
        (lambda: OnFrom(1.5), r"^on_from = 1.5: "),
        (lambda: LinearDecay(0.5, 0.5), r"^linear_decay = \(0.5, 0.5\): use shares with 0 <= start < end <= 1$"),
        (lambda: LinearDecay(float("nan"), 1), r"^linear_decay = "),
        (lambda: fade(0.75, 0.5), r"^fade = \(0.75, 0.5\): use shares with 0 <= start < end <= 1$"),
        (lambda: Hesitation(0.9, 0.6), r"^hesitation = \(0.9, 0.6\): "),
        (lambda: make_schedule({"linear_decay": {"begin": 0}}), r"^linear_decay.begin = 0: unknown key, .*start"),
        (lambda: make_schedule({"linear_decay": 3}), r"^linear_decay = 3: write linear_decay alone, or with settings"),
        (lambda: make_schedule({"linear_decay": {"start": "x"}}), r"^linear_decay = "),
        (lambda: make_schedule({"auto": {"tail": 0}}), r"^tail = 0: use a share of the training"),
    ],
)
def test_what_cannot_work_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_names_and_settings_of_study_files():
    assert make_schedule("hesitation") == Hesitation()
    assert make_schedule({"on_from": 0.5}) == OnFrom(0.5)
    assert make_schedule({"auto": {"shares": [0.25, 0.5]}}).shares == (0.25, 0.5)
