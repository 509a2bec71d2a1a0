"""The three sizes of every experiment."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

Scale: TypeAlias = Literal["smoke", "laptop", "paper"]
"""``"smoke"`` takes seconds and shows only that everything runs, ``"laptop"`` takes minutes on two cores and real data
without download, ``"paper"`` is the paper's own size, for a GPU."""

SCALES: tuple[Scale, ...] = get_args(Scale)
