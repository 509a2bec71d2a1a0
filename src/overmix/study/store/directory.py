"""The run directory: what a study leaves on disk, and whether it may be gone on with."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overmix.errors import RunDirectoryError
from overmix.files.folders import file_in_the_way
from overmix.study.plan.cells import StackTask
from overmix.study.store.files import (
    LOCK_NAME,
    is_intact_file,
    is_temporary,
    make_folder,
    read_json,
    remove_temporaries,
    set_aside,
    write_sealed_json,
)

_FORMAT = 2
_UNSEALED = 1
"""The format before files had seals: its study may be gone on with, but its stacks are trained again."""

_LEAST_FREE_BYTES = 64 << 20
FORK_BYTES = 2 << 30
"""How much space the states that other stacks go on from may take; beyond it, those stacks train from the start."""

_EXTENDABLE = ("seeds", "compare", "executor", "name", "metric")
"""Keys of a study that may differ when a run directory is used again: what is missing is then added."""


@dataclass(frozen=True)
class RunDirectory:
    """Paths within a run directory.

    Layout: ``study.json`` (the resolved study and what its bytes depend on), ``stacks/`` (results, one file per
    finished stack), ``checkpoints/`` (unfinished stacks), ``curves.parquet``, ``summary.json``, ``report.html``,
    ``figures/``.
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

    def result_file(self, task: StackTask) -> Path:
        """Result of a finished stack."""
        return self.path / "stacks" / f"{task.id}.safetensors"

    def checkpoint_file(self, task: StackTask) -> Path:
        """State of an unfinished stack."""
        return self.path / "checkpoints" / f"{task.id}.safetensors"

    def has_room_for_fork(self, size: int) -> bool:
        """Return whether a state of so many bytes may be left here for another stack to go on from."""
        folder = self.path / "checkpoints"
        return size + sum(file.stat().st_size for file in folder.iterdir() if not is_temporary(file)) <= FORK_BYTES

    def open(self) -> None:
        """Make the folder, if it is not there yet, and make sure that it can be used.

        Raises:
            RunDirectoryError: if it is a file, holds something else, cannot be written or is full.
        """
        try:
            if self.path.exists() and not self.path.is_dir():
                raise RunDirectoryError(f"{self.path}: it is a file: choose another --out")
            if self.path.is_dir() and not self.study_file.exists() and self._foreign():
                raise RunDirectoryError(f"{self.path}: it holds other files and no study: choose an empty --out")
            self._check_place()
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunDirectoryError(
                f"{self.path}: no run directory can be made here ({error.strerror or error}): choose another --out"
            ) from None

    def _check_place(self) -> None:
        """Refuse a place without permission or room, before anything is made there."""
        if blocked := file_in_the_way(self.path):
            raise RunDirectoryError(f"{self.path}: {blocked} is a file, no folder: choose another --out")
        place = self.path.absolute()
        place = next(folder for folder in (place, *place.parents) if folder.exists())
        if not os.access(place, os.W_OK | os.X_OK):
            raise RunDirectoryError(f"{self.path}: no permission to write: choose another --out")
        free = shutil.disk_usage(place).free
        if free < _LEAST_FREE_BYTES:
            raise RunDirectoryError(
                f"{self.path}: only {free >> 20} MiB are free: free at least {_LEAST_FREE_BYTES >> 20} MiB, or choose "
                "another --out"
            )

    def _foreign(self) -> list[str]:
        """Return what is in the folder beside what a process leaves that was killed before it wrote ``study.json``."""
        return [entry.name for entry in self.path.iterdir() if entry.name != LOCK_NAME and not is_temporary(entry)]

    def adopt(self, study: dict[str, Any], marks: dict[str, Any], *, other_machine: bool) -> dict[str, Any]:
        """Check that the folder is new or belongs to this study and machine, and write ``study.json``.

        Where the folder holds a finished study that is now extended, ``study.json`` goes on describing that one until
        :meth:`finish`, as the results beside it do: whatever comes between leaves a finished study behind.

        Args:
            study: the resolved study.
            marks: what its bytes depend on beyond itself: ``fingerprint``, and hashes of ``data`` and ``code`` by name.
            other_machine: go on although the fingerprint differs; the bytes of the result may then differ.

        Returns:
            The marks of everything that was ever trained here, ``earlier_fingerprints`` among them if there are any.

        Raises:
            RunDirectoryError: if it belongs to another study, other data, other code or another machine.
        """
        if self.study_file.exists():
            before = self.read()
            self._check_same_study(before["study"], study)
            marks = self._merged_marks(before["marks"], marks, other_machine=other_machine)
            if self.summary_file.exists():
                study = before["study"]
        self._describe(study, marks)
        for name in ("stacks", "checkpoints"):
            make_folder(self.path / name)
        return marks

    def finish(self, study: dict[str, Any], marks: dict[str, Any]) -> None:
        """Let ``study.json`` describe the study whose results are now here."""
        self._describe(study, marks)

    def _describe(self, study: dict[str, Any], marks: dict[str, Any]) -> None:
        write_sealed_json(self.study_file, {"format": _FORMAT, "study": study, "marks": marks})

    def check_data(self, key: str, digest: str) -> None:
        """Refuse data that are not those that the study was begun with.

        Args:
            key: which data, as the marks name them.
            digest: hash of the arrays that were read.

        Raises:
            RunDirectoryError: if they changed.
        """
        if self.study_file.exists() and self.read()["marks"]["data"].get(key, digest) != digest:
            raise self._changed("data", key)

    def check_code(self, name: str, digest: str) -> None:
        """Refuse code that is not that which the study was begun with; like :meth:`check_data`."""
        if self.study_file.exists() and self.read()["marks"]["code"].get(name, digest) != digest:
            raise self._changed("code", name)

    def _changed(self, kind: str, name: str) -> RunDirectoryError:
        told = _told_data(name) if kind == "data" else name
        return RunDirectoryError(
            f"{self.path}: the {kind} of {told} changed since the study was begun: restore it, or choose another --out"
        )

    def read(self) -> dict[str, Any]:
        """Return the content of ``study.json``.

        Raises:
            RunDirectoryError: if there is none, or it is damaged or of another format.
        """
        if not self.study_file.exists():
            raise RunDirectoryError(f"{self.path}: it is no run directory (study.json is missing): name another folder")
        content = read_json(self.study_file)
        if not isinstance(content, dict) or content.get("format") not in (_FORMAT, _UNSEALED):
            raise RunDirectoryError(f"{self.study_file}: it is not of format {_FORMAT}: choose another --out")
        unsealed = content["format"] == _UNSEALED and "seal" not in content
        if not unsealed and not is_intact_file(self.study_file):
            raise RunDirectoryError(
                f"{self.study_file}: it was changed or damaged since it was written: restore it, or choose another "
                "--out"
            )
        content.pop("seal", None)
        marks = content.get("marks")
        parts = [content.get("study"), marks]
        if isinstance(marks, dict):
            parts += [marks.get(key) for key in ("fingerprint", "data", "code")]
        if not all(isinstance(part, dict) for part in parts):
            raise RunDirectoryError(f"{self.study_file}: parts of it are missing: choose another --out")
        return content

    def tidy(self, tasks: Sequence[StackTask]) -> list[Path]:
        """Delete what killed processes left behind, and set aside what was damaged since it was written.

        What is left behind are temporary files, and checkpoints of finished stacks. Call it while the folder is locked.

        Returns:
            Where the damaged files of these stacks are now; those without a seal, of an earlier version, among them.
        """
        for folder in (self.path, self.path / "stacks", self.path / "checkpoints"):
            remove_temporaries(folder)
        damaged = []
        for task in tasks:
            result, checkpoint = self.result_file(task), self.checkpoint_file(task)
            if os.path.lexists(result) and not is_intact_file(result):
                damaged.append(set_aside(result, self.path))
            if result.exists():
                checkpoint.unlink(missing_ok=True)
            elif os.path.lexists(checkpoint) and not is_intact_file(checkpoint):
                damaged.append(set_aside(checkpoint, self.path))
        return damaged

    def _check_same_study(self, before: dict[str, Any], study: dict[str, Any]) -> None:
        old_parts, new_parts = (
            {key: value for key, value in content.items() if key not in _EXTENDABLE} for content in (before, study)
        )
        difference = _difference(old_parts, new_parts)
        if difference is not None:
            key, old, new = difference
            raise RunDirectoryError(
                f"{self.path}: it holds another study ({key} was {old!r}, now {new!r}): choose another --out"
            )

    def _merged_marks(self, before: dict[str, Any], marks: dict[str, Any], *, other_machine: bool) -> dict[str, Any]:
        for kind in ("data", "code"):
            for name, mark in marks[kind].items():
                if before[kind].get(name, mark) != mark:
                    raise self._changed(kind, name)
        difference = _difference(before["fingerprint"], marks["fingerprint"])
        if difference is not None and not other_machine:
            key, old, new = difference
            raise RunDirectoryError(
                f"{self.path}: begun with {key} {old!r}, now {new!r}: choose another --out, or mix them knowingly with "
                "--other-machine"
            )
        # A run directory remembers every machine that it was worked on.
        earlier = [*before.get("earlier_fingerprints", []), before["fingerprint"]]
        return {
            "fingerprint": marks["fingerprint"],
            "data": {**before["data"], **marks["data"]},
            "code": {**before["code"], **marks["code"]},
            "earlier_fingerprints": [
                mark for at, mark in enumerate(earlier) if mark != marks["fingerprint"] and mark not in earlier[:at]
            ],
        }


def _told_data(key: str) -> str:
    """Return how people call data: by name and place, if the key is the JSON of their description."""
    try:
        content = json.loads(key)
        return " ".join(str(content[part]) for part in ("name", "path") if content.get(part))
    except (ValueError, AttributeError, KeyError):
        return key


def _difference(before: Mapping[str, Any], now: Mapping[str, Any], inside: str = "") -> tuple[str, Any, Any] | None:
    """Return the first key that differs, as a study file writes it, with both values."""
    for key in dict.fromkeys([*now, *before]):
        old, new = before.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            difference = _difference(old, new, f"{inside}{key}.")
            if difference is not None:
                return difference
        elif old != new:
            return f"{inside}{key}", old, new
    return None
