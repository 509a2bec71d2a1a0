"""What is done is not done again, nothing is half written, and workers change nothing."""

import os
from functools import partial

import pytest

from overmix.errors import DataError, OvermixError
from overmix.study import StudyInterrupted
from overmix.study.run.missing import FileJob, run_missing


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
