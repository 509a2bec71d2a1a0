"""Where the files of a data set are, and how to get them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from overmix.errors import ConfigError, MissingExtraError

Fetch = Callable[[], None]


def find_folder(
    name: str, places: Sequence[Path], *, holds: Callable[[Path], bool], download: Fetch | None, remedy: str = ""
) -> Path:
    """Return the first place that holds a data set.

    Args:
        name: of the data set, for errors.
        places: folders, the first choice first.
        holds: whether a folder has all the files.
        download: fetches them into one of the places if none has them; ``None`` means that this is not allowed. It may
            import torchvision.
        remedy: another way to get them.

    Raises:
        ConfigError: if no place has them, or the download fails.
        MissingExtraError: if torchvision is needed and not installed.
    """
    place = next(filter(holds, places), None)
    if place is None and download is not None:
        _fetch(name, download)
        place = next(filter(holds, places), None)
    if place is None:
        ways = [way for way in (remedy, "set download: true", "name its folder") if way]
        raise ConfigError("data.path", ", ".join(map(str, places)), f"{name} is not there: {', or '.join(ways)}")
    return place


def _fetch(name: str, download: Fetch) -> None:
    try:
        download()
    except ImportError as error:
        raise MissingExtraError((error.name or "torchvision").partition(".")[0], "vision") from None
    except Exception as error:
        # A network fails in many ways; all mean the same to the user.
        raise ConfigError(
            "data.download", True, f"{name} cannot be fetched ({error}): try again, or put the files there yourself"
        ) from error
