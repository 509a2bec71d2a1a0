"""scikit-learn: the estimator beside a loop over the same network, samples and generators."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch import nn

import overmix
from overmix.integrations.sklearn import MixupClassifier
from overmix.switch import Outcome, Policy, Schedule
from tools.conformance.task import BATCH, CLASSES, EPOCHS, Setting, Trained, data, outcome

WIDTH = 32


def fit(switch: Schedule | Policy, setting: Setting) -> Trained:
    """Train the task with the estimator."""
    x, y = (part.numpy() for part in data()[0].tensors)
    model = MixupClassifier(
        (WIDTH,), mix=overmix.Mixup(alpha=1.0), switch=switch, epochs=EPOCHS, batch_size=BATCH, random_state=0
    ).fit(x, y)
    return _without_curve(outcome(model.module_, overmix.Epochs(1)), model.decision_)


def reference(switch: Schedule | Policy, setting: Setting) -> Trained:
    """Train the same network in a loop of one's own."""
    x, y = (part.numpy() for part in data()[0].tensors)
    random = np.random.RandomState(0)  # scikit-learn's own
    seed = int(random.randint(2**31 - 1))
    train, held_out = np.arange(len(x)), np.arange(0)
    if isinstance(switch, Policy):
        train, held_out = train_test_split(train, test_size=0.2, random_state=random.randint(2**31 - 1), stratify=y)
        train = np.sort(train)
    x = x.astype(np.float64)
    scale = x[train].std(axis=0)
    scale[scale == 0] = 1.0
    inputs, labels = torch.from_numpy((x - x[train].mean(axis=0)) / scale).float(), torch.from_numpy(y)
    samples, unseen = torch.from_numpy(train), torch.from_numpy(np.sort(held_out))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(64, WIDTH), nn.ReLU(), nn.Linear(WIDTH, CLASSES))
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.0)
    order = torch.Generator().manual_seed(seed)
    state = {"model": model, "optimizer": optimizer, "order": order}
    run = overmix.Epochs(EPOCHS, mix=overmix.Mixup(alpha=1.0), switch=switch, seed=seed, state=state)
    for epoch in run:
        for batch in torch.randperm(len(samples), generator=order).split(BATCH):
            index = samples[batch]
            mixed, target = epoch.mix(inputs[index], labels[index])
            optimizer.zero_grad()
            target.cross_entropy(model(mixed)).backward()
            optimizer.step()
        if epoch.scored and len(unseen):
            with torch.no_grad():
                epoch.observe(model(inputs[unseen]), labels[unseen])
    return _without_curve(outcome(model, run), run.decision)


def _without_curve(trained: Trained, decision: Outcome) -> Trained:
    """Return a training with what its decision knows: the estimator keeps no run, and so no share of mixed batches."""
    scores = tuple(look.score for look in decision.observations)
    return Trained(trained.weights, decision.switch_at, decision.spent, scores, mixing=())
