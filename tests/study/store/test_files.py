import contextlib
import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from overmix.errors import RunDirectoryError
from overmix.study.store.files import is_temporary, locked, read_json, remove_temporaries, write_bytes, write_json


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_is_written_and_replaced(tmp_path):
    write_bytes(tmp_path / "a", b"old")
    write_bytes(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert names(tmp_path) == {"a"}


def test_permissions_are_those_of_any_new_file(tmp_path):
    before = os.umask(0o027)
    try:
        write_bytes(tmp_path / "a", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_the_content_is_forced_to_the_disk_before_it_takes_the_name(tmp_path, monkeypatch):
    steps = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (steps.append("fsync"), fsync(descriptor))[1])
    monkeypatch.setattr(Path, "replace", lambda self, to: (steps.append("replace"), replace(self, to))[1])
    write_bytes(tmp_path / "a", b"x")
    assert steps == ["fsync", "replace", "fsync"]


def fail_with(error):
    def fail(*_args, **_kwargs):
        raise error

    return fail


class FullFile:
    """A file on a disk that is full from the second byte on."""

    def __init__(self, file, error):
        self._file, self._error = file, error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def write(self, content):
        self._file.write(content[:1])
        raise self._error

    def __getattr__(self, name):
        return getattr(self._file, name)


@pytest.fixture(params=["open", "write", "fsync", "replace"])
def broken(request, monkeypatch):
    """Return a context in which one step of writing fails."""

    @contextlib.contextmanager
    def break_it(error):
        with monkeypatch.context() as patch:
            if request.param == "open":
                patch.setattr(Path, "open", fail_with(error))
            elif request.param == "write":
                real = Path.open
                patch.setattr(Path, "open", lambda self, *a, **k: FullFile(real(self, *a, **k), error))
            elif request.param == "fsync":
                patch.setattr(os, "fsync", fail_with(error))
            else:
                patch.setattr(Path, "replace", fail_with(error))
            yield

    return break_it


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.ENOSPC, "No space left on device): free some space, or choose another folder"),
        (errno.EDQUOT, "Disk quota exceeded): free some space, or choose another folder"),
        (errno.EIO, "Input/output error): choose another folder"),
        (errno.EACCES, "Permission denied): choose another folder"),
    ],
)
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, broken, number, told):
    write_bytes(tmp_path / "a", b"old")
    with broken(OSError(number, os.strerror(number))), pytest.raises(RunDirectoryError) as caught:
        write_bytes(tmp_path / "a", b"new content")
    assert str(caught.value) == f"{tmp_path / 'a'}: it cannot be written ({told}"
    assert names(tmp_path) == {"a"}
    assert (tmp_path / "a").read_bytes() == b"old"


def test_ctrl_c_leaves_the_old_file_and_nothing_else(tmp_path, broken):
    write_bytes(tmp_path / "a", b"old")
    with broken(KeyboardInterrupt()), pytest.raises(KeyboardInterrupt):
        write_bytes(tmp_path / "a", b"new content")
    assert names(tmp_path) == {"a"}
    assert (tmp_path / "a").read_bytes() == b"old"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_really_full_device(tmp_path, monkeypatch):
    real = Path.open
    monkeypatch.setattr(Path, "open", lambda self, mode: real(Path("/dev/full"), "wb"))
    with pytest.raises(RunDirectoryError, match=r"No space left on device\): free some space"):
        write_bytes(tmp_path / "a", b"x" * 100_000)


def test_a_file_system_that_cannot_sync_folders_is_no_failure(tmp_path, monkeypatch):
    real = os.fsync

    def refuse_folders(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    write_bytes(tmp_path / "a", b"x")
    assert (tmp_path / "a").read_bytes() == b"x"


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(RunDirectoryError, match=r"^.*/none/a: it cannot be written \(No such file or directory\)"):
        write_bytes(tmp_path / "none" / "a", b"")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_what_a_killed_process_leaves_is_recognised_and_removed(tmp_path):
    child = os.fork()
    if child == 0:
        os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
        write_bytes(tmp_path / "a.json", b"half")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert is_temporary(left)
    for name in (".lock", "a.tmp", ".hidden", "a.json"):
        (tmp_path / name).touch()
    remove_temporaries(tmp_path)
    assert names(tmp_path) == {".lock", "a.tmp", ".hidden", "a.json"}
    remove_temporaries(tmp_path / "none")


def test_json_round_trip_and_refusals(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": ["→", None]})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "b": 1,\n  "a": [\n    "→",\n    null\n  ]\n}\n'
    assert read_json(tmp_path / "a.json") == {"b": 1, "a": ["→", None]}
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "a.json", float("nan"))
    for damaged in (b"{", b"", b"\xff"):
        (tmp_path / "b.json").write_bytes(damaged)
        with pytest.raises(RunDirectoryError, match=r"b.json: it cannot be read \(.*\): choose another folder"):
            read_json(tmp_path / "b.json")
    with pytest.raises(RunDirectoryError, match=r"none.json: it cannot be read"):
        read_json(tmp_path / "none.json")


HOLD = """
import fcntl, sys
file = open(sys.argv[1], "a+")
fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_process_is_refused_until_the_first_is_gone(tmp_path):
    command = [sys.executable, "-S", "-c", HOLD, str(tmp_path / ".lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(RunDirectoryError, match="another overmix process is writing here: wait for it, or choose"),
            locked(tmp_path),
        ):
            pass
        holder.kill()
    with locked(tmp_path):
        other = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "BlockingIOError" in other.stderr


def test_not_even_the_same_process_twice(tmp_path):
    with (
        locked(tmp_path),
        pytest.raises(RunDirectoryError, match="another overmix process is writing here"),
        locked(tmp_path),
    ):
        pass


def test_a_lock_is_let_go_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        raise ZeroDivisionError
    with locked(tmp_path):
        pass


def test_a_folder_that_cannot_be_locked(tmp_path, monkeypatch):
    import fcntl

    with pytest.raises(RunDirectoryError, match=r"none: it cannot be locked \(No such file"), locked(tmp_path / "none"):
        pass
    monkeypatch.setattr(fcntl, "flock", fail_with(OSError(errno.ENOLCK, "No locks available")))
    with pytest.raises(RunDirectoryError, match=r"this file system cannot lock files \(No locks"), locked(tmp_path):
        pass
