import hashlib
import shutil

import polars as pl
import pytest

from overmix.errors import RunDirectoryError
from overmix.study import load_result, run_study, summary_to_json
from overmix.study.store.files import read_sealed_json, write_sealed_json
from overmix.train import METRICS

pytestmark = pytest.mark.usefixtures("in_process")

COMPARE = [{"name": "zz", "recipe": "NoMixup"}, {"name": "aa"}, {"name": "mm", "data": {"val_size": 0}}]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, tiny, training_here):
    out = tmp_path_factory.mktemp("finished")
    with training_here():
        run_study(tiny(compare=COMPARE, seeds=[5, 2], train={"epochs": 5, "batch_size": 32}), out)
    return out


@pytest.fixture
def out(finished, tmp_path):
    """Return a copy of the finished study, which the test may damage."""
    return shutil.copytree(finished, tmp_path / "run")


def test_columns_order_and_nulls(out):
    curves = pl.read_parquet(out / "curves.parquet")
    assert curves.schema == {
        "condition": pl.String,
        "seed": pl.Int64,
        "epoch": pl.Int64,
        "step": pl.Int64,
        **dict.fromkeys(("mixing", "lr", "mix_loss", "mix_floor", *METRICS), pl.Float64),
    }
    # In the order of the study file, then by seed, then by epoch; the last epoch is among them.
    keys = curves.select("condition", "seed", "epoch").rows()
    epochs = curves.filter(condition="aa", seed=2)["epoch"].to_list()
    assert keys == [(name, seed, epoch) for name in ("zz", "aa", "mm") for seed in (2, 5) for epoch in epochs]
    assert epochs == sorted(set(epochs))
    assert epochs[-1] == 5
    assert (curves["step"] == 2 * curves["epoch"]).all()
    # A split that does not exist is null, everything else is a number.
    without = curves.filter(condition="mm")
    validation = [name for name in METRICS if name.startswith("val_")]
    assert validation
    assert all(without[name].null_count() == len(without) for name in validation)
    rest = curves.filter(pl.col("condition") != "mm")
    assert rest.null_count().row(0) == (0,) * curves.width
    assert not any(rest[name].is_nan().any() for name in METRICS)
    assert without.drop(validation).null_count().row(0) == (0,) * (curves.width - len(validation))


def test_the_file_holds_no_time(out, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("overmix.study.run.worker.time.monotonic", lambda: 5.0)
    spec = tiny(compare=COMPARE, seeds=[5, 2], train={"epochs": 5, "batch_size": 32})
    run_study(spec, tmp_path / "other")
    assert (tmp_path / "other" / "curves.parquet").read_bytes() == (out / "curves.parquet").read_bytes()


def test_mixing_is_the_share_of_mixed_batches(tmp_path, tiny):
    compare = [{"name": "never", "schedule": "never"}, {"name": "always"}, {"name": "off", "schedule": {"off_at": 2}}]
    run_study(tiny(compare=compare, seeds=1), tmp_path / "run")
    curves = load_result(tmp_path / "run").curves
    mixing = {name: curves.filter(condition=name)["mixing"].to_list() for name in ("never", "always", "off")}
    epochs = curves.filter(condition="off")["epoch"].to_list()
    assert mixing == {
        "never": [0.0] * len(epochs),
        "always": [1.0] * len(epochs),
        "off": [float(epoch <= 2) for epoch in epochs],
    }


def test_a_result_is_read_back(out):
    result = load_result(out)
    assert result.spec["compare"][0]["name"] == "zz"
    written = read_sealed_json(out / "summary.json")
    assert written.pop("curves_sha256") == hashlib.sha256((out / "curves.parquet").read_bytes()).hexdigest()
    assert summary_to_json(result.summary) == written
    assert result.curves.equals(pl.read_parquet(out / "curves.parquet"))


def unfinished(out):
    with pytest.raises(
        RunDirectoryError, match=r"the study is not finished: run the same 'overmix run' again to go on$"
    ):
        load_result(out)


def damaged(out):
    with pytest.raises(RunDirectoryError, match=r"its results are damaged, or of an earlier version"):
        load_result(out)


def test_what_is_not_there(out, tmp_path):
    for name in ("summary.json", "curves.parquet"):
        (out / name).rename(tmp_path / name)
        unfinished(out)
        (tmp_path / name).rename(out / name)
    with pytest.raises(RunDirectoryError, match="it is no run directory"):
        load_result(tmp_path)
    with pytest.raises(RunDirectoryError, match="it is no run directory"):
        load_result(tmp_path / "none")


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"[]", b'{"conditions": 3}', b'{"conditions": [{}]}'])
def test_a_damaged_summary(out, content):
    (out / "summary.json").write_bytes(content)
    damaged(out)


@pytest.mark.parametrize("content", [b"", b"garbage", b"PAR1" * 20])
def test_damaged_curves(out, content):
    # A larger study that is being finished has other curves than its summary says, too.
    (out / "curves.parquet").write_bytes(content)
    unfinished(out)


def test_curves_of_something_else(out):
    pl.DataFrame({"a": [1]}).write_parquet(out / "curves.parquet")
    unfinished(out)


def test_results_of_a_smaller_study(out):
    whole = (out / "curves.parquet").read_bytes()
    curves = pl.read_parquet(out / "curves.parquet")
    curves.filter(pl.col("seed") == 2).write_parquet(out / "curves.parquet")
    unfinished(out)
    (out / "curves.parquet").write_bytes(whole)
    load_result(out)
    summary = read_sealed_json(out / "summary.json")
    summary["conditions"].pop()
    write_sealed_json(out / "summary.json", summary)
    unfinished(out)
