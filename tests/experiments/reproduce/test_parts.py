import numpy as np
import pytest
import torch

from overmix.errors import StudyInterrupted
from overmix.experiments.reproduce import run
from overmix.experiments.reproduce.parts import Parts
from overmix.experiments.reproduce.run import run_experiment

MARKS = {"digest": "abc", "rules": 1}


def never():
    raise AssertionError("made again")


def test_a_part_is_made_once_and_read_back_to_the_bit(tmp_path):
    given = np.array([0.1, np.pi, 1e-300, -0.0])
    assert Parts(tmp_path, MARKS).numbers("a", lambda: given).tobytes() == given.tobytes()
    assert Parts(tmp_path, MARKS).numbers("a", never).tobytes() == given.tobytes()
    weights = Parts(tmp_path, MARKS)("w", lambda: {"x": torch.arange(3), "y": torch.tensor(0.5)})
    again = Parts(tmp_path, MARKS)("w", never)
    assert {name: (value.dtype, value.tolist()) for name, value in again.items()} == {
        name: (value.dtype, value.tolist()) for name, value in weights.items()
    }


@pytest.mark.parametrize("other", [{"digest": "abd", "rules": 1}, {"digest": "abc", "rules": 2}])
def test_parts_of_another_study_or_rule_are_made_anew(tmp_path, other):
    Parts(tmp_path, MARKS).numbers("a", lambda: [1.0])
    assert Parts(tmp_path, other).numbers("a", lambda: [2.0]).tolist() == [2.0]
    assert Parts(tmp_path, other).numbers("a", never).tolist() == [2.0]


def test_a_damaged_part_is_made_anew(tmp_path):
    Parts(tmp_path, MARKS).numbers("a", lambda: [1.0])
    (file,) = (tmp_path / "parts").iterdir()
    file.write_bytes(file.read_bytes()[:-3])
    assert Parts(tmp_path, MARKS).numbers("a", lambda: [2.0]).tolist() == [2.0]


def test_a_part_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(AssertionError):
        Parts(tmp_path, MARKS).numbers("a", never)
    assert not (tmp_path / "parts").exists()


class Told(Parts):
    """Tells which parts are made, and is stopped when the part after the ``last`` one begins."""

    made: list[str]
    last: int | None = None

    def __call__(self, name, make):
        def told():
            if len(self.made) == self.last:
                raise KeyboardInterrupt
            found = make()
            self.made.append(name)
            return found

        return super().__call__(name, told)


@pytest.fixture
def told(monkeypatch):
    monkeypatch.setattr(run, "Parts", Told)

    def start(last=None):
        Told.made, Told.last = [], last
        return Told.made

    return start


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "setting", "last"),
    [
        ("gradient-norm", "digits-mlp", 1),
        ("gradient-norm", "digits-mlp", 5),
        ("landscape", "digits-mlp", 3),
        ("label-noise", "digits-mlp", 4),
        ("loss-floor", "digits-mlp", 2),
        ("teacher-student", "realizable", 2),
        ("random-features", "toy", 1),
    ],
)
def test_what_is_interrupted_goes_on_and_ends_the_same(tmp_path, told, name, setting, last):
    every = told()
    run_experiment(name, "smoke", tmp_path / "whole", settings=[setting])
    assert len(every) > last
    before = told(last)
    with pytest.raises(StudyInterrupted):
        run_experiment(name, "smoke", tmp_path / "halves", settings=[setting])
    after = told()
    run_experiment(name, "smoke", tmp_path / "halves", settings=[setting])
    assert before == every[:last]
    assert after == every[last:]
    whole, halves = (tmp_path / kind / "result.json" for kind in ("whole", "halves"))
    assert whole.read_bytes() == halves.read_bytes()
    # Finished, a setting needs its parts no more.
    assert not (tmp_path / "halves" / setting / "parts").exists()
