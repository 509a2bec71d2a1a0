"""Files: nothing is run twice, nothing half written, and the command says what it found."""

import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from overmix.cli.app import app
from overmix.errors import ConfigError, RunDirectoryError
from overmix.experiments.census import run
from overmix.experiments.census.rows import SMALL_TASKS
from overmix.experiments.census.run import Census, run_census
from overmix.experiments.census.study_row import StudyRow
from overmix.study import StudyInterrupted
from overmix.study.plan.shards import Shard
from overmix.study.store.files import locked


def quiet(_):
    return None


@pytest.fixture
def ran(monkeypatch):
    """The (row, seed) that were trained; the training itself is replaced by a few made up numbers."""
    seeds = []

    def made_up(row, seed):
        seeds.append((row.name, seed))
        rng = np.random.default_rng(seed)
        looks = np.arange(1, 13)
        values = {f"{kind}/{name}": np.array(rng.random()) for kind in ("value", "val") for name in row.conditions}
        curves = {f"curve/{name}": rng.random(12) for name in ("on", "erm")}
        rest = {"auto/switch_at": np.array(5), "auto/cost": np.array(1.2), "seconds": np.array(1.5)}
        return {"looks": looks, **values, **curves, **rest}

    monkeypatch.setattr(run, "run_seed", made_up)
    return seeds


def test_the_laptop_has_as_many_seeds_as_the_statistics_ask_for():
    assert all(SMALL_TASKS.seeds_of(row, "laptop") >= 8 for row in SMALL_TASKS.rows())


def test_what_is_there_is_not_run_again(ran, tmp_path):
    first = run_census(tmp_path, "smoke", ["AnchorMixup"], 1, quiet)
    assert ran == [("AnchorMixup", 0), ("AnchorMixup", 1)]
    assert run_census(tmp_path, "smoke", ["AnchorMixup"], 1, quiet) == first
    assert len(ran) == 2


def test_after_an_interruption_only_missing_seeds_are_run(ran, tmp_path, monkeypatch):
    whole = run.run_seed

    def stopped(row, seed):
        if seed == 1:
            raise KeyboardInterrupt
        return whole(row, seed)

    monkeypatch.setattr(run, "run_seed", stopped)
    with pytest.raises(StudyInterrupted):
        run_census(tmp_path, "smoke", ["AnchorMixup"], 1, quiet)
    assert not (tmp_path / "AnchorMixup.json").exists()
    monkeypatch.setattr(run, "run_seed", whole)
    resumed = run_census(tmp_path, "smoke", ["AnchorMixup"], 1, quiet)
    assert ran == [("AnchorMixup", 0), ("AnchorMixup", 1)]
    assert resumed == run_census(tmp_path / "whole", "smoke", ["AnchorMixup"], 1, quiet)


def test_another_version_of_a_row_is_run_anew(ran, tmp_path):
    (row,) = (row.at("smoke") for row in SMALL_TASKS.choose(["AnchorMixup"]))
    run_census(tmp_path, "smoke", ["AnchorMixup"], 1, quiet)
    path = Census(tmp_path, "smoke").row_file(row)
    path.write_text(path.read_text().replace(row.digest(), "another"))
    shutil.rmtree(tmp_path / "seeds")
    run_census(tmp_path, "smoke", ["AnchorMixup"], 1, quiet)
    assert len(ran) == 4


def test_nothing_is_half_written(ran, tmp_path, monkeypatch):
    def torn(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", torn)
    with pytest.raises(Exception, match="disk full"):
        run_census(tmp_path, "smoke", ["AnchorMixup"], 1, quiet)
    assert not list((tmp_path / "seeds").glob("*.npz"))
    monkeypatch.undo()


def test_what_an_interruption_left_is_swept_away_and_never_read(ran, tmp_path):
    (tmp_path / "seeds").mkdir()
    (row,) = (row.at("smoke") for row in SMALL_TASKS.choose(["AnchorMixup"]))
    census = Census(tmp_path, "smoke")
    assert census.missing(row) == [0, 1]
    run_census(tmp_path, "smoke", ["AnchorMixup"], 1, quiet)
    assert census.missing(row) == []
    assert {path.suffix for path in (tmp_path / "seeds").iterdir()} == {".npz"}


def test_two_censuses_in_one_folder_are_refused(ran, tmp_path):
    with locked(tmp_path), pytest.raises(RunDirectoryError):
        run_census(tmp_path, "smoke", ["AnchorMixup"], 1, quiet)
    assert not ran


def test_shards_in_one_folder_and_the_call_without_one_leave_one_census(ran, tmp_path):
    names = ["AnchorMixup"]
    once = run_census(tmp_path / "once", "smoke", names, 1, quiet)
    ran.clear()
    for number in (3, 1, 2):
        assert run_census(tmp_path / "shards", "smoke", names, 1, quiet, shard=Shard(number, 3)) == []
    assert len(ran) == len(set(ran)) == 2
    assert run_census(tmp_path / "shards", "smoke", names, 1, quiet) == once
    assert len(ran) == 2
    for file in (tmp_path / "once").rglob("*.*"):
        assert (tmp_path / "shards" / file.relative_to(tmp_path / "once")).read_bytes() == file.read_bytes()


def test_a_study_is_a_job_of_one_shard(ran, tmp_path, monkeypatch):
    studies = []

    def run_row(row, folder, n_seeds, workers):
        studies.append(row.name)
        return {"diagnosis": {"on": {"verdict": "monotone"}}, "core_seconds": 1.0}

    monkeypatch.setattr(StudyRow, "run", run_row)
    names = ["CMixup", "CutMix", "AnchorMixup"]
    rows = [run_census(tmp_path, "smoke", names, 1, quiet, shard=Shard(number, 3)) for number in (1, 2, 3)]
    assert sorted(studies) == ["CMixup", "CutMix"]
    assert len(ran) == 2
    assert {row["name"] for row in rows[-1]} == {"CMixup", "CutMix"}


def test_damaged_files_are_set_aside_said_and_made_again(ran, tmp_path):
    first = run_census(tmp_path, "smoke", ["AnchorMixup"], 1, quiet)
    row = tmp_path / "AnchorMixup.json"
    row.write_bytes(row.read_bytes().replace(b'"n_seeds": 2', b'"n_seeds": 3'))
    seed = next((tmp_path / "seeds").glob("*-1.npz"))
    seed.write_bytes(seed.read_bytes()[:-9])
    said = []
    assert run_census(tmp_path, "smoke", ["AnchorMixup"], 1, said.append) == first
    assert ran[2:] == [("AnchorMixup", 1)]
    assert [line.split(" damaged")[0] for line in said[:2]] == ["AnchorMixup:", "AnchorMixup, seed 1:"]
    assert len(list(tmp_path.rglob("damaged/*"))) == 2


def test_an_unknown_recipe_is_refused_before_any_work(ran, tmp_path):
    with pytest.raises(ConfigError, match="did you mean AnchorMixup"):
        run_census(tmp_path / "new", "smoke", ["AnchorMixpu"], 1, quiet)
    assert not (tmp_path / "new").exists()


def test_no_recipe_and_no_folder_are_refused_before_any_work(ran, tmp_path):
    for written in ("", ","):
        outcome = CliRunner().invoke(app, ["census", "--recipes", written, "--out", str(tmp_path / "new")])
        assert isinstance(outcome.exception, ConfigError)
        assert str(outcome.exception).startswith(
            "recipes = []: name one, or leave it out for all: known: AnchorMixup, "
        )
    (tmp_path / "file").touch()
    with pytest.raises(RunDirectoryError, match=r"file/seeds: .*/file is a file, no folder: choose another"):
        run_census(tmp_path / "file", "smoke", ["AnchorMixup"], 1, quiet)
    assert ran == []
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_recipes_and_rows_have_names():
    chosen = {row.name for row in SMALL_TASKS.choose(["SelectiveMixup"])}
    assert chosen == {"SelectiveMixup-imbalanced", "SelectiveMixup-coloured"}
    assert [row.name for row in SMALL_TASKS.choose(["SelectiveMixup-coloured"])] == ["SelectiveMixup-coloured"]
    assert len(SMALL_TASKS.choose(None)) > len({row.recipe_name for row in SMALL_TASKS.choose(None)})


@pytest.mark.slow
def test_results_do_not_depend_on_the_number_of_workers(tmp_path):
    def without_time(rows):
        return [{key: value for key, value in row.items() if key != "core_seconds"} for row in rows]

    one, two = (run_census(tmp_path / str(n), "smoke", ["CMixup", "MixCo"], n, quiet) for n in (1, 2))
    assert without_time(one) == without_time(two)


def test_the_command_prints_json_and_only_json(ran, tmp_path):
    names = [
        "census",
        "--recipes",
        "AnchorMixup, LossMix",
        "--scale",
        "smoke",
        "--workers",
        "1",
        "--out",
        str(tmp_path),
    ]
    outcome = CliRunner().invoke(app, [*names, "--json"])
    assert outcome.exit_code == 0
    rows = json.loads(outcome.stdout)
    assert {row["name"] for row in rows} == {"AnchorMixup", "LossMix"}
    assert {"n_seeds", "digest", "versions", "comparisons", "diagnosis"} <= rows[0].keys()


def test_the_command_says_what_follows_a_shard(ran, tmp_path):
    names = ["census", "--recipes", "AnchorMixup", "--scale", "smoke", "--workers", "1", "--out", str(tmp_path)]
    outcome = CliRunner().invoke(app, [*names, "--shard", "2/2"])
    assert outcome.exit_code == 0
    assert outcome.stdout.splitlines()[-1] == "Shard 2/2 is done; when all are: the same command without --shard"
    assert ran == [("AnchorMixup", 1)]


def test_the_command_shows_a_table(ran, tmp_path):
    names = ["census", "--recipes", "AnchorMixup", "--scale", "smoke", "--workers", "1", "--out", str(tmp_path)]
    outcome = CliRunner(env={"COLUMNS": "100"}).invoke(app, names)
    assert outcome.exit_code == 0
    (line,) = [line for line in outcome.stdout.splitlines() if line.strip().startswith("AnchorMixup ")]
    assert len(line.split()) == 10
