"""A regression with C-Mixup that switches itself off: the progress of diabetes, from ten measurements.

python examples/regression.py [--smoke]
"""

import argparse

import torch
from sklearn.datasets import load_diabetes
from torch import nn

import overmix
from overmix import scores
from overmix.recipes import CMixup


def main(argv=None):
    """Train; return the run and the error of new patients."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--smoke", action="store_true", help="a short run")
    smoke = parser.parse_args(argv).smoke
    epochs = 10 if smoke else 100

    torch.manual_seed(0)
    x, y = (torch.tensor(part).float() for part in load_diabetes(return_X_y=True))
    order = torch.randperm(len(x))
    train, val, test = order.split([200, 100, len(x) - 300])
    x, mean, spread = x / x[train].std(0), y[train].mean(), y[train].std()
    model = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1), nn.Flatten(0))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    run = overmix.Epochs(
        epochs,
        mix=CMixup(sigma=0.5),  # half a standard deviation, whatever the labels' unit
        switch=overmix.AutoSwitch(anywhere=True),  # in regression it would go on mixing, unless told
        state={"model": model, "optimizer": optimizer},
    )
    for epoch in run:
        for batch in train[torch.randperm(len(train))].split(32):
            mixed, target = epoch.mix(x[batch], y[batch])
            loss = nn.functional.mse_loss(model(mixed), (target.soft() - mean) / spread)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch.scored:
            with torch.no_grad():
                epoch.observe(scores=scores.regression(model(x[val]) * spread + mean, y[val]))

    with torch.no_grad():
        error = scores.regression(model(x[test]) * spread + mean, y[test]).mean().sqrt()
    print(run.decision)
    print(f"root mean squared error of new patients: {error:.1f}, of guessing the mean: {y[test].std():.1f}")
    return run, error.item()


if __name__ == "__main__":
    main()
