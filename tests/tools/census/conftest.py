"""Rows as they are committed: an error, a value, a contrast with a control, and a rate."""

import copy
from pathlib import Path

import pytest

from overmix.study.store.files import read_json
from tools.census.page import RESULTS

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def committed_rows():
    names = ("Mixup-half", "CMixup", "MixCo", "PromptMixup")
    return [read_json(ROOT / RESULTS / f"{name}.json") for name in names]


@pytest.fixture
def rows(committed_rows):
    """Rows that a test may change."""
    return copy.deepcopy(committed_rows)
