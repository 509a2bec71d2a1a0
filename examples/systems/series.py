"""C-Mixup on a series: a day's ozone from the weather and the days before; sigma in standard deviations.

python examples/systems/series.py [--smoke]

It needs Debian's r-cran-mlbench, or OVERMIX_R_LIBRARY with the folder that it was unpacked to.
"""

import argparse

import torch

import overmix
from overmix import scores
from overmix.experiments.census.systems.series import PERSISTENCE, Ozone
from overmix.mix import Streams
from overmix.recipes import CMixup


def main(argv=None):
    """Train with several widths of the kernel; return the errors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="a short run")
    task = Ozone().smoke() if parser.parse_args(argv).smoke else Ozone()
    data = task.data(Streams())  # windows of shape (N, 9, 4), values (N,), both scaled
    print(f"{PERSISTENCE}: {task.baseline(PERSISTENCE, data).value:.3f}")

    errors = {}
    for name, recipe, switch in (
        ("plain", CMixup(), overmix.off_at(0)),
        ("sigma 0.5", CMixup(sigma=0.5), overmix.always()),
        ("any partner", CMixup(sigma=1e3), overmix.always()),
        ("sigma 0.5, AutoSwitch", CMixup(sigma=0.5), overmix.AutoSwitch(anywhere=True)),
    ):
        torch.manual_seed(0)
        model = task.model()
        optimizer = torch.optim.Adam(model.parameters(), lr=task.lr)
        run = overmix.Epochs(
            task.epochs, mix=recipe, switch=switch, seed=0, state={"model": model, "optimizer": optimizer}
        )
        for epoch in run:
            order = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(epoch.index))
            for rows in order.split(task.batch_size):
                x, target = epoch.mix(data.train.x[rows], data.train.y[rows])
                loss = (model(x) - target.soft()).square().mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            if epoch.scored:
                with torch.no_grad():
                    epoch.observe(scores=scores.regression(model(data.val.x), data.val.y))
        with torch.no_grad():
            errors[name] = float((model(data.test.x) - data.test.y).square().mean())
        print(f"{name}: mean squared error {errors[name]:.3f} of the variance")
    return errors


if __name__ == "__main__":
    main()
