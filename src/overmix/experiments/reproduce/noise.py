"""How noisy Mixup's labels are on the digits, and when a network learns the noisy ones by heart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overmix.experiments.reproduce.check import Check
from overmix.experiments.reproduce.finding import Finding, Picture, line, mean_check
from overmix.experiments.reproduce.weights import log_epochs, model_of, samples_of, snapshots
from overmix.explain import LabelNoise, dominant_label, label_noise, mean_noise, memorization
from overmix.explain.noise_summary import Quantity
from overmix.study.data import Dataset
from overmix.study.spec import StudySpec

TEACHERS, TEACHER_EPOCHS, RATE, WEIGHT_DECAY = 5, 60, 0.05, 1e-3
MIXTURES = 5000


def noisy_labels(spec: StudySpec) -> Finding:
    """Measure label noise with teachers that were trained on the test set, and what training makes of it.

    The teachers never saw a sample of the pool that training draws from. A mixture is noisy if the label with the
    larger weight is not the teachers' class of the mixed point.
    """
    found = next(runs for runs in snapshots(spec, log_epochs(spec.train.epochs)) if runs.condition == "Mixup")
    teachers = _teachers(found.dataset)
    noise = _of_the_pool(found.dataset, teachers)
    memorized, resisted = [], []
    for r in range(len(found.cells)):
        samples = samples_of(found, r)
        x, (a, b, lam) = samples.mixed
        truth = _predict(teachers, samples.raw).argmax(1)
        shares = []
        for at in range(len(found.epochs)):
            with torch.no_grad():
                counts = memorization(model_of(found, at, r)(x), dominant_label(a, b, lam), truth)
            shares.append((float(counts.memorized), float(counts.resisted)))
        memorized.append([share[0] for share in shares])
        resisted.append([share[1] for share in shares])
    learnt, turn = np.array(memorized), found.epochs.index(found.turn())

    def check(name: Quantity, what: str, bound: float) -> Check:
        group = mean_noise(noise, name)
        ci = (float(group.low), float(group.high))
        return Check(what, float(group.mean), ci, "above", bound, "points", TEACHERS)

    return Finding(
        set_up=f"{MIXTURES:,} mixtures of all training digits, lam uniform, {TEACHERS} teachers trained on the test "
        f"set; then {spec.name}, {len(found.cells)} seeds",
        n=len(found.cells),
        checks={
            "labels-noisy": [
                check("tv", "total variation between Mixup's label law and the teachers'", 0.05),
                check("argmax_disagrees", "mixtures whose heavier label is not the teachers' class", 0.01),
            ],
            "third-class": [check("third_class", "mixtures that look like a third class", 0.01)],
            "noise-later": [
                mean_check(
                    f"noisy mixtures predicted as labelled, end minus epoch {found.epochs[turn]} (the turn)",
                    learnt[:, -1] - learnt[:, turn],
                    "above",
                    0.0,
                    "points",
                )
            ],
        },
        pictures=[
            Picture(
                "memorised",
                "Share of the noisy mixtures that are predicted",
                "epoch",
                {
                    "as Mixup labels them": line(found.epochs, learnt),
                    "as the teachers say": line(found.epochs, np.array(resisted)),
                },
            )
        ],
    )


def _teachers(dataset: Dataset) -> list[nn.Module]:
    x, y = dataset.x_test.to(torch.float32).flatten(1) / 16, dataset.y_test.long()
    found: list[nn.Module] = []
    for seed in range(TEACHERS):
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            model = nn.Sequential(nn.Linear(x.shape[1], 256), nn.ReLU(), nn.Linear(256, dataset.num_classes))
            optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9, weight_decay=WEIGHT_DECAY)
            for _ in range(TEACHER_EPOCHS):
                for rows in torch.split(torch.randperm(len(x)), 64):
                    optimizer.zero_grad()
                    F.cross_entropy(model(x[rows]), y[rows]).backward()  # type: ignore[no-untyped-call]
                    optimizer.step()
        found.append(model.eval())
    return found


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
