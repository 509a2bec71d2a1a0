"""Reader of ``trainer_state.json``, which Hugging Face's Trainer writes into each checkpoint."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from overmix.diagnose.logs.log import Log
from overmix.diagnose.logs.readers.json_text import begins_as_json, document
from overmix.diagnose.logs.readers.reader import Reader
from overmix.diagnose.logs.readers.rows import LogRow
from overmix.errors import DataError

STATE, HISTORY = "trainer_state.json", "log_history"
_CHECKPOINT = re.compile(r"checkpoint-(\d+)")


def read_state(path: Path) -> list[Log]:
    """Read the history of a ``trainer_state.json``.

    Raises:
        DataError: not JSON, or without a history.
    """
    content = document(path)
    rows = content.get(HISTORY) if isinstance(content, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{path}: no {HISTORY} in it, a list of rows; give the file that the Trainer wrote")
    if not rows:
        raise DataError(f"{path}: empty")
    return [Log(str(path), while_training(rows))]


def while_training(rows: Sequence[LogRow]) -> list[LogRow]:
    """Leave out what the Trainer logs at the last step after it has summed the training up.

    With ``load_best_model_at_end`` that is the best model, not the last: it would stand at the end of the curve, and
    hide a U. A training that goes on later logs at later steps.
    """
    kept: list[LogRow] = []
    ended: object = None
    for row in rows:
        if ended is None or row.get("step") != ended:
            kept.append(row)
        if "train_runtime" in row:
            ended = row.get("step")
    return kept


def _find(files: Sequence[Path]) -> dict[Path, list[Path]]:
    """Find one state per run: its own, else that of its last checkpoint."""
    runs: dict[Path, tuple[float, Path]] = {}
    for path in (path for path in files if path.name == STATE):
        checkpoint = _CHECKPOINT.fullmatch(path.parent.name)
        run = path.parent.parent if checkpoint else path.parent
        step = float(checkpoint[1]) if checkpoint else float("inf")
        if run not in runs or step > runs[run][0]:
            runs[run] = step, path
    return {run: [path] for run, (_, path) in runs.items()}


def _reads(path: Path) -> bool:
    try:
        content = document(path) if begins_as_json(path) else None
    except DataError:
        return False
    return isinstance(content, dict) and HISTORY in content


HUGGING_FACE = Reader("Hugging Face", find=_find, reads=_reads, read=lambda files: read_state(files[0]))
