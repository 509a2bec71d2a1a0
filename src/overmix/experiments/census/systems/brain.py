"""MindEye and TROI: which of 300 images did the subject see, and which of 300 answers belongs to this image?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from overmix._typing import Float, Int
from overmix.experiments.census.loop_row import Control, LoopRow
from overmix.experiments.census.row import Row
from overmix.experiments.census.systems.brain_net import BrainNet, decayed, one_cycle
from overmix.experiments.census.systems.fashion import components
from overmix.experiments.census.systems.selection import best_ridge, select_voxels
from overmix.experiments.census.systems.voxels import DIM, subject, which
from overmix.experiments.census.task import Data, Samples, Score, Task
from overmix.experiments.census.tasks.classification import class_score
from overmix.mix import Streams
from overmix.recipes import BiMixCo, GroupedMixCo, MixCo, SoftCLIP

GALLERY = 300
"""A query has to find its own among so many."""

TEMPERATURE = 0.006
"""Of all losses, as in MindEye."""

COMMON = 4.0
"""Length of what all embeddings share, as those of CLIP do: two images have a cosine of 0.94 on average."""

BY_RIDGE = "ridge regression"


@dataclass(frozen=True)
class Brain(Task):
    """Voxels of some subjects, and the embeddings of the images that they saw.

    Switched off, the recipe gives way to SoftCLIP, as in MindEye.

    Args:
        voxels: how many each subject has.
        hidden: width of the net.
        decay: of matrices; voxels are many and mostly noise, so that it is far higher than for images.
        seeing: share of the voxels that answer to images: all where a region was chosen beforehand, as in MindEye.
        keep: share of each subject's voxels that sparse gates keep, 1 for all: their mask is learned on the training
            samples before the training, as in TROI.
        test_size: images of the test, which are the same for all seeds.
    """

    epochs: int = 36
    train_size: int = 2000
    val_size: int = 300
    batch_size: int = 100
    lr: float = 1e-3
    voxels: tuple[int, ...] = (2000,)
    hidden: int = 256
    decay: float = 3.0
    seeing: float = 1.0
    keep: float = 1.0
    test_size: int = 1200

    title: ClassVar[str] = "retrieval: simulated fMRI of Fashion-MNIST"
    metric: ClassVar[str] = f"share of answers whose image is not found first among {GALLERY}"
    baselines: ClassVar[tuple[str, ...]] = (BY_RIDGE,)

    def smoke(self) -> Task:
        """Return the task with narrow subjects."""
        narrow = tuple(count // 10 for count in self.voxels)
        return replace(self, epochs=10, train_size=150, hidden=16, voxels=narrow, test_size=300)

    def data(self, streams: Streams) -> Data:
        """Return answers and embeddings; equally many of each subject."""
        pool, test = components(DIM)
        rng = streams.generator("subset")
        order = torch.from_numpy(rng.permutation(len(pool)))
        train, val = order[: self.train_size], order[self.train_size :][: self.val_size]
        seen = Data(
            self._seen(pool[train], rng),
            self._seen(pool[val], rng),
            self._seen(test[: self.test_size], Streams().generator("augmentation")),
        )
        if self.keep == 1:
            return seen
        masks = [select_voxels(*_of_subject(seen.train, s, count), self.keep) for s, count in enumerate(self.voxels)]
        return Data(*(_masked(part, masks) for part in (seen.train, seen.val, seen.test)))

    def _seen(self, images: Tensor, rng: np.random.Generator) -> Samples:
        who = which(len(self.voxels), len(images))
        answers = images.new_zeros(len(images), max(self.voxels))
        for number, count in enumerate(self.voxels):
            rows = who == number
            answers[rows, :count] = subject(number, count, self.seeing).look(images[rows], rng)
        keys = F.pad(F.normalize(images, dim=1), (0, 1), value=COMMON)
        return Samples((answers, F.one_hot(who, len(self.voxels)).float()), keys, who)

    @property
    def read(self) -> tuple[int, ...]:
        """How many voxels of each subject the net reads."""
        return tuple(round(self.keep * count) for count in self.voxels)

    def model(self) -> nn.Module:
        """Return the decoder."""
        return BrainNet(self.read, self.hidden, F.pad(torch.zeros(DIM), (0, 1), value=COMMON))

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return AdamW."""
        return torch.optim.AdamW(decayed(model, self.decay), lr=self.lr)

    def scheduler(self, optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler:
        """Return the one-cycle schedule."""
        return one_cycle(optimizer, self.lr, steps)

    def plain(self, model: nn.Module, batch: Samples) -> Tensor:
        """Return the SoftCLIP loss of unmixed answers."""
        x, target = SoftCLIP(TEMPERATURE).unmixed(batch.x, batch.y)
        loss: Tensor = target.cross_entropy(model(x))
        return loss

    def score(self, model: nn.Module, samples: Samples) -> Score:
        """Return the error of finding images, and of finding answers as a further number."""
        return retrieval(model(samples.x), samples.y)

    def look(self, model: nn.Module, samples: Samples) -> tuple[Tensor, Tensor]:
        """Return similarities within galleries, and the place of each answer's own image."""
        return in_galleries(model(samples.x), samples.y)

    def baseline(self, name: str, data: Data) -> Score:
        """Return the error of a ridge regression for each subject, on the voxels that the net reads too."""
        queries = torch.full_like(data.test.y, COMMON)
        for number, count in enumerate(self.read):
            train, val, test = (_of_subject(part, number, count) for part in (data.train, data.val, data.test))
            queries[data.test.domain == number, :DIM] = test[0] @ best_ridge(train, val)
        return retrieval(queries, data.test.y)


def in_galleries(
    queries: Float[Tensor, "samples dim"], keys: Float[Tensor, "samples dim"]
) -> tuple[Float[Tensor, "kept gallery"], Int[Tensor, " kept"]]:
    """Return each query's cosine with every key of its gallery over the temperature, and which key is its own.

    Galleries are neighbours in the given order; what does not fill one is left out.
    """
    similar = similarities(queries, keys)
    return similar.flatten(0, 1), torch.arange(similar.shape[1]).repeat(len(similar))


def similarities(
    queries: Float[Tensor, "samples dim"], keys: Float[Tensor, "samples dim"]
) -> Float[Tensor, "galleries gallery gallery"]:
    """Return cosines over the temperature, one matrix for each gallery."""
    size = min(GALLERY, len(keys))
    count = len(keys) // size
    q, k = (F.normalize(side[: count * size], dim=1).view(count, size, -1) for side in (queries, keys))
    return q @ k.transpose(1, 2) / TEMPERATURE


def retrieval(queries: Float[Tensor, "samples dim"], keys: Float[Tensor, "samples dim"]) -> Score:
    """Return the error of finding images by answers; as ``brain retrieval`` that of finding answers by images."""
    images = class_score(*in_galleries(queries, keys))
    brains = class_score(*in_galleries(keys, queries))
    return replace(images, further={"error of brain retrieval": brains.value})


def _of_subject(samples: Samples, number: int, count: int) -> tuple[Tensor, Tensor]:
    rows = samples.domain == number
    return samples.x[0][rows, :count], samples.y[rows, :DIM]


def _masked(samples: Samples, masks: list[Tensor]) -> Samples:
    """Return the answers of the voxels that each subject's mask keeps."""
    answers, who = samples.x
    kept = answers.new_zeros(len(answers), max(int(mask.sum()) for mask in masks))
    for number, mask in enumerate(masks):
        rows = samples.domain == number
        kept[rows, : int(mask.sum())] = answers[rows, : len(mask)][:, mask]
    return Samples((kept, who), samples.y, samples.domain)


_PLAIN = "plain contrast"
_THREE = Brain(voxels=(2000, 2300, 2600), train_size=1800, epochs=30, seeing=0.5)
_LACKS = (
    "voxels are simulated and images small; the embedding is 64 principal components, not CLIP's hidden layer;"
    " SoftCLIP's temperature is constant; there is no diffusion prior and no reconstruction."
)


def _row(recipe: type[MixCo] | type[BiMixCo] | type[GroupedMixCo], variant: str, task: Brain, lacks: str) -> Row:
    return LoopRow(
        recipe_name=recipe.__name__,
        variant=variant,
        method=recipe(temperature=TEMPERATURE),
        task=task,
        controls={_PLAIN: Control(recipe(probability=0.0, temperature=TEMPERATURE))},
        off="SoftCLIP",
        erm=_PLAIN,
        lacks=lacks,
    )


ROWS: tuple[Row, ...] = (
    _row(BiMixCo, "brain", Brain(), _LACKS),
    _row(MixCo, "brain", Brain(), _LACKS),
    _row(GroupedMixCo, "brain", replace(_THREE, keep=0.5), f"{_LACKS[:-1]}; no new subject joins a trained backbone."),
    _row(
        GroupedMixCo,
        "all-voxels",
        _THREE,
        f"{_LACKS[:-1]}; nothing selects voxels: it is what the mask is held against.",
    ),
)
