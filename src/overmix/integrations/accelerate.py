"""accelerate: nothing but ``Epochs``, and for seedable samplers one object more.

``Epochs`` looks through accelerate's and Fabric's wrappers of models, optimizers and schedulers: register what
``prepare`` returned. One thing is hidden from it: a loader that accelerate has prepared counts its own passes, and a
seedable sampler's order follows from that count.
"""

from __future__ import annotations

from typing import Any

from overmix.errors import ConfigError, MissingExtraError
from overmix.integrations.passes import Passes
from overmix.integrations.versions import warn_if_untested

try:
    import accelerate
except ImportError:
    raise MissingExtraError("accelerate", "accelerate") from None

__all__ = ["counter"]


def counter(loader: Any) -> Passes:
    """Return a prepared loader's count of passes, to register beside the model: so that its order goes back as well.

    Needed with ``DataLoaderConfiguration(use_seedable_sampler=True)``: without it the passes of a probe shift the order
    of all later epochs, silently. ``loader.set_epoch(epoch.index)`` in the loop does the same.

        state = {"model": model, "optimizer": optimizer, "scheduler": scheduler, "order": counter(loader)}

    Args:
        loader: as ``accelerator.prepare`` returned it.

    Raises:
        ConfigError: if it is none of accelerate's loaders.

    Example:
        >>> from torch.utils.data import DataLoader
        >>> order = counter(accelerate.Accelerator(cpu=True).prepare(DataLoader([0.0, 1.0])))
        >>> order.state_dict()
        {'iteration': 0}
    """
    warn_if_untested("accelerate", accelerate.__version__, tested="1.15")
    if not hasattr(loader, "iteration") or not hasattr(loader, "set_epoch"):
        raise ConfigError("loader", type(loader).__name__, "give the loader that accelerator.prepare returned")
    return Passes(loader, "iteration")
