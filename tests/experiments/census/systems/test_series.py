"""Real regressions: their parts, and what a shuffled value must not teach."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from overmix.errors import ConfigError
from overmix.experiments.census.loop import train
from overmix.experiments.census.systems.real_tables import DAYS, ozone
from overmix.experiments.census.systems.series import BY_RIDGE, PERSISTENCE, ROWS, BloodBrain, Ozone
from overmix.experiments.census.task import Samples, evaluated
from overmix.mix import Streams
from overmix.switch import always

LIBRARY = Path(os.environ.get("OVERMIX_R_LIBRARY", "/usr/lib/R/site-library"))
needs_tables = pytest.mark.skipif(not (LIBRARY / "mlbench").exists(), reason="r-cran-mlbench is not installed")
TASKS = [BloodBrain(), Ozone()]


def test_a_table_that_is_missing_names_its_package(monkeypatch, tmp_path):
    ozone.cache_clear()
    monkeypatch.setenv("OVERMIX_R_LIBRARY", str(tmp_path))
    with pytest.raises(ConfigError, match="r-cran-mlbench"):
        Ozone().data(Streams())


@needs_tables
def test_a_window_has_the_weather_of_the_day_that_is_asked_for_and_ozone_until_the_day_before():
    x, y, day = ozone()
    assert x.shape == (len(y), 9, DAYS)
    assert np.isfinite(x).all()
    (after,) = np.flatnonzero(day == day[0] + 1)
    assert x[after, 0, -1] == y[0]
    # The weather of a day stands last in its own window, and before last in the next day's.
    np.testing.assert_array_equal(x[after, 1:, -2], x[0, 1:, -1])
    np.testing.assert_array_equal(x[after, 0, :-1], x[0, 0, 1:])


@needs_tables
@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
def test_parts_are_disjoint_and_the_test_is_the_same_for_all_seeds(task):
    one, other = (task.parts(np.random.default_rng(seed))[2] for seed in (0, 1))
    assert len(np.unique(np.concatenate(one))) == sum(len(part) for part in one)
    assert [len(part) for part in one[:2]] == [task.train_size, task.val_size]
    np.testing.assert_array_equal(one[2], other[2])
    train_part = task.data(Streams()).train
    assert float(train_part.y.std(correction=0)) == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
@needs_tables
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_samples_teach_more_than_the_mean_and_shuffled_values_do_not(row):
    task = replace(row.task, epochs=40)
    data = task.data(Streams(replica_seed=1))
    guess = float(data.test.y.square().mean())

    def error(data):
        model, _ = train(task, data, row.recipe, always(), 1)
        return evaluated(lambda: task.score(model, data.test), model).value

    assert error(data) < 0.85 * guess
    assert task.baseline(BY_RIDGE, data).value < 0.85 * guess
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(data.train)))
    assert error(replace(data, train=Samples(data.train.x, data.train.y[order]))) > 0.95 * guess


@needs_tables
def test_persistence_is_that_a_day_is_as_the_one_before():
    task = Ozone()
    data = task.data(Streams())
    constant = replace(data, test=Samples(data.test.x, data.test.x[:, 0, -1]))
    assert task.baseline(PERSISTENCE, constant).value == 0
