"""A condition that decides by itself: decided in the study, and the same as if it had been told."""

import polars as pl
import pytest

from overmix.errors import ConfigError
from overmix.study import parse_study, run_study

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
    summary = run_study(parse_study({**STUDY, "compare": [{"name": "auto", "schedule": AUTO}]}), out)
    return summary["conditions"][0], pl.read_parquet(out / "curves.parquet")


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
