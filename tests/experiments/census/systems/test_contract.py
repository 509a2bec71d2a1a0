"""What every system keeps, whoever adds it: the rows are asked for, not listed."""

import importlib
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from overmix.errors import MissingExtraError
from overmix.experiments.census.loop import run_seed, train
from overmix.experiments.census.loop_row import LoopRow
from overmix.experiments.census.rows import ROWS as SMALL_ROWS
from overmix.experiments.census.run import run_census
from overmix.experiments.census.systems.rows import SYSTEMS, system_rows
from overmix.mix import Streams
from overmix.recipes import registered
from overmix.switch import AutoSwitch, off_at

ROWS = system_rows()
# One row of each task: what a row trains is its task's, and the registry's battery has its recipe.
LOOPS = list({type(row.task): row for row in ROWS if isinstance(row, LoopRow)}.values())
HEAVY = ("torch_geometric", "rdkit", "transformers", "torchmetrics", "pycocotools", "torchvision", "pyreadr")


def by_name(row):
    return row.name


def test_names_are_unique_and_clash_with_none_of_the_census():
    names = [row.name for row in (*ROWS, *SMALL_ROWS)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("row", ROWS, ids=by_name)
def test_a_row_says_what_it_is(row):
    assert type(row.recipe) is registered()[row.recipe_name].recipe
    assert SYSTEMS.seeds_of(row, "laptop") in (5, 8)
    assert row.lacks.endswith(".")
    assert (row.grid[0], row.grid[-1]) == (0, row.epochs)
    assert row.third in row.grid
    assert len(row.grid) >= 6  # four switch epochs beside both ends
    assert {"title", "metric", "kind", "train_size", "val_size"} <= row.about.keys()
    assert row.baseline_names or any(name != row.erm for name in row.control_names)


def test_rows_are_listed_without_importing_what_they_need(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("overmix.experiments.census.systems")]:
        monkeypatch.delitem(sys.modules, name)
    for name in HEAVY:
        monkeypatch.setitem(sys.modules, name, None)  # importing it fails
    again = importlib.import_module("overmix.experiments.census.systems.rows").system_rows()
    assert [row.name for row in again] == [row.name for row in ROWS]


def test_a_package_that_is_missing_is_named_before_anything_is_trained(monkeypatch, tmp_path):
    row = replace(ROWS[0], needs=("a_package_that_nobody_has",))
    collection = replace(SYSTEMS, rows=lambda: (row,))
    with pytest.raises(MissingExtraError, match=r"overmix\[systems\]"):
        run_census(tmp_path / "new", "smoke", None, 1, print, collection=collection)
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
@pytest.mark.parametrize("row", LOOPS, ids=by_name)
def test_autoswitch_ends_as_the_run_that_is_off_at_its_epoch_bit_for_bit(row, where_data_are):
    short = row.at("smoke")
    with where_data_are():
        data = short.task.data(Streams(replica_seed=3))
    model, run = train(short.task, data, short.recipe, AutoSwitch(anywhere=True), 3)
    epoch = run.decision.switch_at
    again, _ = train(short.task, data, short.recipe, off_at(short.epochs if epoch is None else epoch), 3)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name


@pytest.mark.slow
@pytest.mark.parametrize("row", LOOPS, ids=by_name)
def test_a_seed_is_finite_and_repeats(row, where_data_are):
    short = row.at("smoke")
    short = replace(short, task=replace(short.task, epochs=4), shares=(1 / 3,))
    with where_data_are():
        one, again = run_seed(short, 5), run_seed(short, 5)
    assert one.keys() == again.keys()
    assert {f"value/{name}" for name in (*row.control_names, *row.baseline_names, "auto")} <= one.keys()
    for name, value in one.items():
        if name != "seconds":
            np.testing.assert_array_equal(value, again[name], err_msg=name)
            assert np.isfinite(value).all(), name
