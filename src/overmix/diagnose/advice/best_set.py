"""A confidence set for the best of several conditions: multiple comparisons with the best."""

from __future__ import annotations

from collections.abc import Sequence

from overmix.diagnose.evidence import Compared, Evidence

_LEVEL = 0.95


def may_be_best(study: Compared, tested: Sequence[Evidence]) -> list[Evidence]:
    """Return those of the tested conditions that may have the lowest error; the best is among them in 95 %.

        ``i`` stays  if  ``d_ij <= t_df(1 - 0.05 / (k - 1)) se_ij``  for every other ``j``

    with ``d_ij`` the error of ``i`` minus that of ``j``, seeds paired, and ``k`` conditions. A condition is left out
    only where it is shown to be worse than another one; the truly best one is worse than none, so that all that has to
    hold together are its own ``k - 1`` comparisons. That a condition does not differ significantly from the lowest
    puts it into no such set: it is the other way round.

    Args:
        study: with the paired differences.
        tested: conditions of one recipe.

    Source: D. G. Edwards and J. C. Hsu, "Multiple comparisons with the best treatment", 1983; Bonferroni's quantile in
    the place of Dunnett's, as differences on twins are correlated in ways that no table has.
    """
    others = max(1, len(tested) - 1)
    return [e for e in tested if not any(_shown_worse(study, e, other, others) for other in tested if other is not e)]


def _shown_worse(study: Compared, e: Evidence, other: Evidence, comparisons: int) -> bool:
    better = study.plain_difference(other, e)
    return better is not None and better.upper(1 - _LEVEL, looks=comparisons) < 0
