"""Trainings of Lightning and of transformers are finished by their own trainers, and none of their files changes."""

import hashlib
import warnings

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from overmix.errors import CheckpointError, ConfigError
from overmix.switch import AutoSwitch
from overmix.switch.rescue import Checkpoints, rescue

EPOCHS, STEPS = 6, 3
POLICY = AutoSwitch(shares=(0.5,), tail=0.34)


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def samples():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(60, 5, generator=generator), torch.randint(3, (60,), generator=generator)
    return (x[:24], y[:24]), (x[24:], y[24:])


def falls(rates, tails):
    """Check that each tail's rates fall linearly from their first to 0; the last entries are the training's own."""
    length = 2 * STEPS
    for tail in range(tails):
        own = rates[length * tail : length * (tail + 1)]
        assert own == pytest.approx([own[0] * (1 - step / length) for step in range(length)])


@pytest.fixture
def lightning(samples, tmp_path, monkeypatch):
    L = pytest.importorskip("lightning")
    from lightning.pytorch.callbacks import ModelCheckpoint

    from overmix.switch.rescue.lightning import LightningTraining

    monkeypatch.chdir(tmp_path)
    rates, (train, held_out) = [], samples

    class Module(L.LightningModule):
        def __init__(self):
            super().__init__()
            torch.manual_seed(3)
            self.layer = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 3))

        def training_step(self, batch, index):
            return torch.nn.functional.cross_entropy(self.layer(batch[0]), batch[1])

        def on_train_batch_end(self, *_):
            rates.append(self.optimizers().param_groups[0]["lr"])

        def configure_optimizers(self):
            optimizer = torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)
            # As people do: the length is asked of the trainer, which must not look shorter in a tail.
            return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.trainer.max_epochs)]

    def factory():
        module, saver = Module(), ModelCheckpoint("saved", every_n_epochs=2, save_top_k=-1)
        settings = {"enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
        trainer = L.Trainer(max_epochs=EPOCHS, callbacks=[saver], log_every_n_steps=1, **settings)

        def score():
            module.eval()
            with torch.no_grad():
                return module.layer(held_out[0]), held_out[1]

        return LightningTraining(trainer, module, DataLoader(TensorDataset(*train), batch_size=8), score)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of few workers
        first = factory()
        first.trainer.fit(first.module, first.data)
        rates.clear()
        yield factory, rates, first


def test_a_training_of_lightning(lightning, tmp_path):
    factory, rates, first = lightning
    before = digests(tmp_path)
    rescued = rescue(factory, Checkpoints("saved/epoch={index}-step=*.ckpt"), "rescued.ckpt", POLICY)
    after = digests(tmp_path)
    assert after.keys() - before.keys() == {"rescued.ckpt"}
    assert all(after[path] == digest for path, digest in before.items())
    assert [(probe.epoch, probe.tail) for probe in rescued.outcome.probes] == [(2, 2), (4, 2)]
    assert rescued.ended is not None
    falls(rates, tails=2)
    # It mixed nothing in the first place and reads its samples in order: finished, it is what it had been.
    saved = torch.load("rescued.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(value, saved[name]) for name, value in first.module.state_dict().items())
    assert rescued.row.behind == 0


def test_lightnings_epochs_are_counted_from_zero_and_that_is_checked(lightning):
    factory, _, _ = lightning
    with pytest.raises(CheckpointError, match=r"it holds 2 epochs, its name says 1: \{index\} counts epochs from 0"):
        rescue(factory, Checkpoints("saved/epoch={epoch}-step=*.ckpt"), "rescued.ckpt", POLICY)
    torch.save({"model": {}}, "saved/epoch=1-step=6.ckpt")
    with pytest.raises(CheckpointError, match="it is no checkpoint of Lightning's Trainer"):
        rescue(factory, Checkpoints("saved/epoch={index}-step=*.ckpt"), "rescued.ckpt", POLICY)


@pytest.fixture
def transformers(samples, tmp_path, monkeypatch):
    transformers = pytest.importorskip("transformers")
    from overmix.switch.rescue.transformers import TransformersTraining

    monkeypatch.chdir(tmp_path)
    rates, ((x, y), (x_val, y_val)) = [], samples

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(3)
            self.layer = torch.nn.Linear(5, 3)

        def forward(self, pixel_values, labels=None):
            logits = self.layer(pixel_values)
            return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

    class Trainer(transformers.Trainer):
        def create_optimizer(self, *args, **kwargs):
            optimizer = super().create_optimizer(*args, **kwargs)
            optimizer.register_step_post_hook(lambda optimizer, *_: rates.append(optimizer.param_groups[0]["lr"]))
            return optimizer

        def _get_train_sampler(self, *_):
            return torch.utils.data.SequentialSampler(self.train_dataset)

    def rows(x, y):
        return [{"pixel_values": one, "labels": int(label)} for one, label in zip(x, y, strict=True)]

    def factory(**changes):
        args = transformers.TrainingArguments(
            output_dir="out",
            num_train_epochs=EPOCHS,
            per_device_train_batch_size=8,
            learning_rate=0.1,
            save_strategy="epoch",
            eval_strategy="epoch",
            save_total_limit=9,
            load_best_model_at_end=True,
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
            **changes,
        )
        return TransformersTraining(Trainer(Model(), args, train_dataset=rows(x, y), eval_dataset=rows(x_val, y_val)))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first = factory()
        first.trainer.train()
        rates.clear()
        yield factory, rates


def test_a_training_of_transformers(transformers, tmp_path):
    factory, rates = transformers
    before = digests(tmp_path)
    found = Checkpoints("out/checkpoint-{step}", steps=lambda: factory().steps)
    assert list(found) == [1, 2, 3, 4, 5, 6]
    kept = {done: found[done] for done in (2, 4, 6)}
    rescued = rescue(factory, kept, "rescued", POLICY)
    after = digests(tmp_path)
    assert {path.split("/")[0] for path in after.keys() - before.keys()} == {"rescued"}
    assert all(after[path] == digest for path, digest in before.items())
    assert [(probe.epoch, probe.tail) for probe in rescued.outcome.probes] == [(2, 2), (4, 2)]
    falls(rates, tails=2)
    # It mixed nothing in the first place and reads its samples in order: finished, it is what it had been.
    assert rescued.row.behind == 0
    assert rescued.ended.mean.error is not None


def test_a_training_of_transformers_that_counts_steps_is_refused(transformers):
    factory, _ = transformers
    with pytest.raises(ConfigError, match="give whole epochs, and no max_steps"):
        factory(max_steps=9)
    with pytest.raises(CheckpointError, match=r"^out: it is no checkpoint's folder of transformers' Trainer"):
        rescue(factory, {1: "out", 2: "out"}, "rescued", POLICY)
