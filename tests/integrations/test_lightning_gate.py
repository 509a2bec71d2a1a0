"""Lightning makes a loader's iterator before the first epoch of a fit begins: its samples are right all the same."""

import logging
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

import overmix
from overmix.switch import Decision, OffAtStep, Policy

L = pytest.importorskip("lightning")

from overmix.errors import ConfigError  # noqa: E402
from overmix.integrations.lightning import Mix  # noqa: E402

# Lightning's, of small logs and few workers, and of its use of PyTorch.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


class Flags(Dataset):
    def __init__(self, gate):
        self.gate = gate

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return self.gate.on, index


class Module(L.LightningModule):
    def __init__(self, mix):
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.record = SimpleNamespace(seen=[], order=[])  # no list of the module's own, which a probe sets back
        self.mixer = lambda: mix

    def training_step(self, batch, index):
        mix = self.mixer()
        on, samples = batch
        mix.epoch.check(on)
        self.record.seen.append((mix.epoch.kind, mix.epoch.index, bool(on[0])))
        self.record.order += samples.tolist()
        return self.layer(torch.ones(1, 1)).sum()

    def validation_step(self, batch, index):
        self.mixer().observe(scores=batch[0])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Save(L.Callback):
    def __init__(self, path, epoch):
        self.path, self.epoch = path, epoch

    def on_train_epoch_end(self, trainer, pl_module):
        if trainer.current_epoch == self.epoch:
            trainer.save_checkpoint(self.path)


def fit(mix, folder, *others, resume=None, workers=2, shuffle=False):
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    loader = DataLoader(
        Flags(mix.gate),
        4,
        shuffle=shuffle,
        num_workers=workers,
        persistent_workers=workers > 0,
        multiprocessing_context="fork" if workers else None,
    )
    module = Module(mix)
    trainer = L.Trainer(
        max_epochs=4,
        accelerator="cpu",
        callbacks=[mix, *others],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )
    trainer.fit(module, loader, DataLoader(TensorDataset(torch.zeros(4)), 4), ckpt_path=resume)
    return module.record.order if shuffle else module.record.seen[::2]


class Probing(Policy):
    def __init__(self, at):
        self.at = at

    def __repr__(self):
        return f"Probing({self.at})"

    def probe_epochs(self, epochs):
        return (self.at,)

    def tail_epochs(self, epochs):
        return 1

    def decide(self, history):
        return Decision(2 if history.done >= 3 else None, "so it was told", keep=2 if history.done >= 2 else None)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("switch", "expected"),
    [(overmix.off_at(3), [True, True, True, False]), (overmix.never(), [False] * 4), (overmix.always(), [True] * 4)],
)
def test_schedules(switch, expected, workers, tmp_path):
    seen = fit(Mix(switch=switch), tmp_path, workers=workers)
    assert [on for _, _, on in seen] == expected


def test_runs_of_one_seed_see_the_samples_in_one_order(tmp_path):
    orders = []
    for switch in (overmix.never(), overmix.off_at(2), overmix.always()):
        torch.manual_seed(0)
        orders.append(fit(Mix(switch=switch), tmp_path, shuffle=True))
    assert orders[0] == orders[1] == orders[2]
    assert len(orders[0]) == 4 * 8


@pytest.mark.parametrize("at", [0, 1])
def test_probes_and_going_back(at, tmp_path):
    seen = fit(Mix(switch=Probing(at)), tmp_path)
    own = [("train", index, True) for index in range(3)]
    own.insert(at, ("probe", at, False))
    assert seen == [*own, ("final", 2, False), ("final", 3, False)]


@pytest.mark.parametrize("stop", [1, 2])
def test_resume_at_an_epochs_end(stop, tmp_path):
    fit(Mix(switch=overmix.off_at(2)), tmp_path, Save(tmp_path / "saved.ckpt", stop - 1))
    seen = fit(Mix(switch=overmix.off_at(2)), tmp_path, resume=tmp_path / "saved.ckpt")
    assert [(index, on) for _, index, on in seen] == [(index, index < 2) for index in range(stop, 4)]


def test_schedules_in_steps_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="steps may end inside an epoch"):
        fit(Mix(switch=OffAtStep(3)), tmp_path, workers=0)
