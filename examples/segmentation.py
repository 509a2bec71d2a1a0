"""A class for each pixel, with CutMix: images and their maps are cut alike, and unlabelled borders are ignored.

python examples/segmentation.py [--smoke]
"""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn

import overmix
from overmix import scores
from overmix.recipes import CutMix

BACKGROUND, UNSURE = 10, 255


def data():
    """Return images, shape (N, 1, 8, 8), and the digit that each inked pixel belongs to; faint pixels have no label."""
    images, digit = load_digits(return_X_y=True)
    images = torch.tensor(images).float().view(-1, 1, 8, 8) / 16
    ink = images[:, 0]
    maps = torch.where(ink > 0.5, torch.tensor(digit).view(-1, 1, 1), BACKGROUND)
    return images, torch.where((ink > 0.1) & (ink <= 0.5), UNSURE, maps)


def main(argv=None):
    """Train; return the run and the score of held-out pixels."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--smoke", action="store_true", help="a short run")
    smoke = parser.parse_args(argv).smoke
    epochs, train_size = (3, 128) if smoke else (40, 600)

    torch.manual_seed(0)
    x, y = data()
    x_val, y_val = x[train_size:], y[train_size:]
    model = nn.Sequential(
        nn.Conv2d(1, 32, 5, padding=2),
        nn.ReLU(),
        nn.Conv2d(32, 64, 5, padding=2),
        nn.ReLU(),
        nn.Conv2d(64, 11, 5, padding=2),
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    # Nine of ten pixels are background.
    weight = torch.ones(11)
    weight[BACKGROUND] = 0.2
    loss_of = nn.CrossEntropyLoss(weight=weight, ignore_index=UNSURE, label_smoothing=0.05)

    run = overmix.Epochs(epochs, mix=CutMix(alpha=1.0), switch=overmix.off_at(0.75))
    for epoch in run:
        for batch in torch.randperm(train_size).split(64):
            mixed, target = epoch.mix(x[batch], y[batch])
            loss = loss_of(model(mixed), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            epoch.observe(scores=scores.segmentation(model(x_val), y_val, ignore_index=UNSURE))
    score = run.history[-1].score
    print(f"Brier score of a held-out pixel: {score:.3f}")
    return run, score


if __name__ == "__main__":
    main()
