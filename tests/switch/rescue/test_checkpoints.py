"""Checkpoints are found by the form of their names, and read without running their code."""

import argparse
import os

import pytest
import torch

from overmix.errors import CheckpointError, ConfigError
from overmix.switch.rescue import Checkpoints
from overmix.switch.rescue.checkpoints import read_checkpoint


@pytest.mark.parametrize(
    ("names", "pattern", "done"),
    [
        (["epoch_010.pt", "epoch_2.pt", "epoch_best.pt", "last.pt"], "epoch_{epoch}.pt", [2, 10]),
        (["epoch=0-step=10.ckpt", "epoch=9-step=100.ckpt"], "epoch={index}-step=*.ckpt", [1, 10]),
        (["checkpoint-20", "checkpoint-45", "checkpoint-60"], "checkpoint-{step}", [2, 6]),  # 45: inside of an epoch
        (["a[1]-3.pt", "a1-4.pt"], "a[1]-{epoch}.pt", [3]),
    ],
)
def test_a_pattern_says_which_number_is_what(tmp_path, names, pattern, done):
    for name in names:
        (tmp_path / name).touch()
    found = Checkpoints(str(tmp_path / pattern), steps=lambda: 10)
    assert list(found) == done
    assert len(found) == len(done)
    assert all(found[epoch].parent == tmp_path for epoch in found)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("epoch_*.pt", "write one {epoch}, epochs done"),
        ("{epoch}_{step}.pt", "write one {epoch}, epochs done"),
        ("{number}.pt", "write one {epoch}, epochs done"),
        ("other_{epoch}.pt", "no file or folder has this form"),
        ("epoch_{epoch}*.pt", "epoch_1-v1.pt and .*epoch_1.pt are both of epoch 1: narrow the pattern"),
    ],
)
def test_patterns_that_cannot_be_read_say_why(tmp_path, pattern, message):
    for name in ("epoch_1.pt", "epoch_1-v1.pt"):
        (tmp_path / name).touch()
    with pytest.raises(ConfigError, match=message):
        Checkpoints(str(tmp_path / pattern))


def test_epochs_that_are_called_steps_are_told_from_names_that_do_not_fit(tmp_path):
    for epoch in range(1, 16):
        (tmp_path / f"e{epoch}.pt").touch()
    told = r"of its 15 numbers, 1 to 15, 1 are multiples of the 10 optimizer steps of an epoch, .*: .* write {epoch}"
    with pytest.raises(ConfigError, match=told):
        Checkpoints(str(tmp_path / "e{step}.pt"), steps=lambda: 10)


class Runs:
    """What a pickle may hold: code that runs when it is read."""

    def __reduce__(self):
        return os.mkdir, ("it-ran",)


@pytest.mark.parametrize("content", [Runs(), {"model": {}, "args": argparse.Namespace(lr=0.1)}])
def test_pickles_that_may_run_code_are_refused_with_the_way_out(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    torch.save(content, "epoch_1.pt")
    with pytest.raises(CheckpointError, match=r"^epoch_1.pt: it holds .*add_safe_globals.* or write it anew") as error:
        read_checkpoint(tmp_path.__class__("epoch_1.pt"))
    assert isinstance(content, Runs) or "argparse.Namespace" in str(error.value)
    assert "\n" not in str(error.value)
    assert not os.path.exists("it-ran")


def test_what_is_no_checkpoint_is_one_line(tmp_path):
    folder, pipe, empty, text = (tmp_path / name for name in ("folder", "pipe", "empty.pt", "text.pt"))
    folder.mkdir()
    os.mkfifo(pipe)
    empty.touch()
    text.write_text("epoch 1: lr 0.1\n")
    for path in (folder, pipe, empty, text, tmp_path / "none.pt"):
        with pytest.raises(CheckpointError, match=f"^{path}: [^\n]*$"):
            read_checkpoint(path)
