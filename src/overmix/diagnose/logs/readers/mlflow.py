"""Reader of MLflow's runs: ``metrics/<name>`` with lines "timestamp value step"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from overmix.diagnose.logs.log import Log
from overmix.diagnose.logs.readers.reader import Reader, lines_of, text_of
from overmix.errors import DataError

_METRICS = "metrics"


def read_mlflow(files: Sequence[Path]) -> list[Log]:
    """Read the metrics of one run.

    Raises:
        DataError: a line of another form.
    """
    folder = _metrics_of(files[0])
    rows: list[Mapping[str, object]] = []
    for file in sorted(files):
        name = file.relative_to(folder).as_posix()
        for number, line in enumerate(lines_of(text_of(file)), start=1):
            parts = line.split()
            if len(parts) != 3:
                raise DataError(f'{file}, line {number}: {line[:40]!r} is not "timestamp value step"')
            rows.append({"step": parts[2], name: parts[1]})
    return [Log(str(folder.parent), rows)]


def _find(files: Sequence[Path]) -> dict[Path, list[Path]]:
    """Find runs: folders that hold ``meta.yaml`` and ``metrics/``; where no file has a suffix, ``metrics/`` will do."""
    inside: dict[Path, list[Path]] = {}
    for file in files:
        if _METRICS in file.parts[:-1]:
            inside.setdefault(_metrics_of(file), []).append(file)
    described = {file.parent for file in files if file.name == "meta.yaml"}
    return {
        folder.parent: found
        for folder, found in inside.items()
        if folder.parent in described or not any(file.suffix for file in found)
    }


def _metrics_of(file: Path) -> Path:
    return next(parent for parent in file.parents if parent.name == _METRICS)


MLFLOW = Reader(
    "MLflow",
    find=_find,
    reads=lambda path: path.parent.name == _METRICS and not path.suffix,
    read=read_mlflow,
)
