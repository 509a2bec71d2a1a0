"""``overmix explain hessian``: what Mixup does to a network's derivatives, far from real samples and near them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overmix._typing import Float
from overmix.diagnose.interval import t_band, t_interval
from overmix.errors import ConfigError
from overmix.explain import input_curvature, mean_in_bands
from overmix.mix import mixed_cross_entropy
from overmix.recipes import Mixup
from overmix.report.charts import Chart
from overmix.report.charts.axis import Axis
from overmix.report.charts.line_chart import line_chart
from overmix.report.charts.series import DASHED, Series
from overmix.report.explain.estimate import made_with, over_seeds
from overmix.report.explain.explanation import Explanation
from overmix.report.explain.fit import Normalized, fit
from overmix.report.explain.teachers import default_model
from overmix.report.numbers import significant
from overmix.report.table import Table
from overmix.study.data import Dataset
from overmix.study.data.split import stratified_order
from overmix.study.models import build_model

BANDS = {"near 1/2": (0.5, 0.55), "near 1": (0.95, 1.0)}
_QUANTITIES = {"hessian_trace": "trace of the input Hessian", "jacobian_norm": "squared norm of the Jacobian"}
MODELS = ("ERM", "Mixup")
_EDGES = np.linspace(0.5, 1.0, 11)


def explain_hessian(
    dataset: Dataset,
    *,
    alpha: float = 1.0,
    samples: int = 1000,
    mixtures: int = 2000,
    model: str = "",
    epochs: int = 50,
    seeds: Sequence[int] | range = range(5),
    probes: int = 4,
    allow_code: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Explanation:
    """Train ERM and Mixup from the same weights and measure their derivatives on the same mixtures.

    Args:
        dataset: the data; trained on samples of the pool.
        alpha: of Mixup's Beta law in training.
        samples: training samples, at most the pool.
        mixtures: mixtures of training samples, their weight uniform from 1/2 to 1.
        model: of both; by the shape of the samples if empty.
        epochs: of both.
        seeds: one pair of trainings each.
        probes: random vectors per derivative.
        allow_code: whether ``model`` may be an import path.
        tell: is told of progress.

    Raises:
        ConfigError: if a setting cannot work.
    """
    if not (alpha > 0 and np.isfinite(alpha)):
        raise ConfigError("alpha", alpha, "use a finite number > 0")
    if samples < 2:
        raise ConfigError("samples", samples, "use at least 2: a sample needs another one to be mixed with")
    if mixtures < 100:
        raise ConfigError("mixtures", mixtures, "use at least 100: each band of the weight needs some")
    if not seeds:
        raise ConfigError("seeds", list(seeds), "use at least one seed")
    if probes < 1:
        raise ConfigError("probes", probes, "use at least 1")
    name = model or default_model(tuple(dataset.x.shape[1:]))
    edges: list[dict[str, dict[str, np.ndarray]]] = []
    bands: list[dict[str, dict[str, np.ndarray]]] = []
    for seed in seeds:
        tell(f"seed {seed}")
        chosen = torch.from_numpy(stratified_order(dataset.y.numpy(), np.random.default_rng(seed))[:samples])
        x, y = dataset.x[chosen], dataset.y[chosen]
        pairs = _mixtures(len(x), mixtures, seed)
        derivatives = {}
        for kind in MODELS:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)  # the same weights for both
                network = build_model(
                    name, sample_shape=tuple(x.shape[1:]), num_classes=dataset.num_classes, allow_code=allow_code
                )
            recipe = Mixup(alpha) if kind == "Mixup" else None
            fitted = fit(network, x, y, epochs=epochs, recipe=recipe, seed=seed)
            derivatives[kind] = _derivatives(fitted, x, y, *pairs, probes, seed)
        lam = pairs[2].numpy()
        edges.append({k: {q: _by_bin(v[q], lam) for q in _QUANTITIES} for k, v in derivatives.items()})
        named = list(BANDS.values())
        bands.append({k: {q: mean_in_bands(v[q], lam, named)[0] for q in _QUANTITIES} for k, v in derivatives.items()})
    return _explanation(dataset, name, edges, bands, alpha=alpha, samples=len(x), mixtures=mixtures,
                        epochs=epochs, seeds=seeds, probes=probes)  # fmt: skip


def _mixtures(n: int, count: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    rng = np.random.default_rng([seed, 7])
    nearer = rng.integers(n, size=count)
    other = (nearer + rng.integers(1, n, size=count)) % n
    return torch.from_numpy(nearer), torch.from_numpy(other), torch.from_numpy(rng.uniform(0.5, 1.0, size=count))


def _derivatives(
    model: Normalized, x: Tensor, y: Tensor, nearer: Tensor, other: Tensor, lam: Tensor, probes: int, seed: int
) -> dict[str, Float[np.ndarray, " mixtures"]]:
    clean = model.normalize(x)
    weight = lam.to(clean.dtype).reshape(-1, *[1] * (clean.dim() - 1))
    mixed = weight * clean[nearer] + (1 - weight) * clean[other]
    targets = (y[nearer], y[other], lam.to(clean.dtype))
    curvature = input_curvature(model.network, mixed, targets, mixed_cross_entropy, num_probes=probes, seed=seed)
    return {"hessian_trace": curvature.hessian_trace, "jacobian_norm": curvature.jacobian_norm}


def _by_bin(values: np.ndarray, lam: np.ndarray) -> np.ndarray:
    means, _ = mean_in_bands(values, lam, list(pairwise(_EDGES.tolist())))
    return means


def _explanation(
    dataset: Dataset,
    name: str,
    edges: list[dict[str, dict[str, np.ndarray]]],
    bands: list[dict[str, dict[str, np.ndarray]]],
    **setting: Any,
) -> Explanation:
    seeds = list(setting["seeds"])
    measured: dict[str, dict[str, Any]] = {}
    for quantity in _QUANTITIES:
        measured[quantity] = {}
        for b, band in enumerate(BANDS):
            values = {kind: np.array([row[kind][quantity][b] for row in bands]) for kind in MODELS}
            ratio = _ratio(values["Mixup"], values["ERM"])
            measured[quantity][band] = {kind: over_seeds(values[kind]) for kind in MODELS} | {"ratio": ratio}
    summary = {
        "command": "explain hessian",
        "data": dataset.name,
        "setting": {**{k: v for k, v in setting.items() if k != "seeds"}, "model": name},
        "seeds": seeds,
        "bands": {band: list(limits) for band, limits in BANDS.items()},
        "measured": measured,
        "versions": made_with(),
    }
    subtitle = f"{dataset.name}, {name}, {setting['samples']:,} training samples, {len(seeds)} seeds"
    return Explanation(
        name=f"derivatives of ERM and Mixup on {dataset.name}",
        sentence=_sentence(measured, dataset.name),
        findings=_findings(measured),
        summary=summary,
        charts=[_chart(quantity, edges, subtitle) for quantity in _QUANTITIES],
        tables=[_table(measured)],
        method=_METHOD,
    )


def _ratio(mixup: np.ndarray, erm: np.ndarray) -> dict[str, Any]:
    """Geometric mean over seeds of Mixup's value over ERM's, with its interval; None where one is not positive."""
    if not (np.all(mixup > 0) and np.all(erm > 0)):
        return {"mean": None, "ci": None, "n": len(mixup)}
    logs = np.log(mixup / erm)
    ci = t_interval(logs)
    return {
        "mean": float(np.exp(logs.mean())),
        "ci": None if ci is None else [float(np.exp(end)) for end in ci],
        "n": len(mixup),
    }


def _sentence(measured: dict[str, dict[str, Any]], data: str) -> str:
    hessian, jacobian = measured["hessian_trace"], measured["jacobian_norm"]
    return (
        f"On {data}, Mixup changes the trace of the input Hessian by a factor of "
        f"{_times(hessian['near 1/2']['ratio'])} at even mixtures and of {_times(hessian['near 1']['ratio'])} near "
        f"real samples; the Jacobian's squared norm by {_times(jacobian['near 1/2']['ratio'])} and "
        f"{_times(jacobian['near 1']['ratio'])}."
    )


def _times(ratio: dict[str, Any]) -> str:
    if ratio["mean"] is None:
        return "an undefined size"
    low, high = ratio["ci"] or (None, None)
    return significant(ratio["mean"], low, high, digits=2)


def _findings(measured: dict[str, dict[str, Any]]) -> list[str]:
    findings = []
    for quantity, title in _QUANTITIES.items():
        half, one = measured[quantity]["near 1/2"]["ratio"], measured[quantity]["near 1"]["ratio"]
        if half["ci"] is None or one["ci"] is None:
            continue
        if half["ci"][1] < one["ci"][0]:
            text = "is lowered more by Mixup (or raised less) at even mixtures than near real samples"
        elif one["ci"][1] < half["ci"][0]:
            text = "is lowered more by Mixup (or raised less) near real samples than at even mixtures"
        else:
            text = "is not changed demonstrably more in one place than in the other: the intervals overlap"
        findings.append(f"The {title} {text}.")
    return [
        *findings,
        "The claim that Mixup regularises the Jacobian near real samples and the Hessian far from them is that of "
        "Sugiyama and Uchida (ICMLA 2023), which we know from its abstract; this measurement is ours.",
    ]


def _chart(quantity: str, edges: list[dict[str, dict[str, np.ndarray]]], subtitle: str) -> Chart:
    middle = (_EDGES[:-1] + _EDGES[1:]) / 2
    series = []
    for kind in MODELS:
        rows = np.array([row[kind][quantity] for row in edges])
        series.append(Series(kind, middle, rows.mean(axis=0), *t_band(rows), dash=DASHED if kind == "ERM" else ()))
    title = _QUANTITIES[quantity]
    return line_chart(
        quantity.replace("_", "-"),
        f"{title[0].upper()}{title[1:]} by mixing weight",
        f"Mean {title} over mixtures of training samples, against the weight of the nearer sample.",
        "Bands: 95 % t-interval over seeds.",
        series,
        x_axis=Axis("weight of the nearer sample", domain=(0.5, 1.0)),
        y_axis=Axis(f"{title[0].upper()}{title[1:]}"),
        subtitle=subtitle,
        points=True,
    )


def _table(measured: dict[str, dict[str, Any]]) -> Table:
    rows = [
        [f"{_QUANTITIES[q]}, lam {band}", *(_value(row[kind]) for kind in MODELS), _times(row["ratio"])]
        for q, by_band in measured.items()
        for band, row in by_band.items()
    ]
    return Table("Means over mixtures and seeds; 95 % t-intervals over seeds", ["Quantity", *MODELS, "Ratio"], rows)


def _value(estimate: dict[str, Any]) -> str:
    low, high = estimate["ci"] or (None, None)
    return significant(estimate["mean"], low, high)


_METHOD = (
    ("Models", "ERM and Mixup start from the same weights and see the same samples; AdamW, cosine schedule."),
    ("Hessian", "Trace of the second derivative of the mixture's own loss (cross-entropy with both labels) in its "
                "normalised input, estimated with random signs."),
    ("Jacobian", "Squared Frobenius norm of the first derivative of the logits in the normalised input."),
    ("Bands", "Near 1/2: weights from 0.5 to 0.55. Near 1: from 0.95 to 1."),
    ("Ratio", "Mixup's value over ERM's: geometric mean over seeds, paired."),
)  # fmt: skip
