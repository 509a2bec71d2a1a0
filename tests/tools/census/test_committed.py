"""What is committed: all rows as they are now, measured well enough."""

from pathlib import Path

import pytest

from tools.census.page import RESULTS, read_rows

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def committed():
    return read_rows(ROOT / RESULTS)


def test_every_row_was_measured_as_it_is_now_with_enough_seeds(committed):
    rows, missing = committed
    assert missing == []
    assert all(row["n_seeds"] >= 8 and row["scale"] == "laptop" for row in rows)


def test_it_fits_into_two_hours_on_two_cores(committed):
    assert sum(row["core_seconds"] for row in committed[0]) < 2 * 2 * 3600


def test_no_task_is_at_chance_or_solved_by_plain_training(committed):
    for row in committed[0]:
        plain = row["final"][row["erm"]]["mean"]
        assert 0.02 < plain < 0.98, row["name"]
