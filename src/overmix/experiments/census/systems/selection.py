"""Which voxels to read, and the linear decoder that the field compares with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from overmix._typing import Bool, Float
from overmix.experiments.census.systems.voxels import smooth


def ridge(
    x: Float[Tensor, "samples voxels"], y: Float[Tensor, "samples dim"], penalty: float
) -> Float[Tensor, "voxels dim"]:
    """Return ``argmin_W |x W - y|^2 + penalty |W|^2``, from the smaller of both Gram matrices."""
    if len(x) > x.shape[1]:
        gram = (x.T @ x).double()
        gram.diagonal().add_(penalty)
        return torch.linalg.solve(gram, (x.T @ y).double()).float()
    gram = (x @ x.T).double()
    gram.diagonal().add_(penalty)
    return x.T @ torch.linalg.solve(gram, y.double()).float()


def best_ridge(
    train: tuple[Tensor, Tensor], held_out: tuple[Tensor, Tensor], penalties: Sequence[float] = (1e2, 1e3, 1e4, 1e5)
) -> Float[Tensor, "voxels dim"]:
    """Return the ridge regression whose predictions of held-out embeddings have the highest mean cosine."""

    def worth(weights: Tensor) -> float:
        return float(F.cosine_similarity(held_out[0] @ weights, held_out[1], dim=1).mean())

    return max((ridge(*train, penalty) for penalty in penalties), key=worth)


def select_voxels(
    x: Float[Tensor, "samples voxels"],
    y: Float[Tensor, "samples dim"],
    keep: float,
    sparsity: float = 1e-4,
    steps: int = 40,
    width: int = 9,
) -> Bool[Tensor, " voxels"]:
    """Return the voxels that sparse gates leave open, smoothed over neighbours: ``x' = gate * x``, |gate| small.

    The gates and a linear decoder are trained together by Adam on ``|x' W - y|^2 + sparsity * sum |gate|``, the mean
    over samples and parts of y, which are scaled to variance 1; the sub-gradient closes gates of voxels that do not
    help. Then they are averaged over neighbours, and the widest kept.

    Args:
        x: answers of voxels.
        y: embeddings of images.
        keep: share of the voxels that is kept.
        sparsity: weight of the L1 term.
        steps: of Adam, each over all samples.
        width: neighbours that are averaged over, odd.
    """
    y = y / y.std()
    gate = torch.ones(x.shape[1], requires_grad=True)
    weights = ridge(x, y, 1e3).requires_grad_()
    optimizer = torch.optim.Adam([{"params": [gate], "lr": 0.03}, {"params": [weights], "lr": 1e-3}])
    for _ in range(steps):
        loss = (x @ (gate[:, None] * weights) - y).square().mean() + sparsity * gate.abs().sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    # A gate scales what its weights say: their product is what the voxel is worth.
    openness = smooth((gate.detach().abs() * weights.detach().norm(dim=1)), width)
    kept = torch.zeros(len(gate), dtype=torch.bool)
    kept[openness.topk(round(keep * len(gate))).indices] = True
    return kept
