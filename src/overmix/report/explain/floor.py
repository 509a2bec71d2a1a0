"""``overmix explain floor``: the lowest training loss that mixed labels allow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, get_args

import numpy as np

from overmix.errors import ConfigError, did_you_mean
from overmix.explain.floor import LossKind, different_class_probability, loss_floor, mean_entropy, mean_product
from overmix.report.charts.axis import Axis
from overmix.report.charts.chart import Chart
from overmix.report.charts.line_chart import Mark, line_chart
from overmix.report.charts.series import DASHED, Series
from overmix.report.explain.estimate import made_with
from overmix.report.explain.explanation import Explanation
from overmix.report.table import Table

OBJECTIVES: tuple[LossKind, ...] = get_args(LossKind)
"""By the names that a study uses; ``squared_error`` is between outputs and the mixed one-hot label."""


def explain_floor(
    counts: Sequence[int] | None = None,
    *,
    classes: int | None = None,
    alpha: float = 1.0,
    lam: float | None = None,
    batch_size: int | None = None,
    samples: int | None = None,
    objective: str = "cross_entropy",
) -> Explanation:
    """Return the floor, what it is made of, and how it depends on alpha.

    Args:
        counts: samples per class.
        classes: number of balanced classes; give this or ``counts``.
        alpha: of the Beta law.
        lam: a fixed weight instead.
        batch_size: of batches whose random permutation gives the partners; None for all ordered pairs.
        samples: size of the training set, needed with ``batch_size`` unless ``counts`` are given.
        objective: ``cross_entropy``, ``squared_error`` or ``squared_error_mixed``.

    Raises:
        ConfigError: if an argument is missing, given twice, or cannot work.
    """
    if objective not in OBJECTIVES:
        raise ConfigError("objective", objective, did_you_mean(objective, list(OBJECTIVES)))
    if samples is not None and batch_size is None:
        raise ConfigError("samples", samples, "give batch_size too: over all ordered pairs the number has no effect")
    loss: LossKind = objective
    size: dict[str, Any] = {"counts": counts, "num_classes": classes}
    batch: dict[str, Any] = {"batch_size": batch_size, "num_samples": samples}
    different = different_class_probability(**size, **batch)
    floor = loss_floor(**size, **batch, alpha=alpha, lam=lam, loss=loss)
    all_pairs = loss_floor(**size, alpha=alpha, lam=lam, loss=loss)
    summary = {
        "floor": floor,
        "command": "explain floor",
        "floor_all_pairs": all_pairs,
        "objective": objective,
        "different_class_probability": different,
        "mean_entropy": mean_entropy(alpha) if lam is None else loss_floor([1, 1], lam=lam) * 2,
        "classes": classes if counts is None else len(counts),
        "class_counts": None if counts is None else list(counts),
        "alpha": (None if math.isinf(alpha) else alpha) if lam is None else None,
        "lam": lam if lam is not None else 0.5 if math.isinf(alpha) else None,
        "batch_size": batch_size,
        "samples": samples if samples is not None else None if counts is None else int(sum(counts)),
        "versions": made_with(),
    }
    return Explanation(
        name="loss floor",
        sentence=_sentence(floor, objective),
        findings=_findings(floor, all_pairs, different, objective, batch_size, lam, alpha),
        summary=summary,
        charts=[] if lam is not None or loss == "squared_error" else [_chart(size, batch, loss, alpha, floor)],
        tables=[_table(summary)],
        method=_METHOD,
    )


def _sentence(floor: float, objective: str) -> str:
    if objective == "squared_error":
        return "A squared error against mixed one-hot labels has no floor above 0."
    unit = "nats" if objective == "cross_entropy" else "squared label units, summed over classes"
    return f"No model can bring the mean Mixup training loss below {floor:.6g} {unit}."


def _findings(
    floor: float,
    all_pairs: float,
    different: float,
    objective: str,
    batch_size: int | None,
    lam: float | None,
    alpha: float,
) -> list[str]:
    law = f"lam = {lam:g}" if lam is not None else f"lam ~ Beta({alpha:g}, {alpha:g})"
    findings = [f"{100 * different:.4g} % of mixtures have two different classes; {law}."]
    if objective == "squared_error":
        return [
            *findings,
            "It is reached if every mixed input has a single label; the same input with two labels raises it.",
        ]
    if batch_size is not None:
        findings.append(
            f"Over all ordered pairs the floor is {all_pairs:.6g}; partners from a permutation of the batch make it "
            f"{floor:.6g}, so a logged loss may lie between the two without a fault."
        )
    if floor == 0:
        findings.append("This is the limit without mixing, or with a single class: the labels are certain.")
    findings.append("A loss that levels off near the floor has nothing left to learn, whatever the test error does.")
    return findings


def _chart(size: dict[str, Any], batch: dict[str, Any], loss: LossKind, alpha: float, floor: float) -> Chart:
    alphas = np.geomspace(0.02, 50, 81)
    values = np.array([loss_floor(**size, **batch, alpha=float(a), loss=loss) for a in alphas])
    top = loss_floor(**size, **batch, lam=0.5, loss=loss)
    marks = [Mark(alpha, f"alpha = {alpha:g}: {floor:.4g}")] if alphas[0] <= alpha <= alphas[-1] else []
    product = " = 2 E lam (1 - lam) P(classes differ)" if loss != "cross_entropy" else ""
    return line_chart(
        "floor-by-alpha",
        "The floor against alpha",
        f"Lowest mean training loss against the parameter of the Beta law{product}; dashed: the limit of lam = 1/2.",
        "Closed form; no sampling, so no interval.",
        [Series("always halves", alphas, np.full_like(alphas, top), dash=DASHED), Series("floor", alphas, values)],
        x_axis=Axis("alpha", log=True, format="~g"),
        y_axis=Axis("Loss floor", domain=(0.0, 1.1 * max(top, 1e-9))),
        marks=marks,
    )


def _table(summary: dict[str, Any]) -> Table:
    rows = [
        ["Floor", f"{summary['floor']:.9g}"],
        ["Floor over all ordered pairs", f"{summary['floor_all_pairs']:.9g}"],
        ["Share of pairs with different classes", f"{summary['different_class_probability']:.9g}"],
        ["Mean binary entropy of lam", f"{summary['mean_entropy']:.9g}"],
        ["Mean of lam (1 - lam)", f"{_product(summary):.9g}"],
        ["Objective", summary["objective"]],
    ]
    return Table("What the floor is made of", ["Quantity", "Value"], rows)


def _product(summary: dict[str, Any]) -> float:
    lam, alpha = summary["lam"], summary["alpha"]
    return mean_product(alpha) if lam is None else float(lam * (1 - lam))


_METHOD = (
    ("Floor", "Share of mixtures with two different classes times the mean entropy of their label, "
              "(1 - sum p_c^2) (psi(2 alpha + 1) - psi(alpha + 1)). The balanced case with alpha = 1, (C - 1) / 2C, is "
              "Lemma 3.1 of Liu et al. (2023), as we recall it; the other cases are derived for overmix."),
    ("Permutation", "A partner from a random permutation of the batch is the sample itself with probability 1/B, and "
                    "else one of the n - 1 others."),
    ("Squared error", "Against the mixed one-hot label the floor is 0. The same mix of the squared errors against the "
                      "two labels has the floor P(classes differ) 2 E lam (1 - lam)."),
)  # fmt: skip
