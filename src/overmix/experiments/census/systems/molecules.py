"""SGIR: few labelled molecules of which large values are rare, many without a label, a graph isomorphism network."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler

from overmix._typing import Float
from overmix.experiments.census.loop import train
from overmix.experiments.census.loop_row import Control, LoopRow
from overmix.experiments.census.row import Row
from overmix.experiments.census.task import Data, Kind, Samples, Score, Task, as_classes, evaluated, subset
from overmix.mix import Streams
from overmix.recipes import AnchorMixup
from overmix.recipes.anchor_mixup import reverse_rank_counts
from overmix.switch import OnFrom, never

LINES = 2100
"""Molecules are the first of RDKit's file, as many as this, but for salts and those too small or too large."""
ATOMS = range(6, 41)
TEST_SIZE = 800
MEAN, SCALE = 50.0, 35.0
"""Of the polar surface areas in square ångström, about; the network sees standardized ones."""
RARE = 100.0
"""A molecule is rare from this polar surface area on: one in ten is."""
INTERVALS = 8
ATOM_CODES, BOND_CODES = (119, 9, 11, 12, 9, 5, 8, 2, 2), (22, 6, 2)
"""How many values each column of torch_geometric's atoms and bonds takes."""


@lru_cache(maxsize=1)
def molecules() -> tuple[list[Any], Float[Tensor, " molecules"], list[str]]:
    """Return molecules that RDKit ships, as graphs of torch_geometric, their polar surface areas, and SMILES.

    The molecules are of the open collection of the National Cancer Institute; the area is the topological one
    (Ertl, Rohde and Selzer, 2000), in square ångström.
    """
    from rdkit import Chem, RDConfig, RDLogger
    from rdkit.Chem.rdMolDescriptors import CalcTPSA

    RDLogger.DisableLog("rdApp.*")  # what it thinks of odd valences
    lines = (Path(RDConfig.RDDataDir) / "NCI" / "first_5K.smi").read_text().splitlines()[:LINES]
    smiles = [line.split()[0] for line in lines]
    read = [(text, Chem.MolFromSmiles(text)) for text in smiles if "." not in text]
    kept = [(text, molecule) for text, molecule in read if molecule is not None and molecule.GetNumAtoms() in ATOMS]
    areas = torch.tensor([CalcTPSA(molecule) for _, molecule in kept], dtype=torch.float32)
    return [_graph(text) for text, _ in kept], areas, [text for text, _ in kept]


def _graph(smiles: str) -> Any:
    graph = geometric().utils.from_smiles(smiles)
    del graph.smiles  # a batch needs no texts
    return graph


@lru_cache(maxsize=1)
def geometric() -> Any:
    """Return the package ``torch_geometric``, which calls what PyTorch has deprecated while it is imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch_geometric
        import torch_geometric.nn
        import torch_geometric.utils
    return torch_geometric


class MoleculeNet(nn.Module):
    """GIN with the bonds' kinds (Hu et al., 2020), a mean over atoms (``readout``), and a small decoder.

    Args:
        hidden: width.
        layers: rounds of messages.
    """

    steps: Tensor

    def __init__(self, hidden: int, layers: int = 3) -> None:
        super().__init__()
        self.atoms = nn.ModuleList(nn.Embedding(codes, hidden) for codes in ATOM_CODES)
        self.bonds = nn.ModuleList(nn.Embedding(codes, hidden) for codes in BOND_CODES)
        self.messages = nn.ModuleList(geometric().nn.GINEConv(_perceptron(hidden)) for _ in range(layers))
        self.norms = nn.ModuleList(nn.BatchNorm1d(hidden) for _ in range(layers))
        self.readout = nn.Identity()
        self.decoder = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def represent(self, x: Float[Tensor, " graphs"]) -> Float[Tensor, "rows hidden"]:
        """Return what the decoder sees of some molecules, given by their number, and below it what a recipe adds."""
        graphs = molecules()[0]
        batch = geometric().data.Batch.from_data_list([graphs[i] for i in x.long().tolist()])
        h, bonds = _embedded(self.atoms, batch.x), _embedded(self.bonds, batch.edge_attr)
        for message, norm in zip(self.messages, self.norms, strict=True):
            h = F.relu(norm(message(h, batch.edge_index, bonds)))
        pooled: Tensor = self.readout(geometric().nn.global_mean_pool(h, batch.batch, size=len(x)))
        return pooled

    def forward(self, x: Tensor) -> Tensor:
        """Return the standardized area of each molecule, shape (N, 1)."""
        value: Tensor = self.decoder(self.represent(x))
        return value

    def disagreement(
        self, x: Tensor, generator: torch.Generator, members: int = 8
    ) -> tuple[Float[Tensor, " graphs"], Float[Tensor, " graphs"]]:
        """Return the predictions, and how they vary when a fifth of the representation is left out, both of shape (N,).

        Args:
            x: numbers of molecules, shape (N,).
            generator: draws what is left out.
            members: how many times.
        """
        h = self.represent(x)
        kept = (torch.rand(members, 1, h.shape[1], generator=generator) >= 0.2).to(h.dtype) / 0.8
        return self.decoder(h).squeeze(1), self.decoder(h * kept).squeeze(2).std(0)


def _perceptron(hidden: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(hidden, 2 * hidden), nn.BatchNorm1d(2 * hidden), nn.ReLU(), nn.Linear(2 * hidden, hidden)
    )


def _embedded(tables: nn.ModuleList, codes: Tensor) -> Tensor:
    return torch.stack([table(codes[:, column]) for column, table in enumerate(tables)]).sum(0)


@dataclass(frozen=True)
class Molecules(Task):
    """The polar surface area of molecules, a value with a long tail, from few labels.

    A quarter of the training samples have a label. Of the others in a batch, those enter whose prediction varies little
    when parts of their representation are left out, at the rate that makes rare values as many as frequent ones.

    Args:
        labelled: training samples that keep their label.
        hidden: width of the network.
        confident: share of a batch's unlabelled molecules that are certain enough.
        start: share of the training after which predictions are labels too.
    """

    epochs: int = 80
    train_size: int = 800
    val_size: int = 300
    batch_size: int = 100
    lr: float = 1e-3
    labelled: int = 200
    hidden: int = 64
    confident: float = 0.5
    start: float = 0.2

    title: ClassVar[str] = "graph regression: polar surface of molecules, few labels"
    metric: ClassVar[str] = "mean absolute error in square ångström"
    kind: ClassVar[Kind] = "value"
    baselines: ClassVar[tuple[str, ...]] = ("labels alone", "ridge on fingerprints", "median of the labels")

    def smoke(self) -> Molecules:
        """Return the task with few molecules and epochs."""
        return replace(self, epochs=10, train_size=200, val_size=50, labelled=50)

    def data(self, streams: Streams) -> Data:
        """Return molecules by number; the test molecules are the same for all seeds. Without a label: NaN."""
        _, areas, _ = molecules()
        # Numbers of molecules as floats: what is no float is refused by recipes, even by those that mix no input.
        whole = Samples(torch.arange(len(areas)).float(), (areas - MEAN) / SCALE)
        test, pool = subset(whole, Streams().generator("augmentation"), TEST_SIZE, len(whole) - TEST_SIZE)
        train, val = subset(pool, streams.generator("subset"), self.train_size, self.val_size)
        y = train.y.clone()
        y[self.labelled :] = torch.nan
        return Data(Samples(train.x, y), val, test)

    def model(self) -> nn.Module:
        """Return the network."""
        return MoleculeNet(self.hidden)

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return Adam."""
        return torch.optim.Adam(model.parameters(), lr=self.lr)

    def scheduler(self, optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler:
        """Return a cosine to 0."""
        return CosineAnnealingLR(optimizer, steps)

    def prepare(self, model: nn.Module, batch: Samples) -> Samples:
        """Return the labelled molecules of the batch, and those whose prediction is taken for a label."""
        assert isinstance(model, MoleculeNet)
        model.steps += 1
        unlabelled = batch.y.isnan()
        known, others = batch.at(~unlabelled), batch.x[unlabelled]
        first = self.start * self.epochs * self.train_size / self.batch_size
        if len(known) == 0 or len(others) == 0 or int(model.steps) <= first:
            return known
        # A function of the step, so that a run which goes back draws the same again.
        generator = torch.Generator().manual_seed(int(model.steps))
        value, spread = evaluated(lambda: model.disagreement(others, generator), model)
        chance = balancing_rate(known.y, value)
        kept = (spread <= spread.quantile(self.confident)) & (torch.rand(len(others), generator=generator) < chance)
        return Samples(torch.cat([known.x, others[kept]]), torch.cat([known.y, value[kept]]))

    def plain(self, model: nn.Module, batch: Samples) -> Tensor:
        """Return the mean absolute error."""
        return F.l1_loss(model(batch.x).squeeze(1), batch.y)

    def score(self, model: nn.Module, samples: Samples) -> Score:
        """Return the mean absolute error, and that of rare molecules."""
        return area_score(model(samples.x).squeeze(1), samples.y)

    def look(self, model: nn.Module, samples: Samples) -> tuple[Tensor, Tensor]:
        """Return squared errors as classes."""
        return as_classes((model(samples.x).squeeze(1) - samples.y).square(), worst=4.0)

    def baseline(self, name: str, data: Data) -> Score:
        """Return what the network without the others, a ridge regression on fingerprints, or the median is worth."""
        if name == "labels alone":
            model, _ = train(replace(self, start=math.inf), data, _SGIR, never(), seed=0)
            score: Score = evaluated(lambda: self.score(model, data.test), model)
            return score
        known = data.train.at(~data.train.y.isnan())
        if name == "median of the labels":
            return area_score(known.y.median().expand(len(data.test)), data.test.y)
        a, b = fingerprints(known.x.long().tolist()), fingerprints(data.test.x.long().tolist())
        y = known.y.numpy().astype(np.float64)
        weights = np.linalg.solve(a @ a.T + 10.0 * np.eye(len(a)), y - y.mean())
        return area_score(torch.from_numpy(b @ (a.T @ weights) + y.mean()).float(), data.test.y)


def balancing_rate(known: Float[Tensor, " known"], value: Float[Tensor, " other"]) -> Float[Tensor, " other"]:
    """Return the chance of each value to be kept: known counts of intervals, given in the opposite order of rank.

    Args:
        known: values that say how frequent each of the intervals between their ends is.
        value: values in one of these, or in the nearest.

    Example:
        >>> known = torch.tensor([0.0, 0.1, 0.2, 8.0])
        >>> balancing_rate(known, torch.tensor([0.1, 4.0, 9.0]))
        tensor([0.3333, 0.0000, 1.0000])
    """
    low, high = known.amin(), known.amax()

    def interval(y: Tensor) -> Tensor:
        return ((y - low) / (high - low).clamp_min(1e-6) * INTERVALS).long().clamp(0, INTERVALS - 1)

    amounts = reverse_rank_counts(torch.bincount(interval(known), minlength=INTERVALS)).float()
    return (amounts / amounts.amax())[interval(value)]


def area_score(value: Float[Tensor, " molecules"], y: Float[Tensor, " molecules"]) -> Score:
    """Return the mean absolute error of standardized areas in square ångström, and that of rare molecules."""
    gap, rare = SCALE * (value - y).abs(), y >= (RARE - MEAN) / SCALE
    return Score(float(gap.mean()), further={"error of rare labels": float(gap[rare].mean())})


def fingerprints(numbers: Sequence[int]) -> np.ndarray:
    """Return counted Morgan fingerprints of radius 2, folded to 1,024 numbers, of molecules given by number."""
    from rdkit import Chem
    from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator

    generator, smiles = GetMorganGenerator(radius=2, fpSize=1024), molecules()[2]
    counts = [generator.GetCountFingerprintAsNumPy(Chem.MolFromSmiles(smiles[i])) for i in numbers]
    return np.stack(counts).astype(np.float64)


_SGIR = AnchorMixup(intervals=INTERVALS, layer="readout")

ROWS: tuple[Row, ...] = (
    LoopRow(
        recipe_name="AnchorMixup",
        variant="molecules",
        method=_SGIR,
        task=Molecules(),
        controls={"on from a quarter": Control(_SGIR, OnFrom(0.25))},
        off="labels and confident pseudo-labels, nothing mixed",
        needs=("torch_geometric", "rdkit"),
        lacks=(
            "The property is computed, not measured, so its labels have no noise; 200 labels and 600 molecules without "
            "one, where the authors have thousands; a network of 3 layers of 64, where theirs has 5 of 300 to 600 and "
            "looks for rationales, whose variation is their certainty of a prediction: here it is that of predictions "
            "with parts of the representation left out. Intervals, anchors and pseudo-labels are a batch's, not "
            "the whole set's, and anchors are means of pseudo-labelled molecules too. Mixing is on from the "
            "first epoch; the authors' late start is a control."
        ),
    ),
)
