"""What a finished run directory was made from and what is in it, so that nothing unchanged is computed again.

A command that is given again would check the study, load PyTorch, read every result, draw every bootstrap sample and
render every figure, to write the bytes that are there. ``receipt.json`` says what they came from: the study file, the
options, the data files, overmix's own source, the versions of the packages, the machine; and the digest of every file
that was written. Only if each of these is what it was, nothing is done. This module needs no PyTorch, which alone takes
longer to import than all of that.

No receipt is valid for a study with code of the user's own (what it imports cannot be known), nor for data of which
this module does not know the files; those are run as if there were none.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

from overmix.errors import OvermixError
from overmix.study.store.files import read_json, write_json

_NAME = "receipt.json"
_PACKAGES = (
    "torch", "numpy", "scipy", "polars", "pydantic", "PyYAML", "safetensors", "scikit-learn", "vl-convert-python",
    "jinja2", "markupsafe", "mnist1d",
)  # fmt: skip
_VARIABLES = ("ATEN_CPU_CAPABILITY", "CUDA_VISIBLE_DEVICES")
"""Of the environment: they choose other code in PyTorch, and so other last bits."""
_PACKAGED = ("digits", "mnist1d")
"""Data that come with a package, whose version is looked at."""


_FILES = ("npz", "csv", "parquet")
"""Data that are one file, named by ``path``."""


class _Data(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def options(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Request:
    """What a command was asked for.

    Args:
        command: its name.
        study: digest of the study file.
        folder: that relative data paths start from.
        options: of the command, as plain values.
    """

    command: str
    study: str
    folder: str
    options: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"command": self.command, "study": self.study, "folder": self.folder, "options": dict(self.options)}


def request_of(command: str, study: Path, **options: Any) -> Request | None:
    """Return what a command is asked for; None if the study file cannot be read, which the study's reader will tell."""
    try:
        return Request(command, _digest(study), str(study.resolve().parent), options)
    except OSError:
        return None


def is_unchanged(directory: Path, request: Request | None = None) -> bool:
    """Return whether a run directory holds, to the last byte, what would be written there now.

    Args:
        directory: a run directory, finished or not.
        request: what is asked for; None to ask for the page of what is there.
    """
    try:
        receipt = read_json(directory / _NAME)
        return (
            receipt["made_with"] == _made_with()
            and (request is None or receipt["request"] == request.to_json())
            and bool(receipt["files"])
            and _are(receipt["files"], directory)
            and (request is None or _are(receipt["data"], Path("/")))
        )
    except (OvermixError, OSError, KeyError, TypeError, ValueError, AttributeError):
        return False


def write_receipt(directory: Path, request: Request | None, data: Iterable[_Data] = ()) -> None:
    """Write what a run directory is made from, once all else is written.

    Args:
        directory: the run directory.
        request: what was asked for; None where that is not known, or code of the user's own took part: then the receipt
            is one of the page alone.
        data: the data of all conditions.

    Raises:
        RunDirectoryError: if it cannot be written.
    """
    files = {str(file.relative_to(directory)): _digest(file) for file in _written(directory)}
    read = _data_files(data)
    asked = None if request is None or read is None else request.to_json()
    content = {"made_with": _made_with(), "request": asked, "data": read or {}, "files": files}
    write_json(directory / _NAME, content)


def _written(directory: Path) -> list[Path]:
    folders = (directory, directory / "stacks", directory / "figures")
    files = (file for folder in folders if folder.is_dir() for file in sorted(folder.iterdir()))
    return [file for file in files if file.is_file() and file.name != _NAME and not file.name.startswith(".")]


def _data_files(data: Iterable[_Data]) -> dict[str, str] | None:
    """Return digests of the files that data are read from, by absolute path; None where they are not known."""
    files: dict[str, str] = {}
    for part in data:
        if part.name in _FILES and part.options.get("path"):
            file = Path(part.options["path"]).expanduser().resolve()
            files[str(file)] = _digest(file)
        elif part.name not in _PACKAGED:
            return None
    return files


def _are(digests: Mapping[str, str], folder: Path) -> bool:
    return all(_digest(folder / name) == digest for name, digest in digests.items())


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@cache
def _made_with() -> dict[str, Any]:
    """Return what the bytes depend on beyond the request."""
    import overmix

    return {
        "overmix": overmix.__version__,
        "source": _source(Path(overmix.__file__).parent),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "machine": _machine(),
        "environment": {name: os.environ.get(name) for name in _VARIABLES},
    }


def _source(package: Path) -> str:
    """Return a digest of overmix itself: of an edited checkout the version does not change."""
    sha = hashlib.sha256()
    for file in sorted(package.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            sha.update(f"{file.relative_to(package)}\0{_digest(file)}\0".encode())
    return sha.hexdigest()


def _version(name: str) -> str | None:
    try:
        package = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    # Wheels of one version of PyTorch differ by the CUDA that they were built with.
    built = Path(str(package.locate_file("torch/version.py"))) if name == "torch" else None
    return package.version + (f" {_digest(built)[:16]}" if built is not None and built.exists() else "")


def _machine() -> dict[str, Any]:
    processor = Path("/proc/cpuinfo")
    lines = processor.read_text().splitlines() if processor.exists() else []
    described = sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))})
    return {
        "system": f"{platform.system()} {platform.machine()} {platform.processor()}",
        "processor": hashlib.sha256(json.dumps(described).encode()).hexdigest()[:16],
        "accelerators": sorted(device.name for device in Path("/dev").glob("nvidia[0-9]*")),
    }
