"""Several labels at once, with Mixup that switches itself off: which strokes and properties a written digit has.

python examples/multi_label.py            # some seconds on a CPU
python examples/multi_label.py --smoke    # shorter still
"""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn

import overmix
from overmix import scores

PROPERTIES = {"even": (0, 2, 4, 6, 8), "has a loop": (0, 6, 8, 9), "above four": (5, 6, 7, 8, 9), "prime": (2, 3, 5, 7)}


def data():
    """Return images, shape (N, 64), and which properties each digit has, shape (N, 4)."""
    images, digit = load_digits(return_X_y=True)
    rows = torch.stack([torch.isin(torch.tensor(digit), torch.tensor(has)) for has in PROPERTIES.values()], dim=1)
    return torch.tensor(images).float() / 16, rows  # booleans are labels as good as floats


def main(argv=None):
    """Train; return the run and the share of wrong answers about new digits."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--smoke", action="store_true", help="a short run")
    smoke = parser.parse_args(argv).smoke
    epochs, train_size = (10, 128) if smoke else (100, 300)

    torch.manual_seed(0)
    x, y = data()
    x_val, y_val = x[train_size : train_size + 200], y[train_size : train_size + 200]
    model = nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, len(PROPERTIES))
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    loss_of = nn.BCEWithLogitsLoss()

    run = overmix.Epochs(
        epochs,
        mix=overmix.Mixup(alpha=1.0),
        switch=overmix.AutoSwitch(),
        state={"model": model, "optimizer": optimizer},
    )
    for epoch in run:
        for batch in torch.randperm(train_size).split(32):
            mixed, target = epoch.mix(x[batch], y[batch])
            loss = loss_of(model(mixed), target)  # PyTorch's own loss takes the target
            epoch.observe_loss(loss, target, "binary_cross_entropy")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch.scored:
            with torch.no_grad():
                epoch.observe(scores=scores.multi_label(model(x_val), y_val))

    with torch.no_grad():
        wrong = ((model(x[train_size + 200 :]) > 0) != y[train_size + 200 :]).float().mean(0)
    print(run.decision)
    print("wrong:", {name: f"{share:.1%}" for name, share in zip(PROPERTIES, wrong.tolist(), strict=True)})
    return run, wrong.mean().item()


if __name__ == "__main__":
    main()
