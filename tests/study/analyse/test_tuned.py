"""The trials of a fair comparison choose by held-out error, and never by the test set."""

import numpy as np
import pytest

from overmix.errors import OvermixError
from overmix.study import choose_settings, fair_trials, parse_study
from overmix.study.analyse.cell_result import CellResult
from overmix.study.plan.cells import expand
from overmix.train import METRICS

SPEC = parse_study({"data": {"name": "digits", "val_size": 50}, "train": {"epochs": 4, "batch_size": 32}})
LOOKS = np.array([1, 4])


def results(held_out, loss=lambda cell: 0.1):
    """All trials; each error and score at the end is told by a function of the run."""
    cells = []
    for cell in expand(fair_trials(SPEC)):
        values = {name: np.full(2, 0.5) for name in METRICS}
        error, score = held_out(cell)
        values |= {"val_error": np.array([0.0, error]), "val_brier": np.array([0.0, score])}
        values |= {"mix_loss": np.full(2, loss(cell)), "test_cross_entropy": np.full(2, 0.3)}
        # The test set says the opposite.
        wrong = np.full((2, 10), 1 - error)
        cells.append(CellResult(cell, LOOKS, values, wrong, [32, 32], 2, 1.0, n_val=50))
    return cells


def decay(cell):
    return cell.train.optimizer.weight_decay


def test_the_lowest_mean_held_out_error_at_the_end_is_chosen_and_scores_decide_between_equal_ones():
    def held_out(cell):
        mixes = "alpha" in cell.condition
        best = 0.005 if mixes else 0.001
        # One lucky seed is not enough.
        lucky = 0.09 if decay(cell) == 0 and cell.seed % 2 else 0.0
        score = 0.2 if "alpha 0.2" in cell.condition else 0.3
        return (0.1 if decay(cell) == best else 0.2) - lucky, score

    tuned = choose_settings(SPEC, results(held_out))
    assert [(one.weight_decay, one.alpha) for one in tuned] == [(0.001, None), *3 * [(0.005, 0.2)]]
    assert {(one.trials, one.seeds) for one in tuned} == {(6, 3)}
    assert [one.held_out_error for one in tuned] == pytest.approx([0.1] * 4)


def test_between_equal_trials_the_studys_own_setting_is_kept():
    tuned = choose_settings(SPEC, results(lambda cell: (0.1, 0.1)))
    assert [(one.weight_decay, one.alpha) for one in tuned] == [(0.0, None), *3 * [(0.0, 1.0)]]


def test_what_diverged_in_one_seed_is_never_chosen():
    def loss(cell):
        return np.nan if decay(cell) == 0.005 and cell.seed % 2 else 0.1

    def held_out(cell):
        return (0.0 if decay(cell) == 0.005 else 0.2), 0.1

    assert all(one.weight_decay != 0.005 for one in choose_settings(SPEC, results(held_out, loss)))
    with pytest.raises(OvermixError, match="ERM: every one of its 6 trials diverged: lower the learning rate"):
        choose_settings(SPEC, results(held_out, lambda cell: np.nan))
