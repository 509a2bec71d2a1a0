"""A real shift: police stops of one city, whose precincts differ in what the stops are for."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overmix.experiments.census.loop_row import Control, LoopRow
from overmix.experiments.census.row import Row
from overmix.experiments.census.systems.r_frames import r_frame
from overmix.experiments.census.task import Data, Kind, Samples, Score, Task, evaluated, subset
from overmix.experiments.census.tasks.classification import class_score, perceptron
from overmix.mix import CoinCoefficient, Recipe, Streams
from overmix.recipes import LISA, SelectiveMixup

PRECINCTS = 5
EQUAL_GROUPS = "equal groups"
_LOCAL = -6 * 3600  # seconds; the table has UTC, and what people do follows the clock of Minneapolis


@lru_cache(maxsize=1)
def stops() -> Samples:
    """Return the 51,920 stops of Minneapolis in 2017: was it for traffic (1), or was somebody suspicious (0)?

    Inputs are the place, the time of the day, of the week and of the year, how the report was made, and whether there
    was a citation or a search, each with a column for what was not noted; race and gender are left out. The domain is
    the precinct, 0 to 4. The table is MplsStops of R's package carData.

    Raises:
        ConfigError: if the package is not there.
    """
    table = r_frame("carData", "MplsStops")
    seconds = np.array(table["date"]) + _LOCAL
    columns = [
        *(np.array(table[name]) for name in ("lat", "long")),
        *_turns(seconds / 86400),
        *_turns(seconds / (7 * 86400)),
        *_turns(seconds / (365 * 86400)),
        _is(table["MDC"], "MDC"),
        *(_is(table[name], value) for name in ("citationIssued", "personSearch", "vehicleSearch") for value in _NOTED),
    ]
    x = torch.from_numpy(np.stack(columns, axis=1)).float()
    x = (x - x.mean(dim=0)) / x.std(dim=0)  # degrees of latitude need it; what is learned from labels is the model's
    y = torch.from_numpy(_is(table["problem"], "traffic")).long()
    return Samples(x, y, torch.tensor(table["policePrecinct"]) - 1)


_NOTED = ("YES", None)


def _turns(phase: np.ndarray) -> list[np.ndarray]:
    return [np.sin(2 * np.pi * phase), np.cos(2 * np.pi * phase)]


def _is(values: list[Any], value: str | None) -> np.ndarray:
    return np.array([each == value for each in values])


@dataclass(frozen=True)
class Precincts(Task):
    """What was the stop for? Two precincts know mostly one answer, and two the other.

    Training and held-out samples are drawn as they come; in the test all groups of precinct and answer are equally
    large, and the worst of them counts.

    Args:
        hidden: width of both hidden layers.
        test_size: stops of each group, in the test.
    """

    epochs: int = 150
    train_size: int = 2000
    val_size: int = 1000
    batch_size: int = 100
    lr: float = 0.03
    hidden: int = 128
    test_size: int = 200

    title: ClassVar[str] = "stops of the police, five precincts"
    metric: ClassVar[str] = "worst error of the ten groups of precinct and answer"
    kind: ClassVar[Kind] = "rate"
    baselines: ClassVar[tuple[str, ...]] = (EQUAL_GROUPS,)

    def smoke(self) -> Precincts:
        """Return the task at a size that only shows that it runs."""
        return replace(self, epochs=4, train_size=200, val_size=100, test_size=20)

    def data(self, streams: Streams) -> Data:
        """Return the parts; the test is the same for all seeds."""
        whole = stops()
        test, rest = self.split(whole)
        train, val = subset(whole.at(rest), streams.generator("subset"), self.train_size, self.val_size)
        return Data(train, val, whole.at(test))

    def split(self, whole: Samples) -> tuple[Tensor, Tensor]:
        """Return the indices of the test, and of what trainings may draw from."""
        order = torch.from_numpy(Streams().generator("subset").permutation(len(whole)))
        group = groups(whole)[order]
        test = torch.cat([order[group == g][: self.test_size] for g in range(2 * PRECINCTS)])
        rest = torch.ones(len(whole), dtype=torch.bool)
        rest[test] = False
        return test, rest.nonzero().squeeze(1)

    def model(self) -> nn.Module:
        """Return the perceptron."""
        return perceptron(stops().x.shape[1], self.hidden, 2)

    def plain(self, model: nn.Module, batch: Samples) -> Tensor:
        """Return the cross-entropy."""
        return F.cross_entropy(model(batch.x), batch.y)

    def score(self, model: nn.Module, samples: Samples) -> Score:
        """Return the worst group's error; that of all samples is a further number."""
        all_groups = class_score(model(samples.x), samples.y)
        assert all_groups.wrong is not None
        group = groups(samples).numpy()
        worst = max(float(all_groups.wrong[group == g].mean()) for g in np.unique(group))
        return Score(worst, all_groups.ece, further={"error": all_groups.value})

    def look(self, model: nn.Module, samples: Samples) -> tuple[Tensor, Tensor]:
        """Return logits and classes."""
        return model(samples.x), samples.y

    def baseline(self, name: str, data: Data) -> Score:
        """Return what the perceptron is worth whose steps draw all groups equally often, and mix nothing."""
        streams, group = Streams(), groups(data.train)
        share = (1.0 / group.bincount()[group].double()).numpy()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(streams.torch_seed("init"))
            model = self.model()
        optimizer = self.optimizer(model)
        for step in range(self.epochs * math.ceil(len(group) / self.batch_size)):
            rng = streams.generator("order", epoch=step)
            drawn = torch.from_numpy(rng.choice(len(share), self.batch_size, p=share / share.sum()))
            optimizer.zero_grad()
            self.plain(model, data.train.at(drawn)).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        score: Score = evaluated(lambda: self.score(model, data.test), model)
        return score


def groups(samples: Samples) -> Tensor:
    """Return the group of each sample, 0 to 9: precinct and answer."""
    assert samples.domain is not None
    return 2 * samples.domain + samples.y


@dataclass(frozen=True)
class NewPrecinct(Precincts):
    """The same question in a precinct that training has never seen.

    Args:
        held: the precinct, 1 to 5.
    """

    test_size: int = 2000
    held: int = 3

    title: ClassVar[str] = "stops of the police, a new precinct"
    metric: ClassVar[str] = "error in a precinct that training has never seen"
    kind: ClassVar[Kind] = "error"

    def split(self, whole: Samples) -> tuple[Tensor, Tensor]:
        """Return the indices of the test, and of what trainings may draw from."""
        assert whole.domain is not None
        inside = (whole.domain == self.held - 1).nonzero().squeeze(1)
        order = torch.from_numpy(Streams().generator("subset").permutation(len(inside)))
        return inside[order[: self.test_size]], (whole.domain != self.held - 1).nonzero().squeeze(1)

    def score(self, model: nn.Module, samples: Samples) -> Score:
        """Return error and calibration error."""
        return class_score(model(samples.x), samples.y)


_RESAMPLED = "resampled, not mixed"
_LACKS = (
    "one table of a city's police with 13 columns and a perceptron; the papers have pictures, texts and patients, "
    "pretrained networks, and tune on held-out groups."
)


def _lisa(variant: str, task: Precincts) -> Row:
    return LoopRow(
        recipe_name="LISA",
        variant=variant,
        method=LISA(),
        task=task,
        controls={_RESAMPLED: Control(Recipe(LISA().pairing, CoinCoefficient()))},
        lacks=_LACKS,
    )


def _selective(variant: str, task: Precincts) -> Row:
    # A partner of the same precinct with the other answer: what is drawn has both answers equally often everywhere.
    who: dict[str, Any] = {"label": "different", "domain": "same"}
    return LoopRow(
        recipe_name="SelectiveMixup",
        variant=variant,
        method=SelectiveMixup(**who),
        task=task,
        controls={_RESAMPLED: Control(SelectiveMixup(**who, mix=False))},
        lacks=_LACKS,
    )


ROWS: tuple[Row, ...] = (
    _lisa("precincts", Precincts()),
    _selective("precincts", Precincts()),
    _lisa("new-precinct", NewPrecinct()),
    _selective("new-precinct", NewPrecinct()),
)
