"""From logs to curves: one metric, one row per run, on the epochs that all runs share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from pathlib import Path

import numpy as np

from overmix._typing import Float
from overmix.diagnose.curve import MIN_EPOCHS, diagnose_curve
from overmix.diagnose.diagnosis import Diagnosis
from overmix.diagnose.logs.log import Log, is_absent, is_numeric
from overmix.diagnose.logs.metric import check_metric, choose_metric, is_held_out, kind_of
from overmix.diagnose.logs.search import read_logs
from overmix.errors import ConfigError, DataError


@dataclass(frozen=True)
class LoggedCurves:
    """A metric, read from logs.

    Attributes:
        metric: its name in the logs.
        axis: name of the horizontal axis; ``"row"`` if rows were counted.
        epochs: shape (epochs,), increasing.
        values: shape (runs, epochs), as logged.
        runs: names of the runs.
    """

    metric: str
    axis: str
    epochs: Float[np.ndarray, " epochs"]
    values: Float[np.ndarray, "runs epochs"]
    runs: tuple[str, ...]

    def diagnose(self, *, lower_is_better: bool | None = None) -> Diagnosis:
        """Judge them with `diagnose_curve`; accuracies are turned around, losses are no rates.

        Args:
            lower_is_better: the direction; None reads it from the metric's name.

        Raises:
            ConfigError: if the name does not say it.
        """
        kind = kind_of(self.metric)
        if kind is None and lower_is_better is None:
            remedy = "the name does not say which way is better: give --lower-is-better or --higher-is-better"
            raise ConfigError("metric", self.metric, remedy)
        return diagnose_curve(
            self.epochs,
            self.values,
            lower_is_better=kind != "accuracy" if lower_is_better is None else lower_is_better,
            unit="value" if kind == "loss" else "auto",
        )


def read_curves(paths: Sequence[Path], *, metric: str | None = None, x: str | None = None) -> LoggedCurves:
    """Read one metric of all runs that the paths hold.

    Runs are lined up on the epochs that all of them logged. They must end at one epoch: where the end is, is what a
    depth is about.

    Args:
        paths: files or folders; CSV, TensorBoard event files, Hugging Face's ``trainer_state.json``, Keras history as
            JSON, MLflow run folders.
        metric: name of the metric; None chooses the held-out one, see `choose_metric`.
        x: name of the column for the horizontal axis; None takes ``epoch``, else ``step``, else counts rows.

    Raises:
        DataError: files that cannot be read, values that are no numbers, runs of unequal lengths.
        ConfigError: no such column, or no metric that stands out.
    """
    if not paths:
        raise DataError("no path was given: name a log file or a folder")
    found = [read_logs(Path(path)) for path in paths]
    logs = [log for of_path in found for log in of_path]
    names = list(dict.fromkeys(name for log in logs for name in log.names()))
    if metric is None:
        numeric = [name for name in names if any(is_numeric(log, name) for log in logs)]
        chosen = choose_metric(_with_a_curve(numeric, logs), logs[0].name)
    else:
        chosen = check_metric(metric, names, logs[0].name)
    logs = _with_metric(found, chosen)
    _check_distinct(logs)
    columns = [log.column(chosen, x) for log in logs]
    shared = reduce(np.intersect1d, (epochs for epochs, _ in columns))
    _check_ends(logs, [float(epochs[-1]) for epochs, _ in columns])
    values = np.stack([column[np.isin(epochs, shared)] for epochs, column in columns])
    _check_not_the_same(logs, values)
    return LoggedCurves(chosen, logs[0].axis(x, chosen) or "row", shared, values, tuple(log.name for log in logs))


def _with_metric(found: Sequence[Sequence[Log]], metric: str) -> list[Log]:
    """Leave out what a folder holds beside the runs, such as hyper-parameters; each path must give one run at least."""
    kept: list[Log] = []
    for of_path in found:
        having = [log for log in of_path if metric in log.names()]
        kept += having or of_path[:1]  # the first without it is named in the error
    return kept


def _with_a_curve(names: Sequence[str], logs: Sequence[Log]) -> Sequence[str]:
    """Leave out what was logged a few times only, such as a test after the training, if anything else can be judged."""
    lengths = {name: max(sum(not is_absent(row.get(name)) for row in log.rows) for log in logs) for name in names}
    long = [name for name in names if lengths[name] >= MIN_EPOCHS]
    return long if any(is_held_out(name) for name in long) else names


def _check_distinct(logs: Sequence[Log]) -> None:
    """Refuse a run that was named twice, by its file and by its folder: it would count as two seeds."""
    seen: set[str] = set()
    for log in logs:
        place = os.path.realpath(log.name)
        if place in seen:
            raise DataError(f"{log.name}: given twice; runs count as seeds, name each once")
        seen.add(place)


def _check_not_the_same(logs: Sequence[Log], values: Float[np.ndarray, "runs epochs"]) -> None:
    for i, j in combinations(range(len(values)), 2):
        if np.array_equal(values[i], values[j], equal_nan=True) and np.ptp(np.nan_to_num(values[i])) > 0:
            raise DataError(
                f"{logs[i].name} and {logs[j].name} have the same curve: copies of a run are no seeds, give one of them"
            )


def _check_ends(logs: Sequence[Log], ends: Sequence[float]) -> None:
    other = next((i for i, end in enumerate(ends) if end != ends[0]), None)
    if other is not None:
        raise DataError(
            f"unequal lengths: {logs[0].name} ends at {ends[0]:g}, {logs[other].name} at {ends[other]:g}; "
            f"give runs of one length, or each by itself"
        )
