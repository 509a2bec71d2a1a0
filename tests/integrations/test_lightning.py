from types import SimpleNamespace

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import (
    BackboneFinetuning,
    EMAWeightAveraging,
    GradientAccumulationScheduler,
    ModelPruning,
)
from lightning.pytorch.loggers.logger import DummyLogger

import overmix
from overmix.errors import ConfigError
from overmix.integrations import versions
from overmix.integrations.lightning import Mix
from overmix.switch import Phases
from tools.conformance.adapters.lightning import Module, trainer
from tools.conformance.task import EPOCHS, SETTINGS, SWITCHES, loaders, net, outcome, seeded

pytestmark = pytest.mark.filterwarnings("ignore")


def fit(mix, **settings):
    trainer(mix, **settings).fit(Module(mix, net(), SETTINGS["plain"]), *loaders())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"callbacks": [EMAWeightAveraging()]}, "it keeps what a probe discards"),
        ({"callbacks": [GradientAccumulationScheduler({0: 2})]}, "it changes the training by the epoch"),
        ({"callbacks": [ModelPruning("l1_unstructured", amount=0.5)]}, "it changes the training by the epoch"),
        ({"val_check_interval": 0.5}, "a policy looks once an epoch"),
        ({"max_steps": 5}, "give max_epochs, and no max_steps"),
    ],
)
def test_what_cannot_be_set_back_is_refused(settings, message):
    mix = Mix(overmix.Mixup(), SWITCHES["goes back"])
    with pytest.raises(ConfigError, match=message):
        fit(mix, **settings)


def test_finetuning_by_the_epoch_is_refused():
    mix, model = Mix(overmix.Mixup(), SWITCHES["goes back"]), net()
    module = Module(mix, model, SETTINGS["plain"])
    module.backbone = model[0]
    with pytest.raises(ConfigError, match="it changes the training by the epoch"):
        trainer(mix, callbacks=[BackboneFinetuning(3)]).fit(module, *loaders())


def test_switches_and_phases_in_epochs_are_those_of_the_trainer():
    mix = Mix(Phases([(0, overmix.Mixup()), (5, None)]), overmix.off_at(8))
    fit(mix)
    assert [seen.mixing for seen in mix.run.history] == [1.0] * 5 + [0.0] * (EPOCHS - 5)


class Hooked(Module):
    """With hooks as users write them: a rate of dropout by the epoch, and outputs that are gathered and cleared."""

    def __init__(self, *args):
        super().__init__(*args)
        self.said = SimpleNamespace(hooks=[])  # no list of the module's own, which going back sets back
        self.outputs = []

    def on_train_epoch_start(self):
        self.model[3].p = 0.5 if self.current_epoch < 3 else 0.0
        self.said.hooks.append((self.mix.epoch.kind, self.current_epoch, "start"))

    def training_step(self, batch, index):
        loss = super().training_step(batch, index)
        self.logger.experiment.add_scalar("loss", loss)
        self.outputs.append(loss.detach())
        return loss

    def on_train_epoch_end(self):
        assert len(self.outputs) == 7
        self.log("gathered", torch.stack(self.outputs).mean())
        self.outputs.clear()
        assert self.mix.epoch.index == self.current_epoch
        self.said.hooks.append((self.mix.epoch.kind, self.current_epoch, "end"))


def fit_hooked(switch):
    seeded()
    mix, model = Mix(overmix.Mixup(), switch), net()
    module = Hooked(mix, model, SETTINGS["plain"])
    trainer(mix, logger=DummyLogger()).fit(module, *loaders())
    return module, outcome(model, mix.run)


@pytest.mark.parametrize("name", ["goes back", "goes back at the end"])
def test_the_modules_hooks_are_called_in_nested_epochs_as_in_any(name):
    module, back = fit_hooked(SWITCHES[name])
    _, straight = fit_hooked(SWITCHES["off_at(4)"])
    assert (back.weights, back.scores) == (straight.weights, straight.scores)
    hooks = module.said.hooks
    kinds = [(kind, epoch) for kind, epoch, what in hooks if what == "start"]
    assert [epoch for kind, epoch in kinds if kind == "probe"] == [2, 3, 5, 6]
    assert [epoch for kind, epoch in kinds if kind == "final"] == list(range(4, EPOCHS))
    ended = [(kind, epoch) for kind, epoch, what in hooks if what == "end"]
    # Where the last epoch is discarded, Lightning ends it once it is trained anew.
    assert ended == [one for one in kinds if name == "goes back" or one != ("train", EPOCHS - 1)]


class Told(DummyLogger):
    def __init__(self):
        super().__init__()
        self.said = []

    def log_metrics(self, metrics, step=None):
        self.said += [metrics] if "overmix/switch_at" in metrics else []


def test_each_fit_logs_its_decision_once():
    mix = Mix(overmix.Mixup(), SWITCHES["goes back"])
    for logger in (Told(), Told()):
        fit(mix, logger=logger)
        assert [metrics["overmix/switch_at"] for metrics in logger.said] == [4.0]


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
