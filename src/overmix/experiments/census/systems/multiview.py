"""M3CoL: which garment is it, from pixels, edges and a caption?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overmix.experiments.census.loop_row import Control, LoopRow
from overmix.experiments.census.row import Row
from overmix.experiments.census.systems.fashion import POPULATION, fashion
from overmix.experiments.census.systems.three_views import WORDS, captions, edges, pixels
from overmix.experiments.census.task import Data, Samples, Score, Task
from overmix.experiments.census.tasks.classification import class_score
from overmix.mix import MixPlan, Streams
from overmix.recipes import M3Co, MultimodalOutput

VIEWS = ("pixels", "edges", "caption")
LOGISTIC = "logistic regression on all views"


class Words(nn.Module):
    """The mean of the embeddings of a caption's words, through a hidden layer."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(WORDS), dim)
        self.rest = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))

    def forward(self, words: Tensor) -> Tensor:
        """Return the embedding of each caption, shape (B, dim)."""
        embedded: Tensor = self.rest(self.embedding(words).mean(1))
        return embedded


class ThreeEncoders(nn.Module):
    """An encoder and a head for each view, and a head for the embeddings of all."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        image = nn.Sequential(
            *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 49, dim)),
        )
        outline = nn.Sequential(nn.Linear(128, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim))
        self.encoders = nn.ModuleList([image, outline, Words(dim)])
        self.heads = nn.ModuleList(nn.Sequential(nn.ReLU(), nn.Linear(dim, 10)) for _ in VIEWS)
        self.fused = nn.Sequential(nn.ReLU(), nn.Linear(len(VIEWS) * dim, dim), nn.ReLU(), nn.Linear(dim, 10))

    def forward(self, x: tuple[Tensor, ...]) -> MultimodalOutput:
        """Return the embeddings, and the logits of each view and of all together, which are the last."""
        z = tuple(encoder(view) for encoder, view in zip(self.encoders, x, strict=True))
        heads = tuple(head(part) for head, part in zip(self.heads, z, strict=True))
        return MultimodalOutput(z, (*heads, self.fused(torch.cat(z, dim=1))))


@dataclass(frozen=True)
class ThreeViews(Task):
    """Classes of Fashion-MNIST from three views; switched off, mixtures give way to SoftCLIP, as in M3CoL.

    Args:
        dim: of each view's embedding.
        test_size: test images, the same for all seeds.
    """

    epochs: int = 96
    train_size: int = 400
    val_size: int = 400
    batch_size: int = 50
    lr: float = 2e-3
    dim: int = 64
    test_size: int = 2000

    title: ClassVar[str] = "multimodal classification: pixels, edges and captions of Fashion-MNIST"
    metric: ClassVar[str] = "test error of the fused head"
    baselines: ClassVar[tuple[str, ...]] = (LOGISTIC,)

    def smoke(self) -> Task:
        """Return the task with few images."""
        return replace(self, epochs=10, train_size=100, val_size=100, test_size=200)

    def data(self, streams: Streams) -> Data:
        """Return the views; what is hidden of the test images is the same for all seeds."""
        whole, rng = fashion(), streams.generator("subset")
        order = torch.from_numpy(rng.permutation(POPULATION))
        train, val = order[: self.train_size], order[self.train_size :][: self.val_size]

        def seen(x: Tensor, y: Tensor, rng: np.random.Generator) -> Samples:
            images = x.float() / 255
            return Samples((pixels(images, rng), edges(images, rng), captions(images, y, rng)), y)

        return Data(
            seen(whole.x[train], whole.y[train], rng),
            seen(whole.x[val], whole.y[val], rng),
            seen(
                whole.x_test[: self.test_size],
                whole.y_test[: self.test_size],
                Streams().generator("augmentation"),
            ),
        )

    def model(self) -> nn.Module:
        """Return the three encoders with their heads."""
        return ThreeEncoders(self.dim)

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return AdamW."""
        return torch.optim.AdamW(model.parameters(), lr=self.lr, weight_decay=0.01)

    def plain(self, model: nn.Module, batch: Samples) -> Tensor:
        """Return the loss of the later phase: all heads, and the two-way SoftCLIP terms of the embeddings."""
        soft = M3Co(temperature=0.125, contrast="soft", modalities=len(VIEWS))
        return soft.objective(model, batch.x, batch.y, MixPlan.identity(len(batch)))

    def score(self, model: nn.Module, samples: Samples) -> Score:
        """Return error and calibration error of the fused head; beside them the errors of the views' own heads."""
        *heads, fused = model(samples.x).logits
        alone = {
            f"error of {view} alone": class_score(head, samples.y).value
            for view, head in zip(VIEWS, heads, strict=True)
        }
        return replace(class_score(fused, samples.y), further=alone)

    def look(self, model: nn.Module, samples: Samples) -> tuple[Tensor, Tensor]:
        """Return the fused head's logits, and classes."""
        return model(samples.x).logits[-1], samples.y

    def baseline(self, name: str, data: Data) -> Score:
        """Return the error of a logistic regression on all views, its penalty chosen on held-out samples."""
        from sklearn.linear_model import LogisticRegression

        (x, y), (x_val, y_val), (x_test, y_test) = (_flat(part) for part in (data.train, data.val, data.test))
        models = [LogisticRegression(C=c, max_iter=500).fit(x, y) for c in (0.01, 0.1, 1.0)]
        best = max(models, key=lambda model: model.score(x_val, y_val))
        logits = torch.full((len(y_test), 10), -100.0)
        logits[:, best.classes_] = torch.from_numpy(best.predict_log_proba(x_test)).float()
        return class_score(logits, data.test.y)


def _flat(samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    image, outline, words = samples.x
    bag = F.one_hot(words, len(WORDS)).amax(1)
    return torch.cat([image.flatten(1), outline, bag], dim=1).numpy(), samples.y.numpy()


_PLAIN = "plain contrast"

ROWS: tuple[Row, ...] = (
    LoopRow(
        recipe_name="M3Co",
        variant="three-views",
        method=M3Co(modalities=len(VIEWS)),
        task=ThreeViews(),
        controls={_PLAIN: Control(M3Co(probability=0.0, modalities=len(VIEWS)))},
        off="SoftCLIP",
        erm=_PLAIN,
        needs=("sklearn",),
        lacks="the captions are made from the images by rule, no encoder is pretrained, and images are 28 pixels wide;"
        " its own sets (N24News, Food-101, ROSMAP, BRCA) are real news, recipes and several kinds of omics.",
    ),
)
