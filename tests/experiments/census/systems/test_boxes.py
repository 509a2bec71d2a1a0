"""Boxes: torchvision's loss is the oracle of ours, torchmetrics that of what is measured."""

from dataclasses import replace

import pytest
import torch

pytest.importorskip("torchvision")

from overmix.experiments.census.loop import train
from overmix.experiments.census.systems.boxes import (
    CANVAS,
    CLASSES,
    ROWS,
    STRIDES,
    AllBoxes,
    Clothes,
    box_score,
    detection_loss,
    places,
)
from overmix.experiments.census.task import Samples, evaluated
from overmix.mix import MixPlan, Streams
from overmix.recipes import LossMix
from overmix.switch import never

TASK = Clothes()


@pytest.fixture(scope="module")
def data():
    return replace(TASK, train_size=64, val_size=20, test_size=60).data(Streams(replica_seed=1))


def test_boxes_hold_the_ink_and_do_not_touch(data):
    quiet = replace(TASK, train_size=30, val_size=2, test_size=2, noise=0.0).data(Streams(replica_seed=1)).train
    for image, boxes in zip(quiet.x, quiet.y, strict=True):
        outside = image[0].clone()
        for left, top, right, bottom, kind in boxes[boxes[:, 4] >= 0].tolist():
            assert 0 <= kind < CLASSES
            inside = outside[int(top) : int(bottom), int(left) : int(right)]
            assert float(inside.max()) > 0.1
            inside.zero_()
        assert float(outside.max()) <= 0.11  # ink is what is above a tenth
    assert set((quiet.y[..., 4] >= 0).sum(1).tolist()) == {1, 2, 3}
    sides = (quiet.x != 0).any(2).sum((1, 2))
    assert len(sides.unique()) > 5


def test_the_loss_of_each_scene_is_torchvisions(data):
    torch.manual_seed(0)
    model, y = TASK.model(), data.train.y[:6].clone()
    y[0] = -1.0  # a scene without an object
    output = model(data.train.x[:6]) + torch.randn(6, len(places()), CLASSES + 5).abs()
    levels = [(CANVAS // stride) ** 2 for stride in STRIDES]
    for scene, loss in enumerate(detection_loss(output, y)):
        boxes, own = y[scene][y[scene][:, 4] >= 0], output[scene : scene + 1]
        kind, side, central = own.split([CLASSES, 4, 1], dim=2)
        head = {"cls_logits": kind, "bbox_regression": side, "bbox_ctrness": central}
        target = {"boxes": boxes[:, :4], "labels": boxes[:, 4].long()}
        parts = model.fcos.compute_loss([target], head, [places()], levels)
        torch.testing.assert_close(loss, sum(parts.values()))


def test_losses_are_mixed_and_boxes_are_not(data):
    torch.manual_seed(0)
    model, x, y = TASK.model().eval(), data.train.x[:4], data.train.y[:4]
    plan = MixPlan(torch.tensor([1, 0, 3, 2]), torch.full((4,), 0.3))
    mixed = 0.3 * x + 0.7 * x[plan.partner]
    each = 0.3 * detection_loss(model(mixed), y) + 0.7 * detection_loss(model(mixed), y[plan.partner])
    torch.testing.assert_close(LossMix(criterion=detection_loss).objective(model, x, y, plan), each.mean())


def test_the_naive_control_wants_all_boxes_once(data):
    torch.manual_seed(0)
    model, x, y = TASK.model().eval(), data.train.x[:2], data.train.y[:2]
    recipe = AllBoxes(criterion=detection_loss)
    itself = MixPlan(torch.tensor([0, 1]), torch.full((2,), 0.5))
    torch.testing.assert_close(recipe.objective(model, x, y, itself), detection_loss(model(x), y).mean())
    pair = MixPlan(torch.tensor([1, 0]), torch.full((2,), 0.5))
    union = torch.cat([y, y.flip(0)], dim=1)
    expected = detection_loss(model((x + x.flip(0)) / 2), union).mean()
    torch.testing.assert_close(recipe.objective(model, x, y, pair), expected)


def test_the_true_boxes_have_no_error_and_moved_ones_have(data):
    def as_detections(y):
        kept = [boxes[boxes[:, 4] >= 0] for boxes in y]
        return [{"boxes": b[:, :4], "labels": b[:, 4].long(), "scores": torch.ones(len(b))} for b in kept]

    y = data.val.y
    assert box_score(as_detections(y), y).value == pytest.approx(0.0, abs=1e-6)
    moved = box_score(as_detections(y + torch.tensor([4.0, 0.0, 4.0, 0.0, 0.0]) * (y[..., 4:] >= 0)), y)
    assert moved.value > 0.2 > moved.further["1 − AP at overlap 0.5"]


@pytest.mark.slow
def test_boxes_are_learned_but_not_those_of_other_scenes(data):
    task = replace(TASK, epochs=12)

    def score(y):
        net, _ = train(task, replace(data, train=Samples(data.train.x, y)), ROWS[0].recipe, never(), 0)
        return evaluated(lambda: task.score(net, data.test), net).further["1 − AP at overlap 0.5"]

    assert score(data.train.y) < 0.9
    assert score(data.train.y.roll(1, 0)) > 0.97
