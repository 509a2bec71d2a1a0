"""Finds logs: a path is a file, a run's folder, or a folder to search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from overmix.diagnose.logs.cells import is_absent
from overmix.diagnose.logs.log import Log
from overmix.diagnose.logs.readers import CSV, READERS, Reader
from overmix.diagnose.logs.repeats import only_where
from overmix.errors import DataError


@dataclass(frozen=True)
class Source:
    """What one reader read in one folder.

    Attributes:
        tool: whose logs they are.
        home: the run's own folder.
        logs: its runs.
    """

    tool: str
    home: Path
    logs: Sequence[Log]

    def having(self, metric: str) -> list[Log]:
        """Return the logs that have a metric."""
        return [log for log in self.logs if _has(log, metric)]


@dataclass(frozen=True)
class Found:
    """What a path holds.

    Attributes:
        sources: in the order of preference.
        notes: files that could not be read, and why.
    """

    sources: Sequence[Source]
    notes: Sequence[str] = ()

    def only(self, column: str, value: str) -> Found:
        """Return what is left where nothing but the rows count whose column holds a value."""
        sources = [replace(source, logs=only_where(source.logs, column, value)) for source in self.sources]
        return replace(self, sources=[source for source in sources if source.logs])

    def logs(self) -> list[Log]:
        """Return all logs, of whatever tool."""
        return [log for source in self.sources for log in source.logs]

    def runs(self, metric: str) -> tuple[list[Log], list[str]]:
        """Return one log per run that has a metric, and what was left out.

        Logs of two tools in one folder, or in folders inside of each other, are of one run: it must not count twice.
        Where one folder holds several that have the metric, it is no run of its own, and they are taken.
        """
        having = [source for source in self.sources if source.having(metric)]
        kept: list[Source] = []
        notes: list[str] = []
        for source in sorted(having, key=lambda source: _holds_several(source, having)):
            twin = next((other for other in kept if _same_run(other, source)), None)
            if twin is None:
                kept.append(source)
            else:
                notes.append(f"left out: {source.tool} in {source.home}, a run that {twin.tool} logged too")
        notes += [f"left out: {name}, which has no {metric}" for name in self._without(metric, kept)]
        return sorted((log for source in kept for log in source.having(metric)), key=lambda log: log.name), notes

    def _without(self, metric: str, kept: Sequence[Source]) -> list[str]:
        """Return runs without a metric; what another tool logged of a run that has it is none."""
        missed = [
            log.name
            for source in self.sources
            if _holds_several(source, self.sources) or not any(_same_run(source, other) for other in kept)
            for log in source.logs
            if not _has(log, metric) and _is_curve(log)
        ]
        return list(dict.fromkeys(missed))


def search(path: Path) -> Found:
    """Read all logs that a path holds; a folder is searched with all below it.

    Raises:
        DataError: nothing there, or nothing that can be read.
    """
    if path.is_dir():
        return _search_folder(path)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    if not path.is_file():
        raise DataError(f"{path}: neither a file nor a folder; save what it gives in a file first")
    reader = next((reader for reader in READERS if reader.reads(path)), CSV)  # any text may be a table
    return Found([Source(reader.tool, path.parent, reader.read([path]))])


def _search_folder(folder: Path) -> Found:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not _hidden(path, folder))
    sources: list[Source] = []
    failed: list[DataError] = []
    for reader in READERS:
        for home, inside in reader.find(files).items():
            logs = _read_each(reader, inside, failed)
            if logs:
                sources.append(Source(reader.tool, home, logs))
    if sources:
        return Found(sources, [f"left out: {error}" for error in failed])
    if failed:
        raise failed[-1]
    raise DataError(f"{folder}: no log found; known are {', '.join(reader.tool for reader in READERS)}")


def _read_each(reader: Reader, files: Sequence[Path], failed: list[DataError]) -> list[Log]:
    """Read what one folder holds; a file that cannot be read does not take the others with it."""
    try:
        return reader.read(files)
    except DataError as error:
        if len(files) == 1 or not reader.each:
            failed.append(error)
            return []
    return [log for file in files for log in _read_each(reader, [file], failed)]


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _nested(one: Path, other: Path) -> bool:
    return one == other or one in other.parents or other in one.parents


def _same_run(one: Source, other: Source) -> bool:
    return one.tool != other.tool and _nested(one.home, other.home)


def _holds_several(source: Source, others: Iterable[Source]) -> bool:
    return len({other.home for other in others if source.home in other.home.parents}) > 1


def _has(log: Log, metric: str) -> bool:
    """Whether a log has a metric; one that it cannot tell says why when it is judged."""
    return log.has(metric) or metric in log.unreadable


def _is_curve(log: Log) -> bool:
    """Whether a log has more than one look at anything: hyper-parameters have not."""
    counts: dict[str, int] = {}
    for row in log.rows:
        for name, value in row.items():
            counts[name] = counts.get(name, 0) + (not is_absent(value))
    return len(counts) > 1 and max(counts.values()) > 1
