"""A rescue ends as AutoSwitch would have ended the training, to the bit, and touches nothing that is there."""

import hashlib
import json
from types import SimpleNamespace

import pytest
import torch

import overmix
from overmix.errors import CheckpointError, ConfigError, RunDirectoryError
from overmix.switch import AutoSwitch
from overmix.switch.rescue import PlainTraining, Rescued, rescue
from overmix.switch.rescue.looks import CheckpointLooks

EPOCHS = 12
SAVED = (2, 4, 6, 8, 10)
POLICY = AutoSwitch(shares=tuple(done / EPOCHS for done in SAVED), tail=0.17, guess=0.3)


class Plain:
    """An epoch that mixes nothing, for a loop that asks for one."""

    kind = "train"

    def __init__(self, index):
        self.index, self.step = index, 0

    def mix(self, x, y):
        return overmix.NoMixup().unmixed(x, y)


@pytest.fixture
def left(loops, tmp_path):
    """The checkpoints that a training with Mixup has left; the generator is one of the things that they hold."""
    training = loops.Training(epochs=EPOCHS)
    for epoch in overmix.Epochs(EPOCHS, mix=overmix.Mixup(), seed=0):
        training.body(epoch)
        if (done := epoch.index + 1) in (*SAVED, EPOCHS):
            torch.save(training.everything(), tmp_path / f"{done}.pt")
    return {done: tmp_path / f"{done}.pt" for done in (*SAVED, EPOCHS)}


def plainly(loops):
    """The user's factory."""

    def factory():
        training = loops.Training(epochs=EPOCHS)

        def load(saved, epochs):
            for name, part in training.state.items():
                part.load_state_dict(saved[name])
            torch.set_rng_state(saved["torch"])

        def train(index):
            training.model.train()
            for x, y in training.batches(epoch := Plain(index)):
                training.step(epoch, x, y)

        def score():
            training.model.eval()
            with torch.no_grad():
                return training.model(training.held_out[0]), training.held_out[1]

        return PlainTraining(training.state, train, score, EPOCHS, loops.STEPS, load)

    return factory


def test_it_decides_and_ends_as_autoswitch_would_on_the_same_looks(loops, left, tmp_path):
    """BatchNorm, dropout, momentum, a cosine; the run that decides by itself looks where checkpoints were saved."""
    own = loops.Training(epochs=EPOCHS)
    run = overmix.Epochs(EPOCHS, mix=overmix.Mixup(), switch=POLICY, seed=0, state=own.state)
    validate, own.validate = own.validate, lambda epoch: None
    for epoch in run:
        own.body(epoch)
        if epoch.kind == "probe" or epoch.index + 1 in SAVED:
            validate(epoch)
    rescued = rescue(plainly(loops), left, tmp_path / "rescued.pt", POLICY)
    ours, theirs = rescued.outcome, run.decision
    assert ours.switch_at in SAVED[:-1]  # it goes back
    assert (ours.headline, ours.reason, ours.probes) == (theirs.headline, theirs.reason, theirs.probes)
    assert ours.observations == theirs.observations
    saved = torch.load(tmp_path / "rescued.pt", weights_only=True)
    assert loops.same({**saved, "torch": None}, {**own.everything(), "epoch": EPOCHS, "torch": None})


def test_nothing_that_is_there_changes_and_the_second_rescue_is_the_first(loops, left, tmp_path):
    def digests():
        return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in left.values()}

    before, generator = digests(), torch.get_rng_state()
    first = rescue(plainly(loops), left, tmp_path / "new" / "rescued.pt", POLICY)
    assert torch.equal(torch.get_rng_state(), generator)
    assert digests() == before
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["rescued.pt"]
    with pytest.raises(ConfigError, match=r"^out = .*: something is there: name a new place"):
        rescue(lambda: pytest.fail("trained"), left, tmp_path / "new" / "rescued.pt")
    second = rescue(plainly(loops), left, tmp_path / "again.pt", POLICY)
    assert loops.same(*(torch.load(one.path, weights_only=True) for one in (first, second)))
    assert first.sentences[:2] == second.sentences[:2]
    assert first.outcome.spent == 2 * len(first.outcome.probes) + EPOCHS - first.outcome.switch_at


def look(score, done, error):
    """A look at 40 samples, a share of which is wrong."""
    wrong = torch.arange(40) < 40 * error
    logits = torch.stack([torch.full((40,), score), torch.zeros(40)], 1)
    return CheckpointLooks().take(
        (torch.where(wrong[:, None], -logits, logits), torch.zeros(40, dtype=torch.int64)), done
    )


@pytest.mark.parametrize(
    ("ended", "finished", "gained", "second", "third"),
    [
        (look(0.5, 8, 0.4), look(3.0, 4, 0.0), True, "Rescued: finished without", "Next: use rescued.pt; judge it on"),
        (
            look(3.0, 8, 0.0),
            look(0.5, 4, 0.4),
            False,
            "Not rescued: finished",
            "Next: keep the training as it had ended",
        ),
        (look(1.0, 8, 0.1), look(1.0, 4, 0.1), None, "No clear difference: finished", "Next: hold out more samples"),
        (None, look(1.0, 4, 0.1), None, "Finished without mixing its Brier score is", "Next: use rescued.pt; judge"),
        (look(1.0, 8, 0.1), None, None, "Nothing was trained on:", "Next: keep the training as it is."),
    ],
)
def test_three_sentences_say_what_was_decided_gained_and_is_to_do(ended, finished, gained, second, third):
    outcome = overmix.switch.Outcome(8, 4 if finished else 8, "as it was told", (), (), spent=6)
    rescued = Rescued(outcome, ended, finished, None if finished is None else "rescued.pt")
    assert rescued.gained is gained
    first, *rest = rescued.sentences
    assert first == f"{outcome.headline}: as it was told."
    assert rest[0].startswith(second)
    assert rest[1].startswith(third)
    if gained:
        assert "lower than where it had ended (error 0.0 % in the place of 40.0 %)." in rest[0]
    assert json.loads(json.dumps(rescued.to_dict()))["gained"] is gained
    assert str(rescued).endswith("Price: 6 epochs trained, 0.75 times one run of 8.")


def test_checkpoints_that_do_not_fit_say_what_to_do(loops, left, tmp_path):
    def factory(**changes):
        training = loops.Training(epochs=EPOCHS)
        state = {**training.state, **changes}
        return lambda: PlainTraining(state, print, print, EPOCHS, loops.STEPS)

    for state, message in [
        ({"ema": torch.nn.Linear(1, 1)}, r"2.pt: ema missing, it holds model, optimizer, scheduler, torch: name the"),
        ({"torch": torch.nn.Linear(1, 1)}, r"2.pt: torch does not fit: build it as it was, or say by load"),
    ]:
        with pytest.raises(CheckpointError, match=message):
            rescue(factory(**state), left, tmp_path / "out.pt")
    torch.save(loops.Training().model, left[2])
    with pytest.raises(CheckpointError, match=r"2.pt: it holds .*more than tensors and plain values"):
        rescue(factory(), left, tmp_path / "out.pt")
    assert not (tmp_path / "out.pt").exists()


def test_a_wrong_number_of_steps_is_noticed_at_the_first_tail(loops, left, tmp_path):
    def factory():
        training = plainly(loops)()
        return PlainTraining(training.state, training.train, training.score, EPOCHS, 7, training.load)

    with pytest.raises(ConfigError, match=r"^steps = 14: the tail had 6 optimizer steps"):
        rescue(factory, left, tmp_path / "out.pt", POLICY)


def test_what_would_go_on_untold_is_refused_before_anything_is_loaded(loops):
    training = loops.Training()
    with pytest.raises(ConfigError, match="the optimizer has a scheduler, register it too"):
        PlainTraining({"model": training.model, "optimizer": training.optimizer}, print, print, 9, 3)


def test_a_place_that_cannot_be_written_is_refused_before_any_work(tmp_path):
    (tmp_path / "blocker").touch()
    with pytest.raises(RunDirectoryError, match=r"blocker: .*/blocker is a file, no folder: choose another folder"):
        rescue(lambda: pytest.fail("work was started"), {}, tmp_path / "blocker" / "rescued.pt")
    with pytest.raises(ZeroDivisionError):
        rescue(lambda: 1 / 0, {}, tmp_path / "new" / "folder" / "rescued.pt")
    assert [path.name for path in tmp_path.iterdir()] == ["blocker"]


def test_a_disk_without_room_for_the_result_is_refused_before_any_work(tmp_path, monkeypatch):
    (tmp_path / "5.pt").write_bytes(bytes(3 << 20))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=2 << 20))
    with pytest.raises(RunDirectoryError, match=r": 3 MiB are needed, 2 are free: free some space, or choose another"):
        rescue(lambda: pytest.fail("work was started"), {5: tmp_path / "5.pt"}, tmp_path / "rescued.pt")
