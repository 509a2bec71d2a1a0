"""What the page calls the splits, and the policies that it is about."""

from __future__ import annotations

from typing import NamedTuple


class SplitName(NamedTuple):
    """A split's heading, and where a sentence says something is."""

    title: str
    where: str


SPLITS = {
    "fresh": SplitName("On the fresh data sets", "on the fresh data sets"),
    "reported on": SplitName(
        "On the data sets that nothing was chosen on, but that had been looked at", "on those reported on"
    ),
    "chosen on": SplitName("On the data sets that policies and settings were chosen on", "on those chosen on"),
}
OURS = ("AutoSwitch", "no validation set: AutoSwitch")
