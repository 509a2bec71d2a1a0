"""How a claim is judged: numbers with intervals, each held against a bound; all of them decide together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from scipy import special

from overmix.diagnose import holm
from overmix.diagnose.practical import MIN_SEEDS

BoundSide = Literal["above", "below"]
State = Literal["yes", "no", "undecided"]
ClaimVerdict = Literal["confirmed", "not confirmed", "undecided", "out of reach here"]
CheckUnit = Literal["points", "number", "doublings"]

CONFIDENCE = 0.95
ONE_SIDED = (1 - CONFIDENCE) / 2


@dataclass(frozen=True)
class Check:
    """One number that a claim rests on.

    Attributes:
        what: what was measured, in words.
        value: the estimate.
        ci: its 95 % interval; None where the number is exact, or there is one seed only.
        side: where the claim wants it to lie.
        bound: of what.
        unit: how it is written: ``"points"`` for fractions shown as percentage points, ``"doublings"`` for
            ``log2`` of a ratio of times.
        n: seeds.
        exact: whether the number has no uncertainty.
    """

    what: str
    value: float
    ci: tuple[float, float] | None
    side: BoundSide
    bound: float
    unit: CheckUnit = "number"
    n: int = 1
    exact: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return asdict(self) | {"ci": None if self.ci is None else list(self.ci)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Check:
        """Return what :meth:`to_dict` wrote."""
        ci = content["ci"]
        return cls(**{**content, "ci": None if ci is None else (float(ci[0]), float(ci[1]))})

    @property
    def p_value(self) -> float:
        """One-sided, of the bound not being passed; the interval is read as that of a t-law over the seeds.

        A normal law has thinner tails: of few seeds it would call a number far surer than it is, which Holm's
        correction, at small p-values, depends on.
        """
        gap = self.value - self.bound if self.side == "above" else self.bound - self.value
        if self.exact:
            return 0.0 if gap > 0 else 1.0
        if self.ci is None or self.n < 2:
            return 1.0
        # The interval may be askew: the half that looks towards the bound counts.
        towards = self.value - self.ci[0] if self.side == "above" else self.ci[1] - self.value
        if towards <= 0:
            return 0.0 if gap > 0 else 1.0
        freedom = self.n - 1
        return float(special.stdtr(freedom, -gap / towards * special.stdtrit(freedom, 1 - ONE_SIDED)))

    @property
    def few(self) -> bool:
        """Whether it comes from too few seeds to decide anything, whatever its interval says."""
        return self.n < MIN_SEEDS and not self.exact

    @property
    def refuted(self) -> bool:
        """Whether the whole interval lies on the wrong side."""
        if self.exact:
            return self.p_value == 1.0
        if self.ci is None:
            return False
        return self.ci[1] < self.bound if self.side == "above" else self.ci[0] > self.bound


def states(checks: Sequence[Check]) -> list[State]:
    """Return what each check says, all checks of one experiment corrected together after Holm.

    ``"yes"`` if the number lies beyond its bound with one-sided ``p_holm < 2.5 %``, ``"no"`` if its whole interval lies
    on the other side, else ``"undecided"``, as all numbers of fewer than five seeds are.

    Example:
        >>> sure = Check("depth", 0.03, (0.02, 0.04), "above", 0.005, n=16)
        >>> open_ = Check("depth", 0.006, (0.0, 0.012), "above", 0.005, n=16)
        >>> flat = Check("depth", 0.0, (-0.001, 0.001), "above", 0.005, n=16)
        >>> few = Check("depth", 0.03, (0.02, 0.04), "above", 0.005, n=3)
        >>> states([sure, open_, flat, few])
        ['yes', 'undecided', 'no', 'undecided']
    """
    corrected = holm([check.p_value for check in checks])
    answers: list[State] = []
    for check, p in zip(checks, corrected, strict=True):
        if check.few:
            answers.append("undecided")
        elif p is not None and p < ONE_SIDED:
            answers.append("yes")
        else:
            answers.append("no" if check.refuted else "undecided")
    return answers


def claim_verdict(answers: Sequence[State]) -> ClaimVerdict:
    """Return the verdict on a claim in one setting: all its checks must hold, and one that fails is enough.

    Example:
        >>> claim_verdict(["yes", "yes"]), claim_verdict(["yes", "undecided"]), claim_verdict(["no", "undecided"])
        ('confirmed', 'undecided', 'not confirmed')
        >>> claim_verdict([])
        'out of reach here'
    """
    if not answers:
        return "out of reach here"
    if "no" in answers:
        return "not confirmed"
    return "confirmed" if all(state == "yes" for state in answers) else "undecided"


def judge_claims(settings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Judge every claim in every setting of one experiment; a pure function of its result.

    Args:
        settings: each with ``"key"`` and ``"checks"``: a list of checks, as JSON holds them, for each claim.

    Returns:
        One entry per claim and setting: ``claim``, ``setting``, ``verdict``, ``states``.
    """
    rows = [
        (setting["key"], claim, [Check.from_dict(check) for check in checks])
        for setting in settings
        for claim, checks in setting["checks"].items()
    ]
    answers = iter(states([check for _, _, checks in rows for check in checks]))
    out = []
    for key, claim, checks in rows:
        mine = [next(answers) for _ in checks]
        out.append({"claim": claim, "setting": key, "verdict": claim_verdict(mine), "states": mine})
    return out
