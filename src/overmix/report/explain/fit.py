"""Fits a single classifier: what explanations need beside studies, such as a teacher of unseen samples.

A study trains many runs to compare them; this trains one to use it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from overmix._typing import Float, Int, Shaped
from overmix.errors import ConfigError, DataError
from overmix.mix import Recipe
from overmix.study.data.normalization import normalization_stats


class Normalized(nn.Module):
    """A network behind the normalisation of its training samples: it takes samples as they were stored.

    Args:
        network: maps normalised samples to logits.
        mean: broadcastable to one sample.
        std: the same.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def normalize(self, x: Shaped[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """Return samples as the network takes them."""
        return (x.to(self.mean.dtype) - self.mean) / self.std

    def forward(self, x: Shaped[Tensor, "batch ..."]) -> Float[Tensor, "batch classes"]:
        """Return logits."""
        logits: Tensor = self.network(self.normalize(x))
        return logits


def fit(
    network: nn.Module,
    x: Shaped[Tensor, "samples ..."],
    y: Int[Tensor, " samples"],
    *,
    epochs: int,
    recipe: Recipe | None = None,
    batch_size: int = 64,
    lr: float = 1e-3,
    weight_decay: float = 1e-2,
    seed: int = 0,
) -> Normalized:
    """Train a network in place with AdamW and a cosine schedule; return it in evaluation mode, with its normalisation.

    Args:
        network: freshly initialised; maps (B, ...) to logits (B, C).
        x: samples as stored.
        y: their classes.
        epochs: passes over the samples.
        recipe: how to mix; nothing is mixed by default.
        batch_size: samples per step; the last, incomplete batch of an epoch is left out if there is a whole one.
        lr: first learning rate.
        weight_decay: of AdamW.
        seed: of order and mixing; the caller's random state is left alone.

    Raises:
        ConfigError: if a setting cannot work.
        DataError: if there are no samples, or training diverged.
    """
    if epochs < 1:
        raise ConfigError("epochs", epochs, "use at least 1")
    if not (lr > 0 and lr < float("inf")):
        raise ConfigError("lr", lr, "use a finite learning rate > 0")
    if len(x) == 0:
        raise DataError("no samples to fit: give at least one")
    model = Normalized(network, *normalization_stats(x)).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=lr, weight_decay=weight_decay)
    size = min(batch_size, len(x))
    steps = epochs * (len(x) // size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # dropout
        for _ in range(epochs):
            order = torch.randperm(len(x), generator=generator)
            for start in range(0, len(x) - size + 1, size):
                batch = order[start : start + size]
                optimizer.zero_grad(set_to_none=True)
                loss = _loss(model, x[batch], y[batch], recipe, generator)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
    if not all(bool(value.isfinite().all()) for value in network.parameters()):
        raise DataError(f"training diverged: use a smaller learning rate than {lr:g}")
    return model.eval()


def _loss(model: Normalized, x: Tensor, y: Tensor, recipe: Recipe | None, generator: torch.Generator) -> Tensor:
    if recipe is None:
        return nn.functional.cross_entropy(model(x), y)
    mixed, target = recipe(model.normalize(x), y, generator)
    loss: Tensor = target.cross_entropy(model.network(mixed))
    return loss
