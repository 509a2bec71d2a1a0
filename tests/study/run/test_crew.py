"""Worker processes that are handed jobs: their lines, their errors, and what starts them."""

import multiprocessing
import os
import signal
import threading
import time

import pytest

from overmix.errors import ConfigError, OvermixError, WorkerFault
from overmix.study.run.crew import (
    Failed,
    Line,
    _deaf_to_ctrl_c,
    _one_thread_each,
    _supervise,
    attempt,
    work_off,
)


def test_nothing_to_do_starts_nobody(monkeypatch):
    monkeypatch.setattr("overmix.study.run.crew._start", lambda *_: pytest.fail("a worker was started"))
    work_off([], None, workers=4, tell=pytest.fail)


def test_a_worker_is_told_to_stop_by_a_message_or_by_silence():
    for end in ("message", "silence"):
        ours, theirs = multiprocessing.Pipe()
        line = Line(theirs)
        assert not line.should_stop()
        time.sleep(0.12)
        assert not line.should_stop()
        if end == "message":
            ours.send(None)
        else:
            ours.close()
        assert not line.should_stop()  # it looks now and then only
        time.sleep(0.12)
        assert line.should_stop()


def test_a_line_that_is_broken_means_stop():
    _, theirs = multiprocessing.Pipe()
    line = Line(theirs)
    theirs.close()
    time.sleep(0.12)
    assert line.should_stop()


def test_progress_that_nobody_hears_is_no_error():
    ours, theirs = multiprocessing.Pipe()
    Line(theirs).tell("half")
    assert ours.recv() == "half"
    ours.close()
    Line(theirs).tell("half")


@pytest.mark.parametrize(
    ("error", "expected", "told"),
    [
        (ZeroDivisionError("a bug"), False, "a worker failed with ZeroDivisionError: a bug"),
        (MemoryError(), True, "there is not enough memory: use fewer --workers"),
        (ConfigError("alpha", -1, "use a number"), True, "alpha = -1: use a number"),
    ],
)
def test_what_a_worker_tells_of_an_error(error, expected, told):
    def fail(job):
        raise error

    failed = attempt(fail, "a job")
    assert (failed.expected, failed.message) == (expected, told)
    assert ("in fail" in failed.details) == (not expected)


class SaidBy:
    """A worker that says one thing."""

    def __init__(self, event):
        self.line, self.theirs = multiprocessing.Pipe()
        self.theirs.send(event)


def test_a_fault_in_a_worker_is_none_of_the_users_errors():
    worker = SaidBy(Failed("a worker failed with X", expected=False, details="Traceback: here"))
    with pytest.raises(WorkerFault, match=r"^a worker failed with X$") as caught:
        _supervise([worker], ["a job"], pytest.fail, pytest.fail)
    assert caught.value.details == "Traceback: here"
    assert not isinstance(caught.value, OvermixError)


def test_ctrl_c_is_ignored_only_while_a_worker_starts():
    before = signal.getsignal(signal.SIGINT)
    with _deaf_to_ctrl_c():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) is before
    # Other threads may not set signals; there it must not fail.
    failures = []

    def elsewhere():
        try:
            with _deaf_to_ctrl_c():
                pass
        except ValueError as error:
            failures.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert not failures


def test_the_environment_is_put_back(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with _one_thread_each():
        assert os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "1"
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ
