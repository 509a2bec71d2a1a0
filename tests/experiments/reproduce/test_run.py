import json

import numpy as np
import pytest
from markupsafe import escape

from overmix.errors import ConfigError, MissingExtraError, StudyInterrupted
from overmix.experiments.reproduce import gradients
from overmix.experiments.reproduce.catalogue import EXPERIMENTS
from overmix.experiments.reproduce.check import judge_claims
from overmix.experiments.reproduce.claims import claim_of
from overmix.experiments.reproduce.run import run_experiment, run_shard_of_experiment
from overmix.study.plan.shards import Shard


@pytest.mark.slow
@pytest.mark.usefixtures("in_process", "few_clothes")
@pytest.mark.parametrize("name", [entry.name for entry in EXPERIMENTS])
def test_every_experiment_runs_at_smoke_scale(name, tmp_path):
    result = run_experiment(name, "smoke", tmp_path / "out")
    entry = next(entry for entry in EXPERIMENTS if entry.name == name)
    assert [setting["key"] for setting in result["settings"]] == [setting.key for setting in entry.settings]
    assert json.loads((tmp_path / "out" / "result.json").read_text()) == json.loads(json.dumps(result))
    assert result["verdicts"] == judge_claims(result["settings"])
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert result["verdicts"]
    for row in result["verdicts"]:
        assert str(escape(claim_of(name, row["claim"]).text)) in page
    for figure in (tmp_path / "out" / "figures").glob("*.svg"):
        assert f'<div class="plot" data-chart="{figure.stem}"' in page
    for setting in result["settings"]:
        assert setting["digest"]
        assert setting["versions"]["overmix"]
        for checks in setting["checks"].values():
            assert all(np.isfinite(check["value"]) for check in checks)
        for picture in setting["pictures"]:
            stem = tmp_path / "out" / "figures" / f"{setting['key']}-{picture['name']}"
            assert stem.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
            assert stem.with_suffix(".svg").stat().st_size > 1000
            assert f'data-chart="{stem.name}"' in page


@pytest.mark.usefixtures("in_process")
def test_an_experiment_goes_on_where_it_stopped(tmp_path, monkeypatch):
    first = run_experiment("mse", "smoke", tmp_path)
    assert (tmp_path / "digits-mlp" / "summary.json").exists()

    def never(*_, **__):
        raise AssertionError("trained again")

    monkeypatch.setattr("overmix.study.run.worker.StackRunner.run", never)
    assert run_experiment("mse", "smoke", tmp_path) == first


def test_what_was_measured_whole_or_by_shards_is_not_measured_again(tmp_path, monkeypatch):
    lines = []
    first = run_experiment("loss-floor", "smoke", tmp_path / "once", say=lines.append)
    assert lines == ["loss-floor: closed-form", "loss-floor: digits-mlp"]
    for number in (2, 1):
        run_shard_of_experiment("loss-floor", "smoke", tmp_path / "shards", Shard(number, 2))
    assert not (tmp_path / "shards" / "result.json").exists()
    monkeypatch.setattr(gradients, "snapshots", lambda *_: pytest.fail("trained again"))
    assert run_experiment("loss-floor", "smoke", tmp_path / "once") == first
    assert run_experiment("loss-floor", "smoke", tmp_path / "shards") == first
    results = [(tmp_path / name / "result.json").read_bytes() for name in ("once", "shards")]
    assert results[0] == results[1]


def test_a_setting_whose_extra_is_missing_is_left_out_and_said(tmp_path, monkeypatch):
    def missing(*_, **__):
        raise MissingExtraError("mnist1d", "data")

    monkeypatch.setattr(gradients, "snapshots", missing)
    result = run_experiment("loss-floor", "smoke", tmp_path)
    assert [setting["key"] for setting in result["settings"]] == ["closed-form"]
    assert "overmix[data]" in result["missing"][0]["reason"]


def test_only_the_settings_that_are_asked_for_are_run(tmp_path):
    result = run_experiment("loss-floor", "smoke", tmp_path, settings=["closed-form"])
    assert [setting["key"] for setting in result["settings"]] == ["closed-form"]
    assert result["missing"] == [{"key": "digits-mlp", "reason": "not asked for"}]
    with pytest.raises(ConfigError, match="did you mean closed-form"):
        run_experiment("loss-floor", "smoke", tmp_path, settings=["closed-from"])


def test_ctrl_c_leaves_nothing_half_written(tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(gradients, "snapshots", stop)
    with pytest.raises(StudyInterrupted, match="what is finished is kept"):
        run_experiment("loss-floor", "smoke", tmp_path)
    assert (tmp_path / "closed-form" / "finding.json").exists()
    assert not (tmp_path / "digits-mlp" / "finding.json").exists()
    assert not (tmp_path / "result.json").exists()
