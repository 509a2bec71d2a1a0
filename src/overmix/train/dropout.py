"""Dropout whose mask has an address, so that a stack of replicas and a loop over them drop the same units."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Constants of SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", 2014), as signed
# integers: PyTorch's int64 arithmetic wraps around, which is what the mixer needs.
_GOLDEN = -7046029254386353131
_MIX_1 = -4658895280553007687
_MIX_2 = -7723592293110705685


def uniform_at(key: Tensor, count: int) -> Tensor:
    """Return ``count`` uniform numbers in [0, 1) that are a function of the key alone.

    Args:
        key: an int64 scalar.
        count: how many.

    Returns:
        Shape (count,), float32 on the device of the key, multiples of 2**-24.
    """
    z = key + _GOLDEN * torch.arange(1, count + 1, device=key.device)
    z = (z ^ _shift_right(z, 30)) * _MIX_1
    z = (z ^ _shift_right(z, 27)) * _MIX_2
    z = z ^ _shift_right(z, 31)
    return _shift_right(z, 40).to(torch.float32) * 2.0**-24


def _shift_right(z: Tensor, bits: int) -> Tensor:
    """Shift as if the integer were unsigned: PyTorch's own shift copies the sign."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def _int64(number: int) -> int:
    """Wrap a Python integer around as int64 arithmetic does; PyTorch refuses one that does not fit."""
    return (number + 2**63) % 2**64 - 2**63


class KeyedDropout(nn.Module):
    """``x * mask / (1 - p)`` with ``mask ~ Bernoulli(1 - p)`` drawn from the buffer ``key``.

    Args:
        p: probability of dropping a unit.
        channels: drop whole channels (dimension 1), as ``nn.Dropout2d`` does, instead of single units.
        layer: number of the layer in its model; layers with one key drop different units.
    """

    key: Tensor

    def __init__(self, p: float, channels: bool, layer: int) -> None:
        super().__init__()
        self.p, self.channels, self.layer = p, channels, layer
        # A layer that is called twice in one forward pass drops other units the second time.
        self.calls = 0
        # Not persistent: it is no part of what the user's model saves.
        self.register_buffer("key", torch.zeros((), dtype=torch.int64), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` with units dropped in training mode, ``x`` itself in evaluation mode."""
        if not self.training or self.p == 0:
            return x
        shape = (*x.shape[:2], *[1] * (x.dim() - 2)) if self.channels else x.shape
        count = 1
        for size in shape:
            count *= size
        self.calls += 1
        key = self.key ^ _int64(self.layer * _MIX_1) ^ _int64(self.calls * _MIX_2)
        keep = uniform_at(key, count).view(shape) >= self.p
        return x * keep.to(x.dtype) / (1 - self.p) if self.p < 1 else x * 0


_CHANNELS = {nn.Dropout: False, nn.Dropout1d: True, nn.Dropout2d: True, nn.Dropout3d: True}


def key_dropout(model: nn.Module) -> nn.Module:
    """Replace each of the model's dropout layers by a :class:`KeyedDropout`, in place, and return the model.

    A layer that the model holds under several names stays one layer. A subclass of a dropout layer may do something
    else, and is left alone.
    """
    return _replace(model, {})


def _replace(module: nn.Module, done: dict[nn.Module, KeyedDropout]) -> nn.Module:
    if module in done:
        return done[module]
    if isinstance(module, nn.modules.dropout._DropoutNd) and type(module) in _CHANNELS:
        done[module] = KeyedDropout(module.p, _CHANNELS[type(module)], len(done) + 1)
        return done[module]
    # Not named_children(), which names a shared layer only once.
    for name, child in module._modules.items():
        if child is not None:
            setattr(module, name, _replace(child, done))
    return module
