"""Simulated fMRI: what is simulated, what ridge and masks find, and what a shuffled answer must not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from overmix.experiments.census.loop import train
from overmix.experiments.census.systems.brain import BY_RIDGE, COMMON, ROWS, TEMPERATURE, Brain, in_galleries, retrieval
from overmix.experiments.census.systems.selection import ridge, select_voxels
from overmix.experiments.census.systems.voxels import DIM, smoothed, subject
from overmix.experiments.census.task import Samples, evaluated
from overmix.mix import Streams
from overmix.recipes import BiMixCo
from overmix.switch import always

SMALL = Brain(epochs=8, train_size=600, hidden=64, voxels=(400,), test_size=300)


def test_answers_have_variance_1_and_are_explained_as_far_as_their_ceiling():
    who, rng = subject(0, 400, 0.5), np.random.default_rng(0)
    images = torch.from_numpy(rng.normal(size=(1, DIM))).float().expand(4000, DIM)
    many = who.look(torch.from_numpy(rng.normal(size=(4000, DIM))).float(), rng)
    assert float(many.var(0).mean()) == pytest.approx(1, abs=0.05)
    assert (who.ceiling == 0).float().mean() == pytest.approx(0.5, abs=0.01)
    # To one image a voxel without a ceiling answers as to any other; one with a high ceiling varies less.
    again = who.look(images, rng).var(0)
    assert float(again[who.ceiling == 0].mean()) == pytest.approx(1, abs=0.05)
    best = who.ceiling.topk(60).indices
    assert float(again[best].mean()) < 1 - 0.3 * float(who.ceiling[best].mean())


def test_subjects_differ_in_voxels_and_absent_ones_are_silent():
    task = Brain(voxels=(40, 50, 60), train_size=30, val_size=30, test_size=300)
    data = task.data(Streams())
    for number, count in enumerate(task.voxels):
        answers = data.train.x[0][data.train.domain == number]
        assert (answers[:, count:] == 0).all()
        assert (answers[:, :count] != 0).all()


def test_smoothing_is_a_mean_of_neighbours():
    x = torch.arange(10.0)
    torch.testing.assert_close(smoothed(x, 3)[1:-1], x[1:-1])
    assert smoothed(x, 3).shape == x.shape


@pytest.mark.parametrize("samples", [20, 60])
def test_ridge_is_the_normal_equations(samples):
    x, y = torch.randn(samples, 40), torch.randn(samples, 3)
    normal = torch.linalg.solve(x.T @ x + 5 * torch.eye(40), x.T @ y)
    torch.testing.assert_close(ridge(x, y, 5.0), normal, rtol=1e-3, atol=1e-4)


def test_gates_find_the_voxels_that_see():
    who, rng = subject(1, 400, 0.25), np.random.default_rng(0)
    images = torch.from_numpy(rng.normal(size=(600, DIM))).float()
    # However long the embeddings are, as the penalty is of their own scale.
    kept = select_voxels(who.look(images, rng), images / 8, keep=0.25)
    assert int(kept.sum()) == 100
    assert float((who.ceiling[kept] > 0).float().mean()) > 0.5  # a quarter, by chance
    assert float(who.ceiling[kept].mean()) > 2 * float(who.ceiling.mean())


def test_both_directions_are_perfect_where_answers_are_the_images():
    keys = torch.nn.functional.pad(torch.nn.functional.normalize(torch.randn(600, DIM), dim=1), (0, 1), value=COMMON)
    found = retrieval(3 * keys, keys)
    assert found.value == 0
    assert found.further == {"error of brain retrieval": 0.0}
    logits, own = in_galleries(keys, keys)
    assert logits.shape == (600, 300)
    assert float(logits.max()) == pytest.approx(1 / TEMPERATURE, rel=1e-3)
    assert torch.equal(own, torch.arange(300).repeat(2))


@pytest.mark.slow
def test_training_finds_images_and_shuffled_answers_find_none():
    task = replace(SMALL, epochs=12)
    data = task.data(Streams(replica_seed=1))
    guess = 1 - 1 / 300

    def error(data):
        model, _ = train(task, data, BiMixCo(temperature=TEMPERATURE), always(), 1)
        return evaluated(lambda: task.score(model, data.test), model).value

    order = torch.from_numpy(np.random.default_rng(0).permutation(len(data.train)))
    shuffled = replace(data, train=Samples(data.train.x, data.train.y[order], data.train.domain))
    assert error(data) < 0.97
    assert error(shuffled) > guess - 0.02
    assert task.baseline(BY_RIDGE, data).value < 0.97
    assert task.baseline(BY_RIDGE, shuffled).value > guess - 0.02


def test_every_row_gives_way_to_softclip_and_is_held_against_its_own_loss_never_mixed():
    for row in ROWS:
        assert (row.off, row.erm) == ("SoftCLIP", "plain contrast")
        assert row.controls[row.erm].recipe.coefficient.probability == 0
        assert row.recipe.temperature == TEMPERATURE
