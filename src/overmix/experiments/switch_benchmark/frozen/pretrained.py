"""Fine-tuning: a small convnet that was trained on some classes, and goes on with others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from overmix.experiments.switch_benchmark.frozen.data import others_file
from overmix.study import parse_study
from overmix.study.models import build_model
from overmix.study.plan.cells import StackTask, expand
from overmix.study.plan.trainings import execution_of, open_dataset, training_of
from overmix.study.store.files import write_bytes

WIDTH = 8
"""Of the convnets of the benchmark."""

_EPOCHS, _BATCH = 8, 100


def weights_file(folder: Path, name: str) -> Path:
    """Return the weights of a convnet that was trained, plainly, on all other classes than those of a part."""
    file = folder / f"not_{name}.safetensors"
    if not file.exists():
        write_bytes(file, _pretrained(others_file(folder, name)))
    return file


def _pretrained(data: Path) -> bytes:
    from safetensors.torch import save

    spec: dict[str, Any] = {
        "name": "pretraining",
        "data": {"name": "npz", "path": str(data)},
        "model": {"name": "convnet", "width": WIDTH},
        "train": {
            "epochs": _EPOCHS,
            "batch_size": _BATCH,
            "optimizer": {"name": "adamw", "lr": 3e-3},
            "lr_schedule": {"name": "cosine"},
        },
        "compare": [{"name": "ERM", "recipe": "NoMixup", "schedule": "never"}],
        "seeds": 1,
    }
    cells = expand(parse_study(spec))
    dataset = open_dataset(cells[0].data)
    execution = execution_of(cells[0], dataset, "cpu", allow_code=False)
    training = training_of(StackTask(tuple(cells), execution, "cpu"), dataset, allow_code=False)
    training.train()
    return save({name: tensor[0].detach().clone() for name, tensor in training.model.parameters.items()})


def tuned(*, sample_shape: tuple[int, ...], num_classes: int, weights: str) -> nn.Module:
    """Return the convnet with pretrained weights and a last layer of its own, freshly initialised.

    Args:
        sample_shape: of an image.
        num_classes: C.
        weights: file of the pretrained weights.
    """
    from safetensors.torch import load_file

    model = build_model("convnet", sample_shape=sample_shape, num_classes=num_classes, width=WIDTH)
    *_, (last, _) = model.named_children()
    kept = {name: value for name, value in load_file(weights).items() if name.partition(".")[0] != last}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in kept:
                parameter.copy_(kept[name])
    return model
