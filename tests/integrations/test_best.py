"""Every framework's training ends with the best weights that a plain loop ends with, where it is asked for."""

from dataclasses import dataclass

import pytest

from overmix.switch.machine import Machine
from tools.conformance.rows import INTEGRATIONS
from tools.conformance.task import SETTINGS, Scripted, differences

pytestmark = pytest.mark.filterwarnings("ignore")


@dataclass(frozen=True)
class Watching(Scripted):
    """Ends with the best weights since the switch."""

    best: bool = True


@pytest.mark.parametrize("name", ["Lightning", "transformers"])
def test_it_ends_as_a_plain_loop_does(name, monkeypatch):
    def best(self, decision, seen):
        return min(9, len(seen)) if decision.switch_at is not None else None

    monkeypatch.setattr(Machine, "best", best)
    one, setting, watching = INTEGRATIONS[name], SETTINGS["plain"], Watching()
    reference = one.plain(watching, setting)
    assert reference.weights != one.plain(Scripted(), setting).weights
    assert differences(one.fit(watching, setting), reference, watching) == []
