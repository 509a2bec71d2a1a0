from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import overmix as package


@pytest.fixture
def curve(tmp_path: Path) -> Path:
    epochs = np.arange(1, 101)
    error = 0.1 + 0.03 * np.log(epochs / 20) ** 2 + np.random.default_rng(0).normal(0, 0.005, 100)
    path = tmp_path / "curve.csv"
    path.write_text("epoch,test_error\n" + "".join(f"{t},{v!r}\n" for t, v in enumerate(error.tolist(), start=1)))
    return path


def test_json_is_what_the_function_returns(overmix: Callable, curve: Path) -> None:
    done = overmix("diagnose", curve, "--x", "epoch", "--metric", "test_error", "--json")
    table = np.loadtxt(curve, delimiter=",", skiprows=1)
    assert done.code == 0
    assert json.loads(done.out) == package.diagnose_curve(table[:, 0], table[:, 1]).to_dict()
    assert json.loads(done.out)["verdict"] == "u-shaped"


def test_people_read_sentences(overmix: Callable, curve: Path) -> None:
    done = overmix("diagnose", curve)
    assert done.code == 0
    assert "test_error by epoch, 100 points" in done.out
    assert "U-shaped: best near epoch" in done.out


def test_five_paths_are_five_seeds(overmix: Callable, curve: Path) -> None:
    done = overmix("diagnose", *[curve] * 5, "--json")
    assert json.loads(done.out)["n_seeds"] == 5


def test_bad_input_is_one_line_and_code_2(overmix: Callable, curve: Path, tmp_path: Path) -> None:
    for arguments in ([tmp_path / "none.csv"], [curve, "--metric", "tset_error"], [curve, "--x", "epohc"]):
        done = overmix("diagnose", *arguments)
        assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
    assert overmix("diagnose").code == 2
