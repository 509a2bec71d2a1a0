"""The benchmark of policies: its records, the replay of policies on them, and how they are judged."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from overmix.cli.app import app
from overmix.experiments.switch_benchmark.cells import CELLS, CHOSEN_ON, BenchmarkCell
from overmix.experiments.switch_benchmark.evaluate import POLICIES, evaluate, judge
from overmix.experiments.switch_benchmark.first_run import HELD_OUT_SHARE
from overmix.experiments.switch_benchmark.record import opened, record_file
from overmix.experiments.switch_benchmark.recording import record_all
from overmix.experiments.switch_benchmark.replay import CellRecord, SameSteps, replay_cell
from overmix.study.plan.cells import StackTask
from overmix.study.plan.shards import Shard
from overmix.study.plan.trainings import training_with
from overmix.study.store.arrays import npz_bytes
from overmix.switch import AutoSwitch, HeldOut, History, Observation
from overmix.switch.policies.baselines import (
    CleanError,
    CleanMargin,
    Fixed,
    GeneralizationLoss,
    IncToDec,
    Minimum,
    NearFloor,
    Patience,
    Turned,
)

SMALL = BenchmarkCell("digits", 80, 16, val_size=40)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("records")
    record_all(out, [SMALL], workers=1)
    return out


def made(epochs=1000, error=None, seeds=3):
    """A record made by hand: the held-out Brier score falls until epoch 250 and rises again."""
    cell = replace(SMALL, epochs=epochs)
    grid = np.array(cell.switch_epochs)
    looks = np.unique(np.geomspace(1, epochs, 40).round().astype(int))
    curve = 0.2 + 0.05 * np.abs(np.log2(looks / 250))
    final = 0.1 + 0.01 * np.abs(np.log2(np.maximum(grid, 1) / 250)) if error is None else error
    flat = np.broadcast_to(curve, (seeds, len(looks)))
    arrays = {
        "switch_epochs": grid,
        "final": np.broadcast_to(final[None, :, None], (5, len(grid), seeds)),
        "epochs": looks,
        "n_test": np.array(500),
    }
    for name in ("val_error", "val_cross_entropy", "val_brier", "train_cross_entropy"):
        arrays[f"mixup_{name}"] = flat
    arrays["mixup_train_error"] = np.broadcast_to(np.where(looks < 100, 0.1, 0.0), flat.shape)
    arrays["mixup_train_margin"] = np.broadcast_to(np.where(looks < 50, 0.2, 0.8), flat.shape)
    arrays["mix_loss"] = np.broadcast_to(0.45 + 2 / looks, flat.shape)
    arrays["mix_floor"] = np.full(flat.shape, 0.45)
    probe = 0.2 + 0.05 * np.abs(np.log2(np.maximum(grid[:-1], 1) / 250))
    wobble = np.random.default_rng(0).normal(0, 0.01, 40)
    for share in (0.02, 0.05):
        arrays[f"probe_{share}"] = np.broadcast_to(probe[None, :, None] + wobble, (seeds, len(probe), 40))
    seen = {name: array for name, array in arrays.items() if name.startswith(("mix", "probe_0.02"))}
    return CellRecord(cell, arrays, {**seen, "epochs": looks, "steps_per_epoch": np.array([3, 4])})


def test_the_cells_are_many_and_split_by_data_set():
    assert len(CELLS) >= 20
    assert len({cell.name for cell in CELLS}) == len(CELLS)
    reported = {cell.data for cell in CELLS if cell.split == "reported on"}
    assert len(reported) >= 3
    assert not reported & set(CHOSEN_ON)
    assert {cell.model for cell in CELLS} == {"mlp", "convnet"}
    assert {cell.recipe for cell in CELLS} == {"Mixup", "CutMix", "ManifoldMixup"}
    assert {cell.lr_schedule for cell in CELLS} == {"constant", "cosine", "multistep"}


@pytest.mark.slow
def test_a_record_holds_every_switched_run(folder):
    found = CellRecord.read(folder, SMALL)
    assert found.grid.tolist() == SMALL.switch_epochs
    assert found.final().shape == (len(found.grid), 8)
    # The last entries of the curves are the runs that never switched, and that never mixed.
    np.testing.assert_array_equal(found.final()[-1], found.arrays["mixup_test_error"][:, -1].astype(np.float64))
    np.testing.assert_array_equal(found.final()[0], found.arrays["erm_test_error"][:, -1].astype(np.float64))


@pytest.mark.slow
def test_policies_replayed_on_a_real_record_choose_from_the_grid(folder):
    found = CellRecord.read(folder, SMALL)
    for policy in POLICIES.values():
        outcome = replay_cell(policy, found, seed=0)
        assert outcome.switch_at in found.grid
        assert outcome.cost >= 1


@pytest.mark.parametrize(
    ("policy", "switch_at", "cost"),
    [
        (Fixed(0.0), 0, 1.0),
        (Fixed(1.0), 1000, 1.0),
        (Fixed(0.25), 250, 1.0),
        (Minimum("brier"), 250, 1.75),
        (CleanError(), 125, 1.0),
        (CleanMargin(0.8), 62, 1.0),
        (CleanMargin(0.2), 16, 1.0),
        (CleanMargin(0.9), 1000, 1.0),
        (NearFloor(0.009), 125, 1.0),
        (NearFloor(0.001), 1000, 1.0),
    ],
)
def test_the_baselines_do_what_their_names_say(policy, switch_at, cost):
    outcome = replay_cell(policy, made(), seed=0)
    assert (outcome.switch_at, outcome.cost) == (switch_at, pytest.approx(cost, abs=0.02))


def test_patience_and_generalization_loss_go_back_to_the_best():
    for policy in (Patience("brier"), GeneralizationLoss("cross_entropy"), Turned("brier")):
        outcome = replay_cell(policy, made(), seed=0)
        assert 188 <= outcome.switch_at <= 375
        assert outcome.decided_at > outcome.switch_at or outcome.cost == 1


def test_inc_to_dec_weighs_the_fall_against_the_rises_before():
    def decided(*brier):
        seen = [Observation(at, 1.0, 100, value) for at, value in enumerate(brier)]
        return IncToDec("brier").decide(History(100, len(brier), tuple(seen))).switch_at

    assert decided(0.50, 0.49, 0.48, 0.485) is None  # exp(-0.5 * 0.005 / 0.02) = 0.88
    assert decided(0.50, 0.49, 0.48, 0.90) == 3  # exp(-0.5 * 0.42 / 0.02) < 0.05
    assert decided(0.90, 0.60, 0.30, 0.90) is None  # what fell by 0.6 may do so again
    assert decided(0.5, 0.6) is None
    assert decided(0.5, float("nan"), 0.6) is None


def test_autoswitch_finds_the_turn_and_pays_for_its_tails():
    outcome = replay_cell(AutoSwitch(), made(), seed=0)
    assert outcome.switch_at == 250
    assert outcome.cost == pytest.approx(((outcome.decided_at - 250) + 1000 + 20 * outcome.probes) / 1000)


def test_without_a_validation_set_the_first_run_is_paid_and_the_second_is_whole():
    record = made()
    one, both = (
        replay_cell(AutoSwitch(), record, seed=0),
        replay_cell(HeldOut(AutoSwitch(), HELD_OUT_SHARE), record, seed=0),
    )
    assert both.switch_at == one.switch_at == 250
    assert both.cost == pytest.approx(1 + (one.decided_at + 20 * one.probes) * (3 / 4) / 1000)
    # Three quarters of the steps: three quarters of the epochs, of which 188 are the nearest on the grid.
    assert replay_cell(SameSteps(AutoSwitch(), HELD_OUT_SHARE), record, seed=0).switch_at == 188


def test_what_is_replayed_of_a_first_run_is_what_a_study_decides(folder):
    policy = AutoSwitch(tail=0.02, shares=(1 / 8, 1 / 4, 1 / 2, 3 / 4))
    own, dataset, execution = opened(SMALL, folder)
    study = training_with(HeldOut(policy, HELD_OUT_SHARE), StackTask(tuple(own), execution, "cpu"), dataset).train()
    record = CellRecord.read(folder, SMALL)
    outcomes = [replay_cell(HeldOut(policy, HELD_OUT_SHARE), record, seed) for seed in range(record.seeds)]
    assert [outcome.switch_at for outcome in outcomes] == study.switch_at.tolist()
    assert [outcome.cost for outcome in outcomes] == pytest.approx(study.cost.tolist())
    ends = record.final()[np.searchsorted(record.grid, study.switch_at), np.arange(record.seeds)]
    np.testing.assert_array_equal(ends.astype(np.float32), study.metrics["test_error"][:, -1])


def test_the_judgement_of_a_policy():
    record = made()
    best, late = judge("best", Fixed(0.25), record), judge("late", Fixed(1.0), record)
    assert best.regret == pytest.approx(0)
    assert (best.early, best.late) == (0, 0)
    assert late.regret == pytest.approx(0.2)
    assert (late.early, late.late) == (0, 1)
    assert judge("erm", Fixed(0.0), record).over_erm == 0


def test_mixing_where_it_gains_nothing_is_needless():
    grid = np.array(replace(SMALL, epochs=1000).switch_epochs)
    record = made(error=np.where(grid == 0, 0.1, 0.13))
    assert judge("late", Fixed(1.0), record).needless == 1
    assert judge("erm", Fixed(0.0), record).needless == 0
    # Every seed three points worse: far beyond the margin.
    assert judge("late", Fixed(1.0), record).p_worse == 0
    assert judge("erm", Fixed(0.0), record).p_worse == 1


def test_what_is_not_recorded_is_named(folder):
    table = evaluate(folder, cells=(SMALL, CELLS[0]))
    assert table["missing"] == [CELLS[0].name]
    assert table["missing_first_runs"] == []
    assert [cell["name"] for cell in table["cells"]] == [SMALL.name]
    assert {row["policy"] for row in table["policies"]} == set(POLICIES)


def test_the_command_judges_what_is_recorded(folder):
    answer = CliRunner().invoke(app, ["benchmark", "switch", "--only-recorded", "--json", "--out", str(folder)])
    assert answer.exit_code == 0
    assert len(json.loads(answer.stdout)["missing"]) == len(CELLS)
    assert record_file(folder, SMALL).exists()


def test_shards_of_one_folder_are_the_records_of_one_run(tmp_path, monkeypatch):
    made = []

    def made_up(cell, out):
        made.append(cell.name)
        return npz_bytes({"name": np.array(cell.name)})

    for kind in ("record", "record_first_run"):
        monkeypatch.setattr(f"overmix.experiments.switch_benchmark.recording.{kind}", made_up)
    record_all(tmp_path / "once", CELLS[:4], workers=1)
    made.clear()
    for number in (1, 2, 3):
        record_all(tmp_path / "shards", CELLS[:4], workers=1, shard=Shard(number, 3))
    assert len(made) == 8
    left = [{file.name: file.read_bytes() for file in (tmp_path / name).iterdir()} for name in ("once", "shards")]
    assert left[0] == left[1]
