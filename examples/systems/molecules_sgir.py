"""AnchorMixup (SGIR) on molecules with few labels, of which large ones are rare: a graph isomorphism network.

Run: python examples/systems/molecules_sgir.py [--smoke]

2,000 molecules that RDKit ships; the polar surface area of 200 of them is known, that of 600 others is not. Predictions
that vary little become labels, rare ones most often; representations are mixed with the means of intervals of labels.
Reported are mean absolute errors of all test molecules and of rare ones, in square ångström. A minute on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

import overmix
from overmix.experiments.census.systems.molecules import INTERVALS, MoleculeNet, Molecules, area_score
from overmix.experiments.census.task import Data
from overmix.mix import Streams
from overmix.recipes import AnchorMixup
from overmix.switch import AutoSwitch, OnFrom, always, never


def fit(task: Molecules, data: Data, switch: object) -> MoleculeNet:
    """Return a network that was trained with AnchorMixup while a switch is on."""
    torch.manual_seed(0)
    net, recipe = MoleculeNet(task.hidden), AnchorMixup(intervals=INTERVALS, layer="readout")
    adam = torch.optim.Adam(net.parameters(), lr=task.lr)
    run = overmix.Epochs(task.epochs, recipe, switch, seed=0, state={"net": net, "optimizer": adam})
    for epoch in run:
        net.train()
        for index in torch.randperm(len(data.train)).split(task.batch_size):
            batch = task.prepare(net, data.train.at(index))  # the labelled ones, and confident predictions
            plan = epoch.plan(batch.x, batch.y)
            if plan is None:
                loss = nn.functional.l1_loss(net(batch.x).squeeze(1), batch.y)
            else:
                loss = recipe.objective(net, batch.x, batch.y, plan)
            adam.zero_grad()
            loss.backward()
            adam.step()
        net.eval()
        with torch.no_grad():
            epoch.observe(scores=(net(data.val.x).squeeze(1) - data.val.y).square())
    return net


def main(arguments: Sequence[str] | None = None) -> None:
    """Print errors of all and of rare molecules."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="train for a moment only")
    task = Molecules().smoke() if parser.parse_args(arguments).smoke else Molecules()
    data = task.data(Streams(replica_seed=0))
    ridge = task.baseline("ridge on fingerprints", data)
    print(f"{'ridge on fingerprints':36} {ridge.value:5.2f}, rare {ridge.further['error of rare labels']:5.2f}")
    for name, own, switch in (
        ("labels alone", replace(task, start=2.0), never()),
        ("labels and pseudo-labels", task, never()),
        ("AnchorMixup", task, always()),
        ("AnchorMixup from a quarter on", task, OnFrom(0.25)),
        ("AnchorMixup, AutoSwitch", task, AutoSwitch(anywhere=True)),
    ):
        net = fit(own, data, switch)
        with torch.no_grad():
            score = area_score(net(data.test.x).squeeze(1), data.test.y)
        print(f"{name:36} {score.value:5.2f}, rare {score.further['error of rare labels']:5.2f}")


if __name__ == "__main__":
    main()
