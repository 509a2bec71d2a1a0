"""The rows of the table: an integration, a setting and a switch, and whether the training is the plain loop's."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from overmix.switch import Policy, Schedule
from tools.conformance import reference
from tools.conformance.adapters import accelerate, fabric, images, lightning, sklearn, transformers
from tools.conformance.ranks import in_two_processes
from tools.conformance.task import SETTINGS, SWITCHES, Setting, Trained, differences

Fit = Callable[[Schedule | Policy, Setting], Trained]
Resumes = Callable[..., dict[str, bool]]

OWN_LOOP = "the loop is the user's: what it saves resumes as any loop with Epochs does"
IN_CALLS = "an estimator trains in one call, in one process"
PROCESSES = "2 processes"
NOT_TRAINED = "not trained in two processes"
EPOCH_ENDS, INSIDE = "resumed at epoch ends", "resumed inside epochs"


@dataclass(frozen=True)
class Integration:
    """An integration, and what it is held against.

    Args:
        fit: trains the task with it.
        plain: trains the same in a loop of one's own.
        reasons: why it has no row in a setting.
        known: why it cannot be equal in a setting, with overmix or without.
        saving: how checkpoints are asked for, by row; with ``resumes``.
        resumes: resumes from each checkpoint.
        ranks: the names, among those of ``ranks.RANKS``, by which it and its reference train in two processes.
    """

    fit: Fit
    plain: Fit = reference.plain
    reasons: Mapping[str, str] = field(default_factory=dict)
    known: Mapping[str, str] = field(default_factory=dict)
    saving: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    resumes: Resumes | None = None
    ranks: tuple[str, str] | None = None


@dataclass(frozen=True)
class Row:
    """A cell of the table.

    Args:
        integration: its name.
        setting: how the task was trained.
        switch: when it stopped mixing.
        equal: whether nothing differs; None where it was not trained.
        note: what differs, or why there is nothing to compare.
    """

    integration: str
    setting: str
    switch: str
    equal: bool | None
    note: str = ""


_LOOP = {EPOCH_ENDS: OWN_LOOP, INSIDE: OWN_LOOP}
_ONE_PROCESS = {PROCESSES: NOT_TRAINED}
_ESTIMATOR = {setting: "the estimator has no such setting" for setting in SETTINGS if setting != "plain"}

INTEGRATIONS: dict[str, Integration] = {
    "Lightning": Integration(
        lightning.fit,
        known={INSIDE: "Lightning does not skip the batches that were trained, but reads the epoch's first ones again"},
        saving={
            EPOCH_ENDS: {"save_on_train_epoch_end": True},
            INSIDE: {"every_n_train_steps": 10},
        },
        resumes=lightning.resumes,
        ranks=("Lightning", "plain, sharded samplers"),
    ),
    "transformers": Integration(
        transformers.fit,
        transformers.own_loop,
        saving={
            EPOCH_ENDS: {"save_strategy": "epoch"},
            INSIDE: {"save_strategy": "steps", "save_steps": 10},
        },
        resumes=transformers.resumes,
        ranks=("transformers", "transformers, own loop"),
    ),
    "accelerate": Integration(accelerate.fit, reasons=_LOOP, ranks=("accelerate", "plain, every second batch")),
    "accelerate, seedable order": Integration(
        accelerate.fit_seedable,
        accelerate.reference_seedable,
        reasons=_LOOP,
        ranks=("accelerate, seedable order", "accelerate, seedable order, told the epoch"),
    ),
    "Fabric": Integration(fabric.fit, reasons=_LOOP, ranks=("Fabric", "plain, sharded samplers")),
    "timm": Integration(images.fit_timm, images.reference_timm, reasons={**_LOOP, **_ONE_PROCESS}),
    "torchvision": Integration(images.fit_torchvision, images.reference_torchvision, reasons={**_LOOP, **_ONE_PROCESS}),
    "scikit-learn": Integration(
        sklearn.fit,
        sklearn.reference,
        reasons={**_ESTIMATOR, EPOCH_ENDS: IN_CALLS, INSIDE: IN_CALLS, PROCESSES: IN_CALLS},
    ),
}

# Those that go back; a schedule has less to resume.
RESUMED_SWITCHES = ("goes back", "AutoSwitch")


def trained_row(name: str, setting: str, switch: str) -> Row:
    """Train an integration and its reference."""
    one, rule = INTEGRATIONS[name], SWITCHES[switch]
    if setting in one.reasons:
        return Row(name, setting, switch, None, one.reasons[setting])
    unequal = differences(one.fit(rule, SETTINGS[setting]), one.plain(rule, SETTINGS[setting]), rule)
    return Row(name, setting, switch, not unequal, ", ".join(unequal))


def resumed_row(name: str, setting: str, switch: str) -> Row:
    """Resume from every checkpoint of a training."""
    one = INTEGRATIONS[name]
    if setting not in one.saving:
        return Row(name, setting, switch, None, one.reasons[setting])
    assert one.resumes is not None
    with tempfile.TemporaryDirectory() as folder:
        ended = one.resumes(SWITCHES[switch], Path(folder), **one.saving[setting])
    equal = sum(ended.values())
    others = ", ".join(name for name, is_equal in ended.items() if not is_equal)
    why = one.known.get(setting, f"not {others}" if others else "")
    note = f"{equal} of {len(ended)} checkpoints" + (f": {why}" if why else "")
    return Row(name, setting, switch, equal == len(ended) > 0, note)


def ranks_row(name: str, switch: str) -> Row:
    """Train in two processes, by an integration and by a loop of one's own."""
    one = INTEGRATIONS[name]
    if one.ranks is None:
        return Row(name, PROCESSES, switch, None, one.reasons[PROCESSES])
    ours, plain = (in_two_processes(train, switch) for train in one.ranks)
    unequal = differences(ours[0], plain[0], SWITCHES[switch])
    if len({(rank.switch_at, rank.spent, rank.scores) for rank in ours}) != 1:
        unequal.append("the ranks disagree")
    return Row(name, PROCESSES, switch, not unequal, ", ".join(unequal))


def all_rows(names: Collection[str], earlier: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    """Yield every row of the table; what was trained earlier serves for integrations that are not named."""
    for name in INTEGRATIONS:
        if name not in names:
            yield from (_as_now(Row(**row)) for row in earlier if row["integration"] == name)
            continue
        for setting in SETTINGS:
            for switch in SWITCHES:
                yield trained_row(name, setting, switch)
        for setting in (EPOCH_ENDS, INSIDE):
            for switch in RESUMED_SWITCHES:
                yield resumed_row(name, setting, switch)
        for switch in RESUMED_SWITCHES:
            yield ranks_row(name, switch)


def _as_now(row: Row) -> Row:
    return row if row.equal is not None else replace(row, note=INTEGRATIONS[row.integration].reasons[row.setting])


def pairs() -> list[tuple[str, str, str]]:
    """Return a selection of trainings where each two of integration, setting and switch meet (where they can).

    Latin squares: of row and column follows the third.
    """
    settings, switches = list(SETTINGS), list(SWITCHES)
    chosen = []
    for i, name in enumerate(INTEGRATIONS):
        for j, setting in enumerate(settings):
            if setting not in INTEGRATIONS[name].reasons:
                chosen.append((name, setting, switches[(i + j) % len(switches)]))
    return chosen
