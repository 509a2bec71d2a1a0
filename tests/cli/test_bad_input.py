"""Bad input, the whole way: one line that names field, value and remedy, exit code 2, nothing half written."""
# ruff: noqa: E501  (one mistake, one line)

import errno
import fcntl
import os
import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from overmix.study.store.files import read_sealed_json, write_sealed_json

RAGGED = np.empty(120, dtype=object)
RAGGED[:] = [list(range(n % 5)) for n in range(120)]
X, Y = np.random.default_rng(0).random((120, 3)), np.arange(120) % 3


def npz(tail="", **options):
    return "data: {name: npz, path: d.npz" + "".join(f", {k}: {v}" for k, v in options.items()) + "}" + tail


def with_nan():
    x = X.copy()
    x[7, 1], x[9, 2] = np.nan, np.inf
    return x


STUDIES = [
    # study file, arrays, field, value, remedy
    ("sedes: 3", {}, "sedes", "3", "unknown key, did you mean seeds? known: "),
    ("data: {name: digits, trian_size: 5}", {}, "data.trian_size", "5", "unknown key, did you mean train_size?"),
    ("train: {optimizer: {learning_rate: 1}}", {}, "train.optimizer.learning_rate", "1", "unknown key, "),
    ("compare: [{recipe: Mixpu}]", {}, "compare[Mixpu].recipe", "'Mixpu'", "did you mean Mixup? known: "),
    ("compare: [{recipe: {Mixup: {alpa: 1}}}]", {}, "compare[Mixup].recipe.Mixup.alpa", "1", "unknown key, did you mean alpha?"),
    ("compare: [{recipe: {Mixup: {alpha: -1}}}]", {}, "compare[Mixup].recipe.Mixup.alpha", "-1", "use a number >= 0 "),
    ("compare: [{recipe: {Mixup: {alpha: .nan}}}]", {}, "compare[Mixup].recipe.Mixup.alpha", "nan", "use a number >= 0 "),
    ("compare: [{recipe: {Mixup: {alpha: a}}}]", {}, "compare[Mixup].recipe.Mixup.alpha", "'a'", "use a number >= 0 "),
    ("compare: [{schedule: {off_at: 1.5}}]", {}, "compare[Mixup].schedule.off_at", "1.5", "a share lies in [0, 1]; for epochs write 2"),
    ("compare: [{schedule: {off_at: -1}}]", {}, "compare[Mixup].schedule.off_at", "-1", "use a number of epochs"),
    ("train: {epochs: 9}\ncompare: [{schedule: {off_at: 10}}]", {}, "compare[Mixup].schedule.off_at", "10", "use at most 9, the number of epochs"),
    ("data: {val_size: 50}\ncompare: [{schedule: {auto: {tail: 5}}}]", {}, "compare[Mixup].schedule.auto.tail", "5", "use a share of the training"),
    ("train: {epochs: 9}\ncompare: [{schedule: {on_from: 9}}]", {}, "compare[Mixup].schedule.on_from", "9", "use fewer than 9, the number of epochs"),
    ("train: {epochs: 9, lr_schedule: {name: multistep, milestones: [5, 9]}}", {}, "train.lr_schedule.milestones", "9", "use epochs below 9, the length of the training"),
    ("train: {epochs: 9, lr_schedule: {name: cosine, warmup: 9}}", {}, "train.lr_schedule.warmup", "9", "use fewer epochs than 9, the length of the training"),
    ("train: {lr_schedule: {name: multistep, milestones: [500]}}\ncompare: [{train: {epochs: 400}}]", {}, "compare[Mixup].train.lr_schedule.milestones", "500", "use epochs below 400"),
    ("train: {epochs: 0}", {}, "train.epochs", "0", "use a number >= 1"),
    ("train: {optimizer: {lr: .nan}}", {}, "train.optimizer.lr", "nan", "use a finite number"),
    ("seeds: []", {}, "seeds", "[]", "use a number of seeds, 1 to 10000, or a list of different integers >= 0"),
    ("seeds: [1, 1]", {}, "seeds", "[1, 1]", "use a number of seeds"),
    ("seeds: -1", {}, "seeds", "-1", "use a number of seeds"),
    ("seeds: true", {}, "seeds", "True", "use a number of seeds"),
    ("seeds: x", {}, "seeds", "'x'", "use a number of seeds"),
    ("device: cudaa", {}, "device", "'cudaa'", "use auto, cpu, cuda or cuda:N"),
    ("model: mine:make", {}, "model.name", "'mine:make'", "an import path runs that module's code: allow it with --allow-code"),
    # Sizes that do not exist.
    ("data: {train_size: 798}", {}, "data.train_size", "798", "use at most 797"),
    ("data: {train_size: 700, val_size: 200}", {}, "data.train_size", "700", "use at most 597"),
    ("data: {train_size: 0}", {}, "data.train_size", "0", "use "),
    ("data: {train_size: -1}", {}, "data.train_size", "-1", "use "),
    ("data: {train_size: 1.5}", {}, "data.train_size", "1.5", "use "),
    ("data: {train_size: true}", {}, "data.train_size", "True", "use a number of samples, a share in (0, 1), or null"),
    ("data: {val_size: 1000}", {}, "data.val_size", "1000", "use 0 to 796: the pool has 797 samples"),
    # Nothing would train.
    ("data: {train_size: 60}", {}, "train.batch_size", "64", "use at most 60, the number of training samples: "),
    ("data: {train_size: 200}\ncompare: [{train: {batch_size: 256}}]", {}, "compare[Mixup].train.batch_size", "256", "use at most 200"),
    # A class is missing.
    ("data: {train_size: 12}\ntrain: {batch_size: 4}", {}, "data.train_size", "12", "class "),
    ("data: {train_size: 9, balanced: true}\ntrain: {batch_size: 4}", {}, "data.train_size", "9", "use at least 10"),
    # Arrays.
    (npz(), None, "data.path", "'{folder}/d.npz'", "there is no such file"),
    (npz(), {"x": X[:0], "y": Y[:0]}, "data.path {folder}/d.npz: x", "shape (0, 3)", "give at least one sample"),
    (npz(), {"x": RAGGED, "y": Y}, "data.path {folder}/d.npz: x", "", ""),
    (npz(), {"x": X[:, 0], "y": Y}, "data.path {folder}/d.npz: x", "shape (120,)", "give (samples, features) or"),
    (npz(), {"x": with_nan(), "y": Y}, "data.path {folder}/d.npz: x", "2 values that are not finite in float32, the first nan at (7, 1)", "remove or replace them"),
    (npz(), {"x": X, "y": Y - 1}, "data.path {folder}/d.npz: y", "label -1", "number the classes from 0"),
    (npz(), {"x": X, "y": Y * 2}, "data.path {folder}/d.npz: y", "no sample has the label 1", "number the classes 0..C-1"),
    (npz(), {"x": X, "y": Y[:-1]}, "data.path {folder}/d.npz: y", "shape (119,)", "give one integer per sample"),
    (npz(), {"x": X}, "data.path {folder}/d.npz: ", "", "y"),
    (npz(), {"x": X, "y": Y, "x_test": X}, "data.path {folder}/d.npz: ", "y_test", ""),
    (npz(), {"x": X, "y": Y, "x_test": X, "y_test": Y + 1}, "data.path {folder}/d.npz", "label 3", ""),
    (npz(test_size=2.0), {"x": X, "y": Y}, "data.test_size", "2.0", "use a share in (0, 1)"),
    (npz(train_size=91), {"x": X, "y": Y}, "data.train_size", "91", "use at most 90"),
    ("data: {name: npz}", {}, "data.path", "''", ""),
    (npz(tail="\nmodel: convnet", train_size=80), {"x": X, "y": Y}, "model.name", "'convnet'", ""),
    # No study at all.
    ("[1, 2]", {}, "study", "[1, 2]", "write a mapping of keys such as data, model, train, compare, seeds"),
    ("a: [1", {}, "study file", "'{folder}/s.yaml'", "line 1: "),
    ("seeds: 1\nseeds: 2", {}, "study file", "'{folder}/s.yaml'", "line 2: the key seeds is there twice"),
    ("seeds: !!python/object/apply:os.mkdir [hacked]", {}, "study file", "'{folder}/s.yaml'", "line 1: could not determine a constructor"),
    ("name: 2024-01-01", {}, "name", "datetime.date(2024, 1, 1)", "a date has no place here: for text write it in quotes"),
]  # fmt: skip


@pytest.fixture
def refused(overmix, study_file, tmp_path, monkeypatch):
    """Return a function that runs a study file and checks that it is refused as it should be."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("overmix.study.run.local.run_local", lambda *_, **__: pytest.fail("work was started"))

    def refuse(study, *told, out=None, options=()):
        outcome = overmix("run", study_file(study), "--out", out or tmp_path / "out", *options)
        assert outcome.code == 2
        assert outcome.out in ("", "checking the study and its data ...\n")
        (line,) = outcome.err.splitlines()
        assert line.startswith("overmix: ")
        assert "Traceback" not in line
        for part in told:
            assert part in line, line
        return line

    return refuse


@pytest.mark.parametrize(("study", "arrays", "field", "value", "remedy"), STUDIES, ids=[row[0][:50] for row in STUDIES])
def test_each_bad_study_is_refused_in_one_line(refused, tmp_path, study, arrays, field, value, remedy):
    if arrays:
        np.savez(tmp_path / "d.npz", **arrays, allow_pickle=True)
    field, value = (part.format(folder=tmp_path) for part in (field, value))
    line = refused(study, value, remedy)
    assert line.startswith(f"overmix: {field}"), line
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".npz") == ["s.yaml"]


def test_a_study_file_that_is_not_there(overmix, tmp_path):
    outcome = overmix("run", tmp_path / "none.yaml")
    assert outcome.code == 2
    assert outcome.err == (
        f"overmix: study file = '{tmp_path}/none.yaml': it cannot be read (No such file or directory): give a YAML file\n"
    )


def test_markup_and_emoji_in_what_the_user_wrote_are_left_as_they_are(refused):
    refused("data: 'a[red]b:smile:'", "data.name = 'a[red]b:smile:': ")


GOOD = "data: {train_size: 128}\nmodel: {hidden: [4]}\ntrain: {epochs: 2}\nseeds: 1\ndevice: cpu\n"


def test_output_folders_that_cannot_be_used(refused, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    refused(GOOD, f"{tmp_path}/file: it is a file: choose another --out", out=tmp_path / "file")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    refused(GOOD, "full: it holds other files and no study: choose an empty --out", out=tmp_path / "full")
    refused(GOOD, "no run directory can be made here (File name too long)", out=tmp_path / ("x" * 300))
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, _mode: Path(path) != tmp_path)
        refused(GOOD, "out: no permission to write: choose another --out")
    usage = namedtuple("usage", "total used free")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage(9, 9, 0))
        refused(GOOD, "out: only 0 MiB are free: free at least 64 MiB, or choose another --out")
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(refused, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    refused(GOOD, "no permission to write: choose another --out", out=tmp_path / "closed" / "out")


def test_a_disk_that_becomes_full(refused, tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    refused(
        GOOD, "study.json: it cannot be written (No space left on device): free some space, or choose another folder"
    )
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".lock"]


@pytest.fixture
def finished(overmix, study_file, tmp_path, in_process):
    assert overmix("run", study_file(GOOD), "--out", tmp_path / "out").code == 0
    return tmp_path / "out"


def snapshot(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_run_directories_that_belong_to_something_else(finished, refused):
    before = snapshot(finished)
    refused(
        GOOD.replace("epochs: 2", "epochs: 3"),
        "it holds another study (train.epochs was 2, now 3): choose another --out",
    )
    refused(GOOD.replace("[4]", "[5]"), "it holds another study (model.hidden")
    with (finished / ".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Another name, as a study that nothing has changed of is shown, whoever writes there.
        refused(f"{GOOD}name: b", "another overmix process is writing here: wait for it, or choose another --out")
    assert snapshot(finished) == before
    content = read_sealed_json(finished / "study.json")
    content["marks"]["fingerprint"]["torch"] = "1.0"
    write_sealed_json(finished / "study.json", content)
    refused(GOOD, "begun with torch '1.0', now ", "choose another --out, or mix them knowingly with --other-machine")
    (finished / "study.json").write_text("{")
    refused(GOOD, "study.json: it cannot be read")


def test_reports_of_what_is_no_finished_study(overmix, finished, tmp_path):
    for folder, told in [
        (tmp_path / "none", "it is no run directory (study.json is missing): name another folder"),
        (tmp_path, "it is no run directory (study.json is missing): name another folder"),
        (tmp_path / "s.yaml", "it is no run directory (study.json is missing): name another folder"),
    ]:
        assert overmix("report", folder) == (2, "", f"overmix: {folder}: {told}\n")
    (finished / "summary.json").unlink()
    told = "the study is not finished: run the same 'overmix run' again to go on"
    assert overmix("report", finished) == (2, "", f"overmix: {finished}: {told}\n")
