"""Situations of a study in numbers: errors in percent at the end, and how exactly they are known."""

from __future__ import annotations

from dataclasses import dataclass, field

from scipy import special

from overmix.diagnose import Advice, Comparison, Diagnosis, Evidence, advise

EPOCHS = 1000


@dataclass(frozen=True)
class Study:
    """A study in numbers.

    Args:
        erm: final error of plain training, in percent; None where it was not trained.
        mixup: of Mixup to the end.
        off: by epoch, of Mixup switched off there.
        auto: of Mixup switched off by itself.
        other: by name, of other settings.
        within: half the width of the 95 % interval of every difference.
        turns: by name, where a condition's own curve turns; ``0`` for one of which that is undecided.
        stops: what plain training loses by going on beyond the checkpoints that are best on held-out samples.
        falls: how much curves still fall over the last quarter, of all or by name.
        held_out: by name, errors on held-out samples, where these choose.
        scores: by name, Brier scores.
        seeds: of every condition.
        share: of the variance that more seeds would reduce.
        unit: of the errors.
    """

    erm: float | None = None
    mixup: float | None = None
    off: dict[int, float] = field(default_factory=dict)
    auto: float | None = None
    other: dict[str, float] = field(default_factory=dict)
    within: float = 0.3
    turns: dict[str, int] = field(default_factory=dict)
    stops: float = 0.0
    falls: float | dict[str, float] = 0.0
    held_out: dict[str, float] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    seeds: int = 16
    share: float = 1.0
    unit: str = "fraction"

    def advice(self) -> Advice:
        evidence = self.evidence()
        scores = {"Brier score": _pairs({e.name: self.scores.get(e.name, 0.2) for e in evidence}, 0.005, self)}
        finals = {e.name: e.judged.final for e in evidence}
        return advise(evidence, _pairs(finals, self.within / 100, self), scores if self.scores else None)

    def evidence(self) -> list[Evidence]:
        rows = [("ERM", "erm", None, self.erm), ("Mixup", "mixup", None, self.mixup)]
        rows += [(f"@{epoch}", "switched", epoch, error) for epoch, error in self.off.items()]
        rows += [("auto", "auto", None, self.auto)]
        rows += [(name, "other", None, error) for name, error in self.other.items()]
        return [self._condition(*row) for row in rows if row[3] is not None]

    def _condition(self, name: str, role: str, epoch: int | None, percent: float) -> Evidence:
        turn = self.turns.get(name)
        fall = self.falls.get(name, 0.0) if isinstance(self.falls, dict) else self.falls
        lowest = percent / 100
        diagnosis = Diagnosis(
            verdict="monotone" if turn is None else "u-shaped" if turn else "undecided",
            turning_epoch=turn or EPOCHS,
            turning_epoch_ci=(turn * 0.75, turn * 1.5) if turn else None,
            best=lowest,
            final=lowest,
            depth=0.02 if turn else 0.0,
            depth_ci=(0.01, 0.03) if turn else None,
            delta=max(0.005, 0.05 * lowest),
            n_seeds=self.seeds,
            n_epochs=60,
            unit=self.unit,
        )
        stops = name == "ERM" and self.stops
        return Evidence(
            name,
            role,
            epoch,
            diagnosis,
            validation_error=self.held_out[name] / 100 if name in self.held_out else None,
            decided=(90, 110, 140) if role == "auto" else (),
            epochs=EPOCHS,
            fall=_known(fall / 100, 0.004, self),
            stopping=_known(self.stops / 100, 0.016, self) if stops else None,
            stopping_epochs=(10, 10, 12, 20, 20) if stops else (),
            scores={"Brier score": self.scores[name]} if name in self.scores else {},
        )


def _known(difference: float, half_width: float, study: Study) -> Comparison:
    p = 2 * float(special.ndtr(-abs(difference) / (half_width / 1.96)))
    ci = (difference - half_width, difference + half_width)
    return Comparison(difference, ci, p, study.seeds, seed_share=study.share)


def _pairs(by_name: dict[str, float], half_width: float, study: Study) -> dict[tuple[str, str], Comparison]:
    names = list(by_name)
    return {
        (a, b): _known(by_name[a] - by_name[b], half_width, study) for i, b in enumerate(names) for a in names[i + 1 :]
    }


def pairs_of(evidence: list[Evidence], within: float) -> dict[tuple[str, str], Comparison]:
    """All differences of final errors, each known to so many points."""
    return _pairs({e.name: e.judged.final for e in evidence}, within / 100, Study())
