import errno
import json
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from overmix.errors import RunDirectoryError
from overmix.files.folders import made_folder
from overmix.study import parse_study
from overmix.study.plan.cells import StackTask, expand
from overmix.study.store.directory import RunDirectory
from overmix.study.store.seal import sealed_json

STUDY = {
    "name": "a",
    "data": {"name": "digits"},
    "train": {"epochs": 3, "optimizer": {"lr": 0.1}},
    "seeds": [0],
    "compare": [],
}
MARKS = {"fingerprint": {"torch": "2.4", "threads": 1}, "data": {"digits": "d1"}, "code": {"m:f": "c1"}}
CELLS = expand(parse_study({"compare": [{}], "seeds": 2}))
TASK = StackTask((CELLS[0],), "stacked", "cpu")


@pytest.fixture
def directory(tmp_path) -> RunDirectory:
    return RunDirectory(tmp_path / "run")


@pytest.fixture
def adopted(directory) -> RunDirectory:
    directory.open()
    directory.adopt(STUDY, MARKS, other_machine=False)
    return directory


def adopt(directory, study=None, other_machine=False, **marks):
    directory.open()
    directory.adopt(study or STUDY, MARKS | marks, other_machine=other_machine)


def test_a_new_folder_is_made_with_its_parents(tmp_path):
    directory = RunDirectory(tmp_path / "a" / "b")
    adopt(directory)
    assert {path.name for path in directory.path.iterdir()} == {"study.json", "stacks", "checkpoints"}
    assert directory.read() == {"format": 2, "study": STUDY, "marks": MARKS}


def test_an_empty_folder_and_a_second_time(directory):
    directory.path.mkdir()
    adopt(directory)
    adopt(directory)


def test_what_a_process_leaves_that_is_killed_at_once_is_no_obstacle(directory):
    directory.path.mkdir()
    (directory.path / ".lock").touch()
    (directory.path / ".study.json.0a1b2c3d.tmp").write_text("{")
    adopt(directory)


def refused(directory, told, study=None, other_machine=False, **marks):
    before = sorted((str(path), path.read_bytes()) for path in directory.path.rglob("*") if path.is_file())
    with pytest.raises(RunDirectoryError) as caught:
        adopt(directory, study, other_machine, **marks)
    assert told in str(caught.value)
    assert str(caught.value).startswith(f"{directory.path}")
    assert "\n" not in str(caught.value)
    if directory.path.is_dir():
        assert sorted((str(path), path.read_bytes()) for path in directory.path.rglob("*") if path.is_file()) == before


def test_a_foreign_folder(directory):
    directory.path.mkdir()
    (directory.path / "thesis.tex").touch()
    refused(directory, "it holds other files and no study: choose an empty --out")
    assert [path.name for path in directory.path.iterdir()] == ["thesis.tex"]


def test_a_file(directory):
    directory.path.touch()
    refused(directory, "it is a file: choose another --out")


def test_a_folder_below_a_file(directory):
    directory.path.touch()
    below = RunDirectory(directory.path / "below")
    with pytest.raises(RunDirectoryError, match=r"below: .* is a file, no folder: choose another --out"):
        below.open()
    with pytest.raises(RunDirectoryError, match=r"deeper: .* is a file, no folder"):
        RunDirectory(below.path / "deeper").open()


def test_an_output_folder_below_a_file_says_so(tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "a" / "b"):
        with pytest.raises(RunDirectoryError, match=r"/file is a file, no folder: choose another folder"):
            made_folder(folder)
    with pytest.raises(RunDirectoryError, match=r"it cannot be made \(File name too long\): choose another folder"):
        made_folder(tmp_path / ("x" * 300) / "a")


def test_a_name_that_no_file_system_takes(tmp_path):
    with pytest.raises(RunDirectoryError, match=r"no run directory can be made here \(File name too long\): choose"):
        RunDirectory(tmp_path / ("x" * 300)).open()


def test_no_permission_makes_nothing(tmp_path, monkeypatch):
    # Root may write everywhere, so that the answer of the system is put in its mouth.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(RunDirectoryError, match="no permission to write: choose another --out"):
        RunDirectory(tmp_path / "a" / "b").open()
    assert not any(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission_for_real(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(RunDirectoryError, match="no permission to write"):
        RunDirectory(tmp_path / "a").open()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_a_file_system_where_nothing_can_be_made():
    with pytest.raises(RunDirectoryError, match=r"^/proc/self/run: no (run directory can be made here|permission)"):
        RunDirectory(Path("/proc/self/run")).open()


def test_a_full_disk_makes_nothing(directory, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1 << 40, 1 << 40, 3 << 20))
    with pytest.raises(RunDirectoryError, match="only 3 MiB are free: free at least 64 MiB, or choose another --out"):
        directory.open()
    assert not directory.path.exists()


def test_a_disk_that_is_full_for_study_json(directory, monkeypatch):
    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    directory.open()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunDirectoryError, match=r"study.json: it cannot be written \(No space left on device\)"):
        directory.adopt(STUDY, MARKS, other_machine=False)
    assert list(directory.path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"train": {"epochs": 4, "optimizer": {"lr": 0.1}}}, "another study (train.epochs was 3, now 4): choose"),
        ({"train": {"epochs": 3, "optimizer": {"lr": 0.2}}}, "(train.optimizer.lr was 0.1, now 0.2)"),
        ({"train": {"epochs": 3, "optimizer": {}}}, "(train.optimizer.lr was 0.1, now None)"),
        ({"data": {"name": "digits", "train_size": 5}}, "(data.train_size was None, now 5)"),
        ({"device": "cuda"}, "(device was None, now 'cuda')"),
    ],
)  # fmt: skip
def test_another_study(adopted, change, told):
    refused(adopted, told, STUDY | change)


def test_what_may_be_added_to_a_study(adopted):
    extended = STUDY | {"seeds": [0, 1], "compare": [{"name": "B"}], "name": "b", "executor": {"workers": 2}}
    adopt(adopted, extended)
    assert adopted.read()["study"] == extended


def test_a_finished_study_is_described_until_its_extension_is_finished(adopted):
    adopted.summary_file.touch()
    extended = STUDY | {"seeds": [0, 1]}
    marks = adopted.adopt(extended, MARKS | {"data": {"mnist1d": "d3"}}, other_machine=False)
    assert adopted.read()["study"] == STUDY
    # What the extension is trained on is on record before it is trained.
    assert adopted.read()["marks"] == marks
    assert marks["data"] == {"digits": "d1", "mnist1d": "d3"}
    adopted.finish(extended, marks)
    assert adopted.read() == {"format": 2, "study": extended, "marks": marks}


def test_data_and_code_that_are_read_again_are_checked(adopted, tmp_path):
    adopted.check_data("digits", "d1")
    adopted.check_data("new", "d9")
    adopted.check_code("m:f", "c1")
    with pytest.raises(RunDirectoryError, match="the data of digits changed since the study was begun: restore it, or"):
        adopted.check_data("digits", "d2")
    with pytest.raises(RunDirectoryError, match="the code of m:f changed since the study was begun: restore it, or"):
        adopted.check_code("m:f", "c2")
    RunDirectory(tmp_path / "none").check_data("digits", "d1")


def test_data_are_called_as_the_user_knows_them(adopted):
    key = '{"name":"npz","path":"/x/d.npz","test_size":0.25}'
    adopt(adopted, data={key: "d1"})
    refused(adopted, "the data of npz /x/d.npz changed since the study was begun", data={key: "d2"})


def test_another_fingerprint(adopted):
    other = {"torch": "2.5", "threads": 1}
    told = "begun with torch '2.4', now '2.5': choose another --out, or mix them knowingly with --other-machine"
    refused(adopted, told, fingerprint=other)
    adopt(adopted, fingerprint=other, other_machine=True)
    marks = adopted.read()["marks"]
    assert marks["fingerprint"] == other
    assert marks["earlier_fingerprints"] == [MARKS["fingerprint"]]
    adopt(adopted, fingerprint=other)
    assert adopted.read()["marks"]["earlier_fingerprints"] == [MARKS["fingerprint"]]
    # Back and forth: each machine is named once, and the present one is no earlier one.
    for _ in range(2):
        adopt(adopted, other_machine=True)
        assert adopted.read()["marks"]["earlier_fingerprints"] == [other]
        adopt(adopted, fingerprint=other, other_machine=True)


def test_a_fingerprint_with_another_key(adopted):
    refused(adopted, "begun with gpu None, now 'x'", fingerprint=MARKS["fingerprint"] | {"gpu": "x"})
    refused(adopted, "begun with threads 1, now None", fingerprint={"torch": "2.4"})


def test_edited_marks(adopted):
    content = json.loads(adopted.study_file.read_text())
    content["marks"]["fingerprint"]["torch"] = "0.1"
    adopted.study_file.write_text(json.dumps(content))
    refused(adopted, "study.json: it was changed or damaged since it was written")


def test_changed_data_and_code(adopted):
    for other_machine in (False, True):
        refused(
            adopted,
            "the data of digits changed since the study was begun",
            other_machine=other_machine,
            data={"digits": "d2"},
        )
        refused(
            adopted,
            "the code of m:f changed since the study was begun",
            other_machine=other_machine,
            code={"m:f": "c2"},
        )


def test_further_data_and_code_are_added(adopted):
    adopt(adopted, data={"mnist1d": "d3"}, code={})
    marks = adopted.read()["marks"]
    assert marks["data"] == {"digits": "d1", "mnist1d": "d3"}
    assert marks["code"] == {"m:f": "c1"}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "study.json: it cannot be read"),
        ("[]", "study.json: it is not of format 2"),
        ("[" * 100_000, "study.json: it is nested too deeply"),
        ('{"format": 3}', "study.json: it is not of format 2"),
        ('{"format": 2}', "study.json: it was changed or damaged since it was written: restore it, or choose"),
        ('{"format": 1, "seal": "x"}', "study.json: it was changed or damaged since it was written"),
        ('{"format": 1}', "study.json: parts of it are missing"),
        ('{"format": 1, "study": {}, "marks": {"data": {}}}', "study.json: parts of it are missing"),
        ('{"format": 1, "study": {}, "marks": {"data": {}, "code": {}, "fingerprint": 3}}', "parts of it are missing"),
    ],
)
def test_a_damaged_study_file(adopted, content, told):
    adopted.study_file.write_text(content)
    refused(adopted, told)


def test_reading_what_is_no_run_directory(directory):
    with pytest.raises(
        RunDirectoryError, match=r"it is no run directory \(study.json is missing\): name another folder"
    ):
        directory.read()


def test_tidying(adopted):
    other = StackTask((CELLS[1],), "stacked", "cpu")
    keep = [adopted.result_file(TASK), adopted.checkpoint_file(other), adopted.study_file, adopted.path / ".lock"]
    drop = [
        adopted.checkpoint_file(TASK),
        adopted.path / ".summary.json.1.tmp",
        adopted.path / "stacks" / ".x.safetensors.2.tmp",
        adopted.path / "checkpoints" / ".x.safetensors.3.tmp",
    ]
    for path in keep + drop:
        if path != adopted.study_file:
            path.write_bytes(sealed_json({}))
    assert adopted.tidy([TASK, other]) == []
    assert all(path.exists() for path in keep)
    assert not any(path.exists() for path in drop)


def test_a_file_where_a_folder_should_be(adopted):
    (adopted.path / "stacks").rmdir()
    (adopted.path / "stacks").touch()
    with pytest.raises(RunDirectoryError, match=r"stacks: it cannot be made \(File exists\): choose another --out"):
        adopt(adopted)
