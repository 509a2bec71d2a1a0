"""Gate: whether what a user gates is on, told to a loader's workers too."""

from __future__ import annotations

import os
from ctypes import c_int8
from multiprocessing.context import get_spawning_popen
from multiprocessing.sharedctypes import RawValue
from typing import Any, NoReturn

from overmix.errors import ConfigError, OvermixError

_UNKNOWN = -1


class Gate:
    """``gate.on``: whether what a run switches is on, in the run's process and in every worker of its loaders.

    One byte in memory that the processes share; the run writes it as it hands out an epoch. Workers that live through
    epochs read it for each sample, so they hold no copy that could grow old. Give it to the dataset:

        run = overmix.Epochs(300, switch=overmix.AutoSwitch(), state={...})
        data = Mosaic(images, run.gate)     # asks gate.on, or `if gate`, in __getitem__
        for epoch in run:
            for batch in loader:            # makes the loader's iterator anew

    An iterator that lives on from one epoch into the next has fetched samples ahead, under the epoch before: let each
    sample carry the flag that it saw, and :meth:`overmix.switch.Epoch.check` refuses those.

    It goes to other processes as they are started, forked or spawned. A copy by any other way would not follow the run
    any more, and is refused.

    Example:
        >>> import overmix
        >>> run = overmix.Epochs(4, switch=overmix.off_at(0.5))
        >>> gate = run.gate
        >>> [gate.on for epoch in run]
        [True, True, False, False]
    """

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._byte, self._writer = RawValue(c_int8, _UNKNOWN), os.getpid()

    @property
    def on(self) -> bool:
        """Whether it is on.

        Raises:
            OvermixError: before the first epoch of the run, and in a process that was started without this run.
        """
        value = int(self._byte.value)
        if value == _UNKNOWN:
            raise OvermixError(
                "gate: its run has not begun in this process: ask for samples inside of `for epoch in run`, and start "
                "loaders from there"
            )
        return bool(value)

    def __bool__(self) -> bool:
        """Return :attr:`on`, so that it stands where a dataset has a flag: ``if self.mosaic:``."""
        return self.on

    def set(self, on: bool) -> None:
        """Write what is to be read from now on: a run does it for each epoch, nobody else should."""
        if os.getpid() != self._writer:
            self._begin()  # a rank of its own, started after the gate was made: ranks must not write for each other
        self._byte.value = int(on)

    def __reduce__(self) -> tuple[Any, ...]:
        if get_spawning_popen() is None:
            _refuse()
        return _rebuilt, (self._byte, self._writer)

    def __copy__(self) -> NoReturn:
        _refuse()

    def __deepcopy__(self, memo: object) -> NoReturn:
        _refuse()


def _refuse() -> NoReturn:
    remedy = (
        "a copy would not follow the run: hand the gate itself to the dataset, and let the loader start its workers"
    )
    raise ConfigError("gate", "copied or pickled", remedy)


def _rebuilt(byte: Any, writer: int) -> Gate:
    gate = Gate.__new__(Gate)
    gate._byte, gate._writer = byte, writer
    return gate
