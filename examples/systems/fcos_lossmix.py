"""LossMix for torchvision's FCOS: boxes of both scenes stay whole, and their losses are mixed.

Run: python examples/systems/fcos_lossmix.py [--smoke]

A small detector from scratch finds clothes in 128 scenes made of Fashion-MNIST images. Reported is the mean average
precision by torchmetrics: without mixing, with LossMix, with all boxes of both scenes at full weight (a naive way to
mix), and with LossMix that AutoSwitch switches off. About two minutes on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch

import overmix
from overmix.experiments.census.systems.boxes import AllBoxes, Clothes, Detector, detection_loss
from overmix.experiments.census.task import Data
from overmix.mix import Recipe, Streams
from overmix.recipes import LossMix
from overmix.switch import AutoSwitch, always, never


def fit(task: Clothes, data: Data, recipe: Recipe, switch: object) -> Detector:
    """Return a detector that was trained with a recipe while a switch is on."""
    torch.manual_seed(0)
    detector = Detector()
    adam = torch.optim.AdamW(detector.parameters(), lr=task.lr)
    run = overmix.Epochs(task.epochs, recipe, switch, seed=0, state={"detector": detector, "optimizer": adam})
    for epoch in run:
        detector.train()
        for index in torch.randperm(len(data.train)).split(task.batch_size):
            x, y = data.train.x[index], data.train.y[index]
            plan = epoch.plan(x, y)
            if plan is None:
                loss = detection_loss(detector(x), y).mean()
            else:
                loss = recipe.objective(detector, x, y, plan)
            adam.zero_grad()
            loss.backward()
            adam.step()
        detector.eval()
        with torch.no_grad():
            epoch.observe(scores=detection_loss(detector(data.val.x), data.val.y))
    return detector


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the mean average precision of each way to train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="train for a moment only")
    task = Clothes().smoke() if parser.parse_args(arguments).smoke else Clothes()
    data, lossmix = task.data(Streams(replica_seed=0)), LossMix(criterion=detection_loss)
    for name, recipe, switch in (
        ("no mixing", lossmix, never()),
        ("LossMix", lossmix, always()),
        ("all boxes at full weight", AllBoxes(criterion=detection_loss), always()),
        ("LossMix, AutoSwitch", lossmix, AutoSwitch(anywhere=True)),
    ):
        detector = fit(task, data, recipe, switch)
        with torch.no_grad():
            score = task.score(detector, data.test)
        half = 1 - score.further["1 − AP at overlap 0.5"]
        print(f"{name:26} mAP {1 - score.value:.3f}, at overlap 0.5 {half:.3f}")


if __name__ == "__main__":
    main()
