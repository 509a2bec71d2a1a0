"""Record what is not recorded yet, in the order of the list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from overmix.experiments.switch_benchmark.frozen.record import record, record_file
from overmix.experiments.switch_benchmark.frozen.trainings import TRAININGS, Training
from overmix.study.plan.shards import Shard
from overmix.study.run.missing import Done, FileJob, held, run_missing


def record_frozen(
    out: Path,
    trainings: Sequence[Training] = TRAININGS,
    workers: int = 1,
    tell: Callable[[Done], None] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
    shard: Shard | None = None,
) -> None:
    """Record the trainings that are not in a folder yet.

    Args:
        out: the folder; a file per training, and the arrays that they are trained on in ``data``.
        trainings: in the order in which they are recorded.
        workers: processes; records do not depend on it.
        tell: called after each training.
        say: called with a line for each file that was damaged, which is made again.
        shard: which part of the trainings to record; all shards may write to one folder.

    Raises:
        ConfigError: if a package with data is not there.
        RunDirectoryError: if the folder cannot be written, or another process does.
        StudyInterrupted: after Ctrl-C; what is finished is kept.
    """
    files = [(record_file(out, training), partial(record, training, out)) for training in trainings]
    jobs = [FileJob(file.name, file, make) for file, make in files]
    with held(out, shard):
        run_missing(jobs, workers=workers, tell=tell, say=say, shard=shard)
