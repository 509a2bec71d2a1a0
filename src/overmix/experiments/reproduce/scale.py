"""The sizes of the experiments."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

Scale: TypeAlias = Literal["smoke", "laptop", "gpu", "paper"]
"""``"smoke"`` takes seconds and shows only that everything runs, ``"laptop"`` takes minutes on two cores and real data
without download, ``"gpu"`` about eight minutes on one GPU, ``"paper"`` is the paper's own size, for a GPU and days."""

SCALES: tuple[Scale, ...] = get_args(Scale)
