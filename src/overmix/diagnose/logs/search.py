"""Finds logs: a path is a file, a run's folder, or a folder to search."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from overmix.diagnose.logs.log import Log
from overmix.diagnose.logs.tables import EmptyLogError, read_csv, read_json, read_mlflow
from overmix.diagnose.logs.tensorboard import read_events
from overmix.errors import DataError

_EVENTS = "events.out.tfevents."
_CHECKPOINT = re.compile(r"checkpoint-(\d+)")


def read_logs(path: Path) -> list[Log]:
    """Read all runs that a path holds.

    A folder is searched, with all below it, for one kind of log after the other, and the first kind found is read:
    one run logged by two tools must not count twice.

    Raises:
        DataError: nothing there, or nothing that can be read.
    """
    if path.is_dir():
        return _read_folder(path)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    if _EVENTS in path.name:
        return read_events([path])
    if path.suffix.lower() == ".json":
        return read_json(path)
    return read_csv(path)


def _read_folder(folder: Path) -> list[Log]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not _hidden(path, folder))
    kinds: list[tuple[Iterable[Path], Callable[[Path], list[Log]]]] = [
        (_mlflow_runs(folder, files), read_mlflow),
        (_last_states(files), read_json),
        ([path for path in files if path.name == "metrics.csv"], read_csv),
        (dict.fromkeys(path.parent for path in files if _EVENTS in path.name), _read_event_folder),
        ([path for path in files if path.suffix.lower() == ".csv"], read_csv),
        ([path for path in files if path.suffix.lower() == ".json" and "history" in path.stem.lower()], read_json),
    ]
    empty: EmptyLogError | None = None
    for found, read in kinds:
        logs: list[Log] = []
        for path in found:
            try:
                logs += read(path)
            except EmptyLogError as error:  # others of the folder may have something to say
                empty = error
        if logs:
            return logs
    if empty is not None:
        raise empty
    raise DataError(
        f"{folder}: no log found; give CSV, TensorBoard event files, trainer_state.json, Keras history or an MLflow run"
    )


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _mlflow_runs(folder: Path, files: list[Path]) -> list[Path]:
    """Return folders that hold ``meta.yaml`` and ``metrics/``; one given by itself needs no ``meta.yaml``."""
    if (folder / "metrics").is_dir() and not any(path.suffix for path in (folder / "metrics").iterdir()):
        return [folder]
    return [path.parent for path in files if path.name == "meta.yaml" and (path.parent / "metrics").is_dir()]


def _last_states(files: list[Path]) -> list[Path]:
    """Return one ``trainer_state.json`` per run: its own, else that of its last checkpoint."""
    runs: dict[Path, tuple[float, Path]] = {}
    for path in (path for path in files if path.name == "trainer_state.json"):
        checkpoint = _CHECKPOINT.fullmatch(path.parent.name)
        run = path.parent.parent if checkpoint else path.parent
        step = float(checkpoint[1]) if checkpoint else float("inf")
        if run not in runs or step > runs[run][0]:
            runs[run] = step, path
    return [path for _, path in runs.values()]


def _read_event_folder(folder: Path) -> list[Log]:
    return read_events([path for path in folder.iterdir() if _EVENTS in path.name])
