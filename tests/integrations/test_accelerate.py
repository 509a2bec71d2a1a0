import pytest

from overmix.errors import ConfigError
from overmix.integrations.accelerate import counter
from tools.conformance.adapters.accelerate import trained
from tools.conformance.task import SETTINGS, SWITCHES, loaders


def test_a_seedable_order_goes_back_with_its_counter():
    back, straight = (
        trained(SWITCHES[switch], SETTINGS["plain"], seedable=True) for switch in ("goes back", "off_at(4)")
    )
    assert (back.weights, back.scores) == (straight.weights, straight.scores)


def test_other_loaders_have_no_counter():
    with pytest.raises(ConfigError, match=r"the loader that accelerator\.prepare returned"):
        counter(loaders()[0])
