"""Record what is not recorded yet, in the order of the list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from overmix.experiments.switch_benchmark.frozen.record import record, record_file
from overmix.experiments.switch_benchmark.frozen.trainings import TRAININGS, Training
from overmix.study.run.missing import Done, FileJob, run_missing
from overmix.study.store.files import locked, remove_temporaries


def record_frozen(
    out: Path,
    trainings: Sequence[Training] = TRAININGS,
    workers: int = 1,
    tell: Callable[[Done], None] = lambda _: None,
) -> None:
    """Record the trainings that are not in a folder yet.

    Args:
        out: the folder; a file per training, and the arrays that they are trained on in ``data``.
        trainings: in the order in which they are recorded.
        workers: processes; records do not depend on it.
        tell: called after each training.

    Raises:
        ConfigError: if a package with data is not there.
        RunDirectoryError: if the folder cannot be written, or another process does.
        StudyInterrupted: after Ctrl-C; what is finished is kept.
    """
    out.mkdir(parents=True, exist_ok=True)
    files = [(record_file(out, training), partial(record, training, out)) for training in trainings]
    with locked(out):
        remove_temporaries(out)
        run_missing([FileJob(file.name, file, make) for file, make in files], workers=workers, tell=tell)
