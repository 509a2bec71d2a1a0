"""Integrations beside a plain loop; and the table of all of them is of the present code."""

import subprocess
import sys
from pathlib import Path

import pytest

from overmix.study.store.files import read_json
from tools.conformance.page import RESULTS, source_digest
from tools.conformance.rows import INTEGRATIONS, PROCESSES, pairs, ranks_row, resumed_row, trained_row
from tools.conformance.task import SETTINGS, SWITCHES, Trained, differences

ROOT = Path(__file__).parents[2]
QUICK = [("Lightning", "accumulate 2", "goes back at the end"), ("transformers", "plain", "goes back")]
OTHERS = [row for row in pairs() if row not in QUICK]

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize(("integration", "setting", "switch"), QUICK)
def test_equal_to_the_plain_loop(integration, setting, switch):
    assert trained_row(integration, setting, switch).note == ""


@pytest.mark.slow
@pytest.mark.parametrize(("integration", "setting", "switch"), OTHERS)
def test_equal_to_the_plain_loop_in_pairs(integration, setting, switch):
    assert trained_row(integration, setting, switch).note == ""


@pytest.mark.slow
@pytest.mark.parametrize("integration", ["Lightning", "transformers"])
def test_resumes_at_epoch_ends(integration):
    row = resumed_row(integration, "resumed at epoch ends", "goes back")
    assert row.equal, row.note


@pytest.mark.slow
def test_two_processes():
    assert ranks_row("Lightning", "goes back").note == ""


def test_differences_are_seen():
    one = Trained("a", 1, 3, (0.5, 0.4), (1.0, 0.0), (1, 2))
    assert differences(one, one, SWITCHES["off_at(4)"]) == []
    other = Trained("b", 1, 3, (0.5, 0.3), (1.0, 0.5), (2, 1))
    assert differences(other, one, SWITCHES["off_at(4)"]) == [
        "weights",
        "scores",
        "mixing",
        "mixed after the switch",
        "the logger's steps went back",
    ]


def test_the_selection_is_pairwise():
    chosen = pairs()
    assert {(setting, switch) for _, setting, switch in chosen} == {(a, b) for a in SETTINGS for b in SWITCHES}
    assert {name for name, _, _ in chosen} == set(INTEGRATIONS)


def test_the_table_is_of_this_code_and_has_no_hole_without_a_reason():
    results = read_json(ROOT / RESULTS)
    assert results["sources"] == source_digest(ROOT), "the integrations have changed since: make conformance"
    rows = results["rows"]
    settings = {*SETTINGS, "resumed at epoch ends", "resumed inside epochs", PROCESSES}
    assert {(row["integration"], row["setting"]) for row in rows} == {(a, b) for a in INTEGRATIONS for b in settings}
    assert all(row["note"] for row in rows if row["equal"] is None)
    different = [row for row in rows if row["equal"] is False]
    assert all(row["setting"] in INTEGRATIONS[row["integration"]].known for row in different)


def test_the_core_imports_no_framework():
    frameworks = "lightning transformers accelerate timm torchvision sklearn mlflow tensorboard skorch pandas"
    code = f"import sys, overmix; overmix.Epochs(2); print([f for f in {frameworks.split()} if f in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"
