"""Record: what a run saw of itself so far, epoch by epoch; probes are not in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from overmix.errors import ConfigError
from overmix.switch.policy import Fit, Observation, ScoreKind
from overmix.switch.position import Seen


@dataclass
class Record:
    """What was seen at the end of the run's own epochs.

    Args:
        observations: in the order of their epochs.
        fits: of the training's own batches, in the order of their epochs.
        kind: what the observed scores are, those of probes as well; None before the first.
    """

    observations: list[Observation] = field(default_factory=list)
    fits: list[Fit] = field(default_factory=list)
    kind: ScoreKind | None = None

    def check_kind(self, kind: ScoreKind) -> None:
        """Take note of what scores are.

        Raises:
            ConfigError: if they were something else before.
        """
        if self.kind not in (None, kind):
            names = {"brier": "logits and labels", "scores": "scores=..."}
            before = names[self.kind] if self.kind else ""
            raise ConfigError("observe", names[kind], f"one run has one kind of scores: give {before}, as before")
        self.kind = kind

    def add(self, seen: Seen, *, pooled: bool) -> None:
        """Add an epoch of the run; pooling over ranks is a collective operation."""
        self.observations += seen.observations(pooled=pooled)
        self.fits += seen.fits(pooled=pooled)

    def cut(self, epoch: int) -> None:
        """Forget what came from an epoch on, which is trained again."""
        self.observations = [seen for seen in self.observations if seen.epoch < epoch]
        self.fits = [fit for fit in self.fits if fit.epoch < epoch]

    def plain(self) -> dict[str, Any]:
        """Return it as numbers, strings and lists."""
        return {
            "observations": [asdict(seen) for seen in self.observations],
            "fits": [asdict(fit) for fit in self.fits],
            "kind": self.kind,
        }

    @classmethod
    def from_plain(cls, saved: Mapping[str, Any]) -> Record:
        """Undo :meth:`plain`."""
        observations = [Observation(**seen) for seen in saved["observations"]]
        return cls(observations, [Fit(**fit) for fit in saved["fits"]], saved["kind"])
