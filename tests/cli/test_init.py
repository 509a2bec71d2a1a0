"""A first study of one's own data: what is written is checked down to the last sample, and runs as it is."""

import errno
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from overmix.study import plan_study, read_study


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A folder to work in, without a terminal."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def table(n: int = 200) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "id": range(n),
            "age": [None if k % 9 == 0 else float(k % 50) for k in range(n)],
            "strain": [("red", "green", "blue")[k % 3] for k in range(n)],
            "note": [f"animal {k}" for k in range(n)],
            "site": [("north", "south")[k % 2] for k in range(n)],
            "outcome": ["sick" if k % 5 == 0 else "healthy" for k in range(n)],
            "weight": rng.normal(size=n),
        }
    )


def planned(file: Path):
    """The study in a file, checked against its data."""
    return plan_study(read_study(file)).spec


def test_a_table_is_described_and_its_study_is_sound(overmix, here):
    table().write_csv("mice.csv")
    outcome = overmix("init", "mice.csv", "--domain", "site", "--out", "studies/mice.yaml")
    assert (outcome.code, outcome.err) == (0, "")
    for fact in (
        "target: outcome (taken for its name; --target changes it)",
        "150 samples to train on, 50 to test on, 5 inputs each",
        "2 classes: healthy 120, sick 30",
        "imbalanced: healthy has 4 times the samples of sick",
        "left out: id, it counts the rows",
        "left out: note, text of 200 different values",
        "missing values: age 23; a number is filled with the median of the training samples",
        "Wrote studies/mice.yaml. Next:\n    overmix plan studies/mice.yaml\n    overmix run studies/mice.yaml --open",
    ):
        assert fact in outcome.out
    text = Path("studies/mice.yaml").read_text()
    assert "path: ../mice.csv" in text
    assert "#   target: outcome (taken for its name; --target changes it)" in text
    spec = planned(Path("studies/mice.yaml"))
    assert spec.data.options["drop"] == ["id", "note"]
    assert spec.condition_names == ["ERM", "Mixup", "Mixup → ERM @75%", "Mixup → ERM (auto)", "LISA"]


def test_a_table_of_values_is_regressed(overmix, here):
    table().drop("outcome").write_parquet("w.parquet")
    outcome = overmix("init", "w.parquet", "--target", "weight")
    assert outcome.code == 0
    assert "labels are values, 1 for each sample" in outcome.out
    # AutoSwitch would mix to the end there: a fourth condition would be the second once more.
    assert planned(Path("w.yaml")).condition_names == ["ERM", "CMixup", "CMixup → ERM @75%"]
    whole = overmix("init", "w.parquet", "--target", "id", "--out", "id.yaml")
    assert "id has 200 different whole numbers: taken for values (--labels says it)" in whole.out
    assert planned(Path("id.yaml")).data.options["labels"] == "values"


def test_columns_that_are_numbers_but_for_some_cells_are_spoken_of(overmix, here):
    stays, weights = ["3+" if k % 9 == 0 else f"{k % 3}" for k in range(80)], [f"{k / 7:.3f}" for k in range(80)]
    frame = pl.DataFrame(
        {"stays": stays, "weight": ["1.5x", *weights[1:]], "age": [k % 50 for k in range(80)], "y": [0, 1] * 40}
    )
    frame.write_csv("t.csv")
    run = overmix("init", "t.csv")
    assert run.code == 0
    mend = "mend it in the file and begin anew if these are numbers"
    assert f"taken for categories: stays, it has numbers, but '3+' in row 1; {mend}" in run.out
    assert f"left out: weight, it has numbers, but '1.5x' in row 1; {mend}" in run.out
    options = planned(Path("t.yaml")).data.options
    assert (options["categories"], options["drop"]) == (["stays"], ["weight"])


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("", range(40)),
        ("sheet", range(7, 47)),
        ("PassengerId", range(80, 0, -2)),
        ("RowNumber", range(0, 80, 2)),
        ("sampleid", range(0, 80, 2)),
        ("Lfd. Nr", range(0, 80, 2)),
        ("__index_level_0__", range(0, 80, 2)),
    ],
)
def test_a_column_that_tells_rows_apart_is_no_input(overmix, here, name, values):
    rng = np.random.default_rng(0)
    columns = {name: list(values), "a": rng.integers(9, size=40), "b": rng.normal(size=40)}
    pl.DataFrame(columns | {"kind": ["red", "green"] * 20}).write_csv("t.csv")
    outcome = overmix("init", "t.csv", "--target", "kind")
    assert f"left out: {name or '(without a name)'}, " in outcome.out
    assert "2 inputs each" in outcome.out
    assert planned(Path("t.yaml")).data.options["drop"] == [name]


def test_texts_that_are_no_categories_are_left_out_and_those_that_are_spoken_of(overmix, here):
    """A study of what Excel and pandas write: names of many lines, an id with a hole in it, no last name, copies."""
    columns = {
        "patient": [f"P{k % 50}" for k in range(100)],
        "date": [f"2024-01-{1 + k % 28:02}" for k in range(100)],
        "id": [None if k == 5 else 7.0 * k for k in range(100)],
        "year": range(1930, 2030),
        "Weight\nseeds: 1": [None if k % 9 == 0 else k / 7 for k in range(100)],
        ".5": [k % 2 * 3 for k in range(100)],
        "mass": [f"{60 + k % 25} kg" for k in range(100)],
        "y": ["ab"[k % 2] for k in range(100)],
        "": [None] * 100,
    }
    pl.DataFrame(columns, strict=False).write_csv("t.csv")
    outcome = overmix("init", "t.csv")
    assert outcome.code == 0
    for fact in (
        "left out: date, a date or time",
        "left out: id, a number of its own for each row",
        "left out: year, it rises by one from row to row; take it out of drop",
        "left out: (without a name), empty",
        "categories: patient 50 (such as 'P0'), mass 25 (such as '60 kg')",
        "missing values: Weight\nseeds: 1 12; a number",
    ):
        assert fact in outcome.out
    assert "copies" not in outcome.out
    assert planned(Path("t.yaml")).data.options["drop"] == ["date", "id", "year", ""]
    again = pl.DataFrame(
        {"name": [f"n{k}" for k in range(90)], "a": [k % 30 / 7 for k in range(90)], ".5": [None] * 90}
    )
    again.with_columns(y=pl.Series(["ab"[k % 2] for k in range(90)])).write_csv("copies.csv")
    outcome = overmix("init", "copies.csv")
    assert "left out: name, a text of its own for each row" in outcome.out
    assert "60 rows are copies of others, the target too: one may be trained on and another tested on" in outcome.out
    assert planned(Path("copies.yaml")).data.options["drop"] == ["name", ".5"]


def test_a_thumbnail_does_not_make_all_images_small(overmix, here):
    for k in range(40):
        file = Path("photos") / "ab"[k % 2] / f"{k}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8) if k == 7 else (64, 60), 6 * k).save(file)
    outcome = overmix("init", "photos")
    assert "resized to 32" in outcome.out
    assert "1 of 40 images looked at are smaller than that, such as 7.png" in outcome.out


def test_images_and_arrays(overmix, here):
    for k in range(40):
        file = Path("photos") / "ab"[k % 2] / f"{k}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (50, 40), 6 * k).save(file)
    outcome = overmix("init", "photos")
    assert "images of 40 to 50 pixels a side, cut to squares and resized to 32, grey" in outcome.out
    assert planned(Path("photos.yaml")).model.name == "convnet"
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 4)), np.arange(60) % 3
    np.savez("a.npz", x=x, y=y, x_val=x[:9], y_val=y[:9])
    outcome = overmix("init", "a.npz")
    assert "45 samples to train on, 9 for validation, 15 to test on, 4 inputs each" in outcome.out
    assert planned(Path("a.yaml")).data.val_size == 0


@pytest.mark.usefixtures("in_process")
def test_the_written_study_runs_as_it_is(overmix, here):
    table(60).write_csv("mice.csv")
    assert overmix("init", "mice.csv").code == 0
    file = Path("mice.yaml")
    # Fewer epochs and smaller models, so that the test is quick; nothing else is touched.
    text = file.read_text().replace("hidden: [256, 256]", "hidden: [4]")
    epochs = next(line for line in text.splitlines() if line.startswith("  epochs:"))
    file.write_text(text.replace(epochs, "  epochs: 4").replace("seeds: 8", "seeds: 2"))
    assert overmix("run", file).code == 0


def test_nothing_is_written_over_unless_asked(overmix, here):
    table().write_csv("mice.csv")
    Path("mice.yaml").write_text("mine")
    assert overmix("init", "mice.csv", "--target", "note").err.startswith(
        "overmix: data.path mice.csv: the target note"
    )
    outcome = overmix("init", "mice.csv")
    assert outcome.code == 2
    assert outcome.err.startswith("overmix: --out = 'mice.yaml': it is there already: name another file")
    assert Path("mice.yaml").read_text() == "mine"
    assert overmix("init", "mice.csv", "--force").code == 0
    assert Path("mice.yaml").read_text().startswith("# Does Mixup help")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "PATH = None: name your data"),
        (["no.csv"], "PATH = 'no.csv': there is no such file or folder"),
        (["a.xlsx"], "save the sheet as CSV"),
        (
            ["plain.csv"],
            "--target = '': name the column that is to be predicted: overmix init plain.csv --target weight (id, age",
        ),
        (
            ["plain.csv", "--target", "wight"],
            "--target = 'wight': no such column: overmix init plain.csv --target weight (id, age, strain",
        ),
        (
            ["mice 2.csv", "--target", "?"],
            "--target = '?': no such column: overmix init 'mice 2.csv' --target outcome (id, age, strain",
        ),
        (
            ["mice 2.csv", "--target", "note"],
            "mice 2.csv: the target note has 200 different values in 200 samples, most of them once, so they are no "
            "classes: name a target of few values",
        ),
        (
            ["mice 2.csv", "--out", "a.xlsx/x.yaml"],
            "/a.xlsx is a file, no folder: choose another folder",
        ),
        (["few.csv", "--target", "y"], "few.csv: 15 samples to train on are too few: give at least 16"),
        (["rare.csv", "--target", "y"], "the class a has 2 samples to train on and hold out, at least 3 are needed"),
        (["empty"], "0 of its folders hold images: make a folder for each class"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_work_is_refused_with_the_remedy_and_nothing_is_written(overmix, here, arguments, said):
    Path("a.xlsx").touch()
    Path("empty").mkdir()
    table().drop("outcome").write_csv("plain.csv")
    table().write_csv("mice 2.csv")
    pl.DataFrame({"x": [7 * k % 20 for k in range(20)], "y": ["a", "b"] * 10}).write_csv("few.csv")
    pl.DataFrame({"x": [7 * k % 40 for k in range(40)], "y": ["a", "a", "a", *["b"] * 37]}).write_csv("rare.csv")
    outcome = overmix("init", *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err
    assert not list(here.glob("*.yaml"))


def test_in_a_terminal_what_is_missing_is_asked_for(overmix, here, monkeypatch):
    table().drop("outcome").write_csv("plain.csv")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    answers = iter(["plain.csv", "strain"])
    asked = []
    monkeypatch.setattr("typer.prompt", lambda text, **_: asked.append(text) or next(answers))
    outcome = overmix("init")
    assert (outcome.code, asked) == (0, ["Path", "Which one is to be predicted?"])
    assert planned(Path("plain.yaml")).data.options["target"] == "strain"


def test_a_study_that_is_written_over_is_whole_at_every_moment(overmix, here, monkeypatch):
    """Also where the disk is full; a link goes on pointing to the file."""
    table().write_csv("mice.csv")
    Path("mine.yaml").write_text("my own work")
    Path("mice.yaml").symlink_to("mine.yaml")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        outcome = overmix("init", "mice.csv", "--force")
    assert outcome.code == 2
    assert "mine.yaml: it cannot be written (No space left on device): free some space" in outcome.err
    assert Path("mine.yaml").read_text() == "my own work"
    assert overmix("init", "mice.csv", "--force").code == 0
    assert Path("mice.yaml").is_symlink()
    assert planned(Path("mine.yaml")).data.options["target"] == "outcome"
    Path("folder").mkdir()
    for place, told in [
        ("mine.yaml/x.yaml", "mine.yaml is a file, no folder: choose another folder"),
        ("folder", "--out = 'folder': it is a folder: name a file, such as study.yaml in it"),
    ]:
        outcome = overmix("init", "mice.csv", "--force", "--out", place)
        assert outcome.code == 2
        assert told in outcome.err
