"""Numbers and figures of ``overmix explain`` in the documentation.

    overmix explain dynamics --out runs/explain/dynamics
    overmix explain noise --data digits --out runs/explain/noise-digits
    overmix explain noise --data mnist1d --out runs/explain/noise-mnist1d
    overmix explain noise --data fashion_mnist --out runs/explain/noise-fashion_mnist
    overmix explain hessian --data digits --out runs/explain/hessian-digits
    overmix explain hessian --data fashion_mnist --out runs/explain/hessian-fashion_mnist
    python benchmarks/random_features.py --large --out results/random_features.json
    python -m tools explain --keep runs/explain

``results/explain`` keeps the summaries that the numbers come from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from overmix.diagnose.numerals import written
from overmix.report.figures import to_png
from overmix.report.numbers import percent, percent_range
from overmix.study.store.files import read_json, write_bytes, write_json
from tools.generated import Generated, Texts
from tools.marked import Part

RESULTS, FIGURES, PAGE = Path("results/explain"), Path("docs/explain"), Path("docs/explain.md")
SPEED = Path("results/random_features.json")
NOISE = ("noise-digits", "noise-mnist1d", "noise-fashion_mnist")
HESSIAN = ("hessian-digits", "hessian-fashion_mnist")
NAMES = ("dynamics", *NOISE, *HESSIAN)
SHOWN = {
    "dynamics": ("risk-generic", "risk-realizable", "bound", "switch-time", "modes"),
    "noise-digits": ("third-class",),
    "noise-fashion_mnist": ("noise-by-class-pair", "third-class", "noise-by-lam"),
    "hessian-digits": ("hessian-trace",),
}
_CONDITIONS = {
    "erm": "ERM",
    "mixup": "Mixup",
    "mixup_true_labels": "Mixup inputs, true labels",
    "fresh": "fresh real samples",
}

Summaries = Mapping[str, Any]


def dynamics_block(summaries: Summaries) -> str:
    """Return the toy's table and its switch."""
    summary = summaries["dynamics"]
    lines = ["| | teacher | lowest risk | at step | at the end | rise | shape |", "|---|---|---|---|---|---|---|"]
    for teacher, rows in summary["conditions"].items():
        for condition, row in rows.items():
            lines.append(
                f"| {_CONDITIONS[condition]} | {teacher} | {_number(row['lowest'])} | {row['turning_step']:,.0f} "
                f"| {_number(row['final'])} | {_number(row['rise'])} | {row['verdict']} |"
            )
    switch, bound, setting = summary["switch"], summary["bound"], summary["setting"]
    lines += [
        "",
        f"{len(summary['seeds'])} seeds, {setting['steps']:,} steps, learning rate {setting['eta']:g}; 95 % "
        f"t-intervals over seeds; {_versions(summary)}.",
        "",
        f"Switched to ERM at step {switch['best']['step']:,.0f}, training ends at {_number(switch['best']['final'])}, "
        f"against {_number(switch['erm'])} for ERM and {_number(switch['mixup'])} for Mixup to the end (paired gains "
        f"{_number(switch['gain_over_erm'])} and {_number(switch['gain_over_mixup'])}; the switch is chosen on the "
        "other seeds).",
        "",
        f"The bound held at every step of every seed, {bound['smallest_ratio_to_risk']:.0e} to "
        f"{bound['largest_ratio_to_risk']:.0e} times above the risk. It is lowest at step "
        f"{bound['best_step_of_bound']['median']:,.3g}, the risk at "
        f"{bound['best_step_of_risk']['median']:,.0f} (medians).",
    ]
    return "\n".join(lines)


def speed_block(summaries: Summaries) -> str:
    """Return how fast the closed form is, and what a large problem needs."""
    toy, large, versions = (summaries["speed"][key] for key in ("toy", "large", "versions"))
    faster = toy["times_faster"]
    worst = max(toy["largest_relative_difference"].values())
    return (
        f"For {toy['steps']:,} steps of the toy (d = {toy['features']}, m = {toy['samples']}) the closed form took "
        f"{1000 * toy['seconds']['closed_form']:.1f} ms: {faster['naive']:,.0f} times faster than gradient descent in "
        f"NumPy on the samples, {faster['gram']:,.0f} times faster than on the Gram matrix, with risks that agree to "
        f"{worst:.0e} relative. A problem of d = {large['features']:,} features and m = {large['samples']:,} samples "
        f"took {large['seconds_to_decompose']:.0f} s and {large['peak_memory_mib'] / 1024:.1f} GiB at most, the "
        f"libraries included (one thread, {versions['cpu']}, numpy {versions['numpy']}; one measurement, no interval)."
    )


def noise_block(summaries: Summaries) -> str:
    """Return label noise per data set."""
    lines = [
        "| data | total variation | independent draws | argmax disagrees | third class | teacher's error "
        "| unmixed samples | mixtures of samples |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in NOISE:
        row = summaries[name]
        cells = [_share(row["overall"][q]) for q in ("tv", "independent", "argmax_disagrees", "third_class")]
        teacher = row["teacher"]
        lines.append(
            f"| {row['data']} | {' | '.join(cells)} | {percent(teacher['error'])} "
            f"| {percent(teacher['total_variation_unmixed'])} | {row['n_mixtures']:,} of {row['n_samples']:,} |"
        )
    lines += [
        "",
        f"lam ~ Beta(1, 1); 95 % bootstrap intervals over samples; one seed; {_versions(summaries[NOISE[0]])}.",
    ]
    for name in NOISE:
        pairs = [p for p in summaries[name]["by_class_pair"] if p["a"] != p["b"] and p["total_variation"]["n"]]
        worst = max(pairs, key=lambda p: p["third_class"]["mean"])
        lines += [
            "",
            f"On {summaries[name]['data']}, intrusion is most frequent for {worst['a']} with {worst['b']}: "
            f"{_share(worst['third_class'])} of {worst['third_class']['n']} mixtures look like another class, most "
            f"often {worst['looks_most_like']}.",
        ]
    return "\n".join(lines)


def hessian_block(summaries: Summaries) -> str:
    """Return derivatives of ERM and Mixup."""
    lines = ["| data | quantity | lam | ERM | Mixup | ratio |", "|---|---|---|---|---|---|"]
    names = {"hessian_trace": "trace of the input Hessian", "jacobian_norm": "squared norm of the Jacobian"}
    for name in HESSIAN:
        for quantity, bands in summaries[name]["measured"].items():
            for band, row in bands.items():
                lines.append(
                    f"| {summaries[name]['data']} | {names[quantity]} | {band} | {_number(row['ERM'])} "
                    f"| {_number(row['Mixup'])} | {_number(row['ratio'])} |"
                )
    first = summaries[HESSIAN[0]]
    setting = first["setting"]
    sizes = " and ".join(f"{summaries[name]['setting']['samples']:,}" for name in HESSIAN)
    lines += [
        "",
        f"{setting['model']}, {sizes} training samples, {setting['epochs']} epochs, "
        f"{len(first['seeds'])} seeds, {setting['mixtures']:,} mixtures each; 95 % t-intervals over seeds; ratios are "
        f"geometric means, paired; {_versions(first)}.",
    ]
    return "\n".join(lines)


BLOCKS: dict[str, Callable[[Summaries], str]] = {
    "dynamics": dynamics_block,
    "speed": speed_block,
    "noise": noise_block,
    "hessian": hessian_block,
}


def with_blocks(text: str, summaries: Summaries) -> str:
    """Return the page with all blocks written anew.

    Raises:
        OvermixError: if a marker is not there.
    """
    for name, block in BLOCKS.items():
        text = Part(f"explain {name}", "explain").within(text, block(summaries))
    return text


def read_results(root: Path) -> dict[str, Any]:
    """Return the summaries that the page needs."""
    return {name: read_json(root / RESULTS / f"{name}.json") for name in NAMES} | {"speed": read_json(root / SPEED)}


def _number(estimate: Mapping[str, Any]) -> str:
    ci: Sequence[float] | None = estimate["ci"]
    mean = _short(estimate["mean"])
    return mean if ci is None else f"{mean} [{_short(ci[0])} to {_short(ci[1])}]"


def _short(value: float) -> str:
    return "0" if abs(value) < 1e-4 else written(value, ",.3g")


def _share(estimate: Mapping[str, Any]) -> str:
    return f"{percent(estimate['mean'])} [{percent_range(*estimate['ci'])}]"


def _versions(summary: Mapping[str, Any]) -> str:
    versions = summary["versions"]
    return f"overmix {versions['overmix']}, torch {versions['torch']}, numpy {versions['numpy']}"


def texts(root: Path) -> Texts:
    """Return ``docs/explain.md``."""
    return {PAGE: with_blocks((root / PAGE).read_text(encoding="utf-8"), read_results(root))}


def keep(runs: Path, root: Path) -> None:
    """Take the summaries of the explanations in a folder, and their figures as PNG."""
    for path in (RESULTS, FIGURES):
        (root / path).mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        write_json(root / RESULTS / f"{name}.json", read_json(runs / name / "summary.json"))
        for chart in SHOWN.get(name, ()):
            svg = (runs / name / "figures" / f"{chart}.svg").read_text(encoding="utf-8")
            write_bytes(root / FIGURES / f"{name}-{chart}.png", to_png(svg, scale=1.4))


EXPLAIN = Generated("explain", texts, keep=keep)
