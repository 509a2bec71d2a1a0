"""Reader of TensorBoard's event files, scalars only; needs neither TensorBoard nor TensorFlow.

An event file is a row of records (length, CRC, bytes, CRC), each a protocol buffer ``Event``. Numbers of fields are
those of TensorBoard's ``event.proto``, ``summary.proto`` and ``tensor.proto``.
"""

from __future__ import annotations

import struct
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path

from overmix.diagnose.logs.log import Log
from overmix.diagnose.logs.names import split_of, split_of_text
from overmix.diagnose.logs.readers.reader import Reader, by_folder
from overmix.errors import DataError
from overmix.files.regular_file import open_regular

EVENTS = "events.out.tfevents."
LARGEST = 1 << 16  # bytes; a longer record holds images or graphs, and is passed over unchecked
_AXIS = "step"
_STEP, _SUMMARY = 2, 5
_VALUE, _TAG, _SIMPLE, _TENSOR = 1, 1, 2, 8
_DTYPE, _CONTENT, _FLOATS, _DOUBLES = 1, 4, 5, 6
_FLOAT, _DOUBLE = 1, 2

Field = tuple[int, int | bytes]


def _table() -> list[int]:
    out = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        out.append(value)
    return out


_CRC = _table()


def crc32c(data: bytes) -> int:
    """Castagnoli's cyclic redundancy check.

    Example:
        >>> hex(crc32c(b"123456789"))
        '0xe3069283'
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def masked(crc: int) -> int:
    """Return the check as records store it, turned by 15 bits and shifted."""
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def read_events(files: Sequence[Path]) -> list[Log]:
    """Read the event files of one run, in the order of their names (a resumed run has several).

    Folders of a run that are named after a split (Keras: ``train``, ``validation``) or after a metric and one of its
    lines (PyTorch's ``add_scalars``: ``acc_val``) belong to the names of the metrics.

    Raises:
        DataError: a file that is damaged or no event file. A last record cut short is no damage: the run goes on.
    """
    folders = by_folder(sorted(files))
    home = _home(files[0].parent, folders)
    of_run: list[Mapping[str, object]] = []
    logs = []
    for folder, inside in folders.items():
        rows = [row for file in inside for row in _rows(file)]
        names = _names_in(folder.name, list(dict.fromkeys(tag for row in rows for tag in row if tag != _AXIS)))
        if folder == home or names:
            of_run += [{names.get(tag, tag): value for tag, value in row.items()} for row in rows]
        elif rows:
            logs.append(Log(str(folder), rows))
    return [Log(str(home), of_run), *logs] if of_run or not logs else logs


def _rows(file: Path) -> Iterator[Mapping[str, object]]:
    try:
        with open_regular(file) as stream:
            data = stream.read()
    except OSError as error:
        raise DataError(f"{file}: {error.strerror or error}") from None
    for record in _records(data, file):
        try:
            yield from _scalars(record)
        except (LookupError, struct.error, UnicodeDecodeError, AttributeError, TypeError):
            raise DataError(f"{file}: a record is no TensorBoard event") from None


def _records(data: bytes, file: Path) -> Iterator[bytes]:
    at = 0
    while at + 12 <= len(data):
        length, check = struct.unpack_from("<QI", data, at)
        if masked(crc32c(data[at : at + 8])) != check:
            raise DataError(f"{file}: damaged at byte {at}, or no TensorBoard event file")
        start, end = at + 12, at + 12 + length
        at = end + 4
        if at > len(data):
            return
        if length > LARGEST:
            continue
        if masked(crc32c(data[start:end])) != struct.unpack_from("<I", data, end)[0]:
            raise DataError(f"{file}: damaged at byte {start}")
        yield data[start:end]


def _scalars(record: bytes) -> Iterator[dict[str, object]]:
    event = list(_fields(record))
    step = next((value for number, value in event if number == _STEP), 0)
    for summary in (value for number, value in event if number == _SUMMARY):
        for entry in (value for number, value in _fields(summary) if number == _VALUE):
            parts = dict(_fields(entry))
            scalar = _scalar(parts)
            if scalar is not None:
                yield {_AXIS: step, parts[_TAG].decode(): scalar}  # type: ignore[union-attr]


def _scalar(parts: Mapping[int, int | bytes]) -> float | None:
    """Return the number of a summary's value, or of the tensor of one element that newer writers put there."""
    if _SIMPLE in parts:
        return float(struct.unpack("<f", parts[_SIMPLE])[0])  # type: ignore[arg-type]
    tensor = dict(_fields(parts[_TENSOR])) if _TENSOR in parts else {}
    form, fields = {_FLOAT: ("<f", _FLOATS), _DOUBLE: ("<d", _DOUBLES)}.get(_number(tensor.get(_DTYPE)), ("", 0))
    raw = tensor.get(_CONTENT) or tensor.get(fields)
    if not form or not isinstance(raw, bytes) or len(raw) != struct.calcsize(form):
        return None
    return float(struct.unpack(form, raw)[0])


def _number(value: int | bytes | None) -> int:
    return value if isinstance(value, int) else 0


def _fields(data: int | bytes) -> Iterator[Field]:
    """Fields of a protocol buffer message: numbers for varints, bytes for all else."""
    if not isinstance(data, bytes):
        raise TypeError("a number stands where a message should")
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        size, at = (_varint(data, at)) if wire == 2 else ({1: 8, 5: 4}[wire], at)
        yield number, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            return value, at


def _names_in(folder: str, tags: Sequence[str]) -> dict[str, str]:
    """Return the names of metrics whose folder is a part of them; empty if it is a run's own folder."""
    if split_of_text(folder) is not None and all(split_of(tag) in (None, "train") for tag in tags):
        return {tag: tag if split_of(tag) else f"{folder}/{tag}" for tag in tags}
    lines = {tag: f"{tag.replace('/', '_')}_" for tag in tags}
    return {tag: f"{tag}/{folder[len(begin) :]}" for tag, begin in lines.items() if folder.startswith(begin)}


def _home(folder: Path, folders: Container[Path]) -> Path:
    """Return the run's folder, as far as names tell: that above a split's, or above others with events."""
    return folder.parent if split_of_text(folder.name) is not None or folder.parent in folders else folder


def _find(files: Sequence[Path]) -> dict[Path, list[Path]]:
    folders = by_folder([file for file in files if EVENTS in file.name])
    runs: dict[Path, list[Path]] = {}
    for folder, inside in folders.items():
        runs.setdefault(_home(folder, folders), []).extend(inside)
    return runs


TENSORBOARD = Reader("TensorBoard", find=_find, reads=lambda path: EVENTS in path.name, read=read_events)
