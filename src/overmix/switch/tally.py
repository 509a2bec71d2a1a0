"""Tally: what was observed in one epoch, on the way from logits to what a policy sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from overmix._typing import Float, Int
from overmix.diagnose import scores
from overmix.diagnose.scores import ScoreSums
from overmix.errors import ConfigError, DataError
from overmix.switch.policy import Observation, Split
from overmix.switch.ranks import gather, world_size

WORST_BRIER = 2.0
"""The Brier score of a prediction that is sure of a wrong class."""

SPLITS: tuple[Split, ...] = ("val", "train")


def brier_per_sample(
    logits: Float[Tensor, "samples classes"], labels: Int[Tensor, " samples"]
) -> Float[Tensor, " samples"]:
    """Return ``|p - onehot(y)|^2`` of each sample, p the softmax of its logits.

    What is not finite counts 2, the worst there is, so that a diverged tail loses against every other one. Studies and
    loops score their probes with this one function.

    Args:
        logits: shape (N, C).
        labels: classes, shape (N,).

    Returns:
        Shape (N,), float32, in [0, 2], on the device of the logits.

    Example:
        >>> brier_per_sample(torch.tensor([[0.0, 0.0], [90.0, 0.0]]), torch.tensor([0, 1])).tolist()
        [0.5, 2.0]

    Source: G. W. Brier, "Verification of forecasts expressed in terms of probability", 1950.
    """
    return torch.nan_to_num(scores.brier(logits, labels), nan=WORST_BRIER).clamp(0, WORST_BRIER)


def check_observed(logits: Any, labels: Any, split: str) -> None:
    """Refuse what cannot be scored.

    Raises:
        DataError: if the shapes do not fit, there are no samples, or the labels are no class indices.
        ConfigError: if the split has another name.
    """
    if split not in SPLITS:
        raise ConfigError("split", split, 'use "val" (held out) or "train" (clean training samples)')
    if not (isinstance(logits, Tensor) and isinstance(labels, Tensor)):
        kinds = " and ".join(type(part).__name__ for part in (logits, labels))
        raise DataError(f"observe: got {kinds}: give tensors, torch.as_tensor(array)")
    if logits.dim() != 2 or labels.shape != logits.shape[:1]:
        raise DataError(
            f"observe: logits of shape {tuple(logits.shape)} and labels of shape {tuple(labels.shape)}: "
            "give (N, C) and (N,)"
        )
    if logits.shape[1] < 2:
        raise DataError(
            f"observe: logits of shape {tuple(logits.shape)} have one class: for two classes with one output z give "
            "torch.cat([0 * z, z], dim=1)"
        )
    if not labels.numel():
        raise DataError("observe: no samples: give at least one")
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise DataError(f"observe: labels have dtype {labels.dtype}: give class indices, integers")


def check_range(outside: Tensor, num_classes: int) -> None:
    """Refuse labels that are no class of the logits; waits for the device.

    Args:
        outside: how many labels lie outside of 0 to C - 1.
        num_classes: C.

    Raises:
        DataError: if there are any.
    """
    if found := int(outside):
        raise DataError(
            f"observe: {found} labels are none of the classes 0 to {num_classes - 1} that the logits have: leave out "
            "samples without a class, such as ignored ones"
        )


def outside_of(labels: Int[Tensor, " samples"], num_classes: int) -> Int[Tensor, ""]:
    """Return how many labels lie outside of 0 to C - 1; nothing waits for the device."""
    return ((labels < 0) | (labels >= num_classes)).sum()


def _waits(tensor: Tensor) -> bool:
    """Whether asking for a value would wait for the device."""
    return tensor.device.type != "cpu"


@dataclass
class Tally:
    """The samples of one split, as they are observed, on the device of their logits.

    Args:
        sums: over all samples so far.
        margin: sum of the margins of all samples so far.
        outside: labels that are no class, and the number of classes; only where looking at once would wait.
        brier: per sample, one tensor per call; only where samples must be told apart.
        labels: likewise.
    """

    sums: ScoreSums | None = None
    margin: Tensor | None = None
    brier: list[Tensor] = field(default_factory=list)
    labels: list[Tensor] = field(default_factory=list)
    outside: list[tuple[Tensor, int]] = field(default_factory=list)

    def add(self, logits: Tensor, labels: Tensor, *, per_sample: bool) -> None:
        """Add samples; nothing of the graph is kept alive, and nothing waits for the device."""
        logits, labels = logits.detach(), labels.detach().to(logits.device).long()
        self._check_range(labels, logits.shape[1])
        # What is outside is told later; a gather must not meet it before.
        labels = labels.clamp(0, logits.shape[1] - 1) if _waits(logits) else labels
        chunk, _ = scores.sums(logits, labels)
        self.sums = chunk if self.sums is None else scores.add(self.sums, chunk)
        margin = scores.margins(logits, labels).sum()
        self.margin = margin if self.margin is None else self.margin + margin
        if per_sample:
            self.brier.append(brier_per_sample(logits, labels))
            self.labels.append(labels.clone())  # the user's own tensor may be filled anew

    def _check_range(self, labels: Tensor, num_classes: int) -> None:
        outside = outside_of(labels, num_classes)
        if _waits(labels):
            self.outside.append((outside, num_classes))
        else:
            check_range(outside, num_classes)

    def observation(self, epoch: int, mixing: float, split: Split) -> Observation | None:
        """Return the means, or None if nothing was observed.

        Raises:
            DataError: if labels on another device turn out to be no classes.
        """
        self._check_outside()
        if self.sums is None or self.margin is None:
            return None
        error, cross_entropy, brier, ece = (float(value) for value in scores.finish(self.sums))
        margin = float(self.margin / self.sums.n) if split == "train" else None
        return Observation(epoch, mixing, self.sums.n, error, cross_entropy, brier, ece, split, margin)

    def _check_outside(self) -> None:
        for outside, num_classes in self.outside:
            check_range(outside, num_classes)

    def samples(self) -> tuple[float, ...]:
        """Return the Brier score of each sample."""
        return tuple(_joined(self.brier).tolist())

    def classes(self) -> tuple[int, ...]:
        """Return the label of each sample, in the order of :meth:`samples`."""
        return tuple(int(label) for label in _joined(self.labels).tolist())

    def pooled(self) -> Tally:
        """Return the tally of all ranks, the same on each of them; every rank must call it.

        Ranks that share out the samples have other labels each: their samples are joined. Ranks whose labels are the
        same either looked at the same samples, or at others of the same classes: scores are averaged sample by sample,
        which gives the right mean and the right standard error in both cases, and counts no sample twice.
        """
        self._check_outside()
        if world_size() == 1:
            return self
        sums, labels, brier = gather(self._vector()), gather(_joined(self.labels)), gather(_joined(self.brier))
        present = [i for i, part in enumerate(sums) if float(part[0]) > 0]
        if not present:
            return Tally()
        same = all(torch.equal(labels[i], labels[present[0]]) for i in present)
        share = len(present) if same else 1
        total = torch.stack([sums[i] for i in present]).sum(0) / share
        scored = [brier[i] for i in present if len(brier[i])]
        if same and scored:
            scored = [torch.stack(scored).mean(0)]
        return Tally(*_sums(total), scored, [labels[i] for i in (present[:1] if same else present)])

    def plain(self) -> dict[str, list[float]]:
        """Return it as lists of numbers."""
        self._check_outside()
        parts = {"sums": self._vector(), "brier": _joined(self.brier), "labels": _joined(self.labels)}
        return {name: part.tolist() for name, part in parts.items()}

    @classmethod
    def from_plain(cls, saved: Mapping[str, Any]) -> Tally:
        """Undo :meth:`plain`."""
        sums, brier, labels = (torch.tensor(saved[name], dtype=torch.float64) for name in ("sums", "brier", "labels"))
        own, margin = _sums(sums) if float(sums[0]) else (None, None)
        return cls(own, margin, [brier], [labels])

    def _vector(self) -> Float[Tensor, " numbers"]:
        """Return the sums as one vector: n, wrong, cross-entropy, Brier score, margin, bins; n = 0: there are none."""
        if self.sums is None or self.margin is None:
            return torch.zeros(5 + scores.CALIBRATION_BINS, dtype=torch.float64)
        parts = [self.sums.wrong, self.sums.cross_entropy, self.sums.brier, self.margin]
        numbers = torch.stack([part.double() for part in parts]).cpu()
        return torch.cat([torch.tensor([self.sums.n], dtype=torch.float64), numbers, self.sums.bins.double().cpu()])


def _joined(parts: list[Tensor]) -> Float[Tensor, " samples"]:
    return torch.cat([part.double().cpu() for part in parts]) if parts else torch.zeros(0, dtype=torch.float64)


def _sums(vector: Float[Tensor, " numbers"]) -> tuple[ScoreSums, Tensor]:
    # float32, as it was summed: a saved epoch must give the means that it would have given unsaved.
    wrong, cross_entropy, brier, margin = vector[1:5].float()
    return ScoreSums(int(vector[0]), wrong, cross_entropy, brier, vector[5:].float()), margin
