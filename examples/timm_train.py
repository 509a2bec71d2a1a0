"""A script in the manner of timm's train.py: one import changes, the arguments and the target rows stay."""

import argparse

import torch
from sklearn.datasets import load_digits
from timm import create_model
from timm.loss import SoftTargetCrossEntropy
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from torch.utils.data import DataLoader, TensorDataset

from overmix.integrations.timm import Mixup  # overmix, was: from timm.data import Mixup


def main(args: argparse.Namespace) -> float:
    """Train on digits, and return the accuracy on others."""
    torch.manual_seed(0)
    digits = load_digits()
    x, y = torch.tensor(digits.images / 16, dtype=torch.float32)[:, None], torch.tensor(digits.target)
    x = torch.nn.functional.interpolate(x, size=args.img_size)
    n = args.samples
    loader_train = DataLoader(TensorDataset(x[:n], y[:n]), batch_size=50, shuffle=True, drop_last=True)
    loader_eval = DataLoader(TensorDataset(x[-n:], y[-n:]), batch_size=250)

    model = create_model(args.model, pretrained=False, num_classes=10, in_chans=1)
    optimizer = create_optimizer_v2(model, opt="adamw", lr=2e-3, weight_decay=0.05)
    scheduler, num_epochs = create_scheduler_v2(optimizer, sched="cosine", num_epochs=args.epochs, warmup_epochs=1)
    mixup_fn = Mixup(
        mixup_alpha=0.8, cutmix_alpha=1.0, prob=1.0, switch_prob=0.5, mode="batch", label_smoothing=0.1, num_classes=10
    )
    train_loss_fn = SoftTargetCrossEntropy()

    for epoch in range(num_epochs):
        if args.mixup_off_epoch and epoch >= args.mixup_off_epoch:
            mixup_fn.mixup_enabled = False
        model.train()
        for input, target in loader_train:
            input, target = mixup_fn(input, target)
            loss = train_loss_fn(model(input), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        scheduler.step(epoch + 1)

    model.eval()
    with torch.no_grad():
        right = [(model(input).argmax(1) == target).float() for input, target in loader_eval]
    return torch.cat(right).mean().item()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--img-size", type=int, default=32)
    parser.add_argument("--samples", type=int, default=800)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--mixup-off-epoch", type=int, default=10)
    parser.add_argument("--smoke", action="store_true", help="a small model, for a moment only")
    given = parser.parse_args()
    if given.smoke:
        given.model, given.samples, given.epochs, given.mixup_off_epoch = "resnet10t", 100, 2, 1
    print(f"accuracy {main(given):.3f}")
