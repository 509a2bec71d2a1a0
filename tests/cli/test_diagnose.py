from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


READ = {"metric", "kind", "runs", "not_looked_at", "notes"}


def diagnosis_of(out: str) -> dict[str, Any]:
    """What `diagnose_curve` returned, without what is said of the logs."""
    return {key: value for key, value in json.loads(out).items() if key not in READ}


def test_json_is_what_the_function_returns(overmix: Callable, curve: Path) -> None:
    done = overmix("diagnose", curve, "--x", "epoch", "--metric", "test_error", "--json")
    table = np.loadtxt(curve, delimiter=",", skiprows=1)
    assert done.code == 0
    assert diagnosis_of(done.out) == package.diagnose_curve(table[:, 0], table[:, 1]).to_dict()
    said = json.loads(done.out)
    assert (said["verdict"], said["kind"], said["axis"], said["runs"]) == (
        "u-shaped",
        "error rate",
        "epoch",
        [str(curve)],
    )


def test_the_number_of_test_samples_is_used_for_shares_of_them(overmix: Callable, curve: Path) -> None:
    done = overmix("diagnose", curve, "--n-test", "500", "--json")
    table = np.loadtxt(curve, delimiter=",", skiprows=1)
    assert diagnosis_of(done.out) == package.diagnose_curve(table[:, 0], table[:, 1], n_test=500).to_dict()
    curve.write_text(curve.read_text().replace("test_error", "test_loss"))
    refused = overmix("diagnose", curve, "--n-test", "500")
    assert refused.code != 0
    assert "n_test = 500" in refused.err


def test_json_of_accuracies_and_seeds_is_what_the_function_returns(overmix: Callable, tmp_path: Path) -> None:
    epochs, rng = np.arange(1, 61), np.random.default_rng(1)
    accuracy = 0.9 - 0.03 * np.log(epochs / 15) ** 2 + rng.normal(0, 0.004, (5, 60))
    accuracy[:, -1] -= 0.01
    for seed, values in enumerate(accuracy):
        rows = "".join(f"{t},{v!r}\n" for t, v in zip(epochs.tolist(), values.tolist(), strict=True))
        (tmp_path / f"seed{seed}.csv").write_text("epoch,val_accuracy\n" + rows)
    found = diagnosis_of(overmix("diagnose", tmp_path, "--json").out)
    assert found == package.diagnose_curve(epochs, accuracy, lower_is_better=False).to_dict()
    assert (found["verdict"], found["n_seeds"]) == ("u-shaped", 5)
    # Taken the wrong way round the same curves would turn at their first, worst epoch.
    assert 8 <= found["turning_epoch"] <= 28


def test_a_resumed_log_with_repeated_epochs_counts_the_later_rows(overmix: Callable, curve: Path) -> None:
    whole = diagnosis_of(overmix("diagnose", curve, "--json").out)
    header, *rows = curve.read_text().splitlines()
    crashed = [f"{t},0.9" for t in range(40, 60)]  # these epochs were trained again
    curve.write_text("\n".join([header, *rows[:39], *crashed, *rows[39:]]) + "\n")
    again = overmix("diagnose", curve, "--json").out
    assert diagnosis_of(again) == whole
    assert "goes back from 59 to 40 and on: one resumed run" in json.loads(again)["notes"][0]


def test_people_read_sentences(overmix: Callable, curve: Path) -> None:
    rows = curve.read_text().splitlines()
    curve.write_text("\n".join([f"{rows[0]},val_loss,val_f1", *(f"{row},1.0,0.5" for row in rows[1:])]) + "\n")
    done = overmix("diagnose", curve)
    assert done.code == 0
    judged, passed, *_, numbers, advice = done.out.splitlines()
    assert judged == f"test_error (error rate, lower is better, shares of 1) by epoch, 100 points: {curve}"
    assert passed == "not looked at: val_f1, val_loss; name one with --metric"
    told = r"turning epoch \d+; smoothed, the best is .* and the end .*; depth, their difference corrected for noise, "
    assert re.match(told, numbers)
    assert advice.startswith("U-shaped: best near epoch")


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
    told = overmix("diagnose", curve, "--metric", "val_quality", "--higher-is-better", "--json").out
    found = diagnosis_of(told)
    assert (found["verdict"], found["lower_is_better"]) == ("u-shaped", False)
    assert "the unit of val_quality is not known" in json.loads(told)["notes"][0]
    assert found == package.diagnose_curve(table[:, 0], 1 - table[:, 1], lower_is_better=False).to_dict()
    other = json.loads(overmix("diagnose", curve, "--metric", "val_quality", "--lower-is-better", "--json").out)
    assert other["turning_epoch"] != found["turning_epoch"]


def test_bad_input_is_one_line_and_code_2(overmix: Callable, curve: Path, tmp_path: Path) -> None:
    for arguments in ([tmp_path / "none.csv"], [curve, "--metric", "tset_error"], [curve, "--x", "epohc"]):
        done = overmix("diagnose", *arguments)
        assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
    assert (overmix("diagnose").code, "no path was given" in overmix("diagnose").err) == (2, True)


def test_the_unit_may_be_said(overmix: Callable, curve: Path) -> None:
    arguments = ("diagnose", curve, "--metric", "test_error", "--json")
    percent, own = (json.loads(overmix(*arguments, "--unit", unit).out) for unit in ("percent", "value"))
    assert (percent["delta"], own["delta"]) == (0.5, pytest.approx(0.05 * own["best"]))


def test_the_kinds_of_metrics_are_printed(overmix: Callable) -> None:
    header, *rows = overmix("diagnose", "--metrics").out.splitlines()
    assert header.split() == ["kind", "better", "unit", "chosen", "words", "of", "its", "name"]
    assert any(row.startswith("error rate") and "lower" in row for row in rows)
    assert {"kind", "better", "unit"} <= json.loads(overmix("diagnose", "--metrics", "--json").out)[0].keys()


def test_a_folder_takes_the_picture_and_a_page(overmix: Callable, curve: Path, tmp_path: Path) -> None:
    curve.write_text(curve.read_text().replace("test_error", "test_<i>error"))
    done = overmix("diagnose", curve, "--metric", "test_<i>error", "--out", tmp_path / "page")
    assert done.out.splitlines()[-1] == f"Page: {tmp_path / 'page' / 'report.html'}"
    page = (tmp_path / "page" / "report.html").read_text(encoding="utf-8")
    assert "U-shaped: best near epoch" in page
    assert "test_&lt;i&gt;error" in page
    assert "test_<i>error" not in page
    assert json.loads((tmp_path / "page" / "summary.json").read_text())["verdict"] == "u-shaped"
    for suffix in ("png", "svg"):
        assert (tmp_path / "page" / "figures" / f"curve.{suffix}").stat().st_size > 1000


WITHOUT_STUDY = """
import sys


class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("yaml", "polars", "safetensors", "sklearn", "altair", "vl_convert", "jinja2"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Missing())
from overmix.cli import main

for arguments in ([], ["--metric", "none"], ["--out", "page"]):
    sys.argv = ["overmix", "diagnose", "curve.csv", *arguments]
    try:
        main()
    except SystemExit as left:
        print("code", left.code)
"""


def test_the_extra_cli_is_enough_but_for_the_page(curve: Path) -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_STUDY], cwd=curve.parent, capture_output=True, text=True)
    assert [line for line in done.stdout.splitlines() if line.startswith("code")] == ["code 0", "code 2", "code 2"]
    assert "U-shaped" in done.stdout
    wrong, missing = done.stderr.splitlines()
    assert "metric = 'none'" in wrong
    assert missing.endswith(" is not installed: pip install 'overmix[study]'")
    assert not (curve.parent / "page").exists()
