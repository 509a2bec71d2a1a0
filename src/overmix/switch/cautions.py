"""Cautions: what a run could not judge when it decided, in sentences beside its decision."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from overmix.diagnose.turning import smooth
from overmix.switch.policy import Observation, Probe

_FEW = 50
"""Held-out samples: with fewer, what probes differ by is mostly chance."""

STILL_FALLING = 0.1
"""Share of its score that a run which is long enough does not lose any more from half of what was seen to its end.

Of the 29 trainings that AutoSwitch was developed on, it is lost in three when it decides, all of them convnets; in one
of these plain training from the start ended 3.6 points lower.
"""

_LOOKS = 5


def cautions(probes: Sequence[Probe], observations: Sequence[Observation]) -> tuple[str, ...]:
    """Return what the user should know of a decision, a sentence each; none where there is nothing to say.

    Args:
        probes: that it was made from.
        observations: likewise.

    Example:
        >>> cautions([Probe(4, 2, (0.1, 0.2)), Probe(8, 2, (0.3, 0.2))], [])
        ('Only 2 held-out samples: what probes differ by is mostly chance, so that the guess decides; hold out 100.',)
    """
    if not probes:
        return ()
    said = []
    n = len(probes[0].scores)
    if n < _FEW:
        chance = "what probes differ by is mostly chance, so that the guess decides; hold out 100"
        said.append(f"Only {n} held-out sample{'' if n == 1 else 's'}: {chance}.")
    fallen = _fallen(observations)
    if fallen > STILL_FALLING:
        said.append(
            f"Its own score fell by {100 * fallen:.0f} % over the second half of what was seen: the training may be "
            "too short for this model, and plain training ahead all along; train longer, or compare with it."
        )
    lost = sum(not probe.finite for probe in probes)
    if lost:
        said.append(f"{lost} of {len(probes)} tails diverged: lower the learning rate.")
    return tuple(said)


def _fallen(observations: Sequence[Observation]) -> float:
    """Return the share of the smoothed score that was lost since half of what was seen; 0 where that is not known."""
    looks = [seen for seen in observations if seen.split == "val"]
    epochs, scores = np.array([seen.epoch + 1.0 for seen in looks]), np.array([seen.score for seen in looks])
    if len(looks) < _LOOKS or not np.isfinite(scores).all() or not (scores > 0).all():
        return 0.0
    curve = smooth(epochs, scores)
    half = int(np.abs(np.log(2 * epochs / epochs[-1])).argmin())
    return float(1 - curve[-1] / curve[half])
