"""What a study compares, and holds out for it, that does not say it."""

from __future__ import annotations

from typing import Any

HELD_OUT = 0.2
"""Share of the training samples that a study holds out which leaves to overmix what is compared."""


def default_compare(*, held_out: bool) -> list[dict[str, Any]]:
    """Return what a study compares that does not say it: what decides together best, see docs/statistics.md."""
    return [
        {"name": "ERM", "recipe": "NoMixup", "schedule": "never"},
        {"name": "Mixup"},
        {"name": "Mixup → ERM @75%", "schedule": {"off_at": 0.75}},
        {"name": "Mixup → ERM (auto)", "schedule": "auto" if held_out else {"auto": {"holdout": HELD_OUT}}},
    ]
