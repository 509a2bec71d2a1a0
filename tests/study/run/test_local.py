"""Worker processes: whatever happens to them, the bytes are the same in the end."""

import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from overmix.errors import OvermixError, StudyInterrupted
from overmix.study import parse_study, run_study

EPOCHS = 600
STUDY = {
    "data": {"name": "digits", "train_size": 128, "val_size": 64},
    "model": {"hidden": [32]},
    "train": {"epochs": EPOCHS, "batch_size": 64},
    "compare": [{"name": "ERM", "recipe": "NoMixup"}, {"name": "Mixup"}],
    "seeds": 8,
    "device": "cpu",
}  # two stacks, about three seconds each on one core
SHORT = STUDY | {"train": {"epochs": 60, "batch_size": 64}}
DRIVER = """
import json, sys
from pathlib import Path
from overmix.study import parse_study, run_study

if __name__ == "__main__":
    study, out, workers = json.loads(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    run_study(
        parse_study(study | {"executor": {"workers": workers}}),
        out,
        checkpoint_seconds=0.25,
        on_start=lambda outlook: print(json.dumps([task.id for task in outlook.missing]), flush=True),
        tell=lambda progress: print(json.dumps([progress.stack, progress.epoch]), flush=True),
    )
"""


class Driver:
    """A study in a process group of its own, followed from outside."""

    def __init__(self, script: Path, study, out: Path, workers: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(script), json.dumps(study), str(out), str(workers)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.missing = json.loads(self.process.stdout.readline())
        self.begin: dict[str, int] = {}
        self.epoch: dict[str, int] = {}

    def follow_until(self, done: int) -> None:
        """Read progress until so many epochs are done, those of the stacks finished earlier included."""
        finished = (2 - len(self.missing)) * EPOCHS
        while finished + sum(self.epoch.values()) < done:
            stack, epoch = json.loads(self.process.stdout.readline())
            self.begin.setdefault(stack, epoch)
            self.epoch[stack] = epoch

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()

    def finish(self) -> None:
        _, errors = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, errors


@pytest.fixture
def start(tmp_path):
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    started = []

    def start(out, workers, study=STUDY):
        started.append(Driver(script, study, out, workers))
        return started[-1]

    yield start
    for driver in started:
        if driver.process.poll() is None:
            driver.kill()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The bytes of one worker that nobody disturbs."""
    out = tmp_path_factory.mktemp("undisturbed")
    run_study(parse_study(STUDY | {"executor": {"workers": 1}}), out)
    return (out / "curves.parquet").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "moments"), [(1, (0.25, 0.65)), (2, (0.4, 0.85))])
def test_killed_and_resumed_it_leaves_the_same_bytes(start, tmp_path, undisturbed, workers, moments):
    out, kept = tmp_path / "run", {}
    for moment in moments:
        driver = start(out, workers)
        driver.follow_until(int(moment * 2 * EPOCHS))
        # What was done before the last kill is not done again.
        assert all(begin > 0 for stack, begin in driver.begin.items() if kept.get(stack, 0) > EPOCHS / 8)
        kept = dict(driver.epoch)
        driver.kill()
        assert not (out / "curves.parquet").exists()
    start(out, workers).finish()
    assert (out / "curves.parquet").read_bytes() == undisturbed
    assert not [path for path in out.rglob("*.tmp")]
    assert not list((out / "checkpoints").iterdir())


@pytest.mark.slow
def test_two_workers_leave_the_same_bytes_as_one(start, tmp_path, undisturbed):
    start(tmp_path / "run", 2).finish()
    assert (tmp_path / "run" / "curves.parquet").read_bytes() == undisturbed


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_workers_save_and_go_when_their_parent_is_gone(start, tmp_path):
    out = tmp_path / "run"
    driver = start(out, 2)
    driver.follow_until(EPOCHS // 4)
    workers = children(driver.process.pid)
    assert len(workers) >= 2
    os.kill(driver.process.pid, signal.SIGKILL)
    driver.process.communicate()
    until = time.monotonic() + 30
    while any(alive(pid) for pid in workers) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(alive(pid) for pid in workers)
    assert len(list((out / "checkpoints").glob("*.safetensors"))) == 2
    assert not (out / "summary.json").exists()


@pytest.mark.slow
def test_a_worker_that_dies_alone_is_reported_and_the_others_save(tmp_path, undisturbed):
    spec = parse_study(STUDY | {"executor": {"workers": 2}})
    victims, seen = [], set()

    def kill_one(progress):
        # Who tells of a later epoch than 0 has saved before: looks at the clock come in that order.
        if progress.epoch > 0:
            seen.add(progress.stack)
        if len(seen) == 2 and not victims:
            victims.append(multiprocessing.active_children()[0].pid)
            os.kill(victims[0], signal.SIGKILL)

    with pytest.raises(OvermixError) as caught:
        run_study(spec, tmp_path, tell=kill_one, checkpoint_seconds=0.2)
    assert str(caught.value) == (
        "a worker was killed by signal 9 (out of memory?): run the same command again to go on from the last "
        "checkpoints, perhaps with fewer --workers"
    )
    assert multiprocessing.active_children() == []
    assert len(list((tmp_path / "checkpoints").glob("*.safetensors"))) == 2
    begun = {}
    run_study(spec, tmp_path, tell=lambda progress: begun.setdefault(progress.stack, progress.epoch))
    assert all(epoch > 0 for epoch in begun.values())
    assert (tmp_path / "curves.parquet").read_bytes() == undisturbed


@pytest.mark.slow
def test_ctrl_c_saves_what_is_done(tmp_path):
    # Long enough that no stack is finished when the first sign of life comes.
    spec = parse_study(STUDY | {"executor": {"workers": 1}, "train": {"epochs": 20 * EPOCHS, "batch_size": 64}})

    def press(progress):
        if progress.epoch > 0:
            raise KeyboardInterrupt

    with pytest.raises(StudyInterrupted, match=r"^stopped, what is finished is kept$"):
        run_study(spec, tmp_path, tell=press)
    assert multiprocessing.active_children() == []
    assert len(list((tmp_path / "checkpoints").glob("*.safetensors"))) == 1


FAILS_LATER = """
class Model(nn.Module):
    calls = 0
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        if self.training:
            Model.calls += 1
            if Model.calls > 40:
                raise ArithmeticError("enough is enough")
        return self.linear(x.flatten(1))

def make(*, sample_shape, num_classes):
    return Model()
"""


@pytest.mark.slow
def test_errors_inside_workers(tmp_path, model_file, monkeypatch):
    """A fault comes with its traceback, what a model of the user does wrong names the model, the rest is one line."""
    path = model_file(FAILS_LATER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    spec = parse_study(SHORT | {"model": path, "seeds": 1, "executor": {"workers": 1}}, allow_code=True)
    with pytest.raises(OvermixError) as caught:
        run_study(spec, tmp_path / "a", allow_code=True)
    assert re.fullmatch(
        rf"model.name = '{path}': .*\.py, line \d+, raised ArithmeticError \(enough is enough\) in training: repair it",
        str(caught.value),
    )

    # The folder of the checkpoints becomes a file while the worker is at work.
    out = tmp_path / "b"

    def take_away(progress):
        if (out / "stacks").is_dir():
            (out / "stacks").rmdir()
            (out / "stacks").touch()

    spec = parse_study(SHORT | {"seeds": 1, "executor": {"workers": 1}})
    with pytest.raises(
        OvermixError, match=r"stacks/.*: it cannot be written \(Not a directory\): choose another"
    ) as caught:
        run_study(spec, out, tell=take_away)
    assert "\n" not in str(caught.value)
    assert multiprocessing.active_children() == []
