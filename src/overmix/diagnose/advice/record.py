"""The record of a study's advice."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from overmix.diagnose.evidence import ChosenOn
from overmix.diagnose.interval import Interval
from overmix.diagnose.sentences import Part

AdviceKind = Literal["switch", "no-mixup", "keep-mixup", "undecided"]


@dataclass(frozen=True)
class Advice:
    """What to do.

    Args:
        kind: ``"switch"`` Mixup off, ``"no-mixup"`` at all, ``"keep-mixup"`` on, or ``"undecided"``.
        sentence: all of it for people.
        condition: name of the condition that is recommended, if one is.
        switch_epoch: where it switches, if it switches at a set epoch.
        safe: epochs of mixing that may be as good as the best guess: a confidence set for the best of those tested.
        turning: interval of the turning epoch of the recipe's own curve, if it over-trains.
        gain_of: name of the condition whose gain is given: the recommended one, or the best that mixes.
        gain_over_erm: final error of ERM minus that of ``gain_of``, in the unit of the errors.
        gain_ci: its interval, wide enough for the choice among the candidates.
        chosen_on: ``"validation"`` if the best candidate was chosen on held-out samples, ``"test"`` if on the test
            errors themselves, ``None`` if there was nothing to choose.
        candidates: how many conditions were chosen among.
        note: how the choice was made, and what does as well.
        mix: whether to mix; it and the next two are ``None`` in records of earlier versions.
        until: until when.
        next: what next.
        probabilities: what the error does not say, where the probabilities differ; ``None`` if they do not.
    """

    kind: AdviceKind
    sentence: str
    condition: str | None = None
    switch_epoch: int | None = None
    safe: Interval | None = None
    turning: Interval | None = None
    gain_of: str | None = None
    gain_over_erm: float | None = None
    gain_ci: Interval | None = None
    chosen_on: ChosenOn | None = None
    candidates: int = 0
    note: str = ""
    mix: Part | None = None
    until: Part | None = None
    next: Part | None = None
    probabilities: Part | None = None

    @property
    def parts(self) -> tuple[Part, ...]:
        """The answers that there are, in order."""
        return tuple(part for part in (self.mix, self.until, self.next, self.probabilities) if part is not None)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}


def _plain(value: Any) -> Any:
    if isinstance(value, Part):
        return value.to_dict()
    return list(value) if isinstance(value, tuple) else value
