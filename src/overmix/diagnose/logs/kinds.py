"""What metrics measure, which way they are better, and in which unit: one table, by the words of their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from overmix.diagnose.logs.names import plain_words, words

Better = Literal["higher", "lower"]
MetricScale = Literal["rate", "open rate", "value", "decibel", "unknown"]

UNITS: dict[MetricScale, str] = {
    "rate": "share of 1, or percent",
    "open rate": "share of 1, or percent; may exceed 1",
    "value": "its own",
    "decibel": "decibel",
    "unknown": "not known by the name",
}


@dataclass(frozen=True)
class MetricKind:
    """A kind of metric.

    Attributes:
        name: in the field's terms.
        better: which way.
        unit: of its values.
        choice: its place in the order of choice, the lowest first.
        phrases: words of a name that tell it, one after the other; ``#`` is a number, and one may always follow.
        evaluated: whether it is only ever computed on held-out data, so that a name need not say so.
    """

    name: str
    better: Better
    unit: MetricScale
    choice: int
    phrases: tuple[str, ...]
    evaluated: bool = False

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        written = (re.escape(phrase).replace(r"\#", r" ?\d+").replace(r"\ ", " ") for phrase in self.phrases)
        return re.compile(rf"\b(?:{'|'.join(written)})\d*\b")

    def tells(self, text: str) -> bool:
        """Whether words, joined by spaces, hold one of the phrases."""
        return self._pattern.search(text) is not None


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in text.split(","))


KINDS: tuple[MetricKind, ...] = (
    MetricKind(
        "loss",
        "lower",
        "value",
        10,
        _phrases(
            "loss, losses, logloss, nll, negative log likelihood, neg log likelihood, cross entropy, crossentropy,"
            "xent, entropy, ce, bce, hinge, huber, logcosh, log cosh, poisson, objective, cost"
        ),
    ),
    MetricKind(
        "distance or divergence",
        "lower",
        "value",
        7,
        _phrases(
            "divergence, kl, kld, jsd, distance, dist, wasserstein, emd, mmd, hausdorff, hd, hd95, assd, asd, chamfer,"
            "lpips, fid, kid, fvd, fad, niqe"
        ),
    ),
    MetricKind(
        "probability score",
        "lower",
        "value",
        9,
        _phrases("brier, ece, mce, ace, crps, calibration error, pinball"),
    ),
    MetricKind(
        "error in its own unit",
        "lower",
        "value",
        6,
        _phrases(
            "mse, rmse, mae, msle, rmsle, mape, smape, wape, rmspe, mase, medae, nrmse, epe, ade, fde, mpjpe, nme,"
            "silog, abs rel, sq rel, absolute error, abs error, squared error, square error, percentage error,"
            "percent error, reconstruction error, log error, logarithmic error, relative error, reprojection error,"
            "prediction error, angular error, depth error, pose error, position error, endpoint error, end point error,"
            "residual error, approximation error, rms error, l1 error, l2 error, error squared"
        ),
    ),
    MetricKind(
        "perplexity",
        "lower",
        "value",
        6,
        _phrases("perplexity, ppl, bpc, bpd, bpb, bits per byte, bits per char, bits per dim"),
    ),
    MetricKind(
        "transcription error rate",
        "lower",
        "open rate",
        1,
        _phrases("wer, cer, der, ter, word error, character error, char error, phoneme error, diarization error"),
        evaluated=True,
    ),
    MetricKind(
        "rate of false answers",
        "lower",
        "rate",
        5,
        _phrases(
            "eer, equal error, fpr, fnr, fpr95, far, frr, false positive rate, false negative rate, false alarm,"
            "false acceptance, false rejection, miss rate"
        ),
    ),
    MetricKind(
        "error rate",
        "lower",
        "rate",
        1,
        _phrases("error rate, error, errors, err, misclassification"),
    ),
    MetricKind(
        "average precision",
        "higher",
        "rate",
        4,
        _phrases("average precision, ap, map, cmap, lwlrap, lrap, mar, ar, average recall"),
        evaluated=True,
    ),
    MetricKind(
        "area under a curve",
        "higher",
        "rate",
        4,
        _phrases("auc, auroc, rocauc, roc, auprc, aupr, prauc, gini, concordance, c index"),
    ),
    MetricKind(
        "accuracy",
        "higher",
        "rate",
        1,
        _phrases(
            "accuracy, accuracies, acc, top#, prec#, bacc, uar, pck, mota, hota, correct, exact match, em,"
            "success rate, win rate"
        ),
    ),
    MetricKind("F score", "higher", "rate", 2, _phrases("f#, idf#, fscore, f score, fbeta, f beta, f measure")),
    MetricKind(
        "overlap",
        "higher",
        "rate",
        3,
        _phrases("iou, miou, fwiou, io u, jaccard, dice, dsc, tversky, panoptic quality, pq"),
    ),
    MetricKind(
        "text overlap",
        "higher",
        "rate",
        3,
        _phrases("bleu, sacrebleu, rouge, rougel, rougelsum, meteor, chrf, bertscore, spice, sari"),
        evaluated=True,
    ),
    MetricKind(
        "ranking",
        "higher",
        "rate",
        4,
        _phrases("ndcg, mrr, reciprocal rank, hit, hits, hit rate, hr"),
        evaluated=True,
    ),
    MetricKind(
        "precision or recall",
        "higher",
        "rate",
        5,
        _phrases("precision, recall, sensitivity, specificity, tpr, tnr, ppv, npv, gmean, youden, true positive rate"),
    ),
    MetricKind(
        "agreement or correlation",
        "higher",
        "rate",
        5,
        _phrases(
            "kappa, qwk, mcc, matthews, r2, r squared, r 2, explained variance, corr, correlation, corrcoef, pearson,"
            "pearsonr, spearman, spearmanr, kendall, ccc, cosine, similarity, nmi, ari, silhouette"
        ),
    ),
    MetricKind("image similarity", "higher", "rate", 5, _phrases("ssim, msssim, stoi")),
    MetricKind("signal to noise", "higher", "decibel", 3, _phrases("psnr, snr, sdr, sisdr, sisnr")),
    MetricKind(
        "likelihood, reward or opinion",
        "higher",
        "value",
        7,
        _phrases("log likelihood, loglik, likelihood, elbo, reward, return, pesq, mos, cider, inception score"),
    ),
    MetricKind("score", "higher", "unknown", 8, _phrases("score")),
)
"""The first that a name tells decides: a loss of whatever is a loss, and ``score`` counts where nothing else does."""


def kind_of(name: str) -> MetricKind | None:
    """Return what a name says that it measures; None if it says nothing.

    Example:
        >>> [kind_of(name).name for name in ("val_sparse_categorical_accuracy", "test_error", "val_f1_loss", "mIoU")]
        ['accuracy', 'error rate', 'loss', 'overlap']
        >>> [kind_of(name).name for name in ("val_mean_squared_error", "val_brier_score")]
        ['error in its own unit', 'probability score']
        >>> kind_of("epoch") is None
        True
    """
    texts = " ".join(words(name)), " ".join(plain_words(name))
    return next((kind for kind in KINDS if any(kind.tells(text) for text in texts)), None)


def describe_kinds() -> list[Sequence[str]]:
    """Return the table for people, a header row first, in the order in which a name's words decide."""
    header = ("kind", "better", "unit", "chosen", "words of its name")
    rows = [(k.name, k.better, UNITS[k.unit], f"{k.choice}", ", ".join(k.phrases)) for k in KINDS]
    return [header, *rows]
