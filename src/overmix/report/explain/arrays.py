"""``overmix explain dynamics --arrays``: the theory's curves for features and labels of the user's own."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from overmix._typing import Float
from overmix.errors import ConfigError, DataError
from overmix.explain import (
    LeastSquares,
    best_stopping_time,
    least_squares,
    risk,
    risk_bound,
    switch_curve,
    trajectory,
)
from overmix.explain.random_features import check_rate
from overmix.files.regular_file import open_regular
from overmix.report.charts import Chart
from overmix.report.charts.axis import Axis
from overmix.report.charts.line_chart import Mark, line_chart
from overmix.report.charts.series import DASHED, Series
from overmix.report.explain.dynamics import check_steps
from overmix.report.explain.estimate import made_with
from overmix.report.explain.explanation import Explanation
from overmix.report.table import Table

NEEDED = ("features", "targets", "test_features", "test_targets")
OPTIONAL = ("noise", "erm_features", "erm_targets")
_PARTNERS = {
    "targets": "features",
    "noise": "features",
    "test_targets": "test_features",
    "erm_targets": "erm_features",
}
_SAVE = "save it as numpy.savez('problem.npz', features=..., targets=..., test_features=..., test_targets=...)"
_STEPS = Axis("step", log=True, format="~s")


def read_problem(path: Path) -> dict[str, np.ndarray]:
    """Read a problem from a file that ``numpy.savez`` wrote; nothing is ever unpickled.

    ``features`` (m, d), ``targets`` (m,), ``test_features`` (t, d) and ``test_targets`` (t,); perhaps ``noise`` (m,),
    the part of the targets that is label noise, and ``erm_features``, ``erm_targets``, the problem after a switch.

    Raises:
        ConfigError: if there is no such file.
        DataError: if it is no such file, or lacks an array.
    """
    try:
        with open_regular(path) as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: np.asarray(file[name]) for name in (*NEEDED, *OPTIONAL) if name in file.files}
    except FileNotFoundError:
        raise ConfigError("arrays", str(path), "there is no such file: name an .npz file") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"arrays {path}: it is no .npz file of numbers ({reason}): {_SAVE}") from None
    missing = [name for name in NEEDED if name not in arrays]
    if missing:
        raise DataError(f"arrays {path}: it lacks {', '.join(missing)}: {_SAVE}")
    if ("erm_features" in arrays) != ("erm_targets" in arrays):
        raise DataError(f"arrays {path}: give both erm_features and erm_targets, or neither")
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf":
            raise DataError(f"arrays {path}: {name} has dtype {array.dtype}: use numbers")
        wanted = 2 if name.endswith("features") else 1
        if array.ndim != wanted:
            shape = "(samples, features)" if wanted == 2 else "(samples,)"
            raise DataError(f"arrays {path}: {name} has shape {array.shape}: use {shape}")
    for name, partner in _PARTNERS.items():
        if name in arrays and len(arrays[name]) != len(arrays[partner]):
            raise DataError(
                f"arrays {path}: {partner} has {len(arrays[partner])} rows but {name} has {len(arrays[name])}: give "
                "one for each row"
            )
    columns = {name: array.shape[1] for name, array in arrays.items() if array.ndim == 2}
    if len(set(columns.values())) > 1:
        raise DataError(f"arrays {path}: numbers of features differ, {columns}: use the same features everywhere")
    return arrays


def explain_arrays(
    arrays: Mapping[str, np.ndarray], *, eta: float = 0.1, steps: int = 1_000_000, name: str = "arrays"
) -> Explanation:
    """Return risk, bound, stopping time and switch-time curve of one problem, in closed form.

    Args:
        arrays: see :func:`read_problem`.
        eta: learning rate.
        steps: length of the training, from weights 0.
        name: of the problem, for titles.

    Raises:
        ConfigError: if a setting cannot work, ``eta mu_max >= 2`` above all.
        DataError: if a number is not finite, or shapes do not fit.
    """
    check_steps(steps)
    problem = least_squares(arrays["features"], arrays["targets"], noise=arrays.get("noise"))
    check_rate(problem.eigenvalues, eta, "descent")
    test = arrays["test_features"].astype(np.float64), arrays["test_targets"].astype(np.float64)
    times = np.unique(np.round(np.geomspace(1, steps, 121)))

    def curve(at: Float[np.ndarray, " times"]) -> Float[np.ndarray, " times"]:
        return risk(trajectory(problem, at, eta=eta), *test)

    values = curve(times)
    best = best_stopping_time(curve, last=steps, rule="descent")
    limit = float(curve(np.array([np.inf]))[0])
    summary: dict[str, Any] = {
        "command": "explain dynamics",
        "problem": {
            "samples": problem.num_samples,
            "features": len(problem.eigenvalues),
            "null_modes": int(problem.null.sum()),
            "largest_stable_eta": float(problem.largest_stable_eta) if problem.eigenvalues[-1] > 0 else None,
        },
        "eta": eta,
        "steps": steps,
        "best": {"step": best.time, "risk": best.value},
        "final_risk": float(values[-1]),
        "limit_risk": limit,
        "curves": {"steps": times.tolist(), "risk": values.tolist()},
        "versions": made_with(),
    }
    charts = [_risk_chart(times, values, best.time, name)]
    if "noise" in arrays:
        charts.append(_bound_chart(problem, times, test, eta, name, summary))
    if "erm_features" in arrays:
        erm = least_squares(arrays["erm_features"], arrays["erm_targets"])
        charts.append(_switch_chart(problem, erm, times, test, eta, steps, name, summary))
    return Explanation(
        name=f"dynamics of {name}",
        sentence=f"The test risk is lowest after {best.time:,.0f} steps, {best.value:.4g}; after {steps:,} it is "
        f"{values[-1]:.4g}, and in the limit {limit:.4g}.",
        findings=_findings(summary),
        summary=summary,
        charts=charts,
        tables=[_table(summary)],
        method=_METHOD,
    )


def _findings(summary: Mapping[str, Any]) -> list[str]:
    problem, findings = summary["problem"], []
    if problem["null_modes"]:
        findings.append(
            f"Phi Phi^T is singular: {problem['null_modes']} of {problem['features']} modes are null. Training never "
            "moves them; the limit is the least-squares solution of smallest norm."
        )
    if problem["samples"] == 1:
        best, final = summary["best"], summary["final_risk"]
        findings.append(
            "A single sample is one mode: training moves the weights along one line. "
            + (
                f"The test risk still turns, at step {best['step']:,.0f}: to fit the sample is to go further along "
                "that line than the test data say."
                if final > best["risk"] * (1 + 1e-9)
                else "Here the test risk does not turn."
            )
        )
    if "switch" in summary:
        switch = summary["switch"]
        findings.append(
            f"Switched to the second problem at step {switch['best_step']:,.0f}, training ends at "
            f"{switch['final_risk']:.4g}."
        )
    return findings


def _risk_chart(times: np.ndarray, values: np.ndarray, best: float, name: str) -> Chart:
    return line_chart(
        "risk",
        "Test risk",
        "Mean squared error on the test samples against training steps.",
        "One problem; no interval.",
        [Series("risk", times, values)],
        x_axis=_STEPS,
        y_axis=Axis("Test risk"),
        subtitle=name,
        marks=[Mark(best, f"lowest at {best:,.0f}")] if best >= 1 else [],
    )


def _bound_chart(
    problem: LeastSquares, times: np.ndarray, test: tuple[Any, Any], eta: float, name: str, summary: dict[str, Any]
) -> Chart:
    bound = risk_bound(problem, times, *test, eta=eta)
    flow = risk(trajectory(problem, times, eta=eta, rule="flow"), *test)
    summary["bound"] = {"holds": bool(np.all(flow <= bound.total * (1 + 1e-9))), "final": float(bound.total[-1])}
    lines = {"risk": flow, "bound": bound.total, "decaying term": bound.decaying, "growing term": bound.growing}
    return line_chart(
        "bound",
        "The risk and its bound",
        "Risk as gradient flow, its upper bound, and the two moving terms of the bound; both axes are logarithmic.",
        "One problem; no interval.",
        [Series(title, times, values) for title, values in lines.items()],
        x_axis=_STEPS,
        y_axis=Axis("Risk", log=True, format=".0e"),
        subtitle=name,
    )


def _switch_chart(
    problem: LeastSquares,
    erm: LeastSquares,
    times: np.ndarray,
    test: tuple[Any, Any],
    eta: float,
    steps: int,
    name: str,
    summary: dict[str, Any],
) -> Chart:
    curve = switch_curve(problem, erm, np.concatenate([[0.0], times]), *test, total=steps, eta=eta)
    summary["switch"] = {
        "best_step": curve.best,
        "final_risk": float(curve.final.min()),
        "erm": float(curve.final[0]),
        "mixup": float(curve.final[-1]),
    }
    return line_chart(
        "switch-time",
        "When to switch",
        "Test risk at the end of the training against the step of the switch to the second problem.",
        "One problem; no interval.",
        [
            Series("second problem only", times, np.full(len(times), curve.final[0]), dash=DASHED),
            Series("switched", times, curve.final[1:]),
        ],
        x_axis=Axis("switch step", log=True, format="~s"),
        y_axis=Axis("Final test risk"),
        subtitle=name,
    )


def _table(summary: Mapping[str, Any]) -> Table:
    rows = [
        ["Lowest test risk", f"{summary['best']['risk']:.6g}", f"{summary['best']['step']:,.0f}"],
        ["At the end", f"{summary['final_risk']:.6g}", f"{summary['steps']:,}"],
        ["In the limit", f"{summary['limit_risk']:.6g}", "infinite"],
    ]
    return Table("Test risk", ["Where", "Risk", "Step"], rows)


_METHOD = (
    (
        "Closed form",
        "All values come from one eigendecomposition; nothing is trained step by step. Weights start at 0.",
    ),
    ("Null modes", "Directions in which the features have no variance to rounding."),
)
