"""Teachers that never saw the samples they judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overmix._typing import Bool, Float, Int, Shaped
from overmix.errors import ConfigError
from overmix.explain import leave_two_folds_out
from overmix.explain.noise import Teacher
from overmix.report.explain.fit import fit
from overmix.study.data import Dataset
from overmix.study.data.split import stratified_order
from overmix.study.models import build_model
from overmix.study.models.import_path import call_factory

FOLDS = 5
ENSEMBLE = 3
MOST_SPARE = 12_000  # samples that a teacher learns from beside the measured ones: more take long and change little


@dataclass(frozen=True)
class TeacherPanel:
    """Teachers, and the samples they may judge.

    Attributes:
        teachers: each maps inputs to class probabilities.
        saw: whether a teacher learnt from a sample, (teachers, samples).
        x: the measured samples.
        y: their classes.
        error: share of the measured samples that teachers who did not see them get wrong.
        cross_entropy: their mean negative log-probability there, in nats.
        baseline: mean total variation between a sample's label and the teachers' distribution there: what a mixture
            with lam = 1 would show, so no work of mixing.
        how: how the teachers came about, in words.
    """

    teachers: list[Teacher]
    saw: Bool[np.ndarray, "teachers samples"]
    x: Shaped[Tensor, "samples ..."]
    y: Int[Tensor, " samples"]
    error: float
    cross_entropy: float
    baseline: float
    how: str


def default_model(sample_shape: tuple[int, ...]) -> str:
    """Return the model for samples of a shape: convnet for sequences and colour images, else mlp.

    On small grey images a perceptron needs a fraction of the time for fewer errors.

    Example:
        >>> default_model((1, 28, 28)), default_model((1, 40)), default_model((3, 32, 32))
        ('mlp', 'convnet', 'convnet')
    """
    is_sequence, is_colour = len(sample_shape) == 2, len(sample_shape) == 3 and sample_shape[0] > 1
    return "convnet" if (is_sequence or is_colour) and min(sample_shape[1:]) >= 16 else "mlp"


def trained_panel(
    dataset: Dataset,
    *,
    samples: int,
    model: str = "",
    epochs: int | None = None,
    seed: int = 0,
    tell: Callable[[str], None] = lambda _: None,
) -> TeacherPanel:
    """Train teachers for samples of the pool that none of the asked ones saw.

    Where the data set has at least twice as many further samples (the rest of the pool, and the test set), a small
    ensemble learns from those alone. Else the measured samples are cross-fitted: each teacher learns from the further
    samples and from all but two of five folds.

    Args:
        dataset: the data.
        samples: number of measured samples, drawn from the pool with its class shares; at most the pool.
        model: of the teachers; by the shape of the samples if empty.
        epochs: of each teacher; by the number of samples if not given, from 10 to 60.
        seed: of samples, folds, weights and order.
        tell: is told of progress.

    Raises:
        ConfigError: if a setting cannot work.
    """
    if samples < FOLDS:
        raise ConfigError("samples", samples, f"use at least {FOLDS}")
    rng = np.random.default_rng(seed)
    order = stratified_order(dataset.y.numpy(), rng)
    chosen, rest = order[:samples], order[samples:]
    x, y = dataset.x[torch.from_numpy(chosen)], dataset.y[torch.from_numpy(chosen)]
    spare_x = torch.cat([dataset.x[torch.from_numpy(rest)], dataset.x_test])[:MOST_SPARE]
    spare_y = torch.cat([dataset.y[torch.from_numpy(rest)], dataset.y_test])[:MOST_SPARE]
    if len(spare_x) >= 2 * len(x):
        saw = np.zeros((ENSEMBLE, len(x)), dtype=bool)
        how = f"{ENSEMBLE} teachers that learnt from {len(spare_x):,} other samples"
    else:
        saw = leave_two_folds_out(np.arange(len(x)) % FOLDS)  # the order is stratified, so folds are too
        how = (
            f"{len(saw)} teachers, each of which learnt from {len(spare_x):,} other samples and all but two of "
            f"{FOLDS} folds"
        )
    teachers = []
    for number, seen in enumerate(saw):
        length = min(max(round(240_000 / (len(spare_x) + int(seen.sum()))), 10), 60) if epochs is None else epochs
        tell(f"teacher {number + 1} of {len(saw)}")
        learnt = torch.from_numpy(seen)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed * 1000 + number)
            name = model or default_model(tuple(x.shape[1:]))
            network = build_model(name, sample_shape=tuple(x.shape[1:]), num_classes=dataset.num_classes)
        fitted = fit(
            network,
            torch.cat([spare_x, x[learnt]]),
            torch.cat([spare_y, y[learnt]]),
            epochs=length,
            seed=1000 * seed + number,
        )
        teachers.append(_calibrated(fitted, x[~learnt], y[~learnt]))
    return _panel(teachers, saw, x, y, how)


def own_panel(dataset: Dataset, path: str, *, samples: int, seed: int = 0) -> TeacherPanel:
    """Use the user's own trained model as the teacher, on samples of the test set.

    Args:
        dataset: the data; the model must not have been trained on its test set.
        path: ``module:factory``, called with ``sample_shape`` and ``num_classes``; returns a trained module that maps
            samples as they are stored, in floating point, to logits.
        samples: number of measured samples.
        seed: draws them.

    Raises:
        ConfigError: if the factory does not work.
    """
    model = call_factory(path, sample_shape=tuple(dataset.x.shape[1:]), num_classes=dataset.num_classes, options={})
    model.eval()
    chosen = torch.from_numpy(stratified_order(dataset.y_test.numpy(), np.random.default_rng(seed))[:samples])

    def teacher(inputs: Tensor) -> Tensor:
        with torch.no_grad():
            return torch.softmax(model(inputs).double(), dim=1)

    how = f"the model {path}, on test samples"
    x = dataset.x_test[chosen].to(torch.float32)
    return _panel([teacher], np.zeros((1, len(chosen)), dtype=bool), x, dataset.y_test[chosen], how)


def _calibrated(model: Callable[[Tensor], Tensor], x: Tensor, y: Tensor) -> Teacher:
    """Return the model with one temperature, the one that suits samples it did not see best."""
    with torch.no_grad():
        logits = model(x).double()
    temperatures = np.geomspace(0.5, 8.0, 41)
    losses = [float(torch.nn.functional.cross_entropy(logits / t, y)) for t in temperatures]
    temperature = float(temperatures[int(np.argmin(losses))])

    def teacher(inputs: Tensor) -> Tensor:
        with torch.no_grad():
            return torch.softmax(model(inputs).double() / temperature, dim=1)

    return teacher


def _panel(teachers: Sequence[Teacher], saw: np.ndarray, x: Tensor, y: Tensor, how: str) -> TeacherPanel:
    probabilities = unseen_probabilities(teachers, saw, x)
    of_label = probabilities[np.arange(len(y)), y.numpy()]
    return TeacherPanel(
        teachers=list(teachers),
        saw=saw,
        x=x,
        y=y,
        error=float(np.mean(probabilities.argmax(axis=1) != y.numpy())),
        cross_entropy=float(-np.log(np.maximum(of_label, 1e-300)).mean()),
        baseline=float(np.mean(1 - of_label)),
        how=how,
    )


def unseen_probabilities(
    teachers: Sequence[Teacher], saw: Bool[np.ndarray, "teachers samples"], x: Shaped[Tensor, "samples ..."]
) -> Float[np.ndarray, "samples classes"]:
    """Return the mean distribution at each sample over the teachers that did not see it."""
    total: Any = 0.0
    for teacher, seen in zip(teachers, saw, strict=True):
        probs = np.concatenate([teacher(x[k : k + 1024].to(torch.float32)).numpy() for k in range(0, len(x), 1024)])
        total = total + np.where(seen[:, None], 0.0, probs)
    return np.asarray(total / (~saw).sum(axis=0)[:, None])
