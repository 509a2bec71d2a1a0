"""The checkpoints that a training has left: found by the pattern of their names, read without running their code."""

from __future__ import annotations

import glob
import pickle
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from overmix.errors import CheckpointError, ConfigError
from overmix.files.regular_file import open_regular

_COUNTS = ("epoch", "index", "step")
_FIELD = re.compile(r"\{(\w*)\}")


@dataclass(frozen=True)
class Checkpoints(Mapping[int, Path]):
    """The paths that have the form of a pattern, by the epochs that were done when each was saved.

    In the pattern ``{epoch}`` stands for that number; ``{index}`` for the zero-based number of the last epoch, as in
    Lightning's names; ``{step}`` for the optimizer steps done, as in those of transformers; ``*`` for anything.

    Args:
        pattern: such as ``"runs/epoch_{epoch}.pt"``, ``"runs/epoch={index}-step=*.ckpt"``, ``"out/checkpoint-{step}"``.
        steps: optimizer steps in an epoch; only ``{step}`` asks for it.

    Raises:
        ConfigError: if the pattern has no number in it, or nothing has its form, or two paths are of one epoch.
    """

    pattern: str
    steps: Callable[[], int] = lambda: 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "_paths", self._matched())

    def _matched(self) -> dict[int, Path]:
        names = _FIELD.findall(self.pattern)
        if len(names) != 1 or names[0] not in _COUNTS:
            remedy = (
                "write one {epoch}, epochs done, where the number stands; {index} if epochs count from 0, or {step}"
            )
            raise ConfigError("checkpoints", self.pattern, remedy)
        before, after = _FIELD.split(self.pattern)[::2]
        wanted = re.compile(f"{_expression(before)}(?P<number>\\d+){_expression(after)}")
        paths: dict[int, Path] = {}
        numbers = []
        for path in sorted(glob.glob(f"{_literal(before)}*{_literal(after)}")):
            match = wanted.fullmatch(path)
            if match is None:
                continue
            numbers.append(int(match["number"]))
            done = self._done(names[0], numbers[-1])
            if done is None:
                continue
            if done in paths:
                remedy = f"{paths[done]} and {path} are both of epoch {done}: narrow the pattern to one of them"
                raise ConfigError("checkpoints", self.pattern, remedy)
            paths[done] = Path(path)
        if not numbers:
            raise ConfigError("checkpoints", self.pattern, "no file or folder has this form")
        if len(paths) < min(2, len(numbers)):
            remedy = (
                f"of its {len(numbers)} numbers, {min(numbers)} to {max(numbers)}, {len(paths)} are multiples of the "
                f"{self.steps()} optimizer steps of an epoch, too few to choose from: where they count epochs write "
                "{epoch}, or {index} from 0; else mend steps"
            )
            raise ConfigError("checkpoints", self.pattern, remedy)
        return paths

    def _done(self, name: str, number: int) -> int | None:
        """Return the epochs done; None for a checkpoint inside of an epoch, from which none can be switched."""
        if name != "step":
            return number + (name == "index")
        epochs, rest = divmod(number, self.steps())
        return None if rest else epochs

    def __getitem__(self, done: int) -> Path:
        """Return the checkpoint after so many epochs."""
        return self._by_epoch[done]

    def __iter__(self) -> Iterator[int]:
        """Iterate over the epochs done."""
        return iter(sorted(self._by_epoch))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._by_epoch)

    @property
    def _by_epoch(self) -> dict[int, Path]:
        paths: dict[int, Path] = vars(self)["_paths"]
        return paths


def _expression(text: str) -> str:
    return "".join(".*" if part == "*" else re.escape(part) for part in re.split(r"(\*)", text))


def _literal(text: str) -> str:
    """Return text for ``glob``, whose other special signs stand for themselves."""
    return "".join(part if part == "*" else glob.escape(part) for part in re.split(r"(\*)", text))


def read_checkpoint(path: Path) -> Any:
    """Return what ``torch.save`` wrote, on the CPU, if it holds nothing that runs code when it is read.

    Raises:
        CheckpointError: if it holds anything else, or cannot be read.
    """
    try:
        with open_regular(path) as file:
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise refused(path, error) from None
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}: give files that torch.save has written") from None
    except (EOFError, KeyError, LookupError, RuntimeError, ValueError) as error:
        told = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(
            f"{path}: it cannot be read ({told[:120]}): give files that torch.save has written"
        ) from None


_CLASS = re.compile(r"(?:GLOBAL|Unsupported (?:global|class))\s*:?\s*(?:GLOBAL\s+)?([\w.]+)")


def refused(path: Path, error: Exception) -> CheckpointError:
    """Return the error for a checkpoint that would run code: what it holds, and the way out."""
    match = _CLASS.search(str(error))
    what = f"{match[1]}, " if match else ""
    return CheckpointError(
        f"{path}: it holds {what}more than tensors and plain values, which may run code when it is read: where you "
        "trust the file, allow the class before, torch.serialization.add_safe_globals([...]), or write it anew with "
        "state_dict() of each object"
    )
