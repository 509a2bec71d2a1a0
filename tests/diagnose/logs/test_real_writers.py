"""Readers on files that the tools' own writers left; `data/make_*.py` wrote them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from overmix.diagnose.logs import read_curves

DATA = Path(__file__).parent / "data"
ERRORS = [0.9, 0.5, 0.3, 0.25, 0.3]


@pytest.mark.parametrize("kind", ["simple", "tensor"])
def test_tensorboard_of_a_run_that_crashed_and_was_resumed(kind: str) -> None:
    found = read_curves([DATA / f"tensorboard-{kind}"])
    # The loss is one of the training samples; and step 300, logged twice, counts as it was after the resume.
    assert (found.metric, found.axis) == ("Error/test", "step")
    assert found.epochs.tolist() == [100, 200, 300, 400, 500]
    np.testing.assert_allclose(found.values, [ERRORS], rtol=1e-6)


def test_tensorboard_by_the_metric_that_was_asked_for() -> None:
    found = read_curves([DATA / "tensorboard-simple"], metric="Loss/train")
    np.testing.assert_allclose(found.values, [[1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]], rtol=1e-6)
