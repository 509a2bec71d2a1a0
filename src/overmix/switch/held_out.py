"""Deciding without a validation set: on a part of the training samples, for a second run on all of them."""

from __future__ import annotations

from dataclasses import dataclass

from overmix.errors import ConfigError
from overmix.real_numbers import is_real
from overmix.switch.policy import Policy

SHARE = 0.2
"""What is held out by default."""


@dataclass(frozen=True)
class HeldOut:
    """A first run trains on ``1 - share`` of the samples and decides on the rest; a second one trains on all.

    Both have the same number of epochs, and the second switches after as many of them as the first decided: that is the
    same share of the training, though fewer steps of the first run. The first one ends as soon as it has decided. It is
    no policy itself, since it is about two runs; a study writes ``{auto: {holdout: 0.2}}``.

    Args:
        policy: decides in the first run.
        share: of the training samples that are held out there, in (0, 1).

    Raises:
        ConfigError: if the share lies elsewhere.
    """

    policy: Policy
    share: float = SHARE

    def __post_init__(self) -> None:
        if not is_real(self.share) or not 0 < self.share < 1:
            raise ConfigError("auto.holdout", self.share, "use a share of the training samples in (0, 1), such as 0.2")
