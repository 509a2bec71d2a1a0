import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overmix.errors import ConfigError
from overmix.mix import StreamCursor, Streams
from overmix.switch import Always, Never, OffAt, Progress, Schedule, always, make_schedule, mixes, never, off_at


def mixed_epochs(schedule, epochs):
    return [schedule.probability(Progress(epoch, epochs)) for epoch in range(epochs)]


@pytest.mark.parametrize(
    ("when", "epochs", "mixed"),
    [
        (0, 10, 0),
        (1, 10, 1),
        (10, 10, 10),
        (99, 10, 10),
        (10**400, 10, 10),
        (0.0, 10, 0),
        (1.0, 10, 10),
        (0.5, 10, 5),
        (0.5, 9, 4),
        (0.5, 1, 0),
        (0.33, 240, 79),
        (0.29, 100, 29),  # 0.29 * 100 is 28.999999999999996 in floats
        (0.57, 100, 57),
        (np.float64(0.5), 10, 5),
        (np.float32(0.29), 100, 29),
        (np.int32(4), 10, 4),
    ],
)
def test_off_at_mixes_so_many_epochs_and_no_more(when, epochs, mixed):
    assert mixed_epochs(off_at(when), epochs) == [1.0] * mixed + [0.0] * (epochs - mixed)


@given(percent=st.integers(0, 100), epochs=st.integers(1, 5000))
def test_a_share_written_in_percent_is_rounded_down_exactly(percent, epochs):
    exact = math.floor(Fraction(percent, 100) * epochs)
    assert off_at(percent / 100).epoch(epochs) == exact


@pytest.mark.parametrize("when", [-1, -0.1, math.nan, math.inf, -math.inf, True, "0.5", None])
def test_off_at_refuses_what_is_no_point_of_a_training(when):
    with pytest.raises(ConfigError, match=r"^off_at = .*: use a number of epochs \(128\) or a share"):
        off_at(when)


@pytest.mark.parametrize(("when", "epochs"), [(128.0, 128), (1.6, 2)])
def test_a_float_above_one_is_told_how_to_be_a_number_of_epochs(when, epochs):
    with pytest.raises(ConfigError, match=rf"^off_at = {when}: .* for epochs write {epochs}$"):
        off_at(when)


def test_always_and_never():
    assert mixed_epochs(always(), 3) == [1.0] * 3
    assert mixed_epochs(never(), 3) == [0.0] * 3


@pytest.mark.parametrize(
    ("specification", "schedule"),
    [
        ("always", Always()),
        ("never", Never()),
        ({"off_at": 128}, OffAt(128)),
        ({"off_at": 0.5}, OffAt(0.5)),
    ],
)
def test_a_study_file_names_schedules(specification, schedule):
    assert make_schedule(specification) == schedule
    assert isinstance(schedule, Schedule)


@pytest.mark.parametrize(
    ("specification", "message"),
    [
        ("alway", r"^schedule = 'alway': did you mean always\?"),
        ({"of_at": 3}, r"^schedule = 'of_at': did you mean off_at\?"),
        (
            {3: 3},
            r"^schedule = 3: known: always, auto, .*, off_at, off_at_step, on_from, on_from_step, patience",
        ),
        ("off_at", r"^schedule = 'off_at': give it a value: \{off_at: 128\}$"),
        ({"always": True}, r"^schedule = \{'always': True\}: write always alone: it takes no value$"),
        ({"off_at": -1}, r"^off_at = -1: "),
        ({"off_at": "half"}, r"^off_at = 'half': "),
        ({}, r"^schedule = \{\}: use one of: always, never, "),
        ({"off_at": 1, "always": 1}, r"^schedule = \{.*\}: use one of: "),
        (False, r"^schedule = False: use one of: "),  # what YAML makes of a bare "off"
        (None, r"^schedule = None: use one of: "),
    ],
)
def test_what_names_no_schedule_is_told_the_remedy(specification, message):
    with pytest.raises(ConfigError, match=message):
        make_schedule(specification)


class WithProbability:
    def __init__(self, p):
        self.p = p

    def probability(self, progress):
        return self.p


def gates(p, streams, epochs=40, steps=50):
    return np.array(
        [[mixes(WithProbability(p), Progress(e, epochs, s), streams) for s in range(steps)] for e in range(epochs)]
    )


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_a_probability_is_the_share_of_batches_mixed(p):
    opened = gates(p, Streams(3, 4))
    assert abs(opened.mean() - p) < 4 * math.sqrt(p * (1 - p) / opened.size)


def test_neither_epochs_nor_steps_repeat_each_other():
    opened = gates(0.5, Streams(3, 4))
    assert len({row.tobytes() for row in opened}) == 40
    assert len({column.tobytes() for column in opened.T.copy()}) == 50


def test_gates_are_nested_a_higher_probability_opens_more_of_them():
    few, many = gates(0.3, Streams(3, 4)), gates(0.6, Streams(3, 4))
    assert bool((many | ~few).all())


def test_a_gate_is_the_number_at_its_address_whoever_asks():
    streams = Streams(3, 4)
    assert np.array_equal(gates(0.5, streams), gates(0.5, StreamCursor(streams)))
    number = streams.generator("gate", epoch=2, step=7).random()
    assert mixes(WithProbability(number + 1e-9), Progress(2, 40, 7), streams)
    assert not mixes(WithProbability(number), Progress(2, 40, 7), streams)


class NoNumbers:
    def generator(self, stream, *, epoch=0, step=0):
        raise AssertionError("a certain gate draws nothing")


@pytest.mark.parametrize("p", [0.0, 1.0, -0.5, 1.5])
def test_a_certain_gate_draws_nothing(p):
    assert mixes(WithProbability(p), Progress(0, 1), NoNumbers()) == (p >= 1)
