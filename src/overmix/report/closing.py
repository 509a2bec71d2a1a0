"""What comes after the last training: how long statistics and page will take, tried on numbers that mean nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from overmix.diagnose import diagnose_ensemble, paired_difference
from overmix.report.charts import Chart
from overmix.report.figures import light, strokes_of, to_png, to_svg
from overmix.report.page import sections
from overmix.report.shown import report_of
from overmix.study import StudyResult, StudySpec, Summary, resolved
from overmix.study.analyse.record import ConditionSummary, Estimate
from overmix.study.spec.overrides import condition_parts
from overmix.study.spec.roles import roles_of, switch_epoch_of
from overmix.train import METRICS
from overmix.train.evaluation import evaluation_epochs

_TRIED_CHARTS = 2
_TRIED_SAMPLES = 20_000  # statistics of more test samples are timed on so many, and take longer in proportion


@dataclass(frozen=True)
class Closing:
    """Seconds, on this machine as it is now.

    Args:
        statistics: verdicts of all conditions, and differences of all pairs.
        page: all charts, as pictures and on the page.
    """

    statistics: float
    page: float


def closing_time(spec: StudySpec, n_test: int) -> Closing:
    """Return how long it takes to say and show what a study found.

    One verdict, one difference and two charts of the study's size are made, of random errors; the others are alike.

    Args:
        spec: the study.
        n_test: its test samples.
    """
    return Closing(_statistics_seconds(spec, n_test), _page_seconds(spec))


def _statistics_seconds(spec: StudySpec, n_test: int) -> float:
    rng, seeds = np.random.default_rng(0), len(spec.seed_list)
    tried = min(n_test, _TRIED_SAMPLES)
    total = 0.0
    verdicts: dict[int, float] = {}
    for condition in spec.compare:
        epochs = condition_parts(spec, condition)[2].epochs
        if epochs not in verdicts:
            looks = evaluation_epochs(epochs)
            wrong = rng.random((seeds, len(looks), tried)) < 0.2
            verdicts[epochs] = _seconds_of(lambda at=looks, of=wrong: diagnose_ensemble(at, of))
        total += verdicts[epochs]
    a, b = rng.random((2, seeds, tried)) < 0.2
    count = len(spec.compare)
    # Every pair, and for each condition its best checkpoints against its ends.
    total += (count * (count - 1) / 2 + count) * _seconds_of(lambda: paired_difference(a, b))
    return total * n_test / tried


def _seconds_of(work: object) -> float:
    assert callable(work)
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _page_seconds(spec: StudySpec) -> float:
    began = time.perf_counter()
    report = report_of(_stand_in(spec))
    charts = [chart for part in sections(report) for chart in part.charts]
    prepared = time.perf_counter() - began
    strokes = strokes_of(report)

    def draw(chart: Chart) -> None:
        to_png(to_svg(light(chart, strokes)))

    first, *others = (_seconds_of(lambda chart=chart: draw(chart)) for chart in charts[: _TRIED_CHARTS + 1])
    each = float(np.mean(others)) if others else first
    # The first one starts the renderer.
    return prepared + first + (len(charts) - 1) * each


def _stand_in(spec: StudySpec) -> StudyResult:
    """Return a result of the study's size whose numbers mean nothing."""
    rng = np.random.default_rng(0)
    frames, conditions = [], []
    for name, role, condition in zip(spec.condition_names, roles_of(spec), spec.compare, strict=True):
        epochs = condition_parts(spec, condition)[2].epochs
        looks = evaluation_epochs(epochs)
        rows = len(looks) * len(spec.seed_list)
        columns = {metric: rng.random(rows) for metric in ("mixing", "lr", "mix_loss", "mix_floor", *METRICS)}
        place = {
            "condition": [name] * rows,
            "seed": np.repeat(spec.seed_list, len(looks)),
            "epoch": np.tile(looks, len(spec.seed_list)),
            "step": np.tile(looks, len(spec.seed_list)),
        }
        frames.append(pl.DataFrame(place | columns))
        summary = ConditionSummary(name=name, role=role, n_seeds=len(spec.seed_list), epochs=epochs)
        some = Estimate(0.2, 0.1, 0.3)
        conditions.append(
            replace(
                summary,
                verdict="monotone",
                final=some,
                lowest=some,
                turning_epoch=Estimate(1.0),
                depth=some,
                delta=0.01,
                switch_epoch=switch_epoch_of(condition, epochs) if role == "switched" else None,
            )
        )
    longest = max(condition.epochs or 0 for condition in conditions)
    return StudyResult(resolved(spec), Summary(conditions=tuple(conditions), epochs=longest), pl.concat(frames))
