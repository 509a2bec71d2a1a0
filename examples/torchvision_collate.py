"""torchvision's MixUp and CutMix in a collate function: three lines change, marked here.

Inside of a loader's workers they mix by themselves and repeat with ``torch.manual_seed``; to be switched off by a run
they are called after the loader: ``for epoch in mixup.follow(run)``.
"""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, default_collate
from torchvision.transforms import v2

from overmix.integrations.torchvision import CutMix, MixUp  # overmix

mixup = MixUp(num_classes=10)  # overmix, was: mixup = v2.MixUp(num_classes=10)
cutmix = CutMix(num_classes=10)  # overmix, was: cutmix = v2.CutMix(num_classes=10)
either = v2.RandomChoice([mixup, cutmix])


def mixed(batch: list) -> tuple[torch.Tensor, torch.Tensor]:
    """Return samples as a mixed batch."""
    return either(*default_collate(batch))


def main(epochs: int) -> float:
    """Train on 500 digits, and return the accuracy on 500 others."""
    torch.manual_seed(0)
    digits = load_digits()
    x, y = torch.tensor(digits.images / 16, dtype=torch.float32)[:, None], torch.tensor(digits.target)
    train = DataLoader(TensorDataset(x[:500], y[:500]), 50, shuffle=True, num_workers=2, collate_fn=mixed)
    model = nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 36, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    criterion = nn.CrossEntropyLoss()
    for _ in range(epochs):
        for images, labels in train:
            loss = criterion(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return (model(x[500:1000]).argmax(1) == y[500:1000]).float().mean().item()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="train for a moment only")
    print(f"accuracy {main(2 if parser.parse_args().smoke else 20):.3f}")
