"""What remembers earlier batches, and begins anew in a tail: running statistics and averaged weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.optim.swa_utils import AveragedModel

from overmix.switch.registered import Registered
from overmix.switch.snapshot import Snapshot

_FORGOTTEN = math.log(1e-4)


class FreshStatistics:
    """Makes the running statistics of BatchNorm those of a tail's batches alone.

    A layer of momentum m that saw n batches since the tail began at r_0 holds ``B = (1 - m)^n r_0 + E``, E the weighted
    sum of the new ones. What belongs there is E over the sum of its weights: ``(B - (1 - m)^n r_0) / (1 - (1 - m)^n)``,
    the correction that Adam makes for its start. The first batch replaces r_0; later ones weigh as the layer wants it.

    It is written into the buffers before each step, and r_0 is what was written last. Nothing that compiled code looks
    at changes, no attribute and no hook. Layers that saw no batch, since they evaluate or do not count, stay as they
    are, and so do those of averaged models, which are copies. A layer of momentum None averages all that it counts: it
    counts anew.

    Args:
        registered: the training.
        snapshot: of its state at the tail's beginning. While the tail lasts, ``statistics`` in it has what was written
            last, so that a run that resumes inside of the tail goes on with it.
    """

    def __init__(self, registered: Registered, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        layers = list(_layers(registered, snapshot["modules"]))
        resumed = snapshot.get("statistics", [None] * len(layers))
        self._layers = [_Layer(*layer, written) for layer, written in zip(layers, resumed, strict=True)]
        self._save()

    def correct(self, step: int) -> None:
        """Correct what the batches of the tail before its zero-based step have made of the statistics."""
        for layer in self._layers:
            layer.correct(step)
        self._save()

    def forget(self) -> None:
        """Leave the snapshot as it was at the tail's beginning."""
        self._snapshot.pop("statistics", None)

    def _save(self) -> None:
        self._snapshot["statistics"] = [layer.written for layer in self._layers]


class _Layer:
    """One layer, with what was written into it last, and how many batches it had counted then."""

    def __init__(self, layer: _NormBase, begun: Tensor, written: list[Tensor] | None) -> None:
        self._layer, self._begun = layer, begun
        if written is None and layer.momentum is None and layer.num_batches_tracked is not None:
            layer.num_batches_tracked.zero_()
        saved = zip(self._now(), self._now() if written is None else written, strict=True)
        self.written = [value.to(now.device, copy=True) for now, value in saved]

    def _now(self) -> list[Tensor]:
        layer = self._layer
        return [
            value for value in (layer.running_mean, layer.running_var, layer.num_batches_tracked) if value is not None
        ]

    @torch.no_grad()
    def correct(self, step: int) -> None:
        momentum = self._layer.momentum
        if momentum is None or not 0 < momentum < 1:
            return
        log_kept = math.log1p(-momentum)
        if step * log_kept < _FORGOTTEN:
            return
        *statistics, counted = self._now()
        *before, counted_before = self.written
        exponent = (counted - self._begun.to(counted.device)).float() * log_kept
        kept, weight = torch.exp(exponent), -torch.expm1(exponent)
        for value, written in zip(statistics, before, strict=True):
            wide = torch.promote_types(value.dtype, torch.float32)
            corrected = (value.to(wide) - kept * written.to(wide)) / weight
            if value is self._layer.running_var:
                corrected.clamp_(min=0)  # a difference of large numbers may be rounded to below
            # As it is where nothing was counted: a correction of what is corrected would round it once more.
            # By its data: another optimizer may step between forward and backward of this model. Autograd holds the
            # buffer meanwhile, though the backward of a layer that trains does not read it.
            value.data.copy_(torch.where(counted > counted_before, corrected, value.to(wide)))
        self.written = [value.clone() for value in self._now()]


def averaged_models(registered: Registered) -> list[AveragedModel]:
    """Return the averaged models that are registered, or part of a registered one."""
    modules = [part for part in registered.parts().values() if isinstance(part, nn.Module)]
    return [layer for module in modules for layer in module.modules() if isinstance(layer, AveragedModel)]


def _layers(registered: Registered, modules: dict[str, Any]) -> Iterator[tuple[_NormBase, Tensor]]:
    parts = registered.parts()
    trained = registered.trained(parts)
    for name, part in parts.items():
        if not isinstance(part, nn.Module) or not any(id(p) in trained for p in part.parameters()):
            continue
        copies = {id(layer) for copy in part.modules() if isinstance(copy, AveragedModel) for layer in copy.modules()}
        for path, layer in part.named_modules():
            if isinstance(layer, _NormBase) and id(layer) not in copies and _learns(layer, trained):
                yield layer, modules[name]["buffers"][path]["num_batches_tracked"]


def _learns(layer: _NormBase, trained: set[int]) -> bool:
    """Whether it keeps and counts statistics, and is trained itself: a teacher inside of a model is not."""
    counts = layer.track_running_stats and layer.num_batches_tracked is not None
    return counts and (layer.weight is None or id(layer.weight) in trained)
