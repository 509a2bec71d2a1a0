"""Tally: what was observed in one epoch, on the way from logits or scores to what a policy sees."""

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
from overmix.mix.precision import in_widest
from overmix.switch.policy import Observation, ScoreKind, Split
from overmix.switch.ranks import gather, world_size

_KINDS: tuple[ScoreKind, ...] = ("brier", "scores")
OBSERVED_SPLITS: tuple[Split, ...] = ("val", "train")


def brier_per_sample(
    logits: Float[Tensor, "samples classes"], labels: Int[Tensor, " samples"]
) -> Float[Tensor, " samples"]:
    """Return ``|p - onehot(y)|^2`` of each sample, p the softmax of its logits.

    Where a logit is not finite the score is NaN: a probe with such a prediction is worth nothing.

    Args:
        logits: shape (N, C).
        labels: classes, shape (N,).

    Returns:
        Shape (N,), float32, in [0, 2] or NaN, on the device of the logits.

    Example:
        >>> brier_per_sample(torch.tensor([[0.0, 0.0], [90.0, 0.0]]), torch.tensor([0, 1])).tolist()
        [0.5, 2.0]

    Source: G. W. Brier, "Verification of forecasts expressed in terms of probability", 1950.
    """
    return scores.brier(logits, labels).clamp(0, 2)  # rounding may lead a hair beyond


def check_split(split: str) -> None:
    """Refuse a split of another name.

    Raises:
        ConfigError: if it is none of :data:`OBSERVED_SPLITS`.
    """
    if split not in OBSERVED_SPLITS:
        raise ConfigError("split", split, 'use "val" (held out) or "train" (clean training samples)')


def check_scores(scores: Any) -> None:
    """Refuse what is not one score per sample.

    Raises:
        DataError: if it is no tensor of floats of shape (N,), N >= 1.
    """
    if not isinstance(scores, Tensor):
        raise DataError(f"observe: scores are a {type(scores).__name__}: give a tensor, torch.as_tensor(array)")
    if scores.dim() != 1 or not scores.numel() or not scores.is_floating_point():
        raise DataError(
            f"observe: scores of shape {tuple(scores.shape)} and dtype {scores.dtype}: give one float per sample, "
            "shape (N,), lower is better"
        )


def check_observed(logits: Any, labels: Any) -> None:
    """Refuse predictions that cannot be scored.

    Raises:
        DataError: if the shapes do not fit, there are no samples, or the labels are no class indices.
    """
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
    if count := int(outside):
        raise DataError(
            f"observe: {count} labels are none of the classes 0 to {num_classes - 1} that the logits have: leave out "
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
        kind: what their scores are; None before the first sample.
        sums: over all samples so far, of predictions of classes.
        margin: sum of the margins of all samples so far, likewise.
        total: number and sum of scores that are the user's own.
        values: scores per sample, one tensor per call; only where samples must be told apart.
        labels: likewise, where there are any.
        outside: labels that are no class, and the number of classes; only where looking at once would wait.
    """

    kind: ScoreKind | None = None
    sums: ScoreSums | None = None
    margin: Tensor | None = None
    total: tuple[int, Tensor] | None = None
    values: list[Tensor] = field(default_factory=list)
    labels: list[Tensor] = field(default_factory=list)
    outside: list[tuple[Tensor, int]] = field(default_factory=list)

    def add(self, logits: Tensor, labels: Tensor, *, per_sample: bool) -> None:
        """Add predictions of classes; nothing of the graph is kept alive, and nothing waits for the device."""
        logits, labels = logits.detach(), labels.detach().to(logits.device).long()
        self._check_range(labels, logits.shape[1])
        # What is outside is told later; a gather must not meet it before.
        labels = labels.clamp(0, logits.shape[1] - 1) if _waits(logits) else labels
        self.kind = "brier"
        chunk, _ = scores.sums(logits, labels)
        margin = scores.margins(logits, labels).sum()
        # What a resumed epoch begins with lies on the CPU.
        self.sums = chunk if self.sums is None else scores.add(_on(logits.device, self.sums), chunk)
        self.margin = margin if self.margin is None else self.margin.to(margin.device) + margin
        if per_sample:
            self.values.append(brier_per_sample(logits, labels))
            self.labels.append(labels.clone())  # the user's own tensor may be filled anew

    def add_scores(self, values: Float[Tensor, " samples"], *, per_sample: bool) -> None:
        """Add scores of the user's own; nothing of the graph is kept alive, and nothing waits for the device."""
        values = in_widest(values.detach())
        self.kind = "scores"
        n, total = self.total or (0, torch.zeros_like(values[0]))
        self.total = n + len(values), total.to(values) + values.sum()
        if per_sample:
            self.values.append(values.clone())

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
        if self.total is not None:
            n, total = self.total
            return Observation(epoch, mixing, n, float(total) / n, "scores", split)
        if self.sums is None or self.margin is None:
            return None
        error, cross_entropy, brier, ece = (float(value) for value in scores.finish(self.sums))
        margin = float(self.margin / self.sums.n) if split == "train" else None
        return Observation(epoch, mixing, self.sums.n, brier, "brier", split, error, cross_entropy, ece, margin)

    def _check_outside(self) -> None:
        for outside, num_classes in self.outside:
            check_range(outside, num_classes)

    def samples(self) -> tuple[float, ...]:
        """Return the score of each sample."""
        return tuple(_joined(self.values).tolist())

    def classes(self) -> tuple[int, ...]:
        """Return the label of each sample, in the order of :meth:`samples`; empty where samples have none."""
        return tuple(int(label) for label in _joined(self.labels).tolist())

    def pooled(self) -> Tally:
        """Return the tally of all ranks, the same on each of them; every rank must call it.

        Ranks that share out the samples have other labels each: their samples are joined. Ranks whose labels are the
        same either looked at the same samples, or at others of the same classes: scores are averaged sample by sample,
        which gives the right mean and the right standard error in both cases, and counts no sample twice. Without
        labels, ranks looked at the same samples if their scores are the same to the bit.

        Raises:
            ConfigError: if some ranks observed classes and others scores.
        """
        self._check_outside()
        if world_size() == 1:
            return self
        vectors, labels, samples = (
            gather(part) for part in (self._vector(), _joined(self.labels), _joined(self.values))
        )
        present = [rank for rank, vector in enumerate(vectors) if float(vector[1]) > 0]
        if not present:
            return Tally()
        kinds = {int(vectors[rank][0]) for rank in present}
        if len(kinds) > 1:
            raise ConfigError("observe", sorted(_KINDS[kind] for kind in kinds), "observe one kind on all ranks")
        told = samples if _KINDS[kinds.pop()] == "scores" else labels
        same = all(torch.equal(told[rank], told[present[0]]) for rank in present)
        share = len(present) if same else 1
        total = torch.stack([vectors[rank][1:] for rank in present]).sum(0) / share
        scored = [samples[rank] for rank in present if len(samples[rank])]
        if same and scored:
            scored = [torch.stack(scored).mean(0)]
        joined = [labels[rank] for rank in (present[:1] if same else present)]
        return _tally(torch.cat([vectors[present[0]][:1], total]), scored, joined)

    def plain(self) -> dict[str, list[float]]:
        """Return it as lists of numbers."""
        self._check_outside()
        parts = {"sums": self._vector(), "scores": _joined(self.values), "labels": _joined(self.labels)}
        return {name: part.tolist() for name, part in parts.items()}

    @classmethod
    def from_plain(cls, saved: Mapping[str, Any]) -> Tally:
        """Undo :meth:`plain`."""
        sums, samples, labels = (
            torch.tensor(saved[name], dtype=torch.float64) for name in ("sums", "scores", "labels")
        )
        tally = _tally(sums, [samples], [labels])
        if tally.sums is not None:  # the epoch goes on counting: exactly, as if it had not been saved
            tally.sums = tally.sums._replace(wrong=sums[3].long())
        return tally

    def _vector(self) -> Float[Tensor, " numbers"]:
        """Return it as one vector: kind, n, sum of scores, wrong, cross-entropy, margin, bins; n = 0: none."""
        rest = torch.zeros(3 + scores.CALIBRATION_BINS, dtype=torch.float64)
        n, total = self.total or (0, torch.zeros(()))
        if self.sums is not None and self.margin is not None:
            n, total = self.sums.n, self.sums.brier
            parts = [self.sums.wrong, self.sums.cross_entropy, self.margin]
            rest = torch.cat([*(_on_host(part).reshape(1) for part in parts), _on_host(self.sums.bins)])
        head = [float(_KINDS.index(self.kind or "brier")), float(n), float(total)]
        return torch.cat([torch.tensor(head, dtype=torch.float64), rest])


def _joined(parts: list[Tensor]) -> Float[Tensor, " samples"]:
    return torch.cat([_on_host(part) for part in parts]) if parts else torch.zeros(0, dtype=torch.float64)


def _on(device: torch.device, sums: ScoreSums) -> ScoreSums:
    return ScoreSums(sums.n, *(part.to(device) for part in sums[1:]))


def _on_host(part: Tensor) -> Tensor:
    """Return it on the CPU in float64, which not every device has."""
    return part.cpu().double()


def _tally(vector: Float[Tensor, " numbers"], samples: list[Tensor], labels: list[Tensor]) -> Tally:
    """Undo :meth:`Tally._vector`, of one tally or of the mean over ranks, whose wrong samples need not be whole."""
    n, total = int(vector[1]), vector[2]
    if not n:
        return Tally()
    if _KINDS[int(vector[0])] == "scores":
        return Tally("scores", total=(n, total), values=samples, labels=labels)
    # Of the types in which it was summed: a saved epoch must give the means that it would have given unsaved.
    brier, wrong, cross_entropy, margin = vector[2:6].float()
    sums = ScoreSums(n, wrong, cross_entropy, brier, vector[6:].float())
    return Tally("brier", sums, margin, values=samples, labels=labels)
