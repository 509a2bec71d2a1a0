"""How noisy Mixup's labels are on the digits, and when a network learns the noisy ones by heart."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overmix.experiments.reproduce.check import Check
from overmix.experiments.reproduce.finding import Finding, Picture, line, mean_check
from overmix.experiments.reproduce.parts import NamedTensors, Parts
from overmix.experiments.reproduce.weights import Snapshots, log_epochs, model_of, samples_of, snapshots
from overmix.explain import LabelNoise, dominant_label, label_noise, mean_noise, memorization
from overmix.explain.noise_summary import Quantity
from overmix.study.data import Dataset
from overmix.study.spec.schema import StudySpec

TEACHERS, TEACHER_EPOCHS, RATE, WEIGHT_DECAY = 5, 60, 0.05, 1e-3
MIXTURES = 5000
_QUANTITIES: tuple[Quantity, ...] = ("tv", "argmax_disagrees", "third_class")


def noisy_labels(spec: StudySpec, parts: Parts) -> Finding:
    """Measure label noise with teachers that were trained on the test set, and what training makes of it.

    The teachers never saw a sample of the pool that training draws from. A mixture is noisy if the label with the
    larger weight is not the teachers' class of the mixed point.
    """
    epochs = log_epochs(spec.train.epochs)
    runs = next(trained for trained in snapshots(spec, epochs, parts) if trained.condition == "Mixup")
    teachers = _teachers(runs.dataset, parts)
    shares = runs.measured("shares", lambda r: _shares(runs, r, teachers))
    learnt, resisted, clean = (shares[..., column] for column in range(3))
    turn = runs.epochs.index(runs.turn())
    estimates = parts.numbers("noise", lambda: _estimates(_of_the_pool(runs.dataset, teachers)))

    def check(name: Quantity, what: str, bound: float) -> Check:
        mean, low, high = (float(value) for value in estimates[_QUANTITIES.index(name)])
        about = f"{what} ({TEACHERS} teachers as one; interval over mixtures)"
        return Check(about, mean, (low, high), "above", bound, "points", TEACHERS)

    return Finding(
        set_up=f"{MIXTURES:,} mixtures of all training digits, lam uniform, {TEACHERS} teachers trained on the test "
        f"set; then {spec.name}, {len(runs.cells)} seeds",
        n=len(runs.cells),
        checks={
            "labels-noisy": [
                check("tv", "total variation between Mixup's label law and the teachers'", 0.05),
                check("argmax_disagrees", "mixtures whose heavier label is not the teachers' class", 0.01),
            ],
            "third-class": [check("third_class", "mixtures that look like a third class", 0.01)],
            "noise-later": [
                mean_check(
                    f"at epoch {runs.epochs[turn]} (the turn) clean mixtures predicted as labelled minus noisy ones",
                    clean[:, turn] - learnt[:, turn],
                    "above",
                    0.0,
                    "points",
                ),
                mean_check(
                    f"noisy mixtures predicted as labelled, end minus epoch {runs.epochs[turn]} (the turn)",
                    learnt[:, -1] - learnt[:, turn],
                    "above",
                    0.0,
                    "points",
                ),
            ],
        },
        pictures=[
            Picture(
                "memorised",
                "Share of mixtures that are predicted",
                "epoch",
                {
                    "noisy, as Mixup labels them": line(runs.epochs, learnt),
                    "noisy, as the teachers say": line(runs.epochs, resisted),
                    "clean, as labelled": line(runs.epochs, clean),
                },
            )
        ],
    )


def _shares(runs: Snapshots, r: int, teachers: Sequence[nn.Module]) -> np.ndarray:
    """Return what a run predicts, as shares, shape (epochs, 3).

    Noisy mixtures as labelled, noisy ones as the teachers say, clean ones as labelled.
    """
    samples = samples_of(runs, r)
    x, (a, b, lam) = samples.mixed
    truth = _predict(teachers, samples.raw).argmax(1)
    shares = []
    for at in range(len(runs.epochs)):
        with torch.no_grad():
            counts = memorization(model_of(runs, at, r)(x), dominant_label(a, b, lam), truth)
        shares.append((float(counts.memorized), float(counts.resisted), float(counts.learnt)))
    return np.array(shares)


def _estimates(noise: LabelNoise) -> np.ndarray:
    """Return mean and interval of each quantity, shape (quantities, 3)."""
    groups = [mean_noise(noise, name) for name in _QUANTITIES]
    return np.array([(float(group.mean), float(group.low), float(group.high)) for group in groups])


def _teachers(dataset: Dataset, parts: Parts) -> list[nn.Module]:
    teachers: list[nn.Module] = []
    for seed in range(TEACHERS):
        model = _network(dataset)
        model.load_state_dict(parts(f"teacher-{seed}", partial(_taught, dataset, seed)))
        teachers.append(model.eval())
    return teachers


def _network(dataset: Dataset) -> nn.Module:
    inputs = int(dataset.x_test[0].numel())
    return nn.Sequential(nn.Linear(inputs, 256), nn.ReLU(), nn.Linear(256, dataset.num_classes))


def _taught(dataset: Dataset, seed: int) -> NamedTensors:
    """Return the weights of a teacher that was trained on the test set."""
    x, y = dataset.x_test.to(torch.float32).flatten(1) / 16, dataset.y_test.long()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = _network(dataset)
        optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9, weight_decay=WEIGHT_DECAY)
        for _ in range(TEACHER_EPOCHS):
            for rows in torch.split(torch.randperm(len(x)), 64):
                optimizer.zero_grad()
                F.cross_entropy(model(x[rows]), y[rows]).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
    return {name: value.detach() for name, value in model.state_dict().items()}


def _predict(teachers: Sequence[nn.Module], x: Tensor) -> Tensor:
    """Return the mean class probabilities of the teachers, on pixels from 0 to 16."""
    with torch.no_grad():
        return torch.stack([model(x.flatten(1) / 16).softmax(1) for model in teachers]).mean(0)


def _of_the_pool(dataset: Dataset, teachers: Sequence[nn.Module]) -> LabelNoise:
    rng = np.random.Generator(np.random.Philox(key=(0, 0)))
    index, partner = (torch.as_tensor(rng.integers(len(dataset.x), size=MIXTURES)) for _ in range(2))
    lam = torch.as_tensor(rng.beta(1.0, 1.0, size=MIXTURES), dtype=torch.float32)
    x, y = dataset.x.to(torch.float32), dataset.y.long()
    return label_noise(lambda inputs: _predict(teachers, inputs), x, y, partner, lam, index=index)
