"""The simulated scheduler, against cases that are known beforehand."""

import numpy as np
import pytest
from benchmarks import schedule

from overmix.study.plan.shards import Shard


def machines(gpus, **changes):
    still = {"mtbf": np.inf, "start": 0.0, "spread": 0.0, "slow": 0.0}
    return schedule.Machines(gpus, **still | changes)


def run(hours, machines, shards=False):
    hours = np.asarray(hours, dtype=float)
    return schedule.simulate(hours, np.ones(len(hours)), machines, shards=shards, rng=np.random.default_rng(0))


@pytest.mark.parametrize("shards", [False, True])
def test_equal_stacks_on_equal_machines(shards):
    outcome = run([1.0] * 12, machines(4, start=0.5), shards)
    assert (outcome.makespan, outcome.reserved, outcome.lost, outcome.losses) == (4.5, 18.0, 0.0, 0)


def test_a_queue_evens_out_what_shards_do_not():
    hours = [4.0, 4.0, 1.0, 1.0]
    queue, shards = (run(hours, machines(2), shards) for shards in (False, True))
    assert (queue.makespan, queue.reserved) == (5.0, 10.0)
    assert (shards.makespan, shards.reserved) == (8.0, 10.0)


def test_what_is_lost_is_what_was_trained_since_the_last_checkpoint():
    outcome = run([50.0] * 8, machines(4, mtbf=10.0, away=0.0, checkpoint=0.5))
    assert outcome.losses > 10
    assert 0 < outcome.lost < 0.5 * outcome.losses
    assert outcome.makespan * 4 >= outcome.work + outcome.lost
    whole = run([5.0] * 8, machines(4, mtbf=10.0, away=0.0, checkpoint=np.inf))
    assert whole.lost > outcome.lost / 10


def test_shards_are_cut_as_a_study_cuts_them():
    works = np.random.default_rng(1).integers(1, 9, 40).astype(float)
    cut = [Shard(number, 7).of_jobs(range(40), works.tolist()) for number in range(1, 8)]
    assert schedule._shards(works, 7) == [list(part) for part in cut]


def test_rows_do_not_depend_on_what_was_drawn_before():
    measured = [{"study": "a", "seconds": seconds, "work": 1} for seconds in (1.0, 2.0, 4.0)]
    one, other = (schedule._row(measured, 30, schedule.Machines(3), shards=False) for _ in range(2))
    assert one == other
    assert one["hours"][0] <= one["hours"][1] <= one["hours"][2]
