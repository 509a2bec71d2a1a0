import lightning
import pytest
from lightning.pytorch.callbacks import EMAWeightAveraging

import overmix
from overmix.errors import ConfigError
from overmix.integrations import versions
from overmix.integrations.lightning import Mix
from overmix.switch import Phases
from tools.conformance.adapters.lightning import Module, trainer
from tools.conformance.task import EPOCHS, SETTINGS, SWITCHES, loaders, net

pytestmark = pytest.mark.filterwarnings("ignore")


def fit(mix, **settings):
    trainer(mix, **settings).fit(Module(mix, net(), SETTINGS["plain"]), *loaders())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"callbacks": [EMAWeightAveraging()]}, "it keeps what a probe discards"),
        ({"val_check_interval": 0.5}, "a policy looks once an epoch"),
        ({"max_steps": 5}, "give max_epochs, and no max_steps"),
    ],
)
def test_what_cannot_be_set_back_is_refused(settings, message):
    mix = Mix(overmix.Mixup(), SWITCHES["goes back"])
    with pytest.raises(ConfigError, match=message):
        fit(mix, **settings)


def test_switches_and_phases_in_epochs_are_those_of_the_trainer():
    mix = Mix(Phases([(0, overmix.Mixup()), (5, None)]), overmix.off_at(8))
    fit(mix)
    assert [seen.mixing for seen in mix.run.history] == [1.0] * 5 + [0.0] * (EPOCHS - 5)


def test_outside_of_a_fit_nothing_is_mixed_and_nobody_listens():
    mix = Mix(overmix.Mixup())
    with pytest.raises(ConfigError, match=r"callbacks=\[mix\]"):
        mix(None, None)
    mix.observe(None, None)
    with pytest.raises(ConfigError, match="switch"):
        Mix(overmix.Mixup(), switch="auto")


@pytest.mark.filterwarnings("error")
def test_a_version_that_was_not_tested_warns_once(monkeypatch):
    monkeypatch.setattr(versions, "_TOLD", set())
    with pytest.warns(UserWarning, match="overmix was tested with lightning 2.6, this is 3.0.1"):
        versions.warn_if_untested("lightning", "3.0.1", tested="2.6")
    versions.warn_if_untested("lightning", "3.0.1", tested="2.6")
    versions.warn_if_untested("other", lightning.__version__, tested=lightning.__version__)
