"""The smoke scale: a laptop's study with everything small, so that every line of it runs in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EPOCHS, SEEDS, BATCH, HELD_OUT, SAMPLES = 12, 2, 32, 32, 10
MANY = 500  # samples, from which on a set is made SAMPLES times smaller; fewer are few already
HIDDEN, WIDTH = [16], 4


def shrunk(study: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a study file with few short runs of small models; conditions keep their names.

    Example:
        >>> small = shrunk({"name": "s", "train": {"epochs": 1000}, "model": {"name": "mlp"},
        ...     "data": {"name": "digits"}, "compare": [{"name": "Mixup → ERM @500", "schedule": {"off_at": 500}}]})
        >>> small["train"]["epochs"], small["compare"][0]["schedule"]
        (12, {'off_at': 6})
    """
    epochs = int(study["train"]["epochs"])

    def short(length: int) -> int:
        return max(2, round(length * EPOCHS / epochs))

    def train(part: Mapping[str, Any]) -> dict[str, Any]:
        smaller = dict(part)
        if "epochs" in smaller:
            smaller["epochs"] = short(smaller["epochs"])
        if "batch_size" in smaller:
            smaller["batch_size"] = BATCH
        return smaller

    def data(part: Mapping[str, Any]) -> dict[str, Any]:
        smaller = dict(part)
        if smaller.get("train_size", 0) >= MANY:
            smaller["train_size"] //= SAMPLES
        if smaller.get("val_size"):
            smaller["val_size"] = HELD_OUT
        return smaller

    model = dict(study["model"])
    model |= {"hidden": HIDDEN} if model["name"] == "mlp" else {"width": WIDTH}
    compare = []
    for entry in study["compare"]:
        small = dict(entry)
        if "train" in small:
            small["train"] = train(small["train"])
        if "data" in small:
            small["data"] = data(small["data"])
        if isinstance(small.get("schedule"), Mapping):
            small["schedule"] = {"off_at": short(small["schedule"]["off_at"])}
        compare.append(small)
    return {
        **study,
        "data": data(study["data"]),
        "model": model,
        "train": train(study["train"]),
        "compare": compare,
        "seeds": SEEDS,
    }
