"""The run directory: what a study leaves on disk, and whether it may be gone on with."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overmix.errors import RunDirectoryError
from overmix.study.cells import StackTask
from overmix.study.files import read_json, write_json

_FORMAT = 1
_LEAST_FREE_BYTES = 64 << 20
_EXTENDABLE = ("seeds", "compare", "executor", "name")
"""Keys of a study that may differ when a run directory is used again: what is missing is then added."""


@dataclass(frozen=True)
class RunDirectory:
    """Paths within a run directory.

    Layout: ``study.json`` (the resolved study and the fingerprint), ``stacks/`` (results, one file per finished stack),
    ``checkpoints/`` (unfinished stacks), ``curves.parquet``, ``summary.json``, ``report.html``, ``figures/``.
    """

    path: Path

    @property
    def study_file(self) -> Path:
        """The resolved study and the fingerprint."""
        return self.path / "study.json"

    @property
    def curves_file(self) -> Path:
        """All curves, canonical: sorted, without timings."""
        return self.path / "curves.parquet"

    @property
    def summary_file(self) -> Path:
        """What the study found."""
        return self.path / "summary.json"

    @property
    def report_file(self) -> Path:
        """The page."""
        return self.path / "report.html"

    def result_file(self, task: StackTask) -> Path:
        """Result of a finished stack."""
        return self.path / "stacks" / f"{task.id}.safetensors"

    def checkpoint_file(self, task: StackTask) -> Path:
        """State of an unfinished stack."""
        return self.path / "checkpoints" / f"{task.id}.safetensors"

    def open(self) -> None:
        """Make the folder, if it is not there yet, and make sure that it can be used.

        Raises:
            RunDirectoryError: if it is a file, holds something else, cannot be written or is full.
        """
        if self.path.exists() and not self.path.is_dir():
            raise RunDirectoryError(f"{self.path}: it is a file: choose another --out")
        if self.path.is_dir() and not self.study_file.exists() and self._foreign():
            raise RunDirectoryError(f"{self.path}: it holds other files and no study: choose an empty --out")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunDirectoryError(
                f"{self.path}: no run directory can be made here ({error.strerror}): choose another --out"
            ) from None
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise RunDirectoryError(f"{self.path}: no permission to write: choose another --out")
        free = shutil.disk_usage(self.path).free
        if free < _LEAST_FREE_BYTES:
            raise RunDirectoryError(
                f"{self.path}: only {free >> 20} MiB are free: free at least {_LEAST_FREE_BYTES >> 20} MiB, or choose "
                "another --out"
            )

    def _foreign(self) -> list[str]:
        return [entry.name for entry in self.path.iterdir() if entry.name != ".lock"]

    def adopt(self, study: dict[str, Any], marks: dict[str, Any], *, other_machine: bool) -> None:
        """Check that the folder is new or belongs to this study and machine, and write ``study.json``.

        Args:
            study: the resolved study.
            marks: the fingerprint, and the digest of the data.
            other_machine: go on although the fingerprint differs; the bytes of the result may then differ.

        Raises:
            RunDirectoryError: if it belongs to another study, other data or another machine.
        """
        if self.study_file.exists():
            before = self.read()
            self._check_same_study(before["study"], study)
            self._check_same_marks(before["marks"], marks, other_machine=other_machine)
        for folder in (self.path / "stacks", self.path / "checkpoints"):
            folder.mkdir(exist_ok=True)
        write_json(self.study_file, {"format": _FORMAT, "study": study, "marks": marks})

    def read(self) -> dict[str, Any]:
        """Return the content of ``study.json``.

        Raises:
            RunDirectoryError: if there is none, or it is of another format.
        """
        if not self.study_file.exists():
            raise RunDirectoryError(f"{self.path}: it is no run directory (study.json is missing): name another folder")
        content: dict[str, Any] = read_json(self.study_file)
        if content.get("format") != _FORMAT:
            raise RunDirectoryError(f"{self.study_file}: format {content.get('format')!r} is not {_FORMAT}: run anew")
        return content

    def _check_same_study(self, before: dict[str, Any], study: dict[str, Any]) -> None:
        for key in study:
            if key not in _EXTENDABLE and before.get(key) != study[key]:
                raise RunDirectoryError(
                    f"{self.path}: it holds another study ({key} was {before.get(key)!r}, now {study[key]!r}): "
                    "choose another --out"
                )

    def _check_same_marks(self, before: dict[str, Any], marks: dict[str, Any], *, other_machine: bool) -> None:
        if before["data"] != marks["data"]:
            raise RunDirectoryError(f"{self.path}: the data have changed since it was begun: choose another --out")
        if other_machine:
            return
        for key, value in marks["fingerprint"].items():
            if before["fingerprint"].get(key) != value:
                raise RunDirectoryError(
                    f"{self.path}: begun with {key} {before['fingerprint'].get(key)!r}, now {value!r}: "
                    "choose another --out, or mix them knowingly with --other-machine"
                )
