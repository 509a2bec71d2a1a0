"""The command line in this process, without worker processes and pages where they are not what is tested."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from overmix.cli.app import run
from overmix.report import ReportFiles
from overmix.study.run.worker import StackRunner

TINY = """\
name: tiny
data: {name: digits, train_size: 64, val_size: 32}
model: {hidden: [8]}
train: {epochs: 3, batch_size: 32}
compare: [{name: ERM, recipe: NoMixup, schedule: never}, {name: Mixup}]
seeds: 2
device: cpu
"""


class Outcome(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def overmix(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Return the command line as a function."""

    def call(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        return Outcome(code, *capsys.readouterr())

    return call


@pytest.fixture
def study_file(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes a study file."""

    def write(content: str = TINY, name: str = "s.yaml") -> Path:
        path = tmp_path / name
        path.write_text(content, encoding="utf-8")
        return path

    return write


def train_here(tasks, directory, *, workers, allow_code, tell, checkpoint_seconds):
    """Stand in for the executor: the same stacks, without processes."""
    runner = StackRunner(directory, allow_code=allow_code, tell=tell, should_stop=lambda: False)
    for task in tasks:
        runner.run(task)


@pytest.fixture(scope="module")
def all_in_process():
    """Train here instead of in worker processes in all tests of a file, and write true pages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("overmix.study.run.local.run_local", train_here)
        yield


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train here instead of in worker processes, and write no page."""

    def write_report(result, out):
        page = Path(out) / "report.html"
        page.write_text("a page")
        return ReportFiles(page, ())

    monkeypatch.setattr("overmix.study.run.local.run_local", train_here)
    monkeypatch.setattr("overmix.report.write_report", write_report)


@pytest.fixture(scope="session", autouse=True)
def _digits_read_once():
    import sklearn.datasets

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sklearn.datasets, "load_digits", functools.cache(sklearn.datasets.load_digits))
        yield
