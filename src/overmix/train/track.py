"""What a training goes through beside its scores: gradient norms, and the memorisation of noisy mixtures.

Both look at one fixed sample of mixtures per replica, the same at every epoch and for twins: random ordered pairs of
its training samples with lam uniform in [0, 1], whatever the training itself mixes. That they are 1,024, how their
truth is named and which gradient is meant are our choices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from overmix._typing import Float, Int
from overmix.errors import ConfigError, did_you_mean
from overmix.explain import Memorization, dominant_label, memorization
from overmix.mix import Objective
from overmix.train.plan import Replica
from overmix.train.resident import Normalization, ResidentData, gather_samples
from overmix.train.stacked_model import StackedModel

TRACKS: dict[str, tuple[str, ...]] = {
    "gradient_norm": ("gradient_norm_mixed", "gradient_norm_clean"),
    "memorization": ("noise_memorized", "noise_resisted", "mixtures_learnt", "noise_share", "truth_error"),
}
"""What can be tracked, and the columns that each track gives."""

TRACKED = tuple(column for columns in TRACKS.values() for column in columns)

FIXED_MIXTURES = 1024
NEIGHBOURS = 5
_ADDRESS = 1 << 62  # an epoch that no training reaches
_SAMPLES_AT_ONCE, _REFERENCES_AT_ONCE = 8192, 4096


class Mixtures(NamedTuple):
    """The fixed mixtures ``lam x[sample] + (1 - lam) x[partner]`` of every replica, shape (R, m) each."""

    sample: Int[Tensor, "replicas mixtures"]
    partner: Int[Tensor, "replicas mixtures"]
    lam: Float[Tensor, "replicas mixtures"]


def fixed_mixtures(replicas: Sequence[Replica], device: torch.device, count: int = FIXED_MIXTURES) -> Mixtures:
    """Return the fixed mixtures of each replica's training samples, from an address of their own."""
    index = np.empty((len(replicas), count), dtype=np.int64)
    partner, lam = index.copy(), np.empty((len(replicas), count), dtype=np.float32)
    for r, replica in enumerate(replicas):
        pairs = replica.streams.generator("pairing", epoch=_ADDRESS).integers(len(replica.train_index), size=(2, count))
        index[r], partner[r] = replica.train_index[pairs]
        lam[r] = replica.streams.generator("coefficient", epoch=_ADDRESS).random(count)
    return Mixtures(*(torch.from_numpy(array).to(device) for array in (index, partner, lam)))


class Tracker:
    """Looks at a stack in evaluation mode, without a trace in it.

    Gradient norms are ``|| (1/n) sum_i grad l_i ||_2`` of the training's own loss, without weight decay, over the fixed
    mixtures and over all clean training samples. A look costs a forward and a backward pass over as many samples.

    Memorisation needs the true class at a mixed point. It is taken to be that of most of the 5 nearest samples of the
    pool, in normalised pixels, the two mixed samples left out (the nearest decides ties). Mixtures are noisy if the
    class with the larger weight is another one. The rule is as good as nearest neighbours are on the data, which
    ``truth_error`` says: the share of test samples (the first 1,024) that it would name wrongly. Finding the neighbours
    costs about ``2 (m + M) N d`` operations per replica, once, for m mixtures, M such test samples and N samples of d
    numbers in the pool.

    Args:
        names: of :data:`TRACKS`.
        data: on the device.
        normalization: each replica's own.
        objective: what is trained on.
        replicas: the runs.

    Raises:
        ConfigError: for an unknown name, with the nearest known one.
    """

    def __init__(
        self,
        names: Sequence[str],
        data: ResidentData,
        normalization: Normalization,
        objective: Objective,
        replicas: Sequence[Replica],
    ) -> None:
        for name in names:
            if name not in TRACKS:
                raise ConfigError("train.track", name, did_you_mean(name, TRACKS))
        device = data.y.device
        self.names = [name for name in TRACKS if name in names]
        self.columns = tuple(column for name in self.names for column in TRACKS[name])
        self.data, self.normalization, self.objective = data, normalization, objective
        self.mixtures = fixed_mixtures(replicas, device)
        clean = torch.as_tensor(np.stack([replica.train_index for replica in replicas]), device=device)
        self._clean = Mixtures(clean, clean, torch.ones(clean.shape, device=device))
        self._chunk = max(1, _SAMPLES_AT_ONCE // len(replicas))
        self._truth: tuple[Tensor, Tensor] | None = None

    def __call__(self, model: StackedModel) -> Float[Tensor, "columns replicas"]:
        """Return the columns, in the order of :attr:`columns`, for every replica."""
        model.eval()
        rows: list[Tensor] = []
        if "gradient_norm" in self.names:
            rows += [self.gradient_norm(model, mixtures) for mixtures in (self.mixtures, self._clean)]
        if "memorization" in self.names:
            truth, truth_error = self.truth()
            counts = self._counts(model, truth)
            noisy = counts.noisy / (counts.noisy + counts.clean)
            rows += [counts.memorized, counts.resisted, counts.learnt, noisy, truth_error]
        model.train()
        return torch.stack([row.to(torch.float32) for row in rows])

    def gradient_norm(self, model: StackedModel, mixtures: Mixtures) -> Float[Tensor, " replicas"]:
        """Return the norm of the gradient of each replica's mean loss over its mixtures, all parameters together."""
        total = [torch.zeros_like(p) for p in model.trainable]
        with torch.enable_grad():
            for part in self._parts(mixtures):
                losses = self.objective.losses(model(self._mixed(part)), *self._labels(part), part.lam)
                gradients = torch.autograd.grad(losses.sum(), model.trainable, allow_unused=True)
                for kept, gradient in zip(total, gradients, strict=True):
                    if gradient is not None:
                        kept += gradient
        squares = [value.flatten(1).double().square().sum(1) for value in total]
        return torch.stack(squares).sum(0).sqrt() / mixtures.sample.shape[1]

    @torch.no_grad()
    def truth(self) -> tuple[Int[Tensor, "replicas mixtures"], Float[Tensor, " replicas"]]:
        """Return the true class of each mixture, and the error of the rule that names it; computed once."""
        if self._truth is None:
            test = self.data.x_test[:FIXED_MIXTURES]
            nearest, errors = [], []
            for r in range(len(self.mixtures.sample)):
                one = Mixtures(*(tensor[r : r + 1] for tensor in self.mixtures))
                left_out = torch.stack([one.sample[0], one.partner[0]], 1)
                nearest.append(self._nearest(self._mixed(one, r)[0], left_out, r))
                named = self._nearest(self._alone(test, r), None, r)
                errors.append((named != self.data.y_test[:FIXED_MIXTURES]).double().mean())
            self._truth = torch.stack(nearest), torch.stack(errors)
        return self._truth

    def _nearest(self, points: Tensor, left_out: Tensor | None, r: int) -> Int[Tensor, " points"]:
        """Return the class of most of the nearest samples of the pool, those left out whose indices are given."""
        points = points.flatten(1)
        best = torch.full((len(points), 0), torch.inf, device=points.device)
        names = best.long()
        for start in range(0, len(self.data.y), _REFERENCES_AT_ONCE):
            rows = slice(start, start + _REFERENCES_AT_ONCE)
            x = self._alone(self.data.x[rows], r).flatten(1)
            distance = torch.cdist(points, x)
            if left_out is not None:
                at = left_out - start
                inside = (at >= 0) & (at < len(x))
                row = torch.arange(len(points), device=points.device).unsqueeze(1).expand_as(at)
                distance[row[inside], at[inside]] = torch.inf
            best = torch.cat([best, distance], 1)
            names = torch.cat([names, self.data.y[rows].expand(len(points), -1)], 1)
            best, kept = best.topk(min(NEIGHBOURS, best.shape[1]), largest=False)
            names = names.gather(1, kept)
        votes = torch.zeros(len(points), self.data.num_classes, device=points.device)
        # A vote more than another always wins; among as many, the class of the nearest.
        weight = 1 + 0.1 * 0.5 ** torch.arange(names.shape[1], device=points.device)
        return votes.scatter_add_(1, names, weight.expand_as(names)).argmax(1)

    @torch.no_grad()
    def _counts(self, model: StackedModel, truth: Tensor) -> Memorization:
        labelled = dominant_label(*self._labels(self.mixtures), self.mixtures.lam)
        logits = torch.cat([model(self._mixed(part)) for part in self._parts(self.mixtures)], dim=1)
        return memorization(logits, labelled, truth)

    def _parts(self, mixtures: Mixtures) -> list[Mixtures]:
        columns = zip(*(torch.split(tensor, self._chunk, dim=1) for tensor in mixtures), strict=True)
        return [Mixtures(*part) for part in columns]

    def _labels(self, mixtures: Mixtures) -> tuple[Tensor, Tensor]:
        return self.data.y[mixtures.sample], self.data.y[mixtures.partner]

    def _mixed(self, mixtures: Mixtures, r: int | None = None) -> Tensor:
        """Return normalised mixtures of all replicas, or of one of them."""
        x, partner = (self._of(r).filled(gather_samples(self.data.x, of)) for of in (mixtures.sample, mixtures.partner))
        lam = mixtures.lam.view(*mixtures.lam.shape, *[1] * (x.dim() - 2))
        return self._normalized(torch.lerp(partner, x, lam), r)

    def _alone(self, x: Tensor, r: int) -> Tensor:
        """Return samples as one replica sees them, as a copy: floats would be normalised where they lie."""
        return self._normalized(x.to(torch.float32, copy=True).unsqueeze(0), r)[0]

    def _normalized(self, x: Tensor, r: int | None = None) -> Tensor:
        return self._of(r).apply_(x)

    def _of(self, r: int | None) -> Normalization:
        return self.normalization if r is None else self.normalization.of(r)
