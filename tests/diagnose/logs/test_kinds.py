"""The table of kinds, on names that people log."""

from __future__ import annotations

import numpy as np
import pytest

from overmix.diagnose.logs import describe_kinds, kind_of
from overmix.diagnose.logs.units import unit_of

LOSS, OWN, PROBABILITY = ("lower", "value", "loss"), ("lower", "value", "error in its own unit"), "probability score"
DISTANCE, ERROR = ("lower", "value", "distance or divergence"), ("lower", "rate", "error rate")
TRANSCRIPTION, FALSE = ("lower", "open rate", "transcription error rate"), ("lower", "rate", "rate of false answers")
ACCURACY, F, OVERLAP = (("higher", "rate", kind) for kind in ("accuracy", "F score", "overlap"))
PRECISION, AREA = ("higher", "rate", "average precision"), ("higher", "rate", "area under a curve")
AGREEMENT, TEXT = ("higher", "rate", "agreement or correlation"), ("higher", "rate", "text overlap")
RANKING, RECALL = ("higher", "rate", "ranking"), ("higher", "rate", "precision or recall")

NAMES = {
    "val_loss": LOSS,
    "eval/nll": LOSS,
    "val_log_loss": LOSS,
    "logloss": LOSS,
    "Loss/val": LOSS,
    "val/box_loss": LOSS,
    "val_f1_loss": LOSS,
    "val_mapLoss": LOSS,
    "loss_iou": LOSS,
    "accuracy/loss": LOSS,
    "neg_log_likelihood": LOSS,
    "val_cross_entropy": LOSS,
    "val_kl_divergence": DISTANCE,
    "val_kullback_leibler_divergence": DISTANCE,
    "test/fid": DISTANCE,
    "val_lpips": DISTANCE,
    "hd95": DISTANCE,
    "hausdorff_distance": DISTANCE,
    "val_brier_score": ("lower", "value", PROBABILITY),
    "val_brier": ("lower", "value", PROBABILITY),
    "val/ece": ("lower", "value", PROBABILITY),
    "expected_calibration_error": ("lower", "value", PROBABILITY),
    "val_mean_squared_error": OWN,
    "val_mse": OWN,
    "root_mean_squared_error": OWN,
    "val_mean_absolute_error": OWN,
    "val_mae": OWN,
    "val_mean_absolute_percentage_error": OWN,
    "mape": OWN,
    "mean_squared_logarithmic_error": OWN,
    "val_log_error": OWN,
    "val/reconstruction_error": OWN,
    "eval_perplexity": ("lower", "value", "perplexity"),
    "valid_ppl": ("lower", "value", "perplexity"),
    "eval_wer": TRANSCRIPTION,
    "test/cer": TRANSCRIPTION,
    "word_error_rate": TRANSCRIPTION,
    "eer": FALSE,
    "equal_error_rate": FALSE,
    "fpr95": FALSE,
    "val_error": ERROR,
    "error_rate": ERROR,
    "Err@1": ERROR,
    "top5_err": ERROR,
    "val_acc": ACCURACY,
    "val_sparse_categorical_accuracy": ACCURACY,
    "MulticlassAccuracy": ACCURACY,
    "eval_top1": ACCURACY,
    "accuracy/top5": ACCURACY,
    "prec@1": ACCURACY,
    "balanced_accuracy_score": ACCURACY,
    "eval_exact_match": ACCURACY,
    "val_f1": F,
    "F1Score": F,
    "macro_f1": F,
    "val_mean_io_u": OVERLAP,
    "mIoU": OVERLAP,
    "val_dice": OVERLAP,
    "jaccard_index": OVERLAP,
    "metrics/mAP50-95(B)": PRECISION,
    "bbox/AP": PRECISION,
    "coco/bbox_mAP": PRECISION,
    "padded_cmap": PRECISION,
    "lwlrap": PRECISION,
    "average_precision_score": PRECISION,
    "val_auc": AREA,
    "roc_auc": AREA,
    "BinaryAUROC": AREA,
    "auprc": AREA,
    "rougeL": TEXT,
    "eval_bleu": TEXT,
    "ndcg@10": RANKING,
    "hits@10": RANKING,
    "val_precision": RECALL,
    "metrics/recall(B)": RECALL,
    "specificity": RECALL,
    "val_kappa": AGREEMENT,
    "matthews_correlation": AGREEMENT,
    "val_cosine_similarity": AGREEMENT,
    "val_r2": AGREEMENT,
    "r2_score": AGREEMENT,
    "spearmanr": AGREEMENT,
    "val_ssim": ("higher", "rate", "image similarity"),
    "val_psnr": ("higher", "decibel", "signal to noise"),
    "si_sdr": ("higher", "decibel", "signal to noise"),
    "inception_score": ("higher", "value", "likelihood, reward or opinion"),
    "val_log_likelihood": ("higher", "value", "likelihood, reward or opinion"),
    "val_score": ("higher", "unknown", "score"),
}


def test_names_tell_direction_unit_and_kind() -> None:
    told = {name: kind_of(name) for name in NAMES}
    assert {name: kind and (kind.better, kind.unit, kind.name) for name, kind in told.items()} == NAMES
    assert len(NAMES) >= 60


@pytest.mark.parametrize(
    "name", ["macc", "interr", "val_quality", "lr", "eval_runtime", "eval_samples_per_second", "Value"]
)
def test_words_and_not_letters_decide(name: str) -> None:
    assert kind_of(name) is None


def test_people_can_read_the_table() -> None:
    header, *rows = describe_kinds()
    assert header[0] == "kind"
    assert ("error rate", "lower", "share of 1, or percent", "1") in [tuple(row[:4]) for row in rows]


@pytest.mark.parametrize(
    ("name", "values", "unit"),
    [
        ("val_acc", [0.1, 0.9], "fraction"),
        ("val_acc", [0.86, 5.0, 8.7], "percent"),  # never reaches 10 %
        ("val_error", [90.0, 5.0, 0.9, 0.8, 0.7, 0.7], "percent"),
        ("val_r2", [-7.0, 0.2, 0.9], "fraction"),
        ("val_mcc", [-3.0, 55.0, 60.0], "percent"),
        ("eval_wer", [1.4, 0.4, 0.2], "fraction"),  # more words may be wrong than there are
        ("eval_wer", [120.0, 30.0, 9.0], "percent"),
        ("val_mse", [0.9, 0.1], "value"),
        ("val_mape", [40.0, 12.0], "value"),
    ],
)
def test_units_follow_from_the_kind_and_the_whole_range(name: str, values: list[float], unit: str) -> None:
    assert unit_of(kind_of(name), np.array([values]), name=name) == (unit, None)


@pytest.mark.parametrize(
    ("name", "values", "unit", "said"),
    [
        ("val_acc", [0.1, 1.2, 0.9], "fraction", "one value, 1.2, that is no share"),
        ("val_acc", [10.0, 400.0], "value", "reaches 400"),
        ("val_score", [0.1, 0.9], "fraction", "not known"),
        ("val_quality", [3.0, 5.0], "value", "not known"),
    ],
)
def test_a_unit_that_cannot_be_known_is_said(name: str, values: list[float], unit: str, said: str) -> None:
    told, doubt = unit_of(kind_of(name), np.array([values]), name=name)
    assert told == unit
    assert said in str(doubt)
