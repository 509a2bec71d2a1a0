"""Which metric is judged, by names as tools log them."""

from __future__ import annotations

import pytest

from overmix.diagnose.logs.choice import choose_metric
from overmix.diagnose.logs.log import Log
from overmix.errors import ConfigError

YOLO = [
    "epoch",
    "train/box_loss",
    "metrics/precision(B)",
    "metrics/recall(B)",
    "metrics/mAP50(B)",
    "metrics/mAP50-95(B)",
]


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["val_error", "test_error"], "test_error"),
        (["train_acc", "val_acc", "val_loss"], "val_acc"),
        (["test_loss", "val_acc"], "val_acc"),
        (["eval_loss", "loss"], "eval_loss"),
        (["Error/test", "Error/train"], "Error/test"),
        (["epoch", "error"], "error"),
        (["valLoss", "trainLoss"], "valLoss"),
        (["val/loss", "val/box_loss", "val/cls_loss"], "val/loss"),
        (["val_loss_bbox", "val_loss_total"], "val_loss_total"),
        # Of several rates: accuracy, then F1, the plain form first.
        (["eval_precision", "eval_recall", "eval_f1", "eval_accuracy"], "eval_accuracy"),
        (["eval_top5", "eval_top1"], "eval_top1"),
        (["test_acc5", "test_acc1"], "test_acc1"),
        (["eval_rougeL", "eval_rouge2", "eval_rouge1"], "eval_rouge1"),
        (["val_acc_ema", "val_acc"], "val_acc"),
        # Keras: what stands beside its own validation is the training's.
        (["loss", "accuracy", "val_loss"], "val_loss"),
        (["loss", "auc", "val_loss", "val_auc"], "val_auc"),
        # fastai, YOLO, mm, detectron2: only the losses say what they are of.
        (["train_loss", "valid_loss", "error_rate"], "error_rate"),
        (["train_loss", "train_acc", "test_loss", "acc"], "acc"),
        ([*YOLO, "val/box_loss"], "metrics/mAP50-95(B)"),
        (["train/box_loss", "metrics/mAP_0.5", "metrics/mAP_0.5:0.95", "val/box_loss"], "metrics/mAP_0.5:0.95"),
        (["loss", "accuracy/top5", "accuracy/top1"], "accuracy/top1"),
        (["total_loss", "fast_rcnn/cls_accuracy", "bbox/AP50", "bbox/AP", "segm/AP"], "bbox/AP"),
        # A running best cannot turn, and a standard deviation is no metric.
        (["val/acc_best", "val/loss"], "val/loss"),
        (["max_val_acc", "val_acc_std", "val_loss"], "val_loss"),
    ],
)
def test_the_held_out_metric_of_the_task_is_chosen(names: list[str], chosen: str) -> None:
    assert choose_metric(names, [], "log").metric == chosen
    assert choose_metric(names[::-1], [], "log").metric == chosen


def test_what_has_rows_of_its_own_beside_the_loss_is_held_out() -> None:
    rows = [
        {"step": 1, "loss": 2.0, "acc_seg": 0.5},
        {"step": 2, "loss": 1.0, "acc_seg": 0.6},
        {"step": 2, "mIoU": 0.3},
    ]
    assert choose_metric(["loss", "acc_seg", "mIoU"], [Log("scalars.json", rows)], "log").metric == "mIoU"


@pytest.mark.parametrize("names", [["loss"], ["train_error"], ["lr", "time"], ["val_acc_best"], []])
def test_where_there_is_none_the_names_are_listed(names: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"metric.*choose from: " + (", ".join(names) or "none")):
        choose_metric(names, [], "log")


def test_what_was_not_looked_at_is_said_in_order() -> None:
    choice = choose_metric(["val_loss", "val_acc_best", "val_quality", "val_f1", "val_acc", "train_acc"], [], "log")
    assert choice.metric == "val_acc"
    assert choice.others == ("val_f1", "val_loss", "val_quality", "val_acc_best")
