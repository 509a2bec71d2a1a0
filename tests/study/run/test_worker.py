import itertools
import os

import numpy as np
import pytest

from overmix.errors import RunDirectoryError
from overmix.study import plan_study
from overmix.study.run.crew import Interrupted
from overmix.study.run.worker import CHECKPOINT_SECONDS, StackProgress, StackRunner
from overmix.study.store.checkpoint import load_tensors
from overmix.study.store.directory import RunDirectory

MARKS = {"fingerprint": {}, "data": {}, "code": {}}
STEPS = 8  # of the tiny study: 4 epochs of 2 steps


@pytest.fixture
def directory(tmp_path) -> RunDirectory:
    directory = RunDirectory(tmp_path / "run")
    directory.open()
    directory.adopt({}, MARKS, other_machine=False)
    return directory


@pytest.fixture
def still(monkeypatch):
    """Stop the clock, so that results do not differ in how long they took."""
    monkeypatch.setattr("overmix.study.run.worker.time.monotonic", lambda: 0.0)


def runner(directory, stop_after=None, tell=lambda _: None, **options):
    """Return a runner that is told to stop after a number of steps."""
    steps = itertools.count(1)
    return StackRunner(
        directory,
        allow_code=True,
        tell=tell,
        should_stop=lambda: next(steps) == stop_after,
        **options,
    )


def one_task(spec, allow_code=False):
    (task,) = plan_study(spec, allow_code=allow_code).tasks
    return task


OWN = """
class Noisy(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 10))

    def forward(self, x):
        x = x.flatten(1)
        return self.layers(x + 0.1 * torch.randn(x.shape) if self.training else x)

def make(*, sample_shape, num_classes):
    return Noisy()
"""
MODELS = {
    "plain": {"hidden": [8]},
    "dropout and batch norm": {"hidden": [8], "dropout": 0.3, "batch_norm": True},
    "convolutions, looped": {"name": "convnet", "width": 2, "batch_norm": True},
    "own, with randomness of its own": None,
}


@pytest.fixture(params=list(MODELS))
def task(request, tiny, model_file):
    model = MODELS[request.param] or model_file(OWN)
    train = {"epochs": 4, "batch_size": 32, "optimizer": {"weight_decay": 0.01}, "lr_schedule": "cosine"}
    tasks = plan_study(tiny(allow_code=True, model=model, train=train), allow_code=True).tasks
    return tasks[-1]


@pytest.mark.usefixtures("still")
def test_a_stack_that_is_stopped_and_resumed_leaves_the_same_bytes(directory, task):
    runner(directory).run(task)
    whole = directory.result_file(task).read_bytes()
    for stops in ([3], [STEPS], [1] * (STEPS - 1)):
        directory.result_file(task).unlink()
        for stop in stops:
            with pytest.raises(Interrupted):
                runner(directory, stop_after=stop).run(task)
            assert directory.checkpoint_file(task).exists()
            assert not directory.result_file(task).exists()
        runner(directory).run(task)
        assert directory.result_file(task).read_bytes() == whole, stops
        assert not directory.checkpoint_file(task).exists()


@pytest.mark.usefixtures("still")
def test_a_resumed_stack_does_only_the_rest(directory, tiny):
    task = one_task(tiny())
    with pytest.raises(Interrupted):
        runner(directory, stop_after=5).run(task)
    told = []
    steps = itertools.count()
    StackRunner(
        directory, allow_code=False, tell=told.append, should_stop=lambda: next(steps) < 0, checkpoint_seconds=100
    ).run(task)
    assert told[0].epoch == 2
    assert next(steps) == STEPS - 5


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty", "of another stack"])
def test_a_checkpoint_that_cannot_be_used_is_ignored(directory, tiny, damage):
    task = one_task(tiny())
    runner(directory).run(task)
    whole = directory.result_file(task).read_bytes()
    directory.result_file(task).unlink()
    other = one_task(tiny(seeds=[5, 6]))
    with pytest.raises(Interrupted):
        runner(directory, stop_after=3).run(other if damage == "of another stack" else task)
    file = directory.checkpoint_file(task)
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[:-9])
    elif damage == "of another stack":
        file.write_bytes(directory.checkpoint_file(other).read_bytes())
    else:
        file.write_bytes(b"garbage" if damage == "garbage" else b"")
    runner(directory).run(task)
    assert directory.result_file(task).read_bytes() == whole


@pytest.mark.parametrize(("share", "least", "most"), [(float("inf"), 2, STEPS), (0.05, 1, 1)])
def test_checkpoints_are_written_as_time_goes_by_and_take_a_share_of_it(
    directory, tiny, monkeypatch, share, least, most
):
    clock = itertools.count()
    monkeypatch.setattr("overmix.study.run.worker.time.monotonic", lambda: float(next(clock)))
    monkeypatch.setattr("overmix.study.run.worker._MOST_SAVING", share)
    task, saved = one_task(tiny()), []
    real = StackRunner.save

    def save(self, task, training, seconds):
        real(self, task, training, seconds)
        saved.append((training.epoch, training.step, load_tensors(directory.checkpoint_file(task), task.id)))

    monkeypatch.setattr(StackRunner, "save", save)
    runner(directory, checkpoint_seconds=2.5).run(task)
    assert least <= len(saved) <= most
    for epoch, step, (tensors, header) in saved:
        assert tensors["progress"].tolist() == [epoch, step]
        assert header["seconds"] > 0
    assert [(epoch, step) for epoch, step, _ in saved][-1] < (4, 0)
    assert not directory.checkpoint_file(task).exists()


def test_no_checkpoint_is_written_once_all_is_done(directory, tiny, monkeypatch):
    task, saved = one_task(tiny()), []
    monkeypatch.setattr("overmix.study.run.worker._MOST_SAVING", float("inf"))
    monkeypatch.setattr(StackRunner, "save", lambda self, task, training, seconds: saved.append(training.epoch))
    runner(directory, checkpoint_seconds=-1.0).run(task)
    assert len(saved) == STEPS - 1


def test_no_more_than_fifteen_seconds_are_lost():
    assert CHECKPOINT_SECONDS <= 10


def test_the_time_spent_before_an_interruption_counts(directory, tiny, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("overmix.study.run.worker.time.monotonic", lambda: now[0])
    task = one_task(tiny())

    def stop_at_ten():
        now[0] += 2
        return now[0] == 10

    first = StackRunner(directory, allow_code=False, tell=lambda _: None, should_stop=stop_at_ten)
    with pytest.raises(Interrupted):
        first.run(task)
    now[0] = 1000.0
    StackRunner(directory, allow_code=False, tell=lambda _: None, should_stop=stop_at_ten).run(task)
    _, header = load_tensors(directory.result_file(task), task.id)
    assert header["seconds"] == 2 * STEPS


def test_a_result_says_what_it_is(directory, tiny):
    task = one_task(tiny())
    runner(directory).run(task)
    tensors, header = load_tensors(directory.result_file(task), task.id)
    assert header["cells"] == [cell.id for cell in task.cells]
    assert (header["steps_per_epoch"], header["n_test"]) == (2, 1000)
    assert [sum(counts) for counts in header["class_counts"]] == [64] * 4
    # Twins have the same samples; other seeds have others.
    assert header["class_counts"][0] == header["class_counts"][2] != header["class_counts"][1]
    assert tensors["epochs"][-1] == 4
    wrong = np.unpackbits(tensors["wrong"].numpy(), axis=-1, count=1000)
    np.testing.assert_allclose(wrong.mean(axis=-1), tensors["test_error"].numpy(), atol=1e-6)


def test_progress_tells_epochs_and_the_errors_of_each_condition(directory, tiny, monkeypatch):
    monkeypatch.setattr("overmix.study.run.worker._PROGRESS_SECONDS", 0.0)
    compare = [{"name": "A", "recipe": "NoMixup"}, {"name": "B"}, {"name": "C", "train": {"optimizer": {"lr": 0.01}}}]
    task, told = one_task(tiny(compare=compare)), []
    runner(directory, tell=told.append).run(task)
    assert told[0] == StackProgress(task.id, 0, 4, {"A": 2, "B": 2, "C": 2}, {})
    assert [progress.epoch for progress in told] == sorted(progress.epoch for progress in told)
    tensors, _ = load_tensors(directory.result_file(task), task.id)
    last = tensors["test_error"][:, -1].reshape(3, 2).mean(dim=1).tolist()
    assert told[-1].epoch == 4
    assert told[-1].test_error == pytest.approx(dict(zip("ABC", last, strict=True)))


def test_the_data_are_read_once_for_all_that_draw_from_them(directory, tiny, monkeypatch):
    from overmix.study.run import worker

    opened, real = [], worker.open_dataset
    monkeypatch.setattr(worker, "open_dataset", lambda data: (opened.append(data.name), real(data))[1])
    own = runner(directory)
    for changes in ({}, {"data": {"train_size": 90, "val_size": 10}}, {"seeds": [7]}):
        own.run(plan_study(tiny(**changes)).tasks[0])
    assert opened == ["digits"]


def test_a_full_disk_at_the_end_keeps_the_checkpoint(directory, tiny, monkeypatch):
    task = one_task(tiny())
    with pytest.raises(Interrupted):
        runner(directory, stop_after=3).run(task)

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(RunDirectoryError, match=r"stacks/.*: it cannot be written \(No space left on device\)"):
            runner(directory).run(task)
    assert directory.checkpoint_file(task).exists()
    assert list((directory.path / "stacks").iterdir()) == []
    runner(directory).run(task)
