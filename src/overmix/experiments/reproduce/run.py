"""Run an experiment: every setting that is not finished, then the claims are judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from overmix.errors import ConfigError, DataError, MissingExtraError, RunDirectoryError, did_you_mean
from overmix.experiments.reproduce.catalogue import Experiment, Setting, experiment, study_spec
from overmix.experiments.reproduce.check import judge_claims
from overmix.experiments.reproduce.explained import explained
from overmix.experiments.reproduce.finding import Finding, Picture, line
from overmix.experiments.reproduce.measured import Measured
from overmix.experiments.reproduce.parts import Parts
from overmix.experiments.reproduce.scale import Scale
from overmix.files.folders import made_folder
from overmix.report import write_report
from overmix.report.explain import write_explanation
from overmix.study import load_result, run_study, summary_to_json
from overmix.study.analyse.result import load_cells
from overmix.study.plan.cells import expand
from overmix.study.plan.fingerprint import fingerprint
from overmix.study.plan.shards import Shard
from overmix.study.run.missing import FileJob, run_missing
from overmix.study.run.run_study import Outlook
from overmix.study.run.worker import StackProgress
from overmix.study.spec.plain import digest
from overmix.study.spec.schema import StudySpec
from overmix.study.store.files import locked, read_json, read_whole_json
from overmix.study.store.seal import sealed_json

SCHEMA_VERSION = 1
RULES_VERSION = 2
"""Raised when a rule changes: what was measured without a run directory is then measured again."""

NOT_ASKED_FOR = "not asked for"
"""Why a setting is missing that the user left out."""

MOST_LINES = 6
FRAME = 1.6
"""A picture of errors begins at the first epoch below this many times the lowest error of the worst condition."""


class Watcher(Protocol):
    """What is told while a study runs."""

    def start(self, outlook: Outlook) -> None:
        """Called once, before the first training."""

    def tell(self, progress: StackProgress) -> None:
        """Called with each worker's progress."""


class _Silent:
    def start(self, outlook: Outlook) -> None:
        """Say nothing."""

    def tell(self, progress: StackProgress) -> None:
        """Say nothing."""


Watch = Callable[[StudySpec, Path], AbstractContextManager[Watcher]]


def run_experiment(
    name: str,
    scale: Scale,
    out: Path,
    *,
    settings: Sequence[str] | None = None,
    workers: int | None = None,
    watch: Watch | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Run what is missing of an experiment, and return its result.

    ``report.html`` is the page, ``result.json`` has the numbers that decide, ``figures/`` the charts. Each setting
    has a folder in ``out``: a run directory with a page of its own where it is a study. An interrupted experiment
    goes on where it stopped.

    Args:
        name: one of the catalogue's.
        scale: smoke, laptop or paper.
        out: the folder, made if missing.
        settings: only these; the result names the others as missing.
        workers: processes of the studies; what the studies say by default.
        watch: shows the progress of a study.
        say: called with a line before each setting.

    Raises:
        ConfigError: for an unknown name of an experiment or setting.
        OvermixError: for anything else that the user can mend.
    """
    chosen = experiment(name)
    done, missing = _run_settings(chosen, scale, out, _wanted(chosen, scale, settings), workers, watch, say)
    if not done:
        raise DataError(f"{name}: no setting can run here: {missing[0]['reason']}")
    result = {
        "schema_version": SCHEMA_VERSION,
        "name": name,
        "title": chosen.title,
        "scale": scale,
        "settings": done,
        "missing": missing,
        "verdicts": judge_claims(done),
    }
    write_explanation(explained(result), out)
    return result


def run_shard_of_experiment(
    name: str,
    scale: Scale,
    out: Path,
    shard: Shard,
    *,
    settings: Sequence[str] | None = None,
    workers: int | None = None,
    watch: Watch | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """Run the settings of a part of an experiment; nothing is judged.

    All shards may write to one folder: each setting has one of its own in it. :func:`run_experiment` then finds them
    finished, and judges.

    Args:
        name: see :func:`run_experiment`, as the others.
        scale: likewise.
        out: likewise.
        shard: which part.
        settings: likewise.
        workers: likewise.
        watch: likewise.
        say: likewise.
    """
    chosen = experiment(name)
    wanted = _wanted(chosen, scale, settings)
    _run_settings(chosen, scale, out, shard.of_jobs(wanted, [1.0] * len(wanted)), workers, watch, say)


def _run_settings(
    chosen: Experiment,
    scale: Scale,
    out: Path,
    wanted: Sequence[str],
    workers: int | None,
    watch: Watch | None,
    say: Callable[[str], None],
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Run settings, and return what they say, and why others are missing."""
    _check_scale(out, chosen.name, scale)
    done, missing = [], []
    for setting in chosen.at(scale):
        if setting.key not in wanted:
            missing.append({"key": setting.key, "reason": NOT_ASKED_FOR})
            continue
        say(f"{chosen.name}: {setting.key}")
        try:
            done.append(_run_setting(chosen, setting, scale, out / setting.key, workers, watch, say))
        except MissingExtraError as error:
            # One setting's extra must not take the others with it.
            say(f"{chosen.name}: {setting.key} left out: {error}")
            missing.append({"key": setting.key, "reason": str(error)})
    return done, missing


def _check_scale(out: Path, name: str, scale: Scale) -> None:
    """Refuse a folder that holds another experiment, or another scale of this one."""
    path = out / "result.json"
    if not path.exists():
        return
    before = read_json(path)
    if (before.get("name"), before.get("scale")) != (name, scale):
        held = f"{before.get('name')} at {before.get('scale')} scale"
        raise RunDirectoryError(f"{out}: it holds {held}, not {name} at {scale} scale: choose another --out")


def _wanted(chosen: Experiment, scale: Scale, settings: Sequence[str] | None) -> list[str]:
    known = [setting.key for setting in chosen.at(scale)]
    for key in settings or ():
        if key not in known:
            raise ConfigError("setting", key, did_you_mean(key, known))
    return list(settings) if settings else known


def _run_setting(
    chosen: Experiment,
    setting: Setting,
    scale: Scale,
    folder: Path,
    workers: int | None,
    watch: Watch | None,
    say: Callable[[str], None],
) -> dict[str, Any]:
    if setting.rules:
        spec = study_spec(chosen.name, setting.key, scale)
        if workers is not None:
            spec = spec.model_copy(update={"executor": spec.executor.model_copy(update={"workers": workers})})
        return _study(setting, spec, folder, watch)
    with locked(made_folder(folder)):
        return _measured(chosen, setting, scale, folder, say)


def _study(setting: Setting, spec: StudySpec, folder: Path, watch: Watch | None) -> dict[str, Any]:
    with watch(spec, folder) if watch else nullcontext(_Silent()) as watcher:
        summary = run_study(spec, folder, on_start=watcher.start, tell=watcher.tell)
    write_report(load_result(folder), folder)
    measured = Measured(load_cells(folder), dict(summary.floor))
    conditions = summary_to_json(summary)["conditions"]
    finding = Finding(
        set_up=spec.name,
        n=measured.n,
        checks={claim: rule(measured) for claim, rule in setting.rules.items()},
        rows=[measured.row(row["name"]) | {"lowest_loss": row["lowest_loss"]} for row in conditions],
        pictures=[_error_picture(measured)],
    )
    return {
        "key": setting.key,
        "digest": _digest(spec),
        "n_lost": measured.n_lost,
        "versions": dict(summary.versions),
        **finding.to_dict(),
    }


def _measured(
    chosen: Experiment, setting: Setting, scale: Scale, folder: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    spec = study_spec(chosen.name, setting.key, scale) if setting.measure else None
    mark = _digest(spec) if spec else digest([chosen.name, setting.key, scale, RULES_VERSION])
    marks = {"digest": mark, "rules": RULES_VERSION, "versions": fingerprint("cpu")}
    parts = Parts(folder, marks)

    def is_current(path: Path) -> bool:
        before = read_whole_json(path)
        return {key: before.get(key) for key in marks} == marks

    def make() -> bytes:
        if setting.measure is not None and spec is not None:
            finding = setting.measure(spec, parts)
        else:
            assert setting.compute is not None
            finding = setting.compute(scale, parts)
        return sealed_json({"key": setting.key, "n_lost": 0, **marks, **finding.to_dict()})

    job = FileJob(setting.key, folder / "finding.json", make, is_current)
    run_missing([job], say=say)
    parts.remove()
    return read_whole_json(job.file)


def _digest(spec: StudySpec) -> str:
    return digest([cell.id for cell in expand(spec)])


def _error_picture(measured: Measured) -> Picture:
    names = measured.names
    if len(names) > MOST_LINES:
        mixing = [name for name in names if not name.startswith("ERM")]
        names = mixing if len(mixing) <= MOST_LINES else mixing[:: -(-len(mixing) // MOST_LINES)]
    errors = {name: 100 * measured.values(name, "test_error") for name in names}
    top = FRAME * max(float(rows.mean(axis=0).min()) for rows in errors.values())
    series = {}
    for name, rows in errors.items():
        # The descent from the untrained network would press the turn flat; the report's page has it.
        start = int(np.argmax(rows.mean(axis=0) < top))
        series[name] = line(measured.epochs(name)[start:], rows[:, start:])
    return Picture("test-error", "Test error, %", "epoch", series)
