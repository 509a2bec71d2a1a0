from __future__ import annotations

import pytest

from overmix.diagnose.logs.metric import choose_metric, kind_of
from overmix.errors import ConfigError


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["val_error", "test_error"], "test_error"),
        (["train_acc", "val_acc", "val_loss"], "val_acc"),
        (["loss", "accuracy", "val_loss"], "val_loss"),
        (["eval_loss", "loss"], "eval_loss"),
        (["Error/test", "Error/train"], "Error/test"),
        (["epoch", "error"], "error"),
        (["valLoss", "trainLoss"], "valLoss"),
    ],
)
def test_held_out_metrics_are_found(names: list[str], chosen: str) -> None:
    assert choose_metric(names, "log") == chosen


@pytest.mark.parametrize("names", [["loss"], ["train_error"], ["epoch", "lr"], ["val_acc", "val_f1"], []])
def test_none_or_several_are_refused(names: list[str]) -> None:
    with pytest.raises(ConfigError, match="metric"):
        choose_metric(names, "log")


@pytest.mark.parametrize(
    ("name", "kind"), [("macc", None), ("val_nll", "loss"), ("Top1", "accuracy"), ("interr", None)]
)
def test_words_and_not_letters_decide(name: str, kind: str | None) -> None:
    assert kind_of(name) == kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *[
            (name, "accuracy")
            for name in ("val_iou", "val/mIoU", "val_r2", "dice", "psnr", "val_top5", "AP50", "auprc")
        ],
        *[(name, "loss") for name in ("val_f1_loss", "val_mapLoss", "accuracy/loss", "val_log_loss")],
        ("val_quality", None),
    ],
)
def test_the_last_word_that_says_something_counts(name, kind) -> None:
    assert kind_of(name) == kind
