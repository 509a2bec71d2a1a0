"""Shards: merged, they are the study that one run leaves, byte for byte."""

import shutil

import pytest

from overmix.errors import ConfigError, RunDirectoryError
from overmix.study import load_result, plan_study, run_study
from overmix.study.plan.shards import Shard
from overmix.study.run.merge import merge_study
from overmix.study.run.run_study import run_shard
from overmix.study.store.files import read_sealed_json, write_sealed_json

pytestmark = pytest.mark.usefixtures("in_process")
SWEEP = {
    "compare": [
        {"name": "ERM", "recipe": "NoMixup"},
        {"name": "Mixup"},
        {"name": "@1", "schedule": {"off_at": 1}},
        {"name": "long", "train": {"epochs": 5}},
        {"name": "again", "recipe": {"Mixup": {"alpha": 1}}},
    ],
    "seeds": 9,
    "train": {"epochs": 2, "batch_size": 64},
    "model": {"hidden": [4]},
}


@pytest.fixture(scope="module")
def trained_shards(tiny, tmp_path_factory, training_here):
    out = tmp_path_factory.mktemp("trained")
    with training_here():
        for number in range(1, 9):
            run_shard(tiny(**SWEEP), out / f"shard-{number}", Shard(number, 8))
    return out


@pytest.fixture
def shards(trained_shards, tmp_path):
    """Return copies of eight shards, which the test may damage."""
    return [shutil.copytree(trained_shards / name, tmp_path / name) for name in (f"shard-{n}" for n in range(1, 9))]


def test_eight_shards_merged_are_one_run(shards, tiny, tmp_path):
    seen = []
    summary = merge_study(reversed(shards), tmp_path / "merged", show=seen.append)
    run_study(tiny(**SWEEP), tmp_path / "once")
    merged, once = (tmp_path / name / "curves.parquet" for name in ("merged", "once"))
    assert merged.read_bytes() == once.read_bytes()
    assert seen[0].summary == summary == load_result(tmp_path / "merged").summary
    trained = [sorted(path.name for path in (folder / "stacks").iterdir()) for folder in shards]
    names = [name for part in trained for name in part]
    assert len(names) == len(set(names)) == len(list((tmp_path / "once" / "stacks").iterdir()))
    # It is a run directory like any other: nothing is trained again, and seeds may be added.
    outlook = []
    run_study(tiny(**SWEEP), tmp_path / "merged", on_start=outlook.append)
    assert outlook[0].missing == []


def test_shards_that_do_not_fit_together_are_refused(shards, tiny, tmp_path):
    out = tmp_path / "merged"
    with pytest.raises(RunDirectoryError, match=r"\d+ of \d+ stacks are missing or damaged in these 7 folders: name"):
        merge_study(shards[:-1], out)
    with pytest.raises(RunDirectoryError, match="it is no run directory"):
        merge_study([*shards, tmp_path / "none"], out)
    damaged = next(file for shard in shards for file in (shard / "stacks").iterdir())
    content = damaged.read_bytes()
    damaged.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(RunDirectoryError, match=r"1 of \d+ stacks are missing or damaged"):
        merge_study(shards, out)
    damaged.write_bytes(content)
    run_shard(tiny(**SWEEP | {"train": {"epochs": 3, "batch_size": 64}}), tmp_path / "other", Shard(1, 8))
    with pytest.raises(RunDirectoryError, match=r"it holds another study \(train.epochs was 2, now 3\)"):
        merge_study([*shards, tmp_path / "other"], out)


def test_shards_of_unequal_machines_are_refused_or_marked(shards, tmp_path):
    described = read_sealed_json(shards[3] / "study.json")
    described["marks"]["fingerprint"]["cpu"] = "Another One"
    write_sealed_json(shards[3] / "study.json", described)
    with pytest.raises(RunDirectoryError, match=r"now .Another One.: .*--other-machine"):
        merge_study(shards, tmp_path / "a")
    summary = merge_study(shards, tmp_path / "b", other_machine=True)
    assert "Another One" in {versions["cpu"] for versions in (summary.versions, *summary.earlier_versions)}
    assert len(summary.earlier_versions) == 1


def test_shards_are_parts_of_equal_work_that_leave_nothing_out(tiny):
    tasks = {task.id: task for task in plan_study(tiny(**SWEEP)).tasks}
    for of in (1, 3, 8, 100):
        parts = [Shard(number, of).of_tasks(list(tasks.values())) for number in range(1, of + 1)]
        assert sorted(task.id for part in parts for task in part) == sorted(tasks)
    works = [
        sum(len(t.cells) * t.cells[0].train.epochs for t in Shard(n, 2).of_tasks(list(tasks.values()))) for n in (1, 2)
    ]
    assert max(works) <= 1.5 * min(works)


@pytest.mark.parametrize("text", ["0/8", "9/8", "1", "a/b", "1/0", "-1/8", "1/8/2", "²/8", "1/" + "9" * 5000, ""])
def test_what_is_no_shard(text):
    with pytest.raises(ConfigError, match="write which part of how many, from 1/8 to 8/8"):
        Shard.parse(text)
