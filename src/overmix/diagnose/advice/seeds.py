"""How many more seeds would tell, by someone who looks twice."""

from __future__ import annotations

import math

from overmix.diagnose.compare import Comparison
from overmix.diagnose.interval import t_factor
from overmix.diagnose.practical import POWER, SHOWN, seeds_to_narrow

MOST = 100
"""More than that is no advice."""


def seeds_to_tell(difference: Comparison, delta: float, *, looks: int = 1) -> int | None:
    """Return how many more seeds would show, with a chance of 80 %, whether ``a`` is lower by what matters.

    If the difference stays what it is: one of at least δ has to be told from 0, a smaller one from δ. The interval is
    that of what is called shown, which allows for a second look, so that seeds may be added once and looked at again.

    Args:
        difference: of the comparison that blocks, ``a`` minus ``b``; ``a`` is hoped to be lower.
        delta: what matters.
        looks: candidates among which ``a`` was chosen by these errors.

    Returns:
        At least 1; ``None`` where more than a hundred would be needed, or test samples alone keep the interval wide.

    Example:
        >>> seeds_to_tell(Comparison(-0.006, (-0.013, 0.001), 0.09, 16), 0.005)
        36
    """
    gain = -difference.difference
    distance = gain if gain >= delta else delta - gain
    se, factor = difference.standard_error, t_factor(difference.df, 1 - SHOWN, looks=looks)
    if not math.isfinite(se) or distance <= 0:
        return None
    needed = seeds_to_narrow(
        difference.n, half_width=se * (factor + POWER), seed_share=difference.seed_share, wanted=distance
    )
    if needed is None or needed - difference.n > MOST:
        return None
    return max(1, math.ceil(needed - difference.n))
