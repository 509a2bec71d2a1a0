"""Fabric: nothing but ``Epochs``, and for several processes one object more.

``Epochs`` looks through Fabric's wrappers of models and optimizers: register what ``setup`` returned. One thing is
hidden from it: a loader that Fabric has set up counts its own passes, and tells them to a distributed sampler as the
epoch.
"""

from __future__ import annotations

from typing import Any

from overmix.errors import ConfigError, MissingExtraError
from overmix.integrations.passes import Passes
from overmix.integrations.versions import warn_if_untested

try:
    import lightning
except ImportError:
    raise MissingExtraError("lightning", "lightning") from None

__all__ = ["counter"]


def counter(loader: Any) -> Passes:
    """Return a loader's count of passes, to register beside the model: so that its order goes back as well.

    Needed in several processes: without it the passes of a probe shift the order of all later epochs, silently, and
    ``sampler.set_epoch(epoch.index)`` in the loop does not help, since Fabric's loader overwrites it.

        state = {"model": model, "optimizer": optimizer, "scheduler": scheduler, "order": counter(loader)}

    Args:
        loader: as ``fabric.setup_dataloaders`` returned it.

    Raises:
        ConfigError: if it is none of Fabric's loaders.

    Example:
        >>> from torch.utils.data import DataLoader
        >>> order = counter(lightning.Fabric(accelerator="cpu").setup_dataloaders(DataLoader([0.0, 1.0])))
        >>> order.state_dict()
        {'iteration': 0}

    Source: what is counted, and where, is that of Lightning 2.6.
    """
    warn_if_untested("lightning", lightning.__version__, tested="2.6")
    if not hasattr(loader, "_num_iter_calls"):
        raise ConfigError("loader", type(loader).__name__, "give the loader that fabric.setup_dataloaders returned")
    return Passes(loader, "_num_iter_calls")
