"""Tiny studies, trained in this process."""

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import torch

from overmix.study import StudySpec, parse_study
from overmix.study.run.worker import StackRunner


def train_here(tasks, directory, *, workers, allow_code, tell, checkpoint_seconds):
    """Stand in for the executor: the same stacks, without processes."""
    runner = StackRunner(
        directory,
        allow_code=allow_code,
        tell=tell,
        should_stop=lambda: False,
        checkpoint_seconds=checkpoint_seconds,
    )
    for task in tasks:
        runner.run(task)


@pytest.fixture(scope="session", autouse=True)
def _digits_read_once():
    """The file of digits is text, and takes longer to read than a tiny study to train."""
    import sklearn.datasets

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sklearn.datasets, "load_digits", functools.cache(sklearn.datasets.load_digits))
        yield


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overmix.study.run.local.run_local", train_here)


@pytest.fixture(scope="session")
def training_here() -> Callable[[], AbstractContextManager[None]]:
    """Return a context that trains in this process, for what several tests read and only one trains."""

    @contextmanager
    def context() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("overmix.study.run.local.run_local", train_here)
            yield

    return context


TINY = {
    "name": "tiny",
    "data": {"name": "digits", "train_size": 64, "val_size": 32},
    "model": {"name": "mlp", "hidden": [8]},
    "train": {"epochs": 4, "batch_size": 32},
    "compare": [{"name": "ERM", "recipe": "NoMixup", "schedule": "never"}, {"name": "Mixup"}],
    "seeds": 2,
    "device": "cpu",
}


@pytest.fixture(scope="session")
def tiny() -> Callable[..., StudySpec]:
    """Return the tiny study with some of its top-level keys replaced."""
    return lambda allow_code=False, **changes: parse_study(TINY | changes, allow_code=allow_code)


@pytest.fixture
def model_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Return a function that makes a module of source code importable, and returns the import path of its ``make``."""
    monkeypatch.syspath_prepend(tmp_path)
    count = iter(range(100))

    def write(source: str) -> str:
        name = f"own_model_{next(count)}_{abs(hash(tmp_path)) % 10**8}"
        (tmp_path / f"{name}.py").write_text(f"import torch\nfrom torch import nn\n{source}\n")
        return f"{name}:make"

    return write


@pytest.fixture(autouse=True)
def _no_leaks():
    """Threads and the treatment of denormals belong to the test session."""
    threads = torch.get_num_threads()
    yield
    assert torch.get_num_threads() == threads
