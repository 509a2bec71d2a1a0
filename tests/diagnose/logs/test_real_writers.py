"""Readers on files that the tools' own writers left; `data/make_*.py` wrote them."""

from __future__ import annotations

import json
import shutil
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
    # A NaN that numbers follow is an epoch without a look.
    loss = read_curves([DATA / "lightning"], metric="train_loss")
    np.testing.assert_allclose(loss.values, [[1, 0.5, 0.25, 0.2]])
    assert loss.epochs.tolist() == [0, 1, 3, 4]


def test_mlflow_of_a_run_that_logged_a_step_twice() -> None:
    found = read_curves([DATA / "mlflow"])
    assert (found.metric, found.axis, found.epochs.tolist()) == ("val/error", "step", [1, 2, 3, 4, 5])
    np.testing.assert_allclose(found.values, [ERRORS])


def test_hugging_face_is_read_up_to_the_end_of_the_training() -> None:
    """`load_best_model_at_end` and one more `evaluate` log the best model at the last step: no end of the curve."""
    state = json.loads((DATA / "huggingface" / "trainer_state.json").read_text(encoding="utf-8"))
    logged = [row["eval_loss"] for row in state["log_history"] if "eval_loss" in row]
    found = read_curves([DATA / "huggingface"], metric="eval_loss")
    assert (found.axis, found.epochs.tolist()) == ("epoch", [1, 2, 3, 4, 5, 6])
    np.testing.assert_array_equal(found.values, [logged[:6]])
    assert logged[6] == min(logged[:6]) < logged[5]
    # Of the same run, the last of its checkpoints; what else was logged has other epochs, and is no metric to judge.
    assert read_curves([DATA / "huggingface"]).metric == "eval_accuracy"
    assert read_curves([DATA / "huggingface"], metric="loss").epochs[0] == pytest.approx(2 / 3)


def test_hugging_face_of_a_run_that_stopped_at_a_checkpoint(tmp_path: Path) -> None:
    for step in (18, 30):
        shutil.copytree(DATA / "huggingface" / f"checkpoint-{step}", tmp_path / f"checkpoint-{step}")
    found = read_curves([tmp_path], metric="eval_loss")
    whole = read_curves([DATA / "huggingface"], metric="eval_loss")
    np.testing.assert_array_equal(found.values, whole.values[:, :5])


def test_keras_with_the_learning_rate_beside_the_metric() -> None:
    found = read_curves([DATA / "keras" / "history.json"])
    assert (found.metric, found.axis, found.epochs.tolist()) == ("val_accuracy", "epoch", [1, 2, 3, 4, 5, 6])
    np.testing.assert_allclose(found.values[0, :2], [0.79, 0.77], atol=0.005)


def test_keras_validated_at_every_second_epoch() -> None:
    """The history has fewer values of it, and says no epochs; Keras's CSV file of the same run does."""
    found = read_curves([DATA / "keras" / "history-every-second.json"], metric="val_loss")
    in_csv = read_curves([DATA / "keras" / "training.csv"], metric="val_loss")
    assert (found.epochs.tolist(), in_csv.epochs.tolist()) == ([2, 4, 6], [1, 3, 5])
    np.testing.assert_allclose(found.values, in_csv.values)


def test_keras_of_a_run_that_diverged() -> None:
    found = read_curves([DATA / "keras" / "history-diverged.json"], metric="val_loss")
    assert np.isnan(found.values[0]).tolist() == [False] * 3 + [True] * 3
    assert "diverged" in found.diagnose().advice


def test_a_metric_that_is_missing_names_those_there_are() -> None:
    known = {
        "tensorboard-simple": "Error/test",
        "lightning": "val_acc",
        "mlflow": "val/error",
        "huggingface": "eval_accuracy",
        "keras": "val_accuracy",
    }
    for folder, near in known.items():
        with pytest.raises(ConfigError, match=rf"metric = '{near}x'.*did you mean {near}") as caught:
            read_curves([DATA / folder], metric=f"{near}x")
        assert "\n" not in str(caught.value)
