"""LISA on a real shift: what was a stop of the police for, in precincts that differ in the answer?

Run: python examples/systems/lisa_precincts.py [--smoke]

The table is MplsStops of R's package carData (Debian: r-cran-cardata; OVERMIX_R_LIBRARY names another folder of
packages). Precincts are the domains. Test stops are drawn so that all ten groups of precinct and answer are equally
large, and the worst group's error is what counts. Beside LISA stand plain training, LISA's pairs without any mixing
(what choosing partners does alone), and batches that hold all groups equally often.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch
from torch import Tensor, nn

import overmix
from overmix.experiments.census.systems.shifts import groups, stops
from overmix.experiments.census.task import Samples
from overmix.mix import CoinCoefficient, Recipe
from overmix.recipes import LISA
from overmix.switch import AutoSwitch, always, never

TRAIN, VAL, EACH, BATCH = 2000, 1000, 200, 100


def parts(seed: int) -> tuple[Samples, Samples, Samples]:
    """Return training and held-out stops as they come, and a test of equally large groups."""
    table = stops()
    order = torch.randperm(len(table), generator=torch.Generator().manual_seed(seed))
    group = groups(table)[order]
    test = torch.cat([order[group == g][:EACH] for g in range(10)])
    rest = order[~torch.isin(order, test)]
    return table.at(rest[:TRAIN]), table.at(rest[TRAIN : TRAIN + VAL]), table.at(test)


def errors(model: nn.Module, test: Samples) -> tuple[float, float]:
    """Return the worst group's error, and the mean one."""
    with torch.no_grad():
        wrong = (model(test.x).argmax(1) != test.y).double()
    group = groups(test)
    return max(float(wrong[group == g].mean()) for g in range(10)), float(wrong.mean())


def train(
    epochs: int, mix: Recipe, switch: object, data: tuple[Samples, Samples, Samples], equal: bool = False
) -> tuple[float, float]:
    """Train a perceptron, and return its errors on the test.

    Args:
        epochs: length of the training.
        mix: how batches are mixed.
        switch: when.
        data: for training, for decisions, for the test.
        equal: draw all groups equally often.
    """
    torch.manual_seed(0)
    fit, val, test = data
    model = nn.Sequential(nn.Linear(fit.x.shape[1], 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2))
    sgd = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)
    run = overmix.Epochs(epochs, mix, switch, seed=0, state={"model": model, "optimizer": sgd})
    for epoch in run:
        model.train()
        for index in batches(fit, equal).split(BATCH):
            batch = fit.at(index)
            x, target = epoch.mix(batch.x, batch.y, domain=batch.domain)
            loss = nn.functional.cross_entropy(model(x), target)
            sgd.zero_grad()
            loss.backward()
            sgd.step()
        model.eval()
        with torch.no_grad():
            epoch.observe(model(val.x), val.y)
    print(f"    {run.decision}")
    return errors(model, test)


def batches(fit: Samples, equal: bool) -> Tensor:
    """Return the order of an epoch."""
    if not equal:
        return torch.randperm(len(fit))
    group = groups(fit)
    return torch.multinomial(1.0 / group.bincount()[group].double(), len(fit), replacement=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the errors of all trainings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="train for a moment only")
    epochs = 3 if parser.parse_args(arguments).smoke else 150
    data = parts(seed=0)
    pairs_alone = Recipe(LISA().pairing, CoinCoefficient())
    for name, mix, switch, equal in (
        ("plain training", LISA(), never(), False),
        ("groups equally often", LISA(), never(), True),
        ("LISA's pairs, not mixed", pairs_alone, always(), False),
        ("LISA", LISA(), always(), False),
        ("LISA with AutoSwitch", LISA(), AutoSwitch(), False),
    ):
        worst, mean = train(epochs, mix, switch, data, equal)
        print(f"{name:24} worst group {worst:.3f}, all groups {mean:.3f}")


if __name__ == "__main__":
    main()
