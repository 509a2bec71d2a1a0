"""A table with a domain: what is drawn from where, and known answers."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from overmix.experiments.census.loop import train
from overmix.experiments.census.systems import shifts
from overmix.experiments.census.systems.r_frames import LIBRARY
from overmix.experiments.census.systems.shifts import EQUAL_GROUPS, NewPrecinct, Precincts, groups, stops
from overmix.experiments.census.task import Samples, evaluated
from overmix.mix import Streams
from overmix.recipes import LISA
from overmix.switch import always, never

TABLE = Path(os.environ.get(LIBRARY, "/usr/lib/R/site-library")) / "carData" / "data" / "Rdata.rdb"
needs_table = pytest.mark.skipif(not TABLE.exists(), reason="Debian's package r-cran-cardata is not installed")


@pytest.fixture
def made_up(monkeypatch):
    """A table of 3,000 rows whose first input is the number of its row."""
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=(3000, 4))).float()
    x[:, 0] = torch.arange(3000)
    table = Samples(x, torch.from_numpy(rng.integers(0, 2, 3000)), torch.from_numpy(rng.integers(0, 5, 3000)))
    monkeypatch.setattr(shifts, "stops", lambda: table)


def _rows(samples):
    return set(samples.x[:, 0].tolist())


@pytest.mark.parametrize("task", [Precincts(test_size=20, train_size=500), NewPrecinct(test_size=100, train_size=500)])
def test_the_parts_share_no_row(task, made_up):
    data = task.data(Streams(replica_seed=1))
    parts = [_rows(part) for part in (data.train, data.val, data.test)]
    assert len(set.union(*parts)) == sum(map(len, parts)) == task.train_size + task.val_size + len(data.test)


def test_the_groups_of_the_test_are_equally_large_and_the_worst_one_counts(made_up):
    task = Precincts(test_size=20, train_size=500)
    test = task.data(Streams(replica_seed=1)).test
    assert groups(test).bincount().tolist() == [20] * 10

    def says_yes(x):
        return torch.tensor([0.0, 1.0]).expand(len(x), 2)

    score = task.score(says_yes, test)
    assert (score.value, score.further["error"]) == (1.0, 0.5)


def test_a_new_precinct_is_in_the_test_alone(made_up):
    data = NewPrecinct(test_size=100, train_size=500, held=2).data(Streams(replica_seed=1))
    assert set(data.test.domain.tolist()) == {1}
    assert set(data.train.domain.tolist()) == set(data.val.domain.tolist()) == {0, 2, 3, 4}


@needs_table
def test_precincts_differ_in_what_stops_are_for():
    table = stops()
    shares = [float(table.y[table.domain == precinct].double().mean()) for precinct in range(5)]
    # Of counts that another reader's table has.
    assert shares == pytest.approx([2213 / 7552, 6667 / 9478, 2766 / 9792, 6750 / 12273, 7702 / 12825])
    assert bool(table.x.isfinite().all())


@needs_table
def test_equal_groups_and_partners_of_other_precincts_help_the_worst_group():
    task = Precincts(epochs=12, test_size=100)
    data = task.data(Streams(replica_seed=0))
    plain, mixed = (_worst(task, data, switch) for switch in (never(), always()))
    equal = task.baseline(EQUAL_GROUPS, data).value
    assert max(mixed, equal) < plain - 0.04


@needs_table
def test_nothing_is_learned_from_shuffled_answers():
    task = Precincts(epochs=5, test_size=100)
    data = task.data(Streams(replica_seed=0))
    shuffled = data.train.y[torch.from_numpy(np.random.default_rng(0).permutation(len(data.train)))]
    model, _ = train(task, replace(data, train=replace(data.train, y=shuffled)), LISA(), never(), 0)
    score = evaluated(lambda: task.score(model, data.test), model)
    assert score.further["error"] == pytest.approx(0.5, abs=0.06)
    assert score.value > 0.5


def _worst(task, data, switch):
    model, _ = train(task, data, LISA(), switch, 0)
    return evaluated(lambda: task.score(model, data.test).value, model)
