"""Stacks that are trained elsewhere: whatever the cluster does, the bytes are those of a local run."""

import time
from contextlib import nullcontext

import pytest

from overmix.errors import OvermixError, RunDirectoryError, StudyInterrupted, WorkerFault
from overmix.study import run_study
from overmix.study.plan.fingerprint import fingerprint
from overmix.study.run.crew import Failed
from overmix.study.run.executor import open_executor
from overmix.study.run.remote import NodeLost, RemoteExecutor, SavedCheckpoint, TrainedStack, train_sent
from overmix.study.spec.schema import ExecutorSpec

RAY = {"name": "ray", "retries": 2}
SWEEP = {
    "compare": [
        {"name": "ERM", "recipe": "NoMixup"},
        {"name": "Mixup"},
        {"name": "off", "schedule": {"off_at": 2}},
        {"name": "auto", "schedule": "auto"},
    ],
    "seeds": 8,
}


class Gone(BaseException):
    """The machine that a stack is on disappears."""


class FakeCluster:
    """Trains in this process, when it is waited for; ``trouble`` is called before each event that a stack tells."""

    def __init__(self, trouble=lambda number, event: None, rooms=2):
        self.trouble, self.rooms = trouble, rooms
        self.submitted, self.results, self.told = [], {}, []
        self.stopped = False
        self.abandoned = None
        self.machine = fingerprint

    def room(self):
        return self.rooms

    def fingerprint(self, device):
        return self.machine(device)

    def submit(self, stack):
        self.submitted.append(stack)
        return len(self.submitted) - 1

    def wait(self, stacks, seconds):
        number = stacks[0]
        if number in self.results:
            return [number]
        line = FakeLine(self, number)
        try:
            self.results[number] = train_sent(self.submitted[number], line)
        except Gone:
            self.results[number] = NodeLost("its machine is gone")
        return [number]

    def result(self, stack):
        if isinstance(self.results[stack], NodeLost):
            raise self.results[stack]
        return self.results[stack]

    def heard(self):
        told, self.told = self.told, []
        return told

    def stop(self):
        self.stopped = True

    def abandon(self, stacks):
        self.abandoned = stacks


class FakeLine:
    def __init__(self, cluster, number):
        self.cluster, self.number = cluster, number

    def tell(self, event):
        self.cluster.trouble(self.number, event)
        self.cluster.told.append(event)

    def should_stop(self):
        return self.cluster.stopped


@pytest.fixture
def train(monkeypatch, tiny, tmp_path):
    """Return a function that runs a study on a fake cluster, and returns its run directory."""

    def train(cluster, out="remote", executor=RAY, **options):
        spec = tiny(**SWEEP | {"executor": executor})
        monkeypatch.setattr(
            "overmix.study.run.run_study.open_executor",
            lambda spec, device: nullcontext(RemoteExecutor(cluster, spec, device)),
        )
        run_study(spec, tmp_path / out, **options)
        return tmp_path / out

    return train


@pytest.fixture(scope="module")
def local(training_here, tiny, tmp_path_factory):
    """Return the bytes of a study that was trained in one place."""
    out = tmp_path_factory.mktemp("local")
    with training_here():
        run_study(tiny(**SWEEP), out)
    return (out / "curves.parquet").read_bytes()


def test_lost_stacks_go_on_from_their_last_checkpoint_to_the_bytes_of_a_local_run(train, local):
    lost = set()

    def trouble(number, event):
        # Each of the first three is lost just after it has sent a state of its own.
        if number in lost:
            raise Gone
        if isinstance(event, SavedCheckpoint) and event.stack == event.sender and number < 3:
            lost.add(number)

    cluster, told = FakeCluster(trouble), []
    out = train(cluster, checkpoint_seconds=0.0, tell=told.append)
    assert (out / "curves.parquet").read_bytes() == local
    notes = [progress.note for progress in told if progress.note]
    assert len(notes) == len(lost) > 1
    assert "was lost (its machine is gone): it goes on elsewhere from its last checkpoint" in notes[0]
    first, again = cluster.submitted[0], cluster.submitted[-1]
    assert first.checkpoint is None
    assert sum(stack.checkpoint is not None for stack in cluster.submitted) >= len(lost)
    assert again.study == (out / "study.json").read_bytes()
    assert not list((out / "checkpoints").iterdir())
    assert (cluster.stopped, cluster.abandoned) == (False, [])


def test_shared_beginnings_are_shared_across_machines(train, local):
    cluster = FakeCluster(rooms=1)
    out = train(cluster)
    assert (out / "curves.parquet").read_bytes() == local
    forked = [stack for stack in cluster.submitted if stack.checkpoint is not None]
    assert [stack.task.cells[0].condition for stack in forked] == ["off"]


def test_a_stack_is_lost_so_often_and_no_more(train):
    def trouble(number, event):
        raise Gone

    cluster = FakeCluster(trouble, rooms=1)
    with pytest.raises(OvermixError, match="a stack was lost 3 times, last because its machine is gone: run the same"):
        train(cluster)
    assert len(cluster.submitted) == 1 + RAY["retries"]


def test_ctrl_c_waits_until_every_state_is_here(train, local, tmp_path):
    def press(progress):
        if progress.epoch == 0:
            raise KeyboardInterrupt

    cluster = FakeCluster()
    with pytest.raises(StudyInterrupted, match=r"^stopped, what is finished is kept$"):
        train(cluster, tell=press)
    out = tmp_path / "remote"
    assert cluster.stopped
    assert not (out / "summary.json").exists()
    # One was finished when the key was pressed, the other one told to stop.
    assert [len(list((out / name).iterdir())) for name in ("stacks", "checkpoints")] == [1, 1]
    assert (train(FakeCluster()) / "curves.parquet").read_bytes() == local


def test_a_machine_that_is_unlike_the_others_is_refused_or_recorded(train):
    machines = iter([{"cpu": "One"}, {"cpu": "One"}, *[{"cpu": "Other"}] * 20])

    class Mixed(FakeCluster):
        def result(self, stack):
            trained = super().result(stack)
            return trained and TrainedStack(next(machines), trained.content)

    cluster = Mixed()
    cluster.machine = lambda device: next(machines)
    with pytest.raises(RunDirectoryError, match=r"begun with cpu 'One', now 'Other': .*--other-machine"):
        train(cluster)
    assert cluster.stopped
    out = train(cluster := FakeCluster(), other_machine=True)
    summary = (out / "summary.json").read_text()
    assert '"One"' in summary
    assert fingerprint("cpu")["cpu"] in summary


@pytest.mark.parametrize(
    ("failed", "error"),
    [
        (Failed("alpha = -1: use a number", expected=True, details=""), OvermixError),
        (Failed("a worker failed with X", expected=False, details="Traceback"), WorkerFault),
    ],
)
def test_what_a_stack_fails_with_is_raised_here_once_the_others_have_saved(train, failed, error):
    class Failing(FakeCluster):
        def result(self, stack):
            return failed if stack == 0 else super().result(stack)

    cluster = Failing()
    with pytest.raises(error, match=failed.message):
        train(cluster)
    assert cluster.stopped


def test_a_cluster_without_room_is_waited_for_and_then_given_up(train, monkeypatch):
    monkeypatch.setattr("overmix.study.run.remote._ROOM_SECONDS", 0.0)
    began = time.monotonic()
    with pytest.raises(OvermixError, match="no node of the cluster is left that fits what a stack asks for"):
        train(FakeCluster(rooms=0))
    assert time.monotonic() - began < 20


def test_the_local_executor_needs_no_ray():
    with open_executor(ExecutorSpec(), "cpu") as executor:
        assert executor.fingerprint() == fingerprint("cpu")
        assert executor.workers >= 1
