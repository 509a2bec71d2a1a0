"""A mosaic, made in loader workers that live through epochs: five lines change, marked here, and a run closes it.

The dataset's own flag becomes the run's gate, which the workers read for each sample.
"""

import argparse

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import overmix  # overmix


class Digits(Dataset):
    """Images of 16 by 16 with rows of probabilities: one digit, or in a mosaic four."""

    def __init__(self, images: Tensor, labels: Tensor, mosaic: bool) -> None:
        self.images, self.labels, self.mosaic = images, labels, mosaic

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        if not self.mosaic:
            return F.interpolate(self.images[index][None], scale_factor=2)[0], F.one_hot(self.labels[index], 10).float()
        four = torch.cat([torch.tensor([index]), torch.randint(len(self), (3,))])
        a, b, c, d = self.images[four]
        rows = F.one_hot(self.labels[four], 10).float()
        return torch.cat([torch.cat([a, b], 2), torch.cat([c, d], 2)], 1), rows.mean(0)


def main(epochs: int) -> float:
    """Train on 400 digits, and return the accuracy on 500 others."""
    torch.manual_seed(0)
    digits = load_digits()
    x, y = torch.tensor(digits.images / 16, dtype=torch.float32)[:, None], torch.tensor(digits.target)
    x_val, y_val = F.interpolate(x[400:900], scale_factor=2), y[400:900]
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2), nn.ReLU(), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.Flatten(), nn.Linear(800, 10)
    )
    adam = torch.optim.AdamW(model.parameters(), lr=3e-3)
    mosaic = True
    run = overmix.Epochs(epochs, switch=overmix.AutoSwitch(), state=dict(model=model, optimizer=adam))  # overmix
    mosaic = run.gate  # overmix
    data = Digits(x[:400], y[:400], mosaic)
    train = DataLoader(data, 50, shuffle=True, num_workers=2, persistent_workers=True)
    for epoch in run:  # overmix, was: for epoch in range(epochs):
        model.train()
        for images, rows in train:
            loss = F.cross_entropy(model(images), rows)
            adam.zero_grad()
            loss.backward()
            adam.step()
        model.eval()
        with torch.no_grad():
            logits = model(x_val)
        epoch.observe(logits, y_val)  # overmix
    print(run.decision)  # overmix, to see
    return (logits.argmax(1) == y_val).float().mean().item()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="train for a moment only")
    print(f"accuracy {main(10 if parser.parse_args().smoke else 60):.3f}")
