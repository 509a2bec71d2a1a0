"""Trackers: a run's curves and its decision, to TensorBoard, MLflow, and whatever takes metrics by step."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from overmix.errors import ConfigError
from overmix.switch import Epochs

__all__ = ["log"]

Metrics = Mapping[str, float]

_OBSERVED = ("score", "error", "cross_entropy", "ece", "margin")
_WRITTEN: weakref.WeakKeyDictionary[Epochs, weakref.WeakKeyDictionary[Any, int]] = weakref.WeakKeyDictionary()
"""The next epoch to be written, by run and sink."""


def log(run: Epochs, sink: Any, *, run_id: str | None = None) -> None:
    """Write what a run has observed since the last call, and its decision: at the end of an epoch, or of the run.

        for epoch in run:
            ...
            trackers.log(run, writer)

    The step is the epoch. It never goes back: after going back, epochs that were written already are not written
    again, until the run has passed them. Written once at the end, the curve is that of the run as it remained.

    Args:
        run: what is written, such as an integration's ``.run``.
        sink: a ``SummaryWriter``, the module ``mlflow``, an ``MlflowClient``, or anything that has
            ``log_metrics(metrics, step=...)``, as Lightning's loggers do.
        run_id: of the MLflow run, which a client needs.

    Raises:
        ConfigError: if the sink takes no metrics.

    Example:
        >>> import torch, overmix
        >>> class Printer:
        ...     def log_metrics(self, metrics, step): print(step, metrics["overmix/mixing"])
        >>> printer, run = Printer(), Epochs(2, mix=overmix.Mixup(), switch=overmix.off_at(1))
        >>> for epoch in run:
        ...     _ = epoch.mix(torch.rand(4, 3), torch.arange(4))
        ...     epoch.observe(torch.rand(4, 4), torch.arange(4))
        ...     log(run, printer)
        0 1.0
        1 0.0
    """
    write, say = _sink(sink, run_id)
    by_epoch = _metrics(run)
    written = _WRITTEN.setdefault(run, weakref.WeakKeyDictionary())
    start = written.get(sink, 0)
    due = [epoch for epoch in sorted(by_epoch) if epoch >= start]
    for epoch in due:
        write(by_epoch[epoch], epoch)
    if not due:
        return
    written[sink] = due[-1] + 1
    if run.decision.switch_at is not None:
        say(str(run.decision), due[-1])


def _metrics(run: Epochs) -> dict[int, dict[str, float]]:
    """Return what is known of each epoch."""
    metrics: dict[int, dict[str, float]] = {}
    for seen in run.history:
        row = metrics.setdefault(seen.epoch, {"overmix/mixing": seen.mixing})
        values = {name: value for name, value in asdict(seen).items() if name in _OBSERVED and value is not None}
        score = "brier" if seen.kind == "brier" else "score"
        row |= {f"overmix/{seen.split}/{score if name == 'score' else name}": v for name, v in values.items()}
    for fit in run.fits:
        row = metrics.setdefault(fit.epoch, {"overmix/mixing": fit.mixing})
        row |= {"overmix/loss": fit.loss, "overmix/above_floor": fit.above_floor}
    if metrics:
        metrics[max(metrics)] |= decision_metrics(run)
    return metrics


def decision_metrics(run: Epochs) -> dict[str, float]:
    """Return what the run has cost so far, and the epoch that it was switched off at, once that is decided."""
    metrics, switch_at = {"overmix/cost_so_far": run.cost}, run.decision.switch_at
    return metrics if switch_at is None else metrics | {"overmix/switch_at": float(switch_at)}


Write = Callable[[Metrics, int], object]
Say = Callable[[str, int], object]


def _sink(sink: Any, run_id: str | None) -> tuple[Write, Say]:
    """Return how a sink is told numbers, and words."""
    if hasattr(sink, "add_scalar"):

        def write(metrics: Metrics, step: int) -> None:
            for name, value in metrics.items():
                sink.add_scalar(name, value, step)

        return write, lambda text, step: sink.add_text("overmix/decision", f"    {text}".replace("\n", "\n    "), step)
    if hasattr(sink, "log_batch") and not hasattr(sink, "log_metrics"):
        return _mlflow_client(sink, run_id)
    if not callable(getattr(sink, "log_metrics", None)):
        name = type(sink).__name__
        raise ConfigError("sink", name, "give a SummaryWriter, mlflow, or an object with log_metrics(metrics, step=)")
    set_tag = getattr(sink, "set_tag", None)
    tells = set_tag if callable(set_tag) else lambda name, text: None
    return lambda metrics, step: sink.log_metrics(dict(metrics), step=step), lambda text, _: tells(_TAG, text)


_TAG = "overmix.decision"


def _mlflow_client(client: Any, run_id: str | None) -> tuple[Write, Say]:
    if run_id is None:
        raise ConfigError("run_id", None, "name the MLflow run that the client is to write to")

    def write(metrics: Metrics, step: int) -> None:
        for name, value in metrics.items():
            client.log_metric(run_id, name, value, step=step)

    return write, lambda text, _: client.set_tag(run_id, _TAG, text)
