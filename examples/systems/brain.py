"""MindEye on simulated fMRI: BiMixCo, then SoftCLIP; which of 300 images did the subject see?

python examples/systems/brain.py [--smoke]
"""

import argparse

import torch

import overmix
from overmix.experiments.census.systems.brain import BY_RIDGE, Brain, in_galleries, retrieval
from overmix.experiments.census.systems.brain_net import decayed
from overmix.mix import Streams
from overmix.recipes import BiMixCo, SoftCLIP

TEMPERATURE = 0.006


def main(argv=None):
    """Train for each way to switch; return the errors of finding the image."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="a short run")
    task = Brain().smoke() if parser.parse_args(argv).smoke else Brain()
    data = task.data(Streams())  # answers of voxels, with the subject as one of several; embeddings of images
    ridge = task.baseline(BY_RIDGE, data)
    back = ridge.further["error of brain retrieval"]
    print(f"{BY_RIDGE}: image not found {ridge.value:.3f}, answer not found {back:.3f}")

    errors = {}
    for name, switch in {
        "SoftCLIP alone": overmix.off_at(0),
        "BiMixCo for a third, as MindEye": overmix.off_at(task.epochs // 3),
        "BiMixCo all along": overmix.always(),
        "AutoSwitch": overmix.AutoSwitch(anywhere=True),
    }.items():
        model, run = train(task, data, switch)
        with torch.no_grad():
            found = retrieval(model(data.test.x), data.test.y)
        errors[name] = found.value
        print(f"{name}: image not found {found.value:.3f}", run.decision if name == "AutoSwitch" else "")
    return errors


def train(task, data, switch):
    """Return a trained decoder, and its run."""
    torch.manual_seed(0)
    model = task.model()
    optimizer = torch.optim.AdamW(decayed(model, task.decay), lr=task.lr)
    steps = -(-len(data.train) // task.batch_size) * task.epochs
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=task.lr, total_steps=steps, pct_start=0.1)
    run = overmix.Epochs(
        task.epochs,
        mix=BiMixCo(temperature=TEMPERATURE),
        switch=switch,
        seed=0,
        state={"model": model, "optimizer": optimizer, "scheduler": scheduler},
    )
    soft = SoftCLIP(TEMPERATURE)
    for epoch in run:
        model.train()
        order = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(epoch.index))
        for rows in order.split(task.batch_size):
            batch = data.train.at(rows)
            x, target = epoch.mix(batch.x, batch.y) if epoch.on else soft(batch.x, batch.y)
            loss = target.cross_entropy(model(x))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if epoch.kind != "probe":  # a probe anneals by itself, and the cycle must not run beyond its end
                scheduler.step()
        model.eval()
        if epoch.scored:
            with torch.no_grad():
                epoch.observe(*in_galleries(model(data.val.x), data.val.y))
    return model, run


if __name__ == "__main__":
    main()
