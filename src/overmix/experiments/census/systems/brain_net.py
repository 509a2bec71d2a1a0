"""The residual perceptron that reads voxels, with an input layer for each subject."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from overmix._typing import Float

Voxels = tuple[Float[Tensor, "batch voxels"], Float[Tensor, "batch subjects"]]
"""Answers, padded to the widest subject, and who gave them as one of several."""


class Block(nn.Module):
    """``h' = h + dropout(gelu(norm(W h)))``, which begins as ``h' = h``: the norm's gain is 0 at first."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        norm = nn.LayerNorm(width)
        nn.init.zeros_(norm.weight)
        self.inner = nn.Sequential(nn.Linear(width, width), norm, nn.GELU(), nn.Dropout(dropout))

    def forward(self, h: Tensor) -> Tensor:
        """Return the hidden state after the block."""
        step: Tensor = self.inner(h)
        return h + step


class BrainNet(nn.Module):
    """A linear layer of each subject's own, then residual blocks that all share, then the embedding.

    Args:
        voxels: how many each subject has.
        hidden: width of all layers.
        mean: embedding that the net says before it has learned anything, shape (dim,).
        blocks: how many.
    """

    def __init__(self, voxels: Sequence[int], hidden: int, mean: Float[Tensor, " dim"], blocks: int = 2) -> None:
        super().__init__()
        self.hidden = hidden
        inputs = [nn.Linear(count, hidden) for count in voxels]
        self.first = nn.Sequential(nn.GELU(), nn.Dropout(0.5))
        last = nn.Linear(hidden, len(mean))
        self.shared = nn.Sequential(*(Block(hidden, 0.15) for _ in range(blocks)), last)
        with torch.no_grad():
            last.bias.copy_(mean)
            for layer in inputs:  # thousands of weak voxels: what they say at random would drown what is learned
                layer.weight.mul_(0.1)
        self.own = nn.ModuleList(inputs)

    def forward(self, x: Voxels) -> Tensor:
        """Return queries, shape (B, dim); mixtures are within a subject, so that each sample has one."""
        voxels, who = x
        h = voxels.new_zeros(len(voxels), self.hidden)
        for number, layer in enumerate(self.own):
            rows = who[:, number] > 0.5
            assert isinstance(layer, nn.Linear)
            h[rows] = layer(voxels[rows, : layer.in_features])
        queries: Tensor = self.shared(self.first(h))
        return queries


def decayed(model: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Return groups for an optimizer: matrices are decayed, biases and the gains of norms are not."""
    matrices = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    rest = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    return [{"params": matrices, "weight_decay": decay}, {"params": rest, "weight_decay": 0.0}]


def one_cycle(optimizer: torch.optim.Optimizer, rate: float, steps: int) -> torch.optim.lr_scheduler.OneCycleLR:
    """Return the one-cycle schedule that brain decoders are trained with: up for a tenth of the steps, then down."""
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=steps, pct_start=0.1)
