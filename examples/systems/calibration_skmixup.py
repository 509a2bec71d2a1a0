"""SK-Mixup for calibration: are probabilities right, before and after temperature scaling?

Run: python examples/systems/calibration_skmixup.py [--smoke]

A small residual network and 300 images of Fashion-MNIST. Similar images are mixed more strongly than different ones, as
the representations of the network itself say. Reported are error, expected calibration error (ECE), and the ECE after
each half of the test samples is scaled by the temperature that fits the other half. Two minutes on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch
from torch import nn

import overmix
from overmix.experiments.census.systems.images import Calibration
from overmix.experiments.census.task import Data
from overmix.mix import Recipe, Streams
from overmix.recipes import Mixup, SKMixup
from overmix.switch import AutoSwitch, always, never


def fit(task: Calibration, data: Data, recipe: Recipe, switch: object) -> nn.Module:
    """Return a network that was trained with a recipe while a switch is on."""
    torch.manual_seed(0)
    net = task.model()
    sgd = torch.optim.SGD(net.parameters(), lr=task.lr, momentum=0.9, weight_decay=1e-4)
    run = overmix.Epochs(task.epochs, recipe, switch, seed=0, state={"net": net, "optimizer": sgd})
    for epoch in run:
        net.train()
        for index in torch.randperm(len(data.train)).split(task.batch_size):
            batch = data.train.at(index)
            x, target = epoch.mix(batch.x, batch.y, features=task.features(net, batch))
            loss = nn.functional.cross_entropy(net(x), target)
            sgd.zero_grad()
            loss.backward()
            sgd.step()
        net.eval()
        with torch.no_grad():
            epoch.observe(net(data.val.x), data.val.y)
    return net


def main(arguments: Sequence[str] | None = None) -> None:
    """Print error and calibration of each way to train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="train for a moment only")
    task = Calibration().smoke() if parser.parse_args(arguments).smoke else Calibration()
    data = task.data(Streams(replica_seed=0))
    for name, recipe, switch in (
        ("no mixing", Mixup(), never()),
        ("Mixup", Mixup(), always()),
        ("SK-Mixup", SKMixup(), always()),
        ("SK-Mixup, AutoSwitch", SKMixup(), AutoSwitch(anywhere=True)),
    ):
        net = fit(task, data, recipe, switch)
        with torch.no_grad():
            score = task.score(net, data.test)
        scaled = score.further["ECE after temperature scaling"]
        print(f"{name:22} error {score.further['error']:.3f}, ECE {score.value:.3f}, scaled {scaled:.3f}")


if __name__ == "__main__":
    main()
