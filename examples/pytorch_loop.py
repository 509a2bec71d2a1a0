"""A plain PyTorch loop: five lines change, marked here, and the run decides when Mixup goes off."""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import overmix  # overmix


def main(epochs: int) -> float:
    """Train on 300 digits, and return the accuracy on 500 others."""
    torch.manual_seed(0)
    digits = load_digits()
    x, y = torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target)
    train = DataLoader(TensorDataset(x[:300], y[:300]), batch_size=50, shuffle=True)
    x_val, y_val = x[300:800], y[300:800]
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    sgd = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, epochs * len(train))
    criterion = nn.CrossEntropyLoss()

    run = overmix.Epochs(epochs, overmix.Mixup(), overmix.AutoSwitch(), state=dict(m=model, o=sgd, s=rate))  # overmix
    for epoch in run:  # overmix, was: for epoch in range(epochs):
        model.train()
        for inputs, target in train:
            inputs, target = epoch.mix(inputs, target)  # overmix
            loss = criterion(model(inputs), target)
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            rate.step()
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
