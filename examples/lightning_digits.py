"""Lightning: five lines change, marked here. Probes run inside of Lightning's boundary between two epochs."""

import argparse

import lightning as L
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import overmix.integrations.lightning  # overmix

mix = overmix.integrations.lightning.Mix(overmix.Mixup(alpha=1.0), switch=overmix.AutoSwitch())  # overmix


class Digits(L.LightningModule):
    """Two layers."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.layers, self.steps = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10)), steps

    def training_step(self, batch, index):
        """Return the loss."""
        x, y = batch
        x, y = mix(x, y)  # overmix
        return F.cross_entropy(self.layers(x), y)

    def validation_step(self, batch, index):
        """Log the accuracy."""
        x, y = batch
        logits = self.layers(x)
        mix.observe(logits, y)  # overmix
        self.log("accuracy", (logits.argmax(1) == y).float().mean(), prog_bar=True)

    def configure_optimizers(self):
        """Return SGD with a cosine."""
        optimizer = torch.optim.SGD(self.parameters(), lr=0.5, momentum=0.9)
        rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": rate, "interval": "step"}}


def main(epochs: int) -> float:
    """Train on 300 digits, and return the accuracy on 500 others."""
    L.seed_everything(0)
    digits = load_digits()
    x, y = torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target)
    train = DataLoader(TensorDataset(x[:300], y[:300]), batch_size=50, shuffle=True)
    val = DataLoader(TensorDataset(x[300:800], y[300:800]), batch_size=250)
    trainer = L.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        callbacks=[mix],  # overmix
    )
    trainer.fit(Digits(epochs * len(train)), train, val)
    return trainer.callback_metrics["accuracy"].item()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="train for a moment only")
    print(f"accuracy {main(10 if parser.parse_args().smoke else 60):.3f}")
