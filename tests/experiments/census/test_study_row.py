"""Rows that are studies: their conditions, and that a row says what its study's runs did."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from overmix.diagnose import diagnose_ensemble
from overmix.experiments.census.loop import train
from overmix.experiments.census.rows import ROWS
from overmix.experiments.census.study_row import StudyRow
from overmix.experiments.census.tasks.classification import Classification
from overmix.mix import Streams
from overmix.recipes import Mixup
from overmix.study.analyse.result import load_cells
from overmix.switch import always, off_at

STUDIES = [row for row in ROWS if isinstance(row, StudyRow)]
N_SEEDS = 2


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A short row with a control, what it says, and the runs that its study keeps, by condition."""
    row = replace(STUDIES[0].at("smoke"), controls={"later": {"recipe": "Mixup", "schedule": {"on_from": 0.5}}})
    folder = tmp_path_factory.mktemp("row") / "study"
    said = row.run(folder, N_SEEDS, workers=1)
    cells = {}
    for cell in load_cells(folder):
        cells.setdefault(cell.condition, []).append(cell)
    return row, said, cells


def finals(cells):
    return np.array([cell.wrong[-1].mean() for cell in cells])


def test_the_ends_are_those_of_the_runs(ran):
    row, said, cells = ran
    assert set(said["final"]) == set(row.conditions) == set(cells)
    for name in row.conditions:
        assert said["final"][name]["mean"] == pytest.approx(finals(cells[name]).mean())
        assert said["final"][name]["ece"] == pytest.approx(np.mean([c.values["test_ece"][-1] for c in cells[name]]))


def test_verdict_and_curve_are_those_of_the_test_samples(ran):
    row, said, cells = ran
    for name, condition in (("on", f"off@{row.epochs}"), ("erm", "off@0")):
        wrong = np.stack([cell.wrong for cell in cells[condition]])
        diagnosis = diagnose_ensemble(cells[condition][0].epochs, wrong)
        assert said["diagnosis"][name]["verdict"] == diagnosis.verdict
        assert said["diagnosis"][name]["depth"] == pytest.approx(diagnosis.depth)
        np.testing.assert_allclose(said["curves"][name]["mean"], wrong.mean((0, 2)), rtol=1e-6)


def test_differences_are_signed_as_they_are_named_and_the_best_is_chosen_on_held_out_samples(ran):
    row, said, cells = ran
    held_out = {at: np.mean([c.values["val_error"][-1] for c in cells[f"off@{at}"]]) for at in row.grid}
    assert held_out[said["best"]] == min(held_out.values())
    for pair in said["comparisons"]:
        a, b = (finals(cells[row.condition(pair[side], said["best"])]).mean() for side in "ab")
        assert pair["difference"] == pytest.approx(a - b)
        assert pair["ci"][0] <= pair["difference"] <= pair["ci"][1]


def test_what_autoswitch_decided_is_there_for_every_seed(ran):
    _, said, _ = ran
    assert len(said["auto"]["switch_at"]) == N_SEEDS
    assert said["auto"]["cost"] > 1


def test_the_study_trains_what_a_loop_over_epochs_trains(ran):
    row, _, cells = ran
    task = Classification(epochs=row.epochs)
    for condition, switch in (("off@0", off_at(0)), ("off@3", off_at(3)), (f"off@{row.epochs}", always())):
        data = task.data(Streams(replica_seed=1))
        model, _ = train(task, data, Mixup(alpha=1.0), switch, 1)
        with torch.no_grad():
            wrong = model(data.test.x).argmax(1) != data.test.y
        (twin,) = (cell.wrong[-1] for cell in cells[condition] if cell.seed == 1)
        assert (wrong.numpy() != twin).mean() < 0.005  # but for the last bits: logits nearly tie for a sample or two


@pytest.mark.parametrize("row", STUDIES, ids=lambda row: row.name)
def test_every_study_is_one_and_has_the_rows_conditions(row):
    assert row.study(n_seeds=1).condition_names == row.conditions


def test_whatever_changes_the_numbers_changes_the_digest():
    row = STUDIES[0]
    others = [
        replace(row, parameters={"alpha": 0.5}),
        replace(row, setting=replace(row.setting, train={**row.setting.train, "epochs": 300})),
        replace(row, setting=replace(row.setting, data={**row.setting.data, "train_size": 100})),
        replace(row, controls={"c": {"recipe": "Mixup", "schedule": "hesitation"}}),
        replace(row, variant="other"),
        row.at("smoke"),
    ]
    assert len({row.digest(), *(other.digest() for other in others)}) == 1 + len(others)


def test_a_default_that_is_written_out_does_not():
    assert replace(STUDIES[0], parameters={"alpha": 1.0}).digest() == STUDIES[0].digest()
