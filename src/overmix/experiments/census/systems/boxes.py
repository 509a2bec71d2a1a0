"""LossMix: torchvision's FCOS from scratch finds clothes in scenes of several sizes; torchmetrics measures it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overmix._typing import Bool, Float, Int
from overmix.experiments.census.loop_row import Control, LoopRow
from overmix.experiments.census.row import Row
from overmix.experiments.census.systems.fashion import fashion
from overmix.experiments.census.task import Data, Kind, Samples, Score, Task, as_classes
from overmix.mix import MixPlan, Objective, Streams
from overmix.recipes import LossMix

CANVAS = 64
"""Scenes have sides of 40 to 64 pixels and are padded to 64, so that they fit in one batch."""
SIZES = (12, 36)
"""Sides of the square that an image of clothes is scaled to."""
CLASSES = 10
OBJECTS = 3
"""Most objects of a scene."""
STRIDES = (4, 8)
CHANNELS = 32


def scenes(
    images: Float[np.ndarray, "images 28 28"],
    labels: np.ndarray,
    count: int,
    rng: np.random.Generator,
    noise: float,
) -> Samples:
    """Return scenes with one to three objects, shape (N, 1, 64, 64), and their boxes.

    Labels have shape (N, 3, 5): left, top, right and bottom of the ink in pixels, and the class; -1 where no object is.
    Boxes of a scene do not touch each other.
    """
    x = np.zeros((count, 1, CANVAS, CANVAS), np.float32)
    y = np.full((count, OBJECTS, 5), -1.0, np.float32)
    for scene in range(count):
        height, width = rng.integers(40, CANVAS + 1, 2)
        x[scene, 0, :height, :width] = rng.normal(0, noise, (height, width))
        _fill(x[scene, 0, :height, :width], y[scene], images, labels, rng)
    return Samples(torch.from_numpy(x), torch.from_numpy(y))


def _fill(
    scene: np.ndarray, boxes: np.ndarray, images: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> None:
    """Put objects into a scene where there is room, and their boxes into the first rows of ``boxes``."""
    placed, wanted = 0, 1 + rng.integers(OBJECTS)
    for _ in range(10):
        if placed == wanted:
            return
        which, side = rng.integers(len(labels)), int(rng.integers(SIZES[0], min(SIZES[1], *scene.shape) + 1))
        image = F.interpolate(torch.from_numpy(images[which])[None, None], (side, side), mode="bilinear")[0, 0].numpy()
        top, left = (int(rng.integers(room - side + 1)) for room in scene.shape)
        rows, columns = (np.flatnonzero((image > 0.1).any(axis)) for axis in (1, 0))
        box = left + columns[0], top + rows[0], left + columns[-1] + 1, top + rows[-1] + 1
        taken = boxes[:placed]
        apart = (taken[:, 0] >= box[2]) | (taken[:, 2] <= box[0]) | (taken[:, 1] >= box[3]) | (taken[:, 3] <= box[1])
        if apart.all():
            scene[top : top + side, left : left + side] += image
            boxes[placed] = *box, labels[which]
            placed += 1


class Backbone(nn.Module):
    """Five convolutions with BatchNorm, and a feature pyramid of strides 4 and 8."""

    out_channels = CHANNELS

    def __init__(self) -> None:
        super().__init__()
        from torchvision.ops import FeaturePyramidNetwork

        self.stem = nn.Sequential(_convolution(1, 16, 2), _convolution(16, 32, 2), _convolution(32, 32, 1))
        self.deep = nn.Sequential(_convolution(32, 64, 2), _convolution(64, 64, 1))
        self.pyramid = FeaturePyramidNetwork([32, 64], CHANNELS)

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        """Return a map of features for each stride."""
        fine = self.stem(x)
        maps: OrderedDict[str, Tensor] = self.pyramid(OrderedDict([("4", fine), ("8", self.deep(fine))]))
        return maps


def _convolution(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


def fcos() -> Any:
    """Return a new detector of torchvision, for images of one channel."""
    from torchvision.models.detection import FCOS
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.models.detection.fcos import FCOSHead

    return FCOS(
        Backbone(),
        num_classes=CLASSES,
        min_size=CANVAS,
        max_size=CANVAS,
        image_mean=[0.0],
        image_std=[1.0],
        anchor_generator=AnchorGenerator(tuple((stride,) for stride in STRIDES), ((1.0,),) * len(STRIDES)),
        head=FCOSHead(CHANNELS, 1, CLASSES, num_convs=2),
        score_thresh=0.05,
        detections_per_img=10,
        size_divisible=STRIDES[-1],
    )


class Detector(nn.Module):
    """FCOS that says what its head says: logits of classes, four distances, and a logit of being central."""

    def __init__(self) -> None:
        super().__init__()
        self.fcos = fcos()

    def forward(self, x: Float[Tensor, "images 1 64 64"]) -> Float[Tensor, "images places 15"]:
        """Return 15 numbers for each place of the pyramid."""
        head = self.fcos.head(list(self.fcos.backbone(x).values()))
        return torch.cat([head["cls_logits"], head["bbox_regression"], head["bbox_ctrness"]], dim=2)

    def detections(self, x: Tensor) -> list[dict[str, Tensor]]:
        """Return boxes, scores and labels of each scene, by torchvision's own inference."""
        detections: list[dict[str, Tensor]] = self.fcos(list(x))
        return detections


@lru_cache(maxsize=1)
def places() -> Float[Tensor, "places 4"]:
    """Return the anchor of each place, as torchvision lays them out: a box as large as the stride."""
    from torchvision.models.detection.image_list import ImageList

    maps = [torch.zeros(1, CHANNELS, CANVAS // stride, CANVAS // stride) for stride in STRIDES]
    images = ImageList(torch.zeros(1, 1, CANVAS, CANVAS), [(CANVAS, CANVAS)])
    anchors: Tensor = fcos().anchor_generator(images, maps)[0]
    return anchors


def matched(y: Float[Tensor, "images objects 5"]) -> tuple[Int[Tensor, "images places"], Bool[Tensor, "images places"]]:
    """Return the object that each place is responsible for, and whether there is one.

    A place sees an object whose centre is nearer than 1.5 strides, in whose box it lies, and which has the size of its
    level; of several the smallest.
    """
    anchors, box = places(), y[:, None, :, :4]
    side, middle = anchors[:, 2] - anchors[:, 0], (anchors[:, :2] + anchors[:, 2:]) / 2
    there = middle[None, :, None]
    near = (there - (box[..., :2] + box[..., 2:]) / 2).abs().amax(-1) < 1.5 * side[None, :, None]
    distance = torch.cat([there - box[..., :2], box[..., 2:] - there], dim=-1)
    low = torch.where(side == STRIDES[0], 0.0, 4 * side)[None, :, None]
    high = torch.where(side == STRIDES[-1], torch.inf, 8 * side)[None, :, None]
    farthest = distance.amax(-1)
    sees = near & (distance.amin(-1) > 0) & (farthest > low) & (farthest < high) & (y[:, None, :, 4] >= 0)
    area = (box[..., 2:] - box[..., :2]).prod(-1).expand_as(sees).masked_fill(~sees, torch.inf)
    smallest, which = area.min(dim=2)
    return which, smallest.isfinite()


def detection_loss(
    output: Float[Tensor, "images places 15"], y: Float[Tensor, "images objects 5"]
) -> Float[Tensor, " images"]:
    """Return each scene's loss, which is torchvision's of a batch that holds this scene alone.

    Focal loss of all places, generalized overlap and centrality of those that are responsible for an object, over the
    number of these.
    """
    from torchvision.models.detection._utils import BoxLinearCoder
    from torchvision.ops import generalized_box_iou_loss, sigmoid_focal_loss

    which, there = matched(y)
    mine = y.gather(1, which[..., None].expand(-1, -1, 5))
    wanted = F.one_hot(mine[..., 4].long().clamp_min(0), CLASSES) * there[..., None]
    kind = sigmoid_focal_loss(output[..., :CLASSES], wanted.to(output.dtype), reduction="none").sum((1, 2))
    image, place = there.nonzero(as_tuple=True)
    anchors, box = places()[place], mine[there][:, :4]
    coder = BoxLinearCoder(normalize_by_size=True)
    predicted = coder.decode(output[image, place, CLASSES : CLASSES + 4], anchors)
    sides = coder.encode(anchors, box)
    pairs = torch.stack([sides[:, [0, 2]], sides[:, [1, 3]]])
    central = (pairs.amin(2) / pairs.amax(2)).prod(0).sqrt()
    misplaced = generalized_box_iou_loss(predicted, box, reduction="none")
    misjudged = F.binary_cross_entropy_with_logits(output[image, place, CLASSES + 4], central, reduction="none")
    return kind.index_add(0, image, misplaced + misjudged) / there.sum(1).clamp_min(1)


class AllBoxes(LossMix):
    """Mixes images as LossMix does, and keeps all boxes of both at full weight, however faint: a naive control."""

    def mixed_loss(
        self, model: Callable[[Any], Any], x_mixed: Any, y: Tensor, plan: MixPlan, loss: Objective | None = None
    ) -> Tensor:
        """Return the loss of the mixtures under the union of boxes; pairs of a scene with itself have its own."""
        partner = torch.where((plan.partner == torch.arange(len(y)))[:, None, None], -1.0, y[plan.partner])
        mixed: Tensor = self.criterion(model(x_mixed), torch.cat([y, partner], dim=1)).mean()
        return mixed


@dataclass(frozen=True)
class Clothes(Task):
    """Where are the clothes, and which? Each scene has one to three, of several sizes.

    Args:
        test_size: test scenes.
        noise: standard deviation of what is added to the scenes, whose ink is up to 1.
    """

    epochs: int = 48
    train_size: int = 128
    val_size: int = 100
    batch_size: int = 16
    lr: float = 2e-3
    test_size: int = 200
    noise: float = 0.1

    title: ClassVar[str] = "detection: clothes in scenes, FCOS"
    metric: ClassVar[str] = "1 − mean average precision (COCO's, overlaps 0.5 to 0.95)"
    kind: ClassVar[Kind] = "rate"

    def smoke(self) -> Clothes:
        """Return the task with few scenes and epochs."""
        return replace(self, epochs=6, train_size=32, val_size=20, test_size=20)

    def data(self, streams: Streams) -> Data:
        """Return scenes; each part has images of its own, and the test scenes are the same for all seeds."""
        pool, rng = fashion(), streams.generator("augmentation")
        order = streams.generator("subset").permutation(len(pool.y))

        def made(x: Tensor, y: Tensor, count: int, draws: np.random.Generator) -> Samples:
            return scenes(x[:, 0].float().numpy() / 255, y.numpy(), count, draws, self.noise)

        train, val = order[: 3 * self.train_size], order[3 * self.train_size :][: 3 * self.val_size]
        return Data(
            made(pool.x[train], pool.y[train], self.train_size, rng),
            made(pool.x[val], pool.y[val], self.val_size, rng),
            made(pool.x_test, pool.y_test, self.test_size, Streams().generator("augmentation")),
        )

    def model(self) -> nn.Module:
        """Return the detector."""
        return Detector()

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return AdamW."""
        return torch.optim.AdamW(model.parameters(), lr=self.lr)

    def plain(self, model: nn.Module, batch: Samples) -> Tensor:
        """Return the mean loss of the scenes."""
        return detection_loss(model(batch.x), batch.y).mean()

    def score(self, model: nn.Module, samples: Samples) -> Score:
        """Return 1 − mean average precision, and the same for boxes that need to overlap by a half only."""
        assert isinstance(model, Detector)
        return box_score([box for part in samples.x.split(50) for box in model.detections(part)], samples.y)

    def look(self, model: nn.Module, samples: Samples) -> tuple[Tensor, Tensor]:
        """Return the scenes' losses as classes."""
        return as_classes(detection_loss(model(samples.x), samples.y), worst=6.0)


def box_score(detections: list[dict[str, Tensor]], y: Float[Tensor, "images objects 5"]) -> Score:
    """Return 1 − mean average precision of detections."""
    from torchmetrics.detection import MeanAveragePrecision

    metric = MeanAveragePrecision()
    truth = [boxes[boxes[:, 4] >= 0] for boxes in y]
    metric.update(detections, [{"boxes": boxes[:, :4], "labels": boxes[:, 4].long()} for boxes in truth])
    value = metric.compute()
    return Score(1 - float(value["map"]), further={"1 − AP at overlap 0.5": 1 - float(value["map_50"])})


ROWS: tuple[Row, ...] = (
    LoopRow(
        recipe_name="LossMix",
        variant="fcos",
        method=LossMix(criterion=detection_loss),
        task=Clothes(),
        controls={"all boxes at full weight": Control(AllBoxes(criterion=detection_loss))},
        shares=(1 / 12, 1 / 6, 1 / 3, 2 / 3),
        seeds=5,
        needs=("torchvision", "torchmetrics", "pycocotools"),
        lacks=(
            "Scenes are composed of Fashion-MNIST images on noise, 64 pixels wide, where the authors have photographs "
            "(PASCAL VOC, MS COCO); a network of 130,000 weights from scratch instead of a pretrained one; no "
            "adaptation to another domain, their second use of the method. The law of lam is Beta(1, 1), our "
            "choice, as theirs is not known to us."
        ),
    ),
)
