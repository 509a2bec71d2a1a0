"""The result of the frozen benchmark, of as many of its trainings as are recorded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from overmix.experiments.switch_benchmark.frozen.candidates import FIRST, WATCHED
from overmix.experiments.switch_benchmark.frozen.contenders import BEST_LOOK, contenders
from overmix.experiments.switch_benchmark.frozen.endpoints import PRIMARY, Judged, compared, judge, summary, verdict
from overmix.experiments.switch_benchmark.frozen.reading import FrozenRecord
from overmix.experiments.switch_benchmark.frozen.record import record_file
from overmix.experiments.switch_benchmark.frozen.trainings import TRAININGS, Training


def evaluate_frozen(folder: Path, trainings: Sequence[Training] = TRAININGS) -> dict[str, Any]:
    """Return the endpoints and the table.

    Only a prefix of the list counts, up to the first training that is not recorded: what comes after a gap may be
    there because it was quick.

    Args:
        folder: of the records.
        trainings: the list.
    """
    judged = []
    for training in trainings:
        if not record_file(folder, training).exists():
            break
        judged.append(_judged(FrozenRecord.read(folder, training)))
    result: dict[str, Any] = {
        "trainings": len(trainings),
        "data_sets": len({t.group for t in trainings}),
        "recorded": len(judged),
        "recorded_data_sets": len({one.group for one in judged}),
    }
    if not judged:
        return result
    return result | {
        "primary": _primary(judged),
        "primary_without_fashion_mnist": _primary([one for one in judged if one.group != "fashion_mnist"]),
        "shipped": {rival: compared(judged, rival, FIRST) for rival in judged[0].error},
        "watched": {rival: compared(judged, rival, WATCHED) for rival in (FIRST, PRIMARY, BEST_LOOK)},
        "contenders": [summary(judged, who) for who in judged[0].error],
        "rows": [vars(one) for one in judged],
    }


def _judged(record: FrozenRecord) -> Judged:
    training = record.training
    return judge(training.name, training.group, training.epochs, training.model, contenders(record), record.finals)


def _primary(judged: Sequence[Judged]) -> dict[str, Any] | None:
    if not judged:
        return None
    gain = compared(judged, PRIMARY)
    return gain | {"verdict": verdict(gain), "trainings": len(judged), "data_sets": len({one.group for one in judged})}
