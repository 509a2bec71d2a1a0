"""Studies in this process, without worker processes and without pages."""

import functools
from pathlib import Path

import numpy as np
import pytest

from overmix.experiments.reproduce.measured import Measured
from overmix.report import ReportFiles
from overmix.study import parse_study
from overmix.study.analyse.cell_result import CellResult
from overmix.study.plan.cells import expand
from overmix.study.run.worker import StackRunner

EPOCHS = np.array([1, 2, 4, 8, 16, 32, 64, 128, 256])


def cell(condition, seed, rate, *, epochs=EPOCHS, samples=400, loss=None, val=None, steps=3):
    """Return a run whose chance of an error is ``rate`` at each epoch; samples differ in how hard they are."""
    hard = np.random.default_rng(0).random(samples)
    luck = np.random.default_rng(seed + 1).normal(0, 0.004)
    wrong = (hard < np.asarray(rate)[:, None] + luck).astype(np.uint8)
    ones = np.ones(len(epochs))
    values = {
        "mix_loss": ones if loss is None else np.asarray(loss, dtype=float) + luck,
        "test_cross_entropy": ones,
        "test_error": wrong.mean(axis=1),
        "val_brier": ones * (wrong[-1].mean() if val is None else val),
    }
    (trained,) = expand(
        parse_study({"train": {"epochs": int(epochs[-1])}, "compare": [{"name": condition}], "seeds": [seed]})
    )
    return CellResult(trained, epochs, values, wrong, [40] * 10, steps, 1.0)


@pytest.fixture
def study():
    """Return a function that makes a measured study from one rate (and options) per condition."""

    def make(floors=None, seeds=8, **rates):
        cells = []
        for name, given in rates.items():
            options = dict(given) if isinstance(given, dict) else {"rate": given}
            cells += [cell(name, seed, **options) for seed in range(seeds)]
        return Measured(cells, floors)

    return make


@pytest.fixture(scope="session")
def clothes_folder(tmp_path_factory) -> Path:
    """A folder in Fashion-MNIST's form with few images: a bright stripe says the class, the rest is noise."""
    folder, rng = tmp_path_factory.mktemp("clothes"), np.random.default_rng(0)
    for kind, count in (("train", 600), ("t10k", 100)):
        labels = np.arange(count, dtype=np.uint8) % 10
        images = rng.integers(128, size=(count, 28, 28), dtype=np.uint8)
        images[np.arange(count), 4 + 2 * labels] += 100
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
            (folder / f"{kind}-{name}-ubyte").write_bytes(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes())
    return folder


@pytest.fixture
def few_clothes(monkeypatch: pytest.MonkeyPatch, clothes_folder: Path) -> None:
    """Leave the 10,000 test images out: to score them at every look takes minutes, at smoke scale too."""
    monkeypatch.setattr("overmix.study.data.fashion_mnist._DEBIAN", clothes_folder)


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train here instead of in worker processes, write no page, and read the digits once."""
    import sklearn.datasets

    def train(tasks, directory, *, workers, allow_code, tell, checkpoint_seconds):
        runner = StackRunner(directory, allow_code=allow_code, tell=tell, should_stop=lambda: False)
        for task in tasks:
            runner.run(task)

    def write_report(result, out):
        return ReportFiles(Path(out) / "report.html", ())

    monkeypatch.setattr("overmix.study.run.local.run_local", train)
    monkeypatch.setattr("overmix.experiments.reproduce.run.write_report", write_report)
    monkeypatch.setattr(sklearn.datasets, "load_digits", functools.cache(sklearn.datasets.load_digits))
