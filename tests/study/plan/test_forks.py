"""Shared beginnings: the same bytes as runs of their own, for fewer steps."""

import polars as pl
import pytest

from overmix.study import parse_study, plan_study, resolved
from overmix.study.analyse.result import write_results
from overmix.study.plan.forks import with_forks
from overmix.study.run.crew import Interrupted
from overmix.study.run.worker import StackRunner
from overmix.study.store.directory import RunDirectory

MARKS = {"fingerprint": {}, "data": {}, "code": {}}
ERM = {"name": "ERM", "recipe": "NoMixup", "schedule": "never"}
MIXUP = {"name": "Mixup"}
EARLY, LATE = {"name": "early", "schedule": {"off_at": 3}}, {"name": "late", "schedule": {"off_at": 0.75}}
AUTO = {"name": "auto", "schedule": {"auto": {"shares": [0.5]}}}


def study(*conditions, seeds=8):
    return parse_study(
        {
            "data": {"name": "digits", "train_size": 60, "val_size": 30, "balanced": True},
            "model": {"hidden": [8]},
            "train": {"epochs": 8, "batch_size": 30},
            "compare": list(conditions),
            "seeds": seeds,
            "device": "cpu",
        }
    )


def run(spec, path, stop_after=None, order=with_forks):
    """Train a study in this process, and return its summary and curves."""
    plan, directory = plan_study(spec), RunDirectory(path)
    directory.open()
    directory.adopt(resolved(plan.spec), MARKS, other_machine=False)
    steps = iter(range(10**9))
    runner = StackRunner(
        directory, allow_code=False, tell=lambda _: None, should_stop=lambda: next(steps) == stop_after
    )
    for task, forks in order([task for task in plan.tasks if not directory.result_file(task).exists()]):
        runner.run(task, forks)
    directory.tidy(plan.tasks)
    assert not list((path / "checkpoints").iterdir())
    summary = write_results(plan.spec, plan.tasks, directory, MARKS).summary
    return summary, pl.read_parquet(directory.curves_file)


def alone(tasks):
    return [(task, {}) for task in tasks]


def test_switched_runs_go_on_from_mixup_to_the_same_bytes(tmp_path):
    spec = study(EARLY, ERM, LATE, AUTO, MIXUP)
    separate, expected = run(spec, tmp_path / "separate", order=alone)
    summary, curves = run(spec, tmp_path / "shared")
    assert curves.equals(expected)
    assert (tmp_path / "shared" / "curves.parquet").read_bytes() == (
        tmp_path / "separate" / "curves.parquet"
    ).read_bytes()
    # Eight runs of two batches an epoch, and 3 and 6 epochs of the switched ones are Mixup's.
    assert separate.steps.trained == separate.steps.separate == summary.steps.separate
    assert summary.steps.separate - summary.steps.trained == 8 * 2 * (3 + 6)


@pytest.mark.slow
@pytest.mark.parametrize("stop_after", [5, 11, 17, 28])
def test_after_an_interruption_it_goes_on_to_the_same_bytes(tmp_path, stop_after):
    spec = study(MIXUP, EARLY, LATE)
    whole, expected = run(spec, tmp_path / "whole")
    with pytest.raises(Interrupted):
        run(spec, tmp_path / "again", stop_after)
    summary, curves = run(spec, tmp_path / "again")
    assert curves.equals(expected)
    assert summary.steps == whole.steps


def test_what_is_added_to_a_finished_study_is_trained_in_full(tmp_path):
    run(study(MIXUP, EARLY), tmp_path)
    summary, curves = run(study(MIXUP, EARLY, LATE), tmp_path)
    _, expected = run(study(MIXUP, EARLY, LATE), tmp_path / "new")
    assert curves.equals(expected)
    assert summary.steps.separate - summary.steps.trained == 8 * 2 * 3


def test_without_space_for_the_states_it_is_trained_in_full(tmp_path, monkeypatch):
    monkeypatch.setattr("overmix.study.store.directory.FORK_BYTES", 1000)
    summary, _ = run(study(MIXUP, EARLY), tmp_path)
    assert summary.steps.trained == summary.steps.separate


def test_only_the_same_runs_share_a_beginning():
    def found(*conditions, seeds=8):
        return [
            (task.cells[0].condition, {at: [t.cells[0].condition for t in tasks] for at, tasks in forks.items()})
            for task, forks in with_forks(plan_study(study(*conditions, seeds=seeds)).tasks)
        ]

    assert found(EARLY, ERM, LATE, MIXUP) == [
        ("Mixup", {3: ["early"], 6: ["late"]}),
        ("ERM", {}),
        ("early", {}),
        ("late", {}),
    ]
    decay = {**EARLY, "train": {"optimizer": {"weight_decay": 0.1}}}
    other = {**LATE, "recipe": {"Mixup": {"alpha": 0.2}}}
    assert all(not forks for _, forks in found(decay, other, ERM, MIXUP))
    assert all(
        not forks for _, forks in found({**EARLY, "schedule": {"off_at": 0}}, {**LATE, "schedule": "auto"}, MIXUP)
    )
    # Seeds that do not fill a stack: its runs are of several conditions.
    assert all(not forks for _, forks in found(EARLY, MIXUP, seeds=5))
    # Two stacks of each condition, each with its own seeds.
    assert [forks for _, forks in found(EARLY, MIXUP, seeds=16)] == [{3: ["early"]}, {3: ["early"]}, {}, {}]
