"""Policies on a search made by hand: where each switches, how that run ends, and what it is behind the best."""

from dataclasses import replace

import numpy as np
import pytest

from overmix.diagnose.interval import t_interval
from overmix.study import parse_study, run_study, sweep_study
from overmix.study.analyse.cell_result import CellResult
from overmix.study.analyse.choices import policy_choices
from overmix.study.analyse.record import Summary
from overmix.study.analyse.record_json import to_json
from overmix.study.plan.cells import expand
from overmix.train import METRICS

EPOCHS = 256
LOOKS = np.array([1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256])


def ending(switch_at):
    """Test errors in a thousand; log-linear in 1 + epoch between the epochs of the grid."""
    return {0: 150, 15: 110, 63: 60, 127: 90, 256: 200}[switch_at]


def run(condition, errors, *, seed, val_size=50, loss=0.1, **keys):
    """Return a run whose curves have their minimum where the policies are meant to find it."""
    wrong = np.zeros((len(LOOKS), 1000), dtype=np.uint8)
    wrong[:, : errors + seed] = 1
    values = {name: np.full(len(LOOKS), 0.5) for name in METRICS}
    values["val_error"] = 0.2 + 0.001 * abs(LOOKS - 32)
    values["val_brier"] = 0.2 + 0.001 * abs(LOOKS - 96)
    values["train_error"] = np.where(LOOKS >= 16 * (1 + seed), 0.0, 0.1)
    values["train_margin"] = np.where(LOOKS >= 64, 0.95, 0.2)
    values |= {"mixing": np.ones(len(LOOKS)), "mix_loss": loss + 2 / LOOKS, "mix_floor": np.full(len(LOOKS), loss)}
    study = {
        "data": {"name": "digits", "val_size": val_size},
        "train": {"epochs": EPOCHS, "batch_size": 32},
        "compare": [{"name": condition}],
        "seeds": [seed],
    }
    (cell,) = expand(parse_study(study))
    return CellResult(cell, LOOKS, values, wrong, [32, 32], 2, 1.0, n_val=val_size, **keys)


def search(seeds=(0, 1, 3), grid=(0, 15, 63, 127), deciding=None, **keys):
    trunk = [run("Mixup", ending(EPOCHS), seed=seed, **keys) for seed in seeds]
    switched = {at: [run(f"@{at}", ending(at), seed=seed) for seed in seeds] for at in grid}
    return written(policy_choices(trunk, switched, deciding or {}))


def written(found):
    """Return a search as ``summary.json`` has it."""
    return to_json(Summary(conditions=(), search=found))["policies"]


def rows(found):
    return {row["policy"]: row for row in found["rows"]}


def between(low, high, at):
    share = (np.log1p(at) - np.log1p(low)) / (np.log1p(high) - np.log1p(low))
    return ((1 - share) * ending(low) + share * ending(high)) / 1000


def test_where_each_policy_switches():
    found = rows(search())
    assert {name: row["switch_at"] for name, row in found.items() if name != "turning point"} == {
        "no Mixup": [0, 0, 0],
        "Mixup to the end": [256, 256, 256],
        "lowest validation error": [32, 32, 32],
        "lowest validation Brier score": [96, 96, 96],
        "patience": [96, 96, 96],
        "clean training error 0": [16, 32, 64],
        "clean training margin": [64, 64, 64],
        "near the loss floor": [8, 8, 8],
        "half of the training": [128, 128, 128],
    }
    assert not any(row["trained"] for row in found.values())


def test_how_these_runs_end_and_what_that_is_behind_the_best_switch():
    found = search()
    mean_seed = np.mean([0, 1, 3]) / 1000  # a seed of s has s errors more, in every condition
    assert found["oracle"] == {"switch_at": 63, "error": pytest.approx(0.060 + mean_seed)}
    row = rows(found)
    assert row["no Mixup"]["error"] == pytest.approx(0.150 + mean_seed)
    assert row["no Mixup"]["regret"] == pytest.approx(0.090)
    assert row["no Mixup"]["regret_ci"] == pytest.approx([0.090, 0.090])  # paired: seeds differ, differences do not
    assert row["Mixup to the end"]["regret"] == pytest.approx(0.140)
    assert row["lowest validation error"]["error"] == pytest.approx(between(15, 63, 32) + mean_seed)
    assert row["lowest validation Brier score"]["regret"] == pytest.approx(between(63, 127, 96) - 0.060)
    ends = np.array([between(15, 63, 16), between(15, 63, 32), between(63, 127, 64)])
    assert row["clean training error 0"]["regret"] == pytest.approx((ends - 0.060).mean())
    assert row["clean training error 0"]["regret_ci"] == pytest.approx(t_interval(ends - 0.060))


def test_the_price_in_runs():
    row = rows(search())
    assert row["half of the training"]["cost"] == row["clean training error 0"]["cost"] == 1
    assert row["lowest validation error"]["cost"] == pytest.approx((256 + 256 - 32) / 256)
    assert row["patience"]["cost"] == pytest.approx((192 + 256 - 96) / 256)  # asked at 128, 1.5 * 96 is over at 192


def test_a_condition_that_decided_by_itself_is_judged_by_its_own_runs():
    own = [run("auto", 70, seed=seed, switch_at=60 + seed, cost=1.2) for seed in (0, 1, 3)]
    row = rows(search(deciding={"auto": own}))["auto"]
    assert (row["trained"], row["switch_at"], row["cost"]) == (True, [60, 61, 63], pytest.approx(1.2))
    assert row["regret"] == pytest.approx(0.010)


def test_seeds_that_diverged_under_any_switch_are_left_out():
    trunk = [run("Mixup", 200, seed=seed) for seed in (0, 1)]
    switched = {at: [run("", ending(at), seed=seed) for seed in (0, 1)] for at in (0, 15, 63, 127)}
    switched[63][1] = run("", 60, seed=1, loss=float("nan"))
    found = written(policy_choices(trunk, switched, {"auto": [run("auto", 70, seed=1, switch_at=9)]}))
    assert found["seeds"] == [0]
    assert rows(found)["half of the training"]["switch_at"] == [128]
    assert rows(found)["half of the training"]["regret_ci"] is None
    assert rows(found)["auto"] == {
        "policy": "auto", "trained": True, "switch_at": [], "cost": None, "error": None, "regret": None,
        "regret_ci": None,
    }  # fmt: skip
    switched[15][0] = run("", 60, seed=0, loss=float("nan"))
    assert policy_choices(trunk, switched, {}) is None


def test_without_held_out_samples_no_policy_looks_at_them():
    found = rows(search(val_size=0))
    trained = ["clean training error 0", "clean training margin", "near the loss floor"]
    assert list(found) == ["no Mixup", "Mixup to the end", *trained, "half of the training"]


def test_two_switches_are_no_search_and_erm_is_not_one_of_them():
    assert search(grid=(0, 15, 63)) is None
    assert "no Mixup" not in rows(search(grid=(15, 63, 127)))


@pytest.mark.slow
def test_a_search_that_was_trained_has_them(tmp_path, in_process):
    study = {
        "data": {"name": "digits", "train_size": 64, "val_size": 32},
        "model": {"name": "mlp", "hidden": [8]},
        "train": {"epochs": 16, "batch_size": 32},
        "compare": [{"name": "Mixup"}],
        "seeds": 2,
        "device": "cpu",
    }
    summary = to_json(run_study(sweep_study(parse_study(study)), tmp_path))
    finals = {row["name"]: row for row in summary["conditions"]}
    found = rows(summary["policies"])
    half = found["half of the training"]
    assert half["switch_at"] == [8, 8]
    assert half["error"] == pytest.approx(finals["Mixup → ERM @8"]["final_error"], abs=1e-6)
    assert found["no Mixup"]["error"] == pytest.approx(finals["ERM"]["final_error"], abs=1e-6)
    auto = found["Mixup → ERM (auto)"]
    assert (auto["switch_at"], auto["trained"]) == (finals["Mixup → ERM (auto)"]["decided"], True)
    assert auto["error"] == pytest.approx(finals["Mixup → ERM (auto)"]["final_error"], abs=1e-6)
    candidates = [row["final_error"] for row in finals.values() if row["role"] in ("erm", "mixup", "switched")]
    assert summary["policies"]["oracle"]["error"] == pytest.approx(min(candidates), abs=1e-6)


def test_labels_that_are_no_classes_are_decided_on_by_their_scores():
    def scored(condition, errors, seed, **keys):
        cell = run(condition, errors, seed=seed, **keys)
        curves = {"val_score": 0.2 + 0.001 * abs(LOOKS - 96), "train_score": np.full(len(LOOKS), 0.1)}
        return replace(cell, labels="values", values={**cell.values, **curves}, wrong=cell.wrong.astype(np.float32))

    trunk = [scored("Mixup", ending(EPOCHS), seed) for seed in (0, 1)]
    switched = {at: [scored(f"@{at}", ending(at), seed) for seed in (0, 1)] for at in (0, 15, 63, 127)}
    found = rows(written(policy_choices(trunk, switched, {})))
    assert found["lowest validation score"]["switch_at"] == found["patience"]["switch_at"] == [96, 96]
    assert not any("Brier" in name or name.startswith("clean") for name in found)
