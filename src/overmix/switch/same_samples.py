"""Probes are compared sample by sample: all must be of the same held-out samples, in the same order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from overmix.errors import DataError
from overmix.switch.policy import Probe
from overmix.switch.tally import Tally


@dataclass
class SameSamples:
    """The held-out samples of a run's probes, which the first of them tells.

    Args:
        n: how many; 0 before the first probe.
        labels: their classes; empty where they have none.
    """

    n: int = 0
    labels: tuple[int, ...] = ()

    def probe(self, epoch: int, tail: int, tally: Tally) -> Probe:
        """Return what a tail promised.

        Args:
            epoch: epochs done before it.
            tail: its length in epochs.
            tally: of the held-out samples, pooled over ranks.

        Raises:
            DataError: if nothing was observed, or other samples than at the first probe.
        """
        scores, labels = tally.samples(), tally.classes()
        if not scores or tally.kind is None:
            raise DataError(
                f"probe after epoch {epoch}: nothing was observed in the last epoch of its tail: "
                "call epoch.observe(logits, labels) wherever epoch.scored is true"
            )
        if not self.n:
            self.n, self.labels = len(scores), labels
        if len(scores) != self.n:
            raise DataError(
                f"probe after epoch {epoch}: {len(scores)} held-out samples, the first probe had {self.n}: "
                "observe the same ones in the same order"
            )
        if labels != self.labels:
            raise DataError(
                f"probe after epoch {epoch}: the held-out samples have other labels than at the first probe, or "
                "come in another order: scores are compared sample by sample, so load them with shuffle=False"
            )
        return Probe(epoch, tail, scores, tally.kind)

    def plain(self) -> dict[str, Any]:
        """Return it as numbers and lists."""
        return {"n": self.n, "labels": list(self.labels)}

    @classmethod
    def from_plain(cls, saved: Mapping[str, Any]) -> SameSamples:
        """Undo :meth:`plain`."""
        return cls(int(saved["n"]), tuple(saved["labels"]))
