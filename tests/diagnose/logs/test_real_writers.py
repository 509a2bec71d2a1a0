"""Readers on files that the tools' own writers left; `data/make_*.py` wrote them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from overmix.diagnose.logs import read_curves
from overmix.errors import ConfigError

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


def test_lightning_with_a_diverged_loss_beside_the_metric() -> None:
    found = read_curves([DATA / "lightning"])
    assert (found.metric, found.axis, found.epochs.tolist()) == ("val_acc", "epoch", [0, 1, 2, 3, 4])
    np.testing.assert_allclose(found.values, [[0.1, 0.5, 0.7, 0.75, 0.7]])
    loss = read_curves([DATA / "lightning"], metric="train_loss").values
    np.testing.assert_allclose(loss, [[1, 0.5, np.nan, 0.25, 0.2]])


def test_mlflow_of_a_run_that_logged_a_step_twice() -> None:
    found = read_curves([DATA / "mlflow"])
    assert (found.metric, found.axis, found.epochs.tolist()) == ("val/error", "step", [1, 2, 3, 4, 5])
    np.testing.assert_allclose(found.values, [ERRORS])


def test_a_metric_that_is_missing_names_those_there_are() -> None:
    for folder, near in (("tensorboard-simple", "Error/test"), ("lightning", "val_acc"), ("mlflow", "val/error")):
        with pytest.raises(ConfigError, match=rf"metric = '{near}x'.*did you mean {near}") as caught:
            read_curves([DATA / folder], metric=f"{near}x")
        assert "\n" not in str(caught.value)
