"""Three views of a garment: what each shows, and what a shuffled label must not teach."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from overmix.experiments.census.loop import train
from overmix.experiments.census.systems.multiview import LOGISTIC, ROWS, ThreeViews
from overmix.experiments.census.systems.three_views import WORDS, captions, edges, pixels
from overmix.experiments.census.task import Samples, evaluated
from overmix.mix import Streams
from overmix.switch import always


def image(columns):
    """Return one image that is white in some columns."""
    whole = torch.zeros(1, 1, 28, 28)
    whole[..., columns] = 1
    return whole


def test_views_have_their_shapes_and_hide_a_quarter():
    images, rng = torch.ones(3, 1, 28, 28), np.random.default_rng(0)
    assert pixels(images, rng).shape == (3, 1, 14, 14)
    assert edges(images, rng).shape == (3, 128)
    shown = torch.stack([pixels(images, np.random.default_rng(seed)) for seed in range(50)])
    assert float(shown.mean()) == pytest.approx(0.75, abs=0.01)


def test_edges_turn_with_the_image():
    upright, lying = image(slice(10, 18)), image(slice(10, 18)).transpose(2, 3)
    for bar, along, across in ((upright, [0, 4], [2, 6]), (lying, [2, 6], [0, 4])):
        by_angle = edges(bar, np.random.default_rng(0)).view(8, 16).square().sum(1)
        assert float(by_angle[along].sum()) > 1.1 * float(by_angle[across].sum())


def test_captions_say_what_is_seen_and_name_half_of_the_garments():
    images = image(slice(10, 18)).repeat(400, 1, 1, 1)
    words = captions(images, torch.full((400,), 8), np.random.default_rng(0))
    said = [[WORDS[word] for word in caption] for caption in words.tolist()]
    assert {tuple(caption[:3]) for caption in said} == {("bright", "narrow", "tall")}
    assert {caption[-1] for caption in said} == {"item", "bag"}
    assert float(np.mean([caption[-1] == "bag" for caption in said])) == pytest.approx(0.5, abs=0.08)


@pytest.mark.slow
def test_three_views_teach_more_than_the_worst_one_and_shuffled_labels_nothing():
    (row,) = ROWS
    task = replace(ThreeViews(), epochs=30, train_size=200, val_size=100, test_size=500)
    data = task.data(Streams(replica_seed=1))

    def score(data):
        model, _ = train(task, data, row.recipe, always(), 1)
        return evaluated(lambda: task.score(model, data.test), model)

    found = score(data)
    assert found.value < 0.6
    assert found.value < max(found.further.values()) - 0.05
    assert task.baseline(LOGISTIC, data).value < 0.6
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(data.train)))
    shuffled = replace(data, train=Samples(data.train.x, data.train.y[order]))
    assert score(shuffled).value > 0.75  # a guess errs in 0.9
