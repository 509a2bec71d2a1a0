"""``overmix explain noise``: how wrong Mixup's labels are on one's own data, by weight and by class pair."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from overmix._typing import Float, Int
from overmix.errors import ConfigError
from overmix.explain import (
    GroupMeans,
    LabelNoise,
    cross_fitted_label_noise,
    mean_noise,
    noise_by_class_pair,
    noise_by_lam,
)
from overmix.explain.noise_summary import Quantity, check_draws
from overmix.report.charts import Chart
from overmix.report.charts.axis import Axis
from overmix.report.charts.line_chart import line_chart
from overmix.report.charts.series import Series
from overmix.report.explain.estimate import made_with
from overmix.report.explain.explanation import Explanation
from overmix.report.explain.heat_map import heat_map, similar_order
from overmix.report.explain.teachers import TeacherPanel, own_panel, trained_panel
from overmix.report.numbers import percent, percent_range
from overmix.report.table import Table
from overmix.study.data import Dataset

_QUANTITIES: dict[Quantity, str] = {
    "tv": "total variation",
    "bound": "its lower bound",
    "independent": "independent draws",
    "argmax_disagrees": "argmax disagrees",
    "third_class": "looks like a third class",
}
_LAM_EDGES = np.linspace(0.5, 1.0, 11)
_BAND = "Intervals: 95 %, from a bootstrap over samples (mixtures share them); the teachers' own errors are in none."


def draw_mixtures(
    n: int, mixtures: int, *, alpha: float, lam: float | None, rng: np.random.Generator
) -> tuple[Int[np.ndarray, " mixtures"], Int[np.ndarray, " mixtures"], Float[np.ndarray, " mixtures"]]:
    """Draw pairs of different samples, and the weight of the nearer one, from 1/2 to 1.

    Naming the heavier sample first changes no mixture: (i, j, lam) and (j, i, 1 - lam) are the same point.

    Raises:
        ConfigError: if alpha, lam or a number cannot work.
    """
    if n < 2:
        raise ConfigError("samples", n, "use at least 2: a sample needs another one to be mixed with")
    if mixtures < 1:
        raise ConfigError("mixtures", mixtures, "use at least 1")
    if lam is not None and not 0 <= lam <= 1:
        raise ConfigError("lam", lam, "use a weight from 0 to 1")
    if lam is None and not (alpha > 0 and np.isfinite(alpha)):
        raise ConfigError("alpha", alpha, "use a finite number > 0, or a fixed lam (0.5 is the limit of large alpha)")
    nearer = rng.integers(n, size=mixtures)
    other = (nearer + rng.integers(1, n, size=mixtures)) % n
    weight = rng.beta(alpha, alpha, size=mixtures) if lam is None else np.full(mixtures, float(lam))
    return nearer, other, np.maximum(weight, 1 - weight)


def explain_noise(
    dataset: Dataset,
    *,
    samples: int = 2000,
    mixtures: int = 20_000,
    alpha: float = 1.0,
    lam: float | None = None,
    teacher: str = "",
    model: str = "",
    epochs: int | None = None,
    seed: int = 0,
    draws: int = 1000,
    class_names: Sequence[str] = (),
    tell: Callable[[str], None] = lambda _: None,
) -> Explanation:
    """Measure the label noise that Mixup makes of a data set's samples.

    Args:
        dataset: the data.
        samples: samples that are mixed, at most what there is.
        mixtures: number of mixtures.
        alpha: of the Beta law.
        lam: a fixed weight instead.
        teacher: import path of the user's own trained model; without it teachers are trained.
        model: name of the teachers' model.
        epochs: of each teacher; by the number of samples if not given.
        seed: of everything random.
        draws: bootstrap draws.
        class_names: names of the classes; numbers if not given.
        tell: is told of progress.

    Raises:
        ConfigError: if a setting cannot work.
        DataError: if a teacher's output cannot be used.
    """
    # What would be refused only once the teachers are trained; what they need themselves shows with the first of them.
    check_draws(draws)
    n = min(samples, len(dataset.y_test if teacher else dataset.y))
    nearer, other, weight = draw_mixtures(n, mixtures, alpha=alpha, lam=lam, rng=np.random.default_rng([seed, 1]))
    if teacher:
        panel = own_panel(dataset, teacher, samples=n, seed=seed)
    else:
        panel = trained_panel(dataset, samples=n, model=model, epochs=epochs, seed=seed, tell=tell)
    tell("measuring")
    noise = cross_fitted_label_noise(
        panel.teachers,
        panel.saw,
        panel.x,
        panel.y,
        torch.from_numpy(other),
        torch.from_numpy(weight),
        index=torch.from_numpy(nearer),
    )
    names = list(class_names) or [str(c) for c in range(dataset.num_classes)]
    return explanation_of(noise, panel, dataset.name, names, alpha=alpha, lam=lam, seed=seed, draws=draws)


def explanation_of(
    noise: LabelNoise,
    panel: TeacherPanel,
    data: str,
    names: Sequence[str],
    *,
    alpha: float,
    lam: float | None,
    seed: int,
    draws: int,
) -> Explanation:
    """Return what measured mixtures say. The arguments are those of :func:`explain_noise`."""
    options: dict[str, Any] = {"draws": draws, "seed": seed}
    overall: dict[Quantity, Any] = {q: _estimate(mean_noise(noise, q, **options)) for q in _QUANTITIES}
    by_lam = {q: noise_by_lam(noise, q, _LAM_EDGES, **options) for q in _QUANTITIES}
    paired: tuple[Quantity, ...] = ("tv", "third_class")
    pairs: dict[Quantity, GroupMeans] = {q: noise_by_class_pair(noise, q, **options) for q in paired}
    likeness = _likeness(noise)
    rows = _pair_rows(pairs, likeness, names)
    law = f"lam = {lam:g}" if lam is not None else f"lam ~ Beta({alpha:g}, {alpha:g})"
    summary = {
        "command": "explain noise",
        "data": data,
        "law": {"alpha": None if lam is not None else alpha, "lam": lam},
        "n_samples": len(panel.y),
        "n_mixtures": len(noise),
        "teacher": {
            "how": panel.how,
            "error": panel.error,
            "cross_entropy": panel.cross_entropy,
            "total_variation_unmixed": panel.baseline,
        },
        "overall": overall,
        "by_lam": {
            "edges": _LAM_EDGES.round(6).tolist(),
            **{str(q): [_estimate(means, k) for k in range(len(_LAM_EDGES) - 1)] for q, means in by_lam.items()},
        },
        "by_class_pair": rows,
        "seed": seed,
        "versions": made_with(),
    }
    order = similar_order(pairs["tv"].mean)
    subtitle = f"{data}, {law}, {len(noise):,} mixtures of {len(panel.y):,} samples"
    return Explanation(
        name=f"label noise of Mixup on {data}",
        sentence=_sentence(overall, data, law),
        findings=_findings(overall, panel, rows, by_lam),
        summary=summary,
        charts=[
            _pair_chart(pairs["tv"], names, order, subtitle),
            _third_chart(pairs["third_class"], likeness, names, order, subtitle),
            _lam_chart(by_lam, subtitle),
        ],
        tables=[_overall_table(overall), _pair_table(rows)],
        method=_method(panel),
    )


def _estimate(means: GroupMeans, k: int | tuple[int, int] | None = None) -> dict[str, Any]:
    mean, low, high, count = (np.asarray(part[() if k is None else k]) for part in
                              (means.mean, means.low, means.high, means.count))  # fmt: skip
    if int(count) == 0:
        return {"mean": None, "ci": None, "n": 0}
    return {"mean": float(mean), "ci": [float(low), float(high)], "n": int(count)}


def _likeness(noise: LabelNoise) -> Int[np.ndarray, "classes classes classes"]:
    """Count, by unordered pair of classes, the mixtures that look like each third class."""
    counts = np.zeros((noise.num_classes,) * 3, dtype=np.int64)
    third = noise.third_class
    low, high = np.minimum(noise.a, noise.b)[third], np.maximum(noise.a, noise.b)[third]
    np.add.at(counts, (low, high, noise.truth[third]), 1)
    return np.maximum(counts, counts.transpose(1, 0, 2))


def _pair_rows(pairs: dict[Any, GroupMeans], likeness: np.ndarray, names: Sequence[str]) -> list[dict[str, Any]]:
    rows = []
    for a in range(len(names)):
        for b in range(a, len(names)):
            row: dict[str, Any] = {
                "a": names[a],
                "b": names[b],
                "total_variation": _estimate(pairs["tv"], (a, b)),
                "third_class": _estimate(pairs["third_class"], (a, b)),
            }
            most = int(likeness[a, b].argmax())
            rows.append(row | {"looks_most_like": names[most] if likeness[a, b, most] else None})
    return rows


def _sentence(overall: dict[Any, Any], data: str, law: str) -> str:
    tv, third = overall["tv"], overall["third_class"]
    return (
        f"On {data} with {law}, at least {percent(tv['mean'])} ({percent_range(*tv['ci'])}) of labels drawn from "
        f"Mixup's law are wrong at the mixed point, and {percent(third['mean'])} ({percent_range(*third['ci'])}) of "
        "mixtures look like a third class."
    )


def _findings(
    overall: dict[Any, Any], panel: TeacherPanel, rows: list[dict[str, Any]], by_lam: dict[Any, GroupMeans]
) -> list[str]:
    argmax, independent = overall["argmax_disagrees"], overall["independent"]
    findings = [
        f"Two notions of a noisy label, kept apart: drawn independently from the two laws, labels differ in "
        f"{percent(independent['mean'])} of mixtures; the most likely labels differ in {percent(argmax['mean'])} "
        f"({percent_range(*argmax['ci'])}). The theorem bounds drawn labels only.",
        f"Not all of it is the work of mixing: on the unmixed samples, which they had not seen either, the teachers "
        f"are {percent(panel.baseline)} away from the given labels and wrong in {percent(panel.error)}.",
    ]
    curve = by_lam["tv"].mean
    if np.isfinite(curve[[0, -1]]).all():
        findings.append(
            f"By weight: {percent(float(curve[0]))} for the most even mixtures, {percent(float(curve[-1]))} for those "
            "nearest to a real sample."
        )
    different = [r for r in rows if r["a"] != r["b"] and r["total_variation"]["mean"] is not None]
    if different:
        worst = max(different, key=lambda r: r["total_variation"]["mean"])
        least = min(different, key=lambda r: r["total_variation"]["mean"])
        findings.append(
            f"By class pair: from {percent(least['total_variation']['mean'])} for {least['a']} with {least['b']} to "
            f"{percent(worst['total_variation']['mean'])} for {worst['a']} with {worst['b']}."
        )
    intruded = [r for r in different if r["looks_most_like"]]
    if intruded:
        most = max(intruded, key=lambda r: r["third_class"]["mean"])
        third = most["third_class"]
        findings.append(
            f"Manifold intrusion is most frequent for {most['a']} with {most['b']}: {percent(third['mean'])} "
            f"({percent_range(*third['ci'])}) look like another class, most often {most['looks_most_like']} "
            "(the largest of many pairs, so a little too large)."
        )
    return findings


def _pair_chart(means: GroupMeans, names: Sequence[str], order: Sequence[int], subtitle: str) -> Chart:
    return heat_map(
        "noise-by-class-pair",
        "Noise by class pair",
        "Mean total variation between Mixup's label law and the teachers' distribution at the mixed point: the least "
        "share of wrong labels. Classes that behave alike stand side by side; on the diagonal both samples are of one "
        "class.",
        _BAND,
        [names[c] for c in order],
        means.mean[np.ix_(order, order)],
        [[_tooltip(means, a, b) for b in order] for a in order],
        measure="Least share of wrong labels",
        subtitle=subtitle,
    )


def _third_chart(
    means: GroupMeans, likeness: np.ndarray, names: Sequence[str], order: Sequence[int], subtitle: str
) -> Chart:
    most = likeness.argmax(axis=2)
    known = likeness.max(axis=2) > 0
    notes = [[f"→ {names[most[a, b]]}" if known[a, b] else "" for b in order] for a in order]
    return heat_map(
        "third-class",
        "Mixtures that look like a third class",
        "Share of mixtures whose most likely class, by the teachers, is neither of the two that were mixed, and in "
        "each cell the class that they most often look like.",
        _BAND,
        [names[c] for c in order],
        means.mean[np.ix_(order, order)],
        [[_tooltip(means, a, b) for b in order] for a in order],
        notes=notes,
        measure="Share that looks like a third class",
        subtitle=subtitle,
    )


def _tooltip(means: GroupMeans, a: int, b: int) -> str:
    if means.count[a, b] == 0:
        return "no mixtures"
    return f"{percent_range(float(means.low[a, b]), float(means.high[a, b]))}, {means.count[a, b]:,} mixtures"


def _lam_chart(by_lam: dict[Any, GroupMeans], subtitle: str) -> Chart:
    middle = (_LAM_EDGES[:-1] + _LAM_EDGES[1:]) / 2
    series = [
        Series(title, middle, 100 * by_lam[q].mean, 100 * by_lam[q].low, 100 * by_lam[q].high)
        for q, title in _QUANTITIES.items()
    ]
    top = max(float(np.nanmax(line.mean)) for line in series)
    return line_chart(
        "noise-by-lam",
        "Noise by mixing weight",
        "Share of noisy labels against the weight of the nearer sample, from an even mixture on the left to a real "
        "sample on the right. Total variation is the least share for drawn labels, however they are coupled; argmax "
        "disagreement is another quantity, which the theorem does not bound.",
        _BAND,
        series,
        x_axis=Axis("weight of the nearer sample", domain=(0.5, 1.0)),
        y_axis=Axis("Share of mixtures, %", domain=(0.0, 1.08 * max(top, 1e-3))),
        subtitle=subtitle,
        points=True,
    )


def _overall_table(overall: dict[Any, Any]) -> Table:
    rows = [[title, percent(overall[q]["mean"]), percent_range(*overall[q]["ci"])] for q, title in _QUANTITIES.items()]
    return Table("Label noise over all mixtures", ["Quantity", "Mean", "95 % interval"], rows)


def _pair_table(rows: list[dict[str, Any]]) -> Table:
    known = [r for r in rows if r["total_variation"]["mean"] is not None]
    top = sorted(known, key=lambda r: -r["total_variation"]["mean"])[:10]
    cells = [
        [
            f"{r['a']} with {r['b']}",
            percent(r["total_variation"]["mean"]),
            percent_range(*r["total_variation"]["ci"]),
            percent(r["third_class"]["mean"]),
            r["looks_most_like"] or "–",
            f"{r['total_variation']['n']:,}",
        ]
        for r in top
    ]
    columns = ["Pair", "Total variation", "95 % interval", "Third class", "Most like", "Mixtures"]
    return Table("The ten noisiest class pairs", columns, cells)


def _method(panel: TeacherPanel) -> list[tuple[str, str]]:
    return [
        ("Teacher", f"{panel.how[0].upper()}{panel.how[1:]}. It stands for the truth, and is right only as far as it "
                    "is right: its own errors are in no interval."),
        ("Total variation", "Half the sum of the absolute differences between Mixup's label law at a point and the "
                            "teacher's distribution there. Labels drawn from the two laws differ at least that often, "
                            "however they are coupled (Theorem 5.1 of Liu et al. 2023, as we recall it)."),
        ("Lower bound", "The largest difference in a single class, never more than the total variation."),
        ("Independent draws", "How often two labels differ that are drawn from the two laws independently."),
        ("Argmax disagrees", "The most likely label of the two laws differs. This can be 0 where the total variation "
                             "is not: (0.9, 0.1) and (0.6, 0.4) are 0.3 apart with the same argmax."),
        ("Third class", "The teacher's most likely class is neither of the two that were mixed (manifold intrusion)."),
        ("Intervals", _BAND),
    ]  # fmt: skip
