"""The page of systems: its tables, and what is committed of the known answers."""

import re
from pathlib import Path

import pytest

from overmix.experiments.census.systems.masked import LABELS_ALONE, SHUFFLED
from overmix.experiments.census.systems.rows import SYSTEMS
from tools.census.page import read_rows
from tools.systems import RESULTS, against_plain, page, section, what_plain_is

ROOT = Path(__file__).parents[2]
OF = SYSTEMS.rows()


@pytest.fixture(scope="module")
def committed():
    return read_rows(ROOT / RESULTS, OF)[0]


def test_every_row_is_committed_as_it_is_now(committed):
    assert [row["name"] for row in committed] == [row.name for row in OF]


def test_tables_are_regular_and_filled(committed):
    tables = re.findall(r"(?:^\|.*\n)+", page(committed, OF), flags=re.MULTILINE)
    assert len(tables) >= 4
    for table in tables:
        assert len({line.count(" | ") for line in table.splitlines()}) == 1
        assert not re.search(r"\b(None|nan)\b", table)


def test_a_further_number_has_its_own_unit(committed):
    lines = [line.split(" | ") for line in page(committed, OF).splitlines() if "cross-entropy" in line]
    lines = [line for line in lines if line[0].startswith("| ")]
    assert len(lines) >= 6
    assert all("(nats)" in line[1] and "%" not in "".join(line[3:]) for line in lines)
    further = page(committed, OF).partition("## Further numbers")[2].partition("## What each")[0]
    shares = [float(share) for share in re.findall(r"([\d.]+)\u00a0%", further)]
    assert shares
    assert max(shares) <= 100


@pytest.mark.parametrize("recipe", sorted({row.recipe_name for row in OF}))
def test_no_two_rows_of_a_card_have_one_label(committed, recipe):
    recorded = [row for row in committed if row["recipe"] == recipe]
    text = section(recorded, [row for row in OF if row.recipe_name == recipe])
    labels = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| ")]
    assert len(set(labels)) == len(labels) >= 3


def test_what_plain_training_is_stands_beside(committed):
    (line, _) = what_plain_is(OF)
    assert "in ConfidentMixup-vit4: FixMatch;" in line
    assert "CMixup" not in line
    assert what_plain_is([row for row in OF if row.recipe_name == "CMixup"]) == []


def test_fixmatch_beats_labels_alone_and_with_shuffled_pseudo_labels_it_is_worse(committed):
    (row,) = [row for row in committed if row["name"] == "ConfidentMixup-vit4"]
    assert against_plain(row, LABELS_ALONE).ci[1] < 0
    alone, shuffled = (row["final"][name]["values"] for name in (LABELS_ALONE, SHUFFLED))
    assert sum(shuffled) > sum(alone)
    assert against_plain(row, SHUFFLED).ci[1] < 0
