"""M3CoL on three views of a garment: pixels, edges and a caption; mixtures first, SoftCLIP after the switch.

python examples/systems/multiview.py [--smoke]
"""

import argparse

import torch
from torch import nn

import overmix
from overmix.experiments.census.systems.multiview import ThreeEncoders, ThreeViews
from overmix.mix import MixPlan, Streams
from overmix.recipes import M3Co


def main(argv=None):
    """Train with AutoSwitch, and with mixtures in the first third; return the errors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="a short run")
    task = ThreeViews().smoke() if parser.parse_args(argv).smoke else ThreeViews()
    data = task.data(Streams())  # views of shapes (N, 1, 14, 14), (N, 128) and words (N, 6); classes (N,)

    mixed = M3Co(modalities=3, temperature=0.1)
    soft = M3Co(modalities=3, temperature=0.125, contrast="soft")
    errors = {}
    for name, switch in {
        "plain SoftCLIP": overmix.off_at(0),
        "mixtures for a third": overmix.off_at(task.epochs // 3),
        "mixtures all along": overmix.always(),
        "AutoSwitch": overmix.AutoSwitch(anywhere=True),
    }.items():
        torch.manual_seed(0)
        model = ThreeEncoders(dim=task.dim)
        optimizer = torch.optim.AdamW(model.parameters(), lr=task.lr)
        run = overmix.Epochs(
            task.epochs, mix=mixed, switch=switch, seed=0, state={"model": model, "optimizer": optimizer}
        )
        for epoch in run:
            model.train()
            order = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(epoch.index))
            for rows in order.split(task.batch_size):
                batch = data.train.at(rows)
                plan = epoch.plan(batch.x, batch.y)  # None where nothing is mixed
                if plan is None:
                    loss = soft.objective(model, batch.x, batch.y, MixPlan.identity(len(batch)))
                else:
                    loss = mixed.objective(model, batch.x, batch.y, plan)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            if epoch.scored:
                epoch.observe(fused(model, data.val.x), data.val.y)
        errors[name] = error(model, data.test)
        print(f"{name}: test error {errors[name]:.3f}" + (f", {run.decision}" if name == "AutoSwitch" else ""))
    return errors


def fused(model: nn.Module, views):
    """Return the logits of the head that sees all views."""
    model.eval()
    with torch.no_grad():
        return model(views).logits[-1]


def error(model, samples):
    """Return the share of garments that are named wrongly."""
    return float((fused(model, samples.x).argmax(1) != samples.y).float().mean())


if __name__ == "__main__":
    main()
