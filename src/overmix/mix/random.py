"""Random streams: every random number of a run has an address.

A number is addressed by ``(study seed, replica seed, rank, epoch, step, stream)``; the address is the key and the
counter of Philox (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", 2011), so that nothing depends on what
was drawn before. This is why runs with one seed are twins, why a resumed run needs no saved generator, and why mixing
can be switched off without shifting a single later draw.
"""

from __future__ import annotations

import operator
import threading
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
import torch
from torch.utils.data import get_worker_info

from overmix.errors import ConfigError

Stream = Literal[
    "subset",
    "validation",
    "init",
    "order",
    "gate",
    "pairing",
    "coefficient",
    "space",
    "augmentation",
    "dropout",
    "choice",
]
"""What a number is used for. Each use has a stream of its own, so that changing one leaves the others alone.

The order is part of every address: new uses go to the end.
"""

_STREAM_NUMBER = {name: number for number, name in enumerate(get_args(Stream))}


@runtime_checkable
class StreamSource(Protocol):
    """Anything that gives the generator at an address: :class:`Streams`, or a :class:`StreamCursor` over them."""

    def generator(self, stream: Stream, *, epoch: int = 0, step: int = 0) -> np.random.Generator:
        """Return the generator at one address."""
        ...


@dataclass(frozen=True)
class Streams:
    """Generators keyed by ``(study_seed, replica_seed, rank, epoch, step, stream)``.

    Args:
        study_seed: shared by all replicas of a study, an integer in [0, 2**64).
        replica_seed: one per training run, an integer in [0, 2**64). Runs that share it are twins.
        rank: the process within a distributed run, in [0, 2**32). Ranks draw different plans.

    Raises:
        ConfigError: if one of them is not an integer of its range.

    Example:
        >>> a = Streams(study_seed=0, replica_seed=3).generator("pairing", epoch=5, step=2)
        >>> b = Streams(study_seed=0, replica_seed=3).generator("pairing", epoch=5, step=2)
        >>> bool((a.permutation(8) == b.permutation(8)).all())
        True
    """

    study_seed: int = 0
    replica_seed: int = 0
    rank: int = 0

    def __post_init__(self) -> None:
        for name, bits in (("study_seed", 64), ("replica_seed", 64), ("rank", 32)):
            value = getattr(self, name)
            try:
                # A numpy integer is welcome; a bool or a float is a mistake.
                number = -1 if isinstance(value, bool) else operator.index(value)
            except TypeError:
                number = -1
            if not 0 <= number < 2**bits:
                raise ConfigError(name, value, f"use an integer in [0, 2**{bits})")
            object.__setattr__(self, name, number)

    def generator(self, stream: Stream, *, epoch: int = 0, step: int = 0) -> np.random.Generator:
        """Return the generator at one address.

        Args:
            stream: what the numbers are for.
            epoch: zero-based epoch.
            step: zero-based step within the epoch.

        Returns:
            A fresh NumPy generator. Two calls with the same address return the same numbers.
        """
        return np.random.Generator(np.random.Philox(key=self._key(), counter=self._counter(stream, epoch, step)))

    def _key(self) -> np.ndarray[Any, np.dtype[np.uint64]]:
        return np.array([self.study_seed, self.replica_seed], dtype=np.uint64)

    def _counter(self, stream: Stream, epoch: int, step: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
        # The lowest counter word is left to Philox itself: 2**64 blocks per address before two addresses could meet.
        return np.array([0, step, epoch, self._stream_word(stream)], dtype=np.uint64)

    def _stream_word(self, stream: Stream) -> int:
        return self.rank << 32 | _STREAM_NUMBER[stream]

    def torch_seed(self, stream: Stream, *, epoch: int = 0, step: int = 0) -> int:
        """Return a seed in [0, 2**63) for code that only knows PyTorch's generator, such as weight initialisation."""
        return int(self.generator(stream, epoch=epoch, step=step).integers(2**63))

    def for_rank(self, rank: int) -> Streams:
        """Return the same streams for another process of a distributed run."""
        return replace(self, rank=rank)


@dataclass(frozen=True)
class StreamCursor:
    """The same numbers as :class:`Streams`, faster: one generator that is moved from address to address.

    For inner loops that use each generator before they ask for the next: a generator that this class returned changes
    when the next one is asked for.

    Example:
        >>> streams = Streams(0, 3)
        >>> a = StreamCursor(streams).generator("pairing", epoch=5).random()
        >>> a == streams.generator("pairing", epoch=5).random()
        True
    """

    streams: Streams
    _rng: np.random.Generator = field(
        default_factory=lambda: np.random.Generator(np.random.Philox(key=0)), repr=False, compare=False
    )
    _state: dict[str, Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        state = {
            "bit_generator": "Philox",
            "state": {"counter": np.zeros(4, dtype=np.uint64), "key": self.streams._key()},
            "buffer": np.zeros(4, dtype=np.uint64),
            "buffer_pos": 4,  # nothing is left in the buffer
            "has_uint32": 0,
            "uinteger": 0,
        }
        object.__setattr__(self, "_state", state)

    def generator(self, stream: Stream, *, epoch: int = 0, step: int = 0) -> np.random.Generator:
        """Return the generator at one address, valid until the next call."""
        # In place: a new array for every number would cost more than the number.
        counter = self._state["state"]["counter"]
        counter[1], counter[2], counter[3] = step, epoch, self.streams._stream_word(stream)
        self._rng.bit_generator.state = self._state
        return self._rng


def cursor_from(generator: torch.Generator | None = None) -> StreamCursor:
    """Return a cursor over streams that are keyed by a PyTorch generator, see :func:`streams_from`.

    It moves one generator for each thread: making one takes a quarter of what mixing a small batch takes. It is for a
    caller that has drawn all its numbers before anyone else in its thread asks for a cursor.
    """
    if not hasattr(_OF_THREAD, "rng"):
        _OF_THREAD.rng = np.random.Generator(np.random.Philox(key=0))
    return StreamCursor(streams_from(generator), _OF_THREAD.rng)


_OF_THREAD = threading.local()


def streams_from(generator: torch.Generator | None = None) -> Streams:
    """Return streams keyed by two draws from a PyTorch generator.

    This is how ``recipe(x, y)`` obeys ``torch.manual_seed``, and why DataLoader workers, which PyTorch seeds apart, do
    not repeat each other's plans.

    Args:
        generator: a CPU or CUDA generator; ``None`` means PyTorch's default CPU generator. Inside a DataLoader worker
            the worker's own seed is added, since every worker, in every epoch, may hold the same copy of it.

    Example:
        >>> g = torch.Generator().manual_seed(1)
        >>> streams_from(g) == streams_from(g)   # the generator has moved on
        False
    """
    device = generator.device if generator is not None else torch.device("cpu")
    study, replica = torch.randint(2**63 - 1, (2,), generator=generator, device=device).tolist()
    worker = get_worker_info()
    if generator is not None and worker is not None:
        replica = (replica + worker.seed) % 2**64
    return Streams(study_seed=study, replica_seed=replica)
