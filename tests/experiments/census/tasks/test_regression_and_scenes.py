"""Regression on graphs, detection in scenes, prompts over a frozen embedding."""

import numpy as np
import pytest
import torch

from overmix.diagnose import scores
from overmix.experiments.census.task import as_classes, evaluated
from overmix.experiments.census.tasks.detection import (
    CELL,
    Scenes,
    corners,
    detection_loss,
    overlap,
    scenes,
)
from overmix.experiments.census.tasks.graphs import Triangles, random_graphs, triangles
from overmix.experiments.census.tasks.prompt import BASE, Prompts, joint_embedding
from overmix.mix import Streams

STREAMS = Streams(replica_seed=3)


def test_losses_stand_for_brier_scores():
    loss = torch.tensor([0.0, 1.0, 4.0, 9.0, float("nan")])
    logits, labels = as_classes(loss, worst=4.0)
    torch.testing.assert_close(scores.brier(logits, labels), torch.tensor([0.0, 0.5, 2.0, 2.0, 2.0]), atol=1e-4, rtol=0)


def test_triangles_are_counted():
    complete = torch.ones(1, 12, 12) - torch.eye(12)
    path = torch.diag(torch.ones(11), 1)
    assert triangles(complete).tolist() == [220.0]  # 12 choose 3
    assert triangles((path + path.T)[None]).tolist() == [0.0]


def test_graphs_are_simple_and_as_dense_as_asked():
    graphs = random_graphs(np.full(200, 0.3), np.random.default_rng(0))
    assert torch.equal(graphs, graphs.transpose(1, 2))
    assert (graphs.diagonal(dim1=1, dim2=2) == 0).all()
    assert float(graphs.sum() / (200 * 12 * 11)) == pytest.approx(0.3, abs=0.02)


def test_dense_graphs_are_rare_in_training():
    data = Triangles(noise=0.0).data(STREAMS)
    dense = float(data.test.y.quantile(0.75))
    assert float((data.train.y > dense).float().mean()) < 0.15


def test_the_graph_net_does_not_see_the_order_of_nodes():
    task = Triangles()
    model, graph = task.model(), task.data(STREAMS).test.x[:5]
    order = torch.randperm(12)
    torch.testing.assert_close(model(graph[:, order][:, :, order]), model(graph))


def test_a_digit_is_in_the_cell_of_its_centre_and_its_box_holds_its_ink():
    rng = np.random.default_rng(1)
    images, labels = np.zeros((1, 8, 8), np.float32), np.array([6])
    images[0, 2:7, 1:5] = 16
    seen = scenes(images, labels, 50, rng, noise=0.0)
    ink = seen.x[:, 0] * 8 + 4 > 4
    box = corners(seen.y[:, 1:5])
    for scene, row, column in (seen.y[:, 0] > 0).nonzero().tolist():
        top, left, bottom, right = (int(edge) for edge in box[scene, :, row, column])
        assert (bottom - top, right - left) == (5, 4)
        assert ink[scene, top:bottom, left:right].all()
        assert ((top + bottom) / 2 // CELL, (left + right) / 2 // CELL) == (row, column)
        assert int(seen.y[scene, 5, row, column]) == 6
    found = (seen.y[:, 0] > 0).sum((1, 2))
    assert set(found.tolist()) == {1, 2}
    assert torch.equal(ink.sum((1, 2)), 20 * found)


def test_overlap_is_that_of_boxes():
    one = torch.tensor([0.0, 0.0, 4.0, 4.0]).view(1, 4, 1, 1).expand(1, 4, 4, 4)
    for other, expected in (((0, 0, 4, 4), 1.0), ((0, 2, 4, 6), 1 / 3), ((5, 5, 6, 6), 0.0)):
        box = torch.tensor(other, dtype=torch.float32).view(1, 4, 1, 1).expand(1, 4, 4, 4)
        torch.testing.assert_close(overlap(one, box), torch.full((1, 4, 4), expected))


def test_the_true_boxes_have_no_error_and_none_has_the_whole():
    task = Scenes()
    samples = task.data(STREAMS).val
    truth = torch.cat(
        [
            20 * samples.y[:, :1] - 10,
            samples.y[:, 1:5],
            20 * torch.nn.functional.one_hot(samples.y[:, 5].long(), 10).permute(0, 3, 1, 2),
        ],
        dim=1,
    )

    class Says(torch.nn.Module):
        def __init__(self, output):
            super().__init__()
            self.output = output

        def forward(self, x):
            return self.output

    assert task.score(Says(truth), samples).value == 0.0
    assert task.score(Says(torch.zeros_like(truth) - 5), samples).value == 1.0
    assert float(detection_loss(truth, samples.y).mean()) < 0.01


def test_only_the_context_is_tuned_and_it_changes_every_class():
    task = Prompts()
    model, data = task.model(), task.data(STREAMS)
    assert [name for name, p in model.named_parameters() if p.requires_grad] == ["context"]
    before = evaluated(lambda: model(data.test.x), model)
    with torch.no_grad():
        model.context += 0.3
    after = evaluated(lambda: model(data.test.x), model)
    assert ((before - after).abs().amax(0) > 1e-4).all()


def test_prompts_are_tuned_on_some_classes_and_asked_for_all():
    data = Prompts().data(STREAMS)
    assert int(data.train.y.max()) < BASE
    assert int(data.val.y.max()) < BASE
    assert torch.equal(data.test.y.unique(), torch.arange(10))


def test_there_is_something_to_adapt_to():
    # Behind the pattern the hand-written prompt is much worse than without it.
    errors = []
    for shift in (0.0, 1.0):
        task = Prompts(shift=shift)
        model, data = task.model(), task.data(STREAMS)
        errors.append(evaluated(lambda task=task, model=model, data=data: task.score(model, data.test), model).value)
    assert errors[1] > errors[0] + 0.1


def test_the_embedding_is_the_same_whoever_asks_first():
    once = joint_embedding().image[1].weight.clone()
    joint_embedding.cache_clear()
    torch.manual_seed(9)
    with torch.no_grad():
        again = joint_embedding().image[1].weight
    assert torch.equal(once, again)
