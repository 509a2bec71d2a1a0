"""Tables: scikit-learn's own pipeline on the raw table is the oracle of what a run's models see."""

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from overmix.errors import ConfigError, DataError
from overmix.study import parse_study, plan_study
from overmix.study.data import fit_inputs, load_dataset
from overmix.study.plan.trainings import open_dataset, replica_of, training_of
from overmix.study.spec.schema import DataSpec

N = 80


def table(n: int = N, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    age = [None if rng.random() < 0.2 else float(rng.normal(40, 12)) for _ in range(n)]
    colour = [None if rng.random() < 0.1 else str(rng.choice(["red", "green", "blue"])) for _ in range(n)]
    colour[0] = "violet"  # in a single row, which few runs train on
    return pl.DataFrame(
        {
            "age": age,
            "colour": colour,
            "rooms": rng.integers(1, 6, n),
            "garden": rng.random(n) < 0.5,
            "site": rng.choice(["north", "south"], n),
            "kind": rng.choice(["flat", "house"], n),
            "price": rng.normal(300.0, 50.0, n),
        }
    )


@pytest.fixture
def written(tmp_path: Path):
    """Return a function that writes a table as CSV or Parquet and returns its path."""

    def write(frame: pl.DataFrame, form: str = "csv") -> str:
        path = tmp_path / f"t.{form}"
        frame.write_csv(path) if form == "csv" else frame.write_parquet(path)
        return str(path)

    return write


def seen_by_a_run(dataset, index, rows):
    """What the models of a run get of some samples."""
    fit = fit_inputs(dataset, index)
    x = torch.where(rows.isnan(), fit.fill, rows) if fit.fill is not None else rows
    return ((x - fit.mean) / fit.std).numpy()


@pytest.mark.parametrize(("form", "start"), [("csv", 0), ("parquet", 7)])
def test_a_run_sees_what_scikit_learn_fits_to_its_own_training_samples(written, form, start):
    frame = table().with_row_index("row")
    dataset = load_dataset(form, path=written(frame, form), target="kind", drop=["price", "site"])
    index = np.arange(start, start + 40)
    numbers, colours = ["row", "age", "rooms", "garden"], frame["colour"].fill_null("(missing)").unique().sort()
    raw = pd.DataFrame(frame.with_columns(pl.col("colour").fill_null("(missing)")).to_dict(as_series=False))
    raw["garden"] = raw["garden"].astype(float)
    trained, tested = (raw.iloc[x[:, 0].int().tolist()] for x in (dataset.x[index], dataset.x_test))
    oracle = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore"), ["colour"]),
        sparse_threshold=0,
    ).fit(trained)
    seen = seen_by_a_run(dataset, index, dataset.x_test)
    known = [at for at, name in enumerate(colours) if name in set(trained["colour"])]
    unknown = [4 + at for at in range(len(colours)) if at not in known]
    np.testing.assert_allclose(seen[:, [*range(4), *(4 + at for at in known)]], oracle.transform(tested), atol=2e-5)
    assert (seen[:, unknown] == 0).all()
    assert dataset.table.names[4:] == tuple(f"colour={name}" for name in colours)


def test_each_seed_fits_its_own_and_trains_without_nan(written):
    path = written(table())
    content = {
        "data": {"name": "csv", "path": path, "target": "kind", "drop": ["price"], "domain": "site", "train_size": 32},
        "model": {"hidden": [4]},
        "train": {"epochs": 2, "batch_size": 8},
        "compare": ["Mixup", "NoMixup", "ManifoldMixup", "LISA"],
        "seeds": 2,
        "device": "cpu",
    }
    content["compare"] = [{"recipe": name} for name in content["compare"]]
    plan = plan_study(parse_study(content))
    dataset = open_dataset(DataSpec(**plan.cells[0].data.model_dump()))
    assert bool(dataset.x.isnan().any())
    for task in plan.tasks:
        training = training_of(task, dataset, allow_code=False)
        for r, cell in enumerate(task.cells):
            fit = fit_inputs(dataset, replica_of(cell, dataset).train_index)
            assert torch.equal(training.normalization.mean[r], fit.mean)
            assert torch.equal(training.normalization.fill[r], fit.fill)
        result = training.train()
        assert np.isfinite(result.mix_loss).all()
        assert np.isfinite(result.metrics["test_cross_entropy"]).all()


def test_targets_are_classes_by_name_or_values(written):
    path = written(table())
    classes = load_dataset("csv", path=path, target="kind")
    assert (classes.labels, classes.class_names, classes.num_classes) == ("classes", ("flat", "house"), 2)
    assert load_dataset("csv", path=path, target="garden").class_names == ("False", "True")
    values = load_dataset("csv", path=path, target="price")
    assert (values.labels, values.num_classes, tuple(values.y.shape[1:])) == ("values", 1, (1,))
    assert len(values.y_test) == N // 4
    rooms = load_dataset("csv", path=path, target="rooms")
    assert (rooms.labels, rooms.class_names) == ("classes", ("1", "2", "3", "4", "5"))
    assert load_dataset("csv", path=path, target="rooms", labels="values").labels == "values"


def test_rows_without_a_target_are_left_out_and_codes_may_be_categories(written):
    frame = table().with_columns(pl.when(pl.arange(0, N) < 10).then(None).otherwise(pl.col("kind")).alias("kind"))
    dataset = load_dataset("csv", path=written(frame), target="kind", categories=["rooms"], domain="site")
    assert len(dataset.y) + len(dataset.y_test) == N - 10
    assert [name for name in dataset.table.names if name.startswith("rooms")] == [f"rooms={k}" for k in range(1, 6)]
    assert dataset.domain.unique().tolist() == [0, 1]
    assert not any("site" in name for name in dataset.table.names)


def test_semicolons_and_decimal_commas(tmp_path):
    path = tmp_path / "t.csv"
    rows = "\n".join(f"{k},5;{'ab'[k % 2]}" for k in range(12))
    path.write_text(f"\ufeffsize;kind\n{rows}\n", encoding="utf-8")
    dataset = load_dataset("csv", path=str(path), target="kind")
    assert sorted(torch.cat([dataset.x, dataset.x_test])[:, 0].tolist()) == [k + 0.5 for k in range(12)]
    assert dataset.table.names == ("size",)


def rows_of(cells, *, separator=",", header="a,b,y"):
    """A CSV of which only the first column matters; the label alternates."""
    rows = (separator.join([str(cell), f"{k}", str(k % 2)]) for k, cell in enumerate(cells))
    return "\n".join([header.replace(",", separator), *rows, ""])


@pytest.fixture
def read(tmp_path):
    """Return a function that writes a text as CSV and reads it with target y."""

    def load(text, **options):
        path = tmp_path / "t.csv"
        path.write_text(text, encoding="utf-8")
        return load_dataset("csv", path=str(path), **{"target": "y", **options})

    return load


@pytest.mark.parametrize(
    ("cells", "separator", "numbers"),
    [
        ([f"{k},5" for k in range(12)], ";", [k + 0.5 for k in range(12)]),
        ([f"1.{k:03},5" for k in range(100, 112)], ";", [1000.5 + k for k in range(100, 112)]),
        ([f"{k}.5%" for k in range(12)], ",", [k + 0.5 for k in range(12)]),
        (['"1,234"', *range(11)], ",", [1234.0, *range(11)]),
        ([f"1 {k}.25" for k in range(100, 112)], ";", [1000.25 + k for k in range(100, 112)]),
        ([f" {k} " for k in range(12)], ",", [*range(12)]),
        (["9" * 25, *range(11)], ",", [1e25, *range(11)]),
    ],
)
def test_numbers_as_spreadsheets_write_them(read, cells, separator, numbers):
    # A point in a name, and in a text, says nothing of the sign of decimals.
    dataset = read(rows_of(cells, separator=separator, header="size.cm,b,y"))
    assert dataset.table.names == ("size.cm", "b")
    x = torch.cat([dataset.x, dataset.x_test])
    np.testing.assert_allclose(x[x[:, 1].argsort(), 0], numbers, rtol=1e-6)


def test_commas_are_what_the_column_and_then_the_file_say(read):
    rows = "\n".join(f"St. Paul;{k},{k}00;{k},5" for k in range(1, 9))
    dataset = read(f"place;size;y\n{rows}\n")
    assert (dataset.table.names, dataset.labels) == (("size", "place=St. Paul"), "values")
    assert sorted(torch.cat([dataset.x, dataset.x_test])[:, 0].tolist()) == pytest.approx(
        [1.1 * k for k in range(1, 9)]
    )
    assert sorted(torch.cat([dataset.y, dataset.y_test])[:, 0].tolist()) == [k + 0.5 for k in range(1, 9)]
    points = read(f"place;size;y\n{rows}\n".replace(",5\n", ".5\n"))
    assert sorted(torch.cat([points.x, points.x_test])[:, 0].tolist()) == [1100.0 * k for k in range(1, 9)]


def test_blanks_around_names_and_cells_are_none_of_theirs(read):
    rows = "\n".join(f'{k}, "{"ab"[k % 2]}", TRUE, {k % 2}' for k in range(12))
    dataset = read(f'age, "sex", smokes, y\n{rows}\n')
    assert dataset.table.names == ("age", "smokes", "sex=a", "sex=b")
    assert dataset.class_names == ("0", "1")


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["1.5x", *range(11)], "the column a has numbers, but '1.5x' in row 1: write numbers alone"),
        ([*range(11), "x"], "has numbers, but 'x' in row 12: .* or say categories: .a. or drop: .a."),
        (["5%", *range(11)], "a percent sign and without, '5%' in row 1 and '0' in row 2"),
        (['"1,5"', 2.5] * 6, "decimal points and decimal commas, '2.5' in row 2 and '1,5' in row 1"),
        (['"1,234"', 5678] * 6, "has '1,234' in row 1, which may be a thousand or a decimal"),
        (["1.234", 567] * 6, "has '1.234' in row 1, which may be a thousand or a decimal"),
    ],
)
def test_columns_that_are_numbers_but_for_some_cells_are_refused(read, cells, said):
    with pytest.raises(DataError, match=said):
        read(rows_of(cells))
    assert read(rows_of(cells), drop=["a"]).table.names == ("b",)
    assert read(rows_of(cells), categories=["a"]).table.numbers == 1


def test_a_target_of_numbers_but_for_some_cells_is_refused(read):
    text = "a,y\n" + "".join(f"{k},{k % 3}\n" for k in range(16)) + "16,3+\n17,3+\n"
    with pytest.raises(DataError, match=r"the target y has numbers, but '3\+' in row 17: .* or say labels: classes"):
        read(text)
    assert read(text, labels="classes").class_names == ("0", "1", "2", "3+")


def test_more_words_stand_for_a_missing_number_than_for_a_missing_text(read):
    words = ["#N/A", "-", "none", "<NA>", "NAN", "?"]
    dataset = read(rows_of([*words, *("\u2212" + str(k) for k in range(1, 9))], header="a,b,y"))
    a = torch.cat([dataset.x, dataset.x_test])[:, 0]
    assert (int(a.isnan().sum()), a[~a.isnan()].sort().values.tolist()) == (6, [-float(k) for k in range(8, 0, -1)])
    rows = "".join(f"{k},{word}\n" for k, word in enumerate(["None", "-", "Na", "", "#N/A", "?"] * 6))
    assert read(f"a,y\n{rows}").class_names == ("-", "Na", "None")
    rows = "".join(f"{word},{k % 2}\n" for k, word in enumerate(["True", "False", "None", "-"] * 3))
    assert read(f"a,y\n{rows}").table.names == ("a",)


@pytest.mark.parametrize("above", ["sep=,\n", "\n \n", "# made by a tool\n", '# the "first\n'])
def test_what_stands_above_a_header(read, above):
    rows = "".join(f"{k / 8},{k % 3},{'AB'[k % 2]}\n" for k in range(12))
    assert read(f'{above}"Weight\n(kg)",b,y\n{rows}').table.names == ("Weight\n(kg)", "b")
    assert read(f"{above}#a,b,y\n{rows}").table.names == ("a", "b")


@pytest.mark.parametrize(
    ("header", "rows", "values"),
    [
        ("0.5,3,A", [f"{k / 8},{k % 4},{'AB'[k % 2]}" for k in range(12)], True),
        ("0,5,A", [f"{k},{k % 4},{'AB'[k % 2]}" for k in range(12)], True),
        ("7,7,1", [f"{k},{k % 4},{k % 2}" for k in range(12)], True),
        ("0.5,Ann,B", [f"{k / 8},n{k},{'AB'[k % 2]}" for k in range(12)], True),
        ("0,1,y", [f"{k},{k % 4},{'ny'[k % 2]}" for k in range(12)], False),  # pandas' names beside the target's
        ("land,1990,2000", [f"n{k},{k % 5},{k % 2}" for k in range(12)], False),
        (",0,1", [f"{k},{k % 4},{k % 2}" for k in range(12)], False),
        ("400.5,401.5,y", [f"{k / 7},{k % 4},{'ab'[k % 2]}" for k in range(12)], False),  # wavelengths
    ],
)
def test_a_table_without_a_header_is_told_from_names_that_are_numbers(read, header, rows, values):
    text = "\n".join([header, *rows, ""])
    target = header.split(",")[-1]
    if values:
        with pytest.raises(DataError, match=r"values stand where names should \(.*\): put a line of names above"):
            read(text, target=target)
    else:
        drop = ["land"] if "land" in header else []
        read(text, target=target, drop=drop)


def test_a_row_with_more_values_than_names_is_told_by_its_line(read):
    with pytest.raises(DataError, match=r"t.csv, line 4: more values than the header has names"):
        read("sep=;\na;y\n1;0\n1;0;3\n2;1\n")
    with pytest.raises(DataError, match="blanks separate its columns: save it with commas"):
        read('"a" "y"\n1 0\n2 1\n')


@pytest.mark.parametrize("header", ["a,y,y", "a,a,y", "a, a,y", '"a",a,y'])
def test_a_name_that_stands_twice_is_refused(read, header):
    # The second y would be an input: the label, under another name.
    with pytest.raises(DataError, match=f"the header has '{header[-1] if header == 'a,y,y' else 'a'}' twice"):
        read(rows_of(range(12), header=header))
    with pytest.raises(DataError, match="2 columns without a name"):
        read(rows_of(range(12), header=",,y"))


FRAME = table(12).with_columns(
    pl.Series("name", [f"n{k}" for k in range(12)]),
    pl.Series("when", ["2024-01-01"] * 12).str.to_date(),
    pl.Series("hole", [None] * 12, dtype=pl.Float64),
    pl.Series("far", [1.0] * 11 + [float("inf")]),
    pl.Series("year", list(range(2000, 2012))),
    pl.Series("one", ["x"] * 12),
)
BAD = [
    ({"target": ""}, ConfigError, "data.target = '': name the column that is to be predicted: age, colour"),
    ({"target": "knd"}, ConfigError, "did you mean kind?"),
    ({"drop": ["prise"]}, ConfigError, "data.drop = 'prise': no such column, did you mean price?"),
    ({"domain": "kind"}, ConfigError, "it is the target"),
    ({"target": "one"}, DataError, "has a single class, x"),
    ({"target": "when"}, DataError, "the target when is a date or time"),
    ({"labels": "rows"}, ConfigError, "a target column holds classes or values"),
    ({"labels": "values"}, DataError, "the target kind is text"),
    ({}, DataError, "the column when is a date or time: leave it out, drop: [when]"),
    ({"drop": ["when"]}, DataError, "the column hole is empty: leave it out, drop: [hole]"),
    ({"drop": ["when", "hole"]}, DataError, "the column far is not finite in float32 at row 12"),
    ({"test_size": 2.0}, ConfigError, "data.test_size = 2.0"),
]


@pytest.mark.parametrize(("given", "error", "said"), BAD, ids=lambda value: str(value)[:40])
def test_what_cannot_work_is_said_with_the_remedy(written, given, error, said):
    options = {"path": written(FRAME, "parquet"), "target": "kind", **given}
    with pytest.raises(error) as caught:
        load_dataset("parquet", **options)
    assert said in str(caught.value)


def test_files_that_are_no_tables(tmp_path):
    with pytest.raises(ConfigError, match="there is no such file"):
        load_dataset("csv", path=str(tmp_path / "no.csv"), target="y")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(DataError, match="it is no PARQUET table"):
        load_dataset("parquet", path=str(tmp_path / "bad.parquet"), target="y")
    (tmp_path / "latin.csv").write_bytes("a,b\nä,1\n".encode("latin-1"))
    with pytest.raises(DataError, match="no text in UTF-8"):
        load_dataset("csv", path=str(tmp_path / "latin.csv"), target="a")
    (tmp_path / "empty.csv").write_text("a,b\n")
    with pytest.raises(DataError, match="0 rows"):
        load_dataset("csv", path=str(tmp_path / "empty.csv"), target="a")


def test_many_whole_numbers_are_asked_about(written):
    frame = pl.DataFrame({"x": np.arange(60.0), "y": np.arange(60)})
    with pytest.raises(DataError, match=r"labels: classes} or data: {labels: values}"):
        load_dataset("csv", path=written(frame), target="y")
    texts = pl.DataFrame({"x": [f"t{k}" for k in range(120)], "y": [0, 1] * 60})
    with pytest.raises(DataError, match=r"text of more than 100 different values: leave it out, drop: \[x\]"):
        load_dataset("csv", path=written(texts), target="y")
