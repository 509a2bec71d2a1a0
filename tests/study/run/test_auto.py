"""A condition that decides by itself: decided in the study, and the same as if it had been told."""

import polars as pl
import pytest
from tests.study.conftest import train_here

from overmix.errors import ConfigError
from overmix.study import parse_study, run_study, summary_to_json

pytestmark = pytest.mark.usefixtures("in_process")

STUDY = {
    "name": "auto",
    "data": {"name": "digits", "train_size": 100, "val_size": 60},
    "model": {"hidden": [16]},
    "train": {"epochs": 12, "batch_size": 50},
    "seeds": 3,
}
AUTO = {"auto": {"shares": [0.25, 0.5, 0.75], "tail": 0.1}}


@pytest.fixture(scope="module")
def decided(tmp_path_factory):
    out = tmp_path_factory.mktemp("auto") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("overmix.study.run.local.run_local", train_here)
        summary = run_study(parse_study({**STUDY, "compare": [{"name": "auto", "schedule": AUTO}]}), out)
    return summary_to_json(summary)["conditions"][0], pl.read_parquet(out / "curves.parquet")


def test_the_summary_says_what_was_decided_and_what_it_cost(decided):
    row, _ = decided
    assert len(row["decided"]) == 3
    assert set(row["decided"]) <= {3, 6, 9}
    assert row["cost"] > 1


def test_the_curves_are_those_of_the_switch_that_was_decided_on(decided, tmp_path):
    row, curves = decided
    for seed, at in enumerate(row["decided"]):
        told = {**STUDY, "seeds": [seed], "compare": [{"name": "told", "schedule": {"off_at": at}}]}
        run_study(parse_study(told), tmp_path / str(seed))
        expected = pl.read_parquet(tmp_path / str(seed) / "curves.parquet").drop("condition")
        found = curves.filter(pl.col("seed") == seed).drop("condition")
        # Stacks of other sizes add up in another order.
        for name in ("test_error", "mix_loss", "mixing", "val_brier"):
            assert found[name].to_list() == pytest.approx(expected[name].to_list(), rel=1e-4, abs=1e-6)


def test_without_held_out_samples_it_is_refused():
    study = {**STUDY, "data": {"name": "digits", "train_size": 100}, "compare": [{"schedule": "auto"}]}
    with pytest.raises(ConfigError, match=r"data.val_size = 0: hold out samples that the switch is decided on"):
        parse_study(study)


HELD_OUT = {
    **STUDY,
    "data": {"name": "digits", "train_size": 100},
    "compare": [{"name": "auto", "schedule": {"auto": {**AUTO["auto"], "holdout": 0.2}}}],
}


def test_without_a_validation_set_a_part_of_the_training_samples_decides(tmp_path):
    row = summary_to_json(run_study(parse_study(HELD_OUT), tmp_path / "auto"))["conditions"][0]
    curves = pl.read_parquet(tmp_path / "auto" / "curves.parquet")
    assert set(row["decided"]) <= {3, 6, 9}
    assert 1.2 < row["cost"] < 2.5
    assert row["steps"] == pytest.approx(24 * row["cost"], abs=1)  # two batches in each of twelve epochs
    assert curves["val_error"].is_null().all()
    assert curves.filter(pl.col("epoch") <= min(row["decided"]))["mixing"].unique().to_list() == [1.0]
    assert curves.filter(pl.col("epoch") > max(row["decided"]))["mixing"].unique().to_list() == [0.0]


@pytest.mark.parametrize(
    ("study", "says"),
    [
        (
            {**HELD_OUT, "compare": [{"schedule": {"auto": {"holdout": 1.5}}}]},
            r"schedule.auto.holdout = 1.5: use a share of the training samples in \(0, 1\)",
        ),
        (
            {**HELD_OUT, "compare": [{"schedule": {"auto": {"hold_out": 0.2}}}]},
            r"schedule.auto.hold_out = 0.2: unknown key, did you mean holdout",
        ),
        (
            {**HELD_OUT, "train": {"epochs": 12, "batch_size": 90}},
            r"train.batch_size = 90: use at most 80, the training samples that are left while 20 are held out",
        ),
        (
            {**HELD_OUT, "compare": [{"schedule": {"auto": {"holdout": 0.001}}}]},
            r"schedule.auto.holdout = 0.001: of 100 training samples in 10 classes, shares of 0.02 to 0.9",
        ),
    ],
)
def test_what_cannot_be_held_out_is_refused_before_any_work(study, says, tmp_path):
    with pytest.raises(ConfigError, match=says):
        run_study(parse_study(study), tmp_path / "run")
    assert not (tmp_path / "run").exists()
