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


def test_json_of_accuracies_and_seeds_is_what_the_function_returns(overmix: Callable, tmp_path: Path) -> None:
    epochs, rng = np.arange(1, 61), np.random.default_rng(1)
    accuracy = 0.9 - 0.03 * np.log(epochs / 15) ** 2 + rng.normal(0, 0.004, (5, 60))
    accuracy[:, -1] -= 0.01
    for seed, values in enumerate(accuracy):
        rows = "".join(f"{t},{v!r}\n" for t, v in zip(epochs.tolist(), values.tolist(), strict=True))
        (tmp_path / f"seed{seed}.csv").write_text("epoch,val_accuracy\n" + rows)
    found = json.loads(overmix("diagnose", tmp_path, "--json").out)
    assert found == package.diagnose_curve(epochs, accuracy, lower_is_better=False).to_dict()
    assert (found["verdict"], found["n_seeds"]) == ("u-shaped", 5)
    # Taken the wrong way round the same curves would turn at their first, worst epoch.
    assert 8 <= found["turning_epoch"] <= 28


def test_a_resumed_log_with_repeated_epochs_counts_the_later_rows(overmix: Callable, curve: Path) -> None:
    whole = json.loads(overmix("diagnose", curve, "--json").out)
    header, *rows = curve.read_text().splitlines()
    crashed = [f"{t},0.9" for t in range(40, 60)]  # these epochs were trained again
    curve.write_text("\n".join([header, *rows[:39], *crashed, *rows[39:]]) + "\n")
    assert json.loads(overmix("diagnose", curve, "--json").out) == whole


def test_people_read_sentences(overmix: Callable, curve: Path) -> None:
    done = overmix("diagnose", curve)
    assert done.code == 0
    assert "test_error (lower is better) by epoch, 100 points" in done.out
    assert "U-shaped: best near epoch" in done.out


def test_five_paths_are_five_seeds(overmix: Callable, curve: Path) -> None:
    table = np.loadtxt(curve, delimiter=",", skiprows=1)
    copies = [curve.with_name(f"seed{seed}.csv") for seed in range(5)]
    for seed, copy in enumerate(copies):
        rows = "".join(f"{t:g},{v + 0.001 * seed!r}\n" for t, v in table.tolist())
        copy.write_text("epoch,test_error\n" + rows)
    assert json.loads(overmix("diagnose", *copies, "--json").out)["n_seeds"] == 5
    twice = overmix("diagnose", *copies, copies[0], "--json")
    assert (twice.code, "given twice" in twice.err) == (2, True)
    copies[0].with_name("copy.csv").write_text(copies[0].read_text())
    same = overmix("diagnose", *copies, copies[0].with_name("copy.csv"), "--json")
    assert (same.code, "have the same curve" in same.err) == (2, True)


def test_a_name_that_says_nothing_needs_a_direction(overmix: Callable, curve: Path) -> None:
    table = np.loadtxt(curve, delimiter=",", skiprows=1)
    curve.write_text("epoch,val_quality\n" + "".join(f"{t:g},{1 - v!r}\n" for t, v in table.tolist()))
    asked = overmix("diagnose", curve, "--metric", "val_quality")
    assert asked.code == 2
    assert "--lower-is-better or --higher-is-better" in asked.err
    found = json.loads(overmix("diagnose", curve, "--metric", "val_quality", "--higher-is-better", "--json").out)
    assert (found["verdict"], found["lower_is_better"]) == ("u-shaped", False)
    assert found == package.diagnose_curve(table[:, 0], 1 - table[:, 1], lower_is_better=False).to_dict()
    other = json.loads(overmix("diagnose", curve, "--metric", "val_quality", "--lower-is-better", "--json").out)
    assert other["turning_epoch"] != found["turning_epoch"]


def test_bad_input_is_one_line_and_code_2(overmix: Callable, curve: Path, tmp_path: Path) -> None:
    for arguments in ([tmp_path / "none.csv"], [curve, "--metric", "tset_error"], [curve, "--x", "epohc"]):
        done = overmix("diagnose", *arguments)
        assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
    assert overmix("diagnose").code == 2
