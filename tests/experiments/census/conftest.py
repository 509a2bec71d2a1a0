"""Rows that train in a fraction of a second, and what they say."""

from dataclasses import replace

import pytest

from overmix.experiments.census.rows import ROWS
from overmix.experiments.census.run import run_census


@pytest.fixture(scope="session")
def tiny():
    """Return a function that shortens a row."""

    def shortened(name, epochs=10, **settings):
        (row,) = (row for row in ROWS if row.name == name)
        return replace(row, task=replace(row.task, epochs=epochs, **settings))

    return shortened


@pytest.fixture(scope="session")
def smoke(tmp_path_factory):
    """A folder with some rows, and the rows: an error, a value, a contrast with a control, and a rate."""
    folder = tmp_path_factory.mktemp("census")
    names = ["Mixup-half", "CMixup", "MixCo", "PromptMixup"]
    return folder, run_census(folder, "smoke", names, workers=1, tell=lambda _: None)
