"""What is done is not done again, nothing is half written, and workers change nothing."""

import os
from functools import partial

import numpy as np
import pytest

from overmix.errors import DataError, OvermixError, RunDirectoryError
from overmix.study import StudyInterrupted
from overmix.study.plan.shards import Shard
from overmix.study.run.missing import FileJob, held, run_missing
from overmix.study.store.arrays import npz_bytes


def process_and(content: str) -> bytes:
    return f"{os.getpid()} {content}".encode()


def refuse() -> bytes:
    raise DataError("this cannot be computed: give other data")


def jobs_in(folder, make=process_and):
    return [FileJob(f"job {k}", folder / f"{k}.txt", partial(make, str(k))) for k in range(3)]


def test_only_what_is_missing_or_outdated_is_done(tmp_path):
    (tmp_path / "0.txt").write_text("there")
    (tmp_path / "1.txt").write_text("old")
    jobs, told = jobs_in(tmp_path), []
    outdated = FileJob("job 1", jobs[1].file, jobs[1].make, lambda path: path.read_text() != "old")
    done = run_missing([jobs[0], outdated, jobs[2]], tell=told.append)
    assert [job.name for job in done] == ["job 1", "job 2"]
    assert [(event.job.name, event.number, event.total) for event in told] == [("job 1", 1, 2), ("job 2", 2, 2)]
    assert (tmp_path / "0.txt").read_text() == "there"
    assert run_missing([jobs[0], outdated, jobs[2]]) == []


def test_one_worker_is_this_process_and_two_are_others(tmp_path):
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        folder.mkdir()
        told = []
        run_missing(jobs_in(folder), workers=workers, tell=told.append)
        written = [(folder / f"{k}.txt").read_text().split() for k in range(3)]
        assert [content for _, content in written] == ["0", "1", "2"]
        assert ({pid for pid, _ in written} == {str(os.getpid())}) == (workers == 1)
        assert sorted(event.job.name for event in told) == ["job 0", "job 1", "job 2"]


def test_ctrl_c_keeps_what_is_finished(tmp_path):
    def press(content):
        if content == "1":
            raise KeyboardInterrupt
        return b"done"

    with pytest.raises(StudyInterrupted, match="what is finished is kept"):
        run_missing(jobs_in(tmp_path, press))
    assert [path.name for path in tmp_path.iterdir()] == ["0.txt"]


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_an_error_of_a_job_is_told_whichever_process_it_came_up_in(tmp_path, workers):
    jobs = [FileJob(f"job {k}", tmp_path / f"{k}.txt", refuse) for k in range(2)]
    with pytest.raises(OvermixError, match="this cannot be computed: give other data"):
        run_missing(jobs, workers=workers)
    assert not list(tmp_path.iterdir())


def squares(k):
    return npz_bytes({"square": np.array(k * k)})


def archives_in(folder):
    return [FileJob(f"job {k}", folder / f"{k}.npz", partial(squares, k)) for k in range(5)]


def test_a_damaged_file_is_set_aside_said_and_made_again(tmp_path):
    run_missing(archives_in(tmp_path))
    file = tmp_path / "3.npz"
    whole = file.read_bytes()
    damaged = whole[:60] + bytes([whole[60] ^ 4]) + whole[61:]
    file.write_bytes(damaged)
    said = []
    assert [job.name for job in run_missing(archives_in(tmp_path), say=said.append)] == ["job 3"]
    assert file.read_bytes() == whole
    (aside,) = (tmp_path / "damaged").iterdir()
    assert aside.read_bytes() == damaged
    assert said == [f"job 3: damaged since it was written, set aside as {aside}; it is made again"]


def test_shards_in_one_folder_leave_what_one_run_leaves(tmp_path):
    together, once = tmp_path / "together", tmp_path / "once"
    with held(once, None):
        run_missing(archives_in(once))
    names = []
    with held(together, Shard(1, 3)), held(together, Shard(2, 3)):
        (together / ".leftover.tmp").touch()  # it may be what another shard is writing
        with pytest.raises(RunDirectoryError, match="another overmix process is writing here"), held(together, None):
            pass
        for number in (2, 1, 3):
            names += [job.name for job in run_missing(archives_in(together), shard=Shard(number, 3))]
    assert sorted(names) == [f"job {k}" for k in range(5)]
    with held(together, None), pytest.raises(RunDirectoryError), held(together, Shard(1, 3)):
        pass
    left = [{file.name: file.read_bytes() for file in folder.iterdir()} for folder in (together, once)]
    assert left[0] == left[1]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(RunDirectoryError, match=r"file/x: .*/file is a file, no folder"),
        held(tmp_path / "file" / "x", None),
    ):
        pytest.fail("work was started")
