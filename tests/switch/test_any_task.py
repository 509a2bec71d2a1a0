"""Every policy of the registry decides on the scores of every kind of task."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import overmix
from overmix import scores
from overmix.recipes import CutMix
from overmix.switch import registered_policies

N, EPOCHS = 24, 10
TASKS = {
    "multi-class": (lambda: nn.Linear(4, 3), torch.randint(3, (N,)), scores.multi_class, "classes"),
    "multi-label": (lambda: nn.Linear(4, 3), torch.randint(2, (N, 3)), scores.multi_label, "rows"),
    "segmentation": (
        lambda: nn.Conv2d(1, 3, 1), torch.randint(3, (N, 4, 4)), scores.segmentation, "maps",
    ),
    "regression": (lambda: nn.Linear(4, 1), torch.randn(N), scores.regression, "values"),
    "detection": (
        lambda: nn.Linear(4, 2),
        torch.randn(N, 2),
        lambda output, y: scores.detection([{"box": F.l1_loss(o, t)} for o, t in zip(output, y, strict=True)]),
        "values",
    ),
}  # fmt: skip


def loss_of(kind, target, output):
    if kind in ("classes", "maps"):
        return target.cross_entropy(output)
    if kind == "rows":
        return target.loss(nn.BCEWithLogitsLoss(reduction="none"), output)
    return target.loss(nn.MSELoss(reduction="none"), output.view_as(target.a))


@pytest.mark.parametrize("task", TASKS)
def test_every_policy_takes_the_scores_of_every_task(task):
    make, y, score, kind = TASKS[task]
    x = torch.randn(N, 1, 4, 4) if kind == "maps" else torch.randn(N, 4)
    for name, policy in registered_policies().items():
        model = make()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        run = overmix.Epochs(
            EPOCHS,
            mix=CutMix() if kind == "maps" else overmix.Mixup(),
            switch=policy(),
            state={"model": model, "optimizer": optimizer},
        )
        for epoch in run:
            for batch in range(0, 16, 8):
                mixed, target = epoch.mix(x[batch : batch + 8], y[batch : batch + 8])
                loss = loss_of(kind, target, model(mixed))
                if kind in ("classes", "maps", "rows"):
                    epoch.observe_loss(loss, target, "binary_cross_entropy" if kind == "rows" else "cross_entropy")
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            with torch.no_grad():
                epoch.observe(scores=score(model(x[16:]), y[16:]))
        assert all(math.isfinite(seen.score) and seen.n == 8 for seen in run.history), name
        assert len(run.history) == EPOCHS, name
        assert run.decision is not None, name
        if name == "auto":
            assert run.decision.probes
            assert run.decision.switch_at is not None


@pytest.mark.parametrize("kind", ["cross_entropy", "binary_cross_entropy"])
def test_a_regression_has_no_floor_to_observe(kind):
    run = overmix.Epochs(1, mix=overmix.Mixup())
    for epoch in run:
        _, target = epoch.mix(torch.rand(4, 2), torch.full((4, 2), 3.0))
        with pytest.raises(overmix.errors.DataError, match="a regression has no floor"):
            epoch.observe_loss(torch.tensor(1.0), target, kind)
        with pytest.raises(overmix.errors.DataError, match="give one task's loss and MixedTarget"):
            epoch.observe_loss(torch.tensor(1.0), {"age": target})
