"""What a reader is: how its logs are found, and how they are read."""

from __future__ import annotations

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from overmix.diagnose.logs.log import Log
from overmix.errors import DataError
from overmix.files.regular_file import open_regular


@dataclass(frozen=True)
class Reader:
    """A reader of one kind of log.

    Attributes:
        tool: whose logs they are, for messages.
        find: from all files of a folder, the logs in it: the files of each run, by the run's own folder. Several tools
            that log into one folder, or into folders inside of each other, log one run.
        reads: whether a single file, given by itself, is such a log.
        read: from the files of one run's folder to its runs, one log each.
        each: whether each file is a log by itself, and not a part of one.
    """

    tool: str
    find: Callable[[Sequence[Path]], Mapping[Path, Sequence[Path]]]
    reads: Callable[[Path], bool]
    read: Callable[[Sequence[Path]], list[Log]]
    each: bool = False


def by_folder(files: Sequence[Path]) -> dict[Path, list[Path]]:
    """Put files together by the folder that they are in."""
    found: dict[Path, list[Path]] = {}
    for file in files:
        found.setdefault(file.parent, []).append(file)
    return found


def lines_of(text: str) -> Iterator[str]:
    r"""Return lines with their ends; unlike ``splitlines``, what texts may hold, such as ``\u2028``, ends none."""
    return iter(StringIO(text, newline=""))


def text_of(path: Path) -> str:
    """Return a file's text.

    Raises:
        DataError: it cannot be read, or is no text.
    """
    try:
        with open_regular(path) as file:
            content = file.read()
        # PowerShell writes UTF-16 where output is redirected into a file.
        return content.decode("utf-16" if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path}: not a text file") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None
