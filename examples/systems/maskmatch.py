"""MaskMatch's parts: a ViT pretrained by a masked autoencoder, FixMatch, and Mixup among what the teacher is sure of.

Run: python examples/systems/maskmatch.py [--smoke]

Ten kinds of clothes (Fashion-MNIST) from 4 labelled images of each (--labels: more), and 1,600 without a label. The ViT
and its masked autoencoder are `transformers`' own from a tiny configuration. Printed are the averaged network's test
errors: from labels alone, FixMatch, with confident Mixup beside it all along, and with AutoSwitch. About four minutes
on one core, two of them the masked autoencoder's.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

import overmix
from overmix.experiments.census.systems.masked import LABELLED, LABELS_ALONE, LOGISTIC, WARM_UP, FewLabelled
from overmix.experiments.census.systems.masked_vit import Averaged, pretrained
from overmix.experiments.census.systems.views import shifted_views, strong_views
from overmix.experiments.census.task import Data
from overmix.mix import IGNORE_INDEX, Streams
from overmix.recipes import ConfidentMixup, confident_labels
from overmix.switch import AutoSwitch, always, never

THRESHOLD, DECAY = 0.95, 0.99


def train(task: FewLabelled, data: Data, switch: object) -> float:
    """Train the student, and return its average's test error."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    model = Averaged(pretrained(*task.pretraining))  # a student and its moving average, the teacher
    mixup = ConfidentMixup()
    optimizer = task.optimizer(model)  # AdamW, slower towards the pixels
    scheduler = task.scheduler(optimizer, task.epochs * -(-len(data.train) // task.batch_size))
    state = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    run = overmix.Epochs(task.epochs, mixup, switch, seed=0, state=state)
    fit = data.train
    for epoch in run:
        model.train()
        for index in torch.randperm(len(fit)).split(task.batch_size):
            x, y, labelled = fit.x[index], fit.y[index], fit.domain[index] == LABELLED
            model.average(DECAY)
            # What the teacher believes in is a label from the threshold on; -100: unsure, and not looked at.
            beliefs = model.aligned(x, unlabelled=~labelled)
            y = confident_labels(beliefs, y, THRESHOLD if model.updates > WARM_UP else 2.0)
            weak, strong = shifted_views(x, rng), strong_views(x, rng)
            sure = ~labelled & (y != IGNORE_INDEX)
            # FixMatch: weak views of labelled images, strong views of those that the teacher is sure of.
            loss = nn.functional.cross_entropy(model(weak[labelled]), y[labelled])
            if sure.any():
                each = nn.functional.cross_entropy(model(strong[sure]), y[sure], reduction="sum")
                loss = loss + each / (~labelled).sum()
            # While the run mixes: Mixup among labelled and sure images beside it.
            if (plan := epoch.plan(weak, y)) is not None:
                loss = loss + mixup.objective(model, weak, y, plan)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if epoch.kind != "probe":
                scheduler.step()
        model.eval()
        with torch.no_grad():
            epoch.observe(model.judged(data.val.x), data.val.y)
    print(f"    {run.decision}")
    with torch.no_grad():
        return float((model.judged(data.test.x).argmax(1) != data.test.y).double().mean())


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the test errors of baselines, FixMatch and confident Mixup."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="train for a moment only")
    parser.add_argument("--labels", type=int, default=4, help="labelled images of each class, 1 to 40")
    options = parser.parse_args(arguments)
    task = FewLabelled(labelled=10 * options.labels)
    task = task.smoke() if options.smoke else task
    data = task.data(Streams(replica_seed=0))
    for name in (LOGISTIC, LABELS_ALONE):
        print(f"{name:32} test error {task.baseline(name, data).value:.3f}")
    for name, switch in (
        ("FixMatch", never()),
        ("with confident Mixup", always()),
        ("with confident Mixup, AutoSwitch", AutoSwitch()),
    ):
        print(f"{name:32} test error {train(task, data, switch):.3f}")


if __name__ == "__main__":
    main()
