"""What a setting has measured so far, a file per part: what is interrupted goes on, and no part is made twice."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overmix.files.folders import made_folder
from overmix.study.spec.plain import digest
from overmix.study.store.checkpoint import load_tensors, save_tensors
from overmix.study.store.files import remove_temporaries

NamedTensors = Mapping[str, Tensor]


class Parts:
    """Makes each part of a measurement once.

    A part is a function's tensors under a name. They are written whole or not at all, and read back to the bit, so that
    an interrupted measurement ends as an uninterrupted one. Parts that other marks were put on are made anew.

    Args:
        folder: the setting's; parts lie in a folder of their own in it, until the setting is finished.
        marks: what the numbers depend on, as plain values: digest of the study, version of the rules, versions.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     first = Parts(Path(folder), {"rules": 1}).numbers("seed-0", lambda: np.array([0.1]))
        ...     again = Parts(Path(folder), {"rules": 1}).numbers("seed-0", lambda: np.array([0.2]))
        ...     other = Parts(Path(folder), {"rules": 2}).numbers("seed-0", lambda: np.array([0.3]))
        >>> first.item(), again.item(), other.item()
        (0.1, 0.1, 0.3)
    """

    def __init__(self, folder: Path, marks: Mapping[str, Any]) -> None:
        self._folder, self._mark = folder / "parts", digest(marks)
        remove_temporaries(self._folder)

    def __call__(self, name: str, make: Callable[[], NamedTensors]) -> NamedTensors:
        """Return the part of a name: what was kept, else what ``make`` returns, which is kept from then on.

        Raises:
            RunDirectoryError: if it cannot be written.
        """
        path = self._folder / f"{name}.safetensors"
        kept = load_tensors(path, self._mark)
        if kept is not None:
            return kept[0]
        made = make()
        made_folder(self._folder)
        save_tensors(path, made, {"stack": self._mark})
        return made

    def numbers(self, name: str, make: Callable[[], Sequence[float] | np.ndarray]) -> np.ndarray:
        """Return a part that is one array of numbers, in double precision."""

        def tensors() -> NamedTensors:
            return {"numbers": torch.from_numpy(np.array(make(), dtype=np.float64))}

        return self(name, tensors)["numbers"].numpy()

    def remove(self) -> None:
        """Delete all parts: the setting is finished, and weights take room."""
        shutil.rmtree(self._folder, ignore_errors=True)
