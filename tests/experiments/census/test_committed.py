"""What is committed: all rows as they are now, and documents that say what the files say."""

from pathlib import Path

import pytest

from overmix.experiments.census.cards import section
from overmix.experiments.census.page import page, read_rows

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def committed():
    return read_rows(ROOT / "results" / "census")


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


def test_the_page_says_what_the_files_say(committed):
    assert (ROOT / "docs" / "census.md").read_text(encoding="utf-8") == page(*committed)


def test_the_cards_say_what_the_files_say(committed):
    rows, _ = committed
    for name in {row["recipe"] for row in rows}:
        card = (ROOT / "docs" / "recipes" / f"{name.lower()}.md").read_text(encoding="utf-8")
        assert section([row for row in rows if row["recipe"] == name]) in card
