"""A command that is given again: nothing is computed that is there."""

import json
import subprocess
import sys

import pytest

from overmix.cli import app

pytestmark = pytest.mark.usefixtures("all_in_process")
STUDY = """\
data: {name: digits, train_size: 128, val_size: 64}
model: {hidden: [8]}
train: {epochs: 2, batch_size: 64}
compare: [{name: ERM, recipe: NoMixup}]
seeds: 2
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory, all_in_process):
    folder = tmp_path_factory.mktemp("again")
    (folder / "s.yaml").write_text(STUDY)
    assert app.run(["run", str(folder / "s.yaml"), "--out", str(folder / "out")]) == 0
    return folder


def test_a_finished_study_is_shown_without_pytorch(finished):
    code = f"""
import sys
from overmix.cli.app import run
for arguments in (["run", {str(finished / "s.yaml")!r}, "--out", {str(finished / "out")!r}, "--json"],
                  ["report", {str(finished / "out")!r}]):
    assert run(arguments) == 0
for heavy in ("torch", "polars", "vl_convert"):
    assert heavy not in sys.modules, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shown, page = done.stdout.rsplit("}\n", 1)
    written = json.loads((finished / "out" / "summary.json").read_text())
    assert json.loads(shown + "}") == {k: v for k, v in written.items() if k not in ("seal", "curves_sha256")}
    assert page.strip() == str(finished / "out" / "report.html")
    assert "nothing has changed since" in done.stderr


def test_a_changed_study_and_lost_figures_are_computed(finished, capsys):
    study, out = finished / "s.yaml", finished / "out"
    study.write_text(STUDY.replace("seeds: 2", "seeds: 3"))
    assert app.run(["run", str(study), "--out", str(out)]) == 0
    assert "nothing has changed" not in capsys.readouterr().out
    assert json.loads((out / "summary.json").read_text())["conditions"][0]["n_seeds"] == 3
    (out / "report.html").unlink()
    assert app.run(["report", str(out)]) == 0
    assert (out / "report.html").read_text().startswith("<!DOCTYPE html>")
