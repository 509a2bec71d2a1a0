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
