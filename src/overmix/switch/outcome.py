"""Outcome: what a run saw, what was decided, why, and what it cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from scipy import special

from overmix.diagnose.numerals import written
from overmix.diagnose.sentences import decision_sentence
from overmix.switch.cautions import cautions
from overmix.switch.policy import Observation, Probe

Answer = Literal["fixed", "undecided", "no Mixup", "Mixup to the end", "switch"]

MIXUP, GATED = "Mixup", "augmentation"
"""What goes off: of a run with a recipe, and of one that decides for what a user gates."""

_LEVEL = 0.05
"""How often any probe may be called worse than the best one if all of them are equally good."""


@dataclass(frozen=True)
class ProbeRow:
    """One probe beside the best one.

    Args:
        epoch: epochs before the tail, with what goes off.
        tail: length of the tail in epochs.
        score: mean score; ``inf`` for a tail that diverged.
        behind: by how much the score is worse than the best one, >= 0; ``inf`` for a tail that diverged.
        standard_error: of ``behind``, from the differences sample by sample; NaN for a single sample.
        worse: whether ``behind`` is beyond what chance could do.
    """

    epoch: int
    tail: int
    score: float
    behind: float
    standard_error: float
    worse: bool


def beside_the_best(probes: Sequence[Probe]) -> tuple[ProbeRow, ...]:
    """Return each probe beside the one with the lowest mean (the first of several).

    Probe i is worse if ``behind_i > t(1 - 0.05 / (K (K - 1))) * standard_error_i``, t the quantile of Student's law
    with n - 1 degrees of freedom. The correction is for all ordered pairs, since the best one of K was lucky itself:
    if all are equally good, any is called worse in at most 5 % of cases. A tail that diverged is worse than any.

    Args:
        probes: scored on the same samples in the same order.

    Example:
        >>> rows = beside_the_best([Probe(0, 4, (0.4, 0.5, 0.6)), Probe(8, 4, (0.3, 0.4, 0.5))])
        >>> [(row.epoch, round(row.behind, 3), row.worse) for row in rows]
        [(0, 0.1, True), (8, 0.0, False)]
    """
    if not probes:
        return ()
    best = min(range(len(probes)), key=lambda at: probes[at].score)
    alive = sum(probe.finite for probe in probes)
    n, pairs = len(probes[0].scores), max(1, alive * (alive - 1))
    threshold = float(special.stdtrit(n - 1, 1 - _LEVEL / pairs)) if n > 1 else math.nan
    rows = []
    for at, probe in enumerate(probes):
        if not probe.finite:
            rows.append(ProbeRow(probe.epoch, probe.tail, math.inf, math.inf, math.nan, worse=True))
            continue
        difference = np.subtract(probe.scores, probes[best].scores)
        error = float(difference.std(ddof=1)) / math.sqrt(n) if n > 1 else math.nan
        behind = float(difference.mean())
        # With one sample the comparison is with NaN: nothing can be told apart.
        worse = at != best and behind > threshold * error
        rows.append(ProbeRow(probe.epoch, probe.tail, probe.score, behind, error, worse))
    return tuple(rows)


def score_name(probes: Sequence[Probe]) -> str:
    """Return what the mean of the probes' scores is called."""
    return "Brier score" if all(probe.kind == "brier" for probe in probes) else "score"


def table(rows: Sequence[ProbeRow], n: int, name: str = "Brier score", what: str = MIXUP) -> str:
    """Return the rows as text for people, one line each.

    Args:
        rows: beside the best one.
        n: number of held-out samples.
        name: what a score is called.
        what: what goes off is called.
    """
    head = f"Seen: {len(rows)} probes on {n} held-out samples (mean {name}; ± standard error of the difference)"
    best = min(rows, key=lambda row: row.score)
    return "\n".join([head, *(_line(row, best, what) for row in rows)])


def _line(row: ProbeRow, best: ProbeRow, what: str) -> str:
    start = f"  after {row.epoch:>5} epochs of {what}: "
    if not math.isfinite(row.score):
        return f"{start}diverged"
    start += written(row.score, ".4f")
    if row is best:
        return f"{start}  the lowest"
    note = "" if row.worse else "  (no clear difference)"
    return f"{start}  +{row.behind:.4f} ± {row.standard_error:.4f}{note}"


def safe_epochs(rows: Sequence[ProbeRow]) -> tuple[int, ...]:
    """Return the probed epochs that are not worse than the best one beyond chance."""
    return tuple(row.epoch for row in rows if not row.worse)


@dataclass(frozen=True)
class Outcome:
    """What a run saw, what was decided, why, and the price so far.

    Args:
        epochs: length of the training.
        switch_at: epochs of Mixup, or of what a user gates, that were decided on; None while nothing is decided.
        reason: the policy's own words.
        probes: in the order of their epochs.
        observations: what the decision was made from, discarded epochs included.
        spent: epochs trained so far: the run's own, probes and discarded ones.
        fixed: whether a schedule settled it before the training.
        note: what the user should know besides, in a sentence; empty if nothing.
        what: what goes off, as sentences call it: :data:`MIXUP` or :data:`GATED`.

    Example:
        >>> print(Outcome(8, 0, "plain training is better", (), (), spent=10))
        Do not mix: plain training is better.
        Price: 10 epochs trained, 1.25 times one run of 8.
    """

    epochs: int
    switch_at: int | None
    reason: str
    probes: tuple[Probe, ...]
    observations: tuple[Observation, ...]
    spent: int
    fixed: bool = False
    note: str = ""
    what: str = MIXUP

    @property
    def answer(self) -> Answer:
        """The decision in a word."""
        if self.fixed:
            return "fixed"
        if self.switch_at is None:
            return "undecided"
        if self.switch_at == 0:
            return "no Mixup"
        return "Mixup to the end" if self.switch_at >= self.epochs else "switch"

    @property
    def cost(self) -> float:
        """Epochs trained so far over those of one run."""
        return self.spent / self.epochs

    @property
    def n(self) -> int:
        """Number of held-out samples that the probes were scored on; 0 without probes."""
        return len(self.probes[0].scores) if self.probes else 0

    def rows(self) -> tuple[ProbeRow, ...]:
        """Return the probes beside the best one."""
        return beside_the_best(self.probes)

    @property
    def clear(self) -> bool:
        """Whether any probe is worse than the best one beyond chance; if none is, the samples did not decide."""
        return any(row.worse for row in self.rows())

    @property
    def cautions(self) -> tuple[str, ...]:
        """What it could not judge, a sentence each."""
        return cautions(self.probes, self.observations)

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON; what is no number (the standard error of one sample, scores that diverged) is None."""
        return {
            "answer": self.answer,
            "what": self.what,
            "headline": self.headline,
            "switch_at": self.switch_at,
            "epochs": self.epochs,
            "reason": self.reason,
            "n": self.n,
            "probes": [for_json(asdict(row)) for row in self.rows()],
            "clear": self.clear,
            "safe_epochs": list(safe_epochs(self.rows())),
            "score": score_name(self.probes),
            "observations": [for_json(asdict(seen)) for seen in self.observations],
            "spent": self.spent,
            "cost": self.cost,
            "cautions": list(self.cautions),
            "note": self.note,
        }

    def __str__(self) -> str:
        lines = [f"{self.headline}: {self.reason}."]
        if self.probes:
            lines += [table(self.rows(), self.n, score_name(self.probes), self.what), *self._what_would_have_done()]
        lines += self.cautions
        lines.append(f"Price: {self.spent} epochs trained, {self.cost:.2f} times one run of {self.epochs}.")
        return "\n".join([*lines, f"{self.note}."] if self.note else lines)

    def _what_would_have_done(self) -> list[str]:
        safe = safe_epochs(self.rows())
        if not safe:
            return ["Every probe diverged."]
        lines = [f"Not clearly worse than the lowest: {_listed(safe)}."]
        if len(self.probes) > 1 and not self.clear:
            lines.append("The samples do not decide: no probe is clearly better than another, any would have done.")
        return lines

    @property
    def headline(self) -> str:
        """The decision in half a sentence."""
        return decision_sentence(self.answer, epoch=self.switch_at, epochs=self.epochs, what=self.what)


def for_json(content: dict[str, Any]) -> dict[str, Any]:
    """Return numbers that are not finite as None."""
    finite = {key: not isinstance(value, float) or math.isfinite(value) for key, value in content.items()}
    return {key: value if finite[key] else None for key, value in content.items()}


def _listed(epochs: Sequence[int]) -> str:
    return f"after {', '.join(map(str, epochs))} epochs"
