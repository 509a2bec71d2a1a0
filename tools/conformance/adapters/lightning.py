"""Lightning: ``callbacks=[mix]``, ``mix(*batch)``, ``mix.observe(...)``."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers.logger import DummyLogger
from torch import Tensor, nn
from torch.utils.data import DistributedSampler

import overmix
from overmix.integrations.lightning import Mix
from overmix.switch import Policy, Schedule
from tools.conformance.task import (
    EPOCHS,
    SETTINGS,
    Setting,
    Trained,
    called,
    cosine,
    data,
    loaders,
    net,
    outcome,
    seeded,
    sgd,
)

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
logging.getLogger("lightning.fabric").setLevel(logging.ERROR)


class Module(lightning.LightningModule):
    """The user's module: two lines are overmix's."""

    def __init__(self, mix: Mix, model: nn.Module, setting: Setting) -> None:
        super().__init__()
        self.model, self.setting, self.mix = model, setting, mix
        self._called = [called(model, setting)]  # in a list, so that it is not a second submodule

    def training_step(self, batch: Any, index: int) -> Tensor:
        """Return the loss of a mixed batch."""
        x, target = self.mix(*batch)
        loss = target.cross_entropy(self._called[0](x))
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, index: int) -> None:
        """Observe held-out samples."""
        x, y = batch
        output = self._called[0](x)
        self.mix.observe(output, y)
        self.log("val_loss", nn.functional.cross_entropy(output, y))

    def configure_optimizers(self) -> Any:
        """Return the optimizer, and its scheduler by step."""
        optimizer = sgd(self.model)
        batches = len(loaders()[0])
        scheduler = cosine(optimizer, self.setting, batches)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


class _Steps(DummyLogger):
    """A logger that remembers the steps that it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[int] = []

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Take note of a step."""
        self.steps.append(-1 if step is None else step)


def fit(switch: Schedule | Policy, setting: Setting) -> Trained:
    """Train the task with Lightning."""
    seeded()
    mix, logger = Mix(overmix.Mixup(alpha=1.0), switch, seed=0), _Steps()
    model, (train, held_out) = net(), loaders(setting)
    trainer(mix, setting, logger=logger).fit(Module(mix, model, setting), train, held_out)
    assert mix.run is not None
    return outcome(model, mix.run, logger.steps)


def trainer(mix: Mix, setting: Setting = SETTINGS["plain"], **settings: Any) -> lightning.Trainer:
    """Return a quiet trainer."""
    quiet: dict[str, Any] = {
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "logger": False,
        "log_every_n_steps": 3,
        # With persistent workers the check before the training makes the iterator that validation would have made, and
        # so takes a number less from the generator that orders the samples: Lightning's own difference.
        "num_sanity_val_steps": 0,
    }
    callbacks = [mix, *settings.pop("callbacks", [])]
    precision: Any = "bf16-mixed" if setting.bf16 else "32-true"
    return lightning.Trainer(
        max_epochs=EPOCHS,
        accelerator="cpu",
        accumulate_grad_batches=setting.accumulate,
        precision=precision,
        callbacks=callbacks,
        **quiet | settings,
    )


def resumes(switch: Schedule | Policy, folder: Path, **saving: Any) -> dict[str, bool]:
    """Return for each checkpoint whether what resumes from it ends as the training that saved it.

    Without dropout, and in an order that follows from the epoch: Lightning's checkpoints hold no generators.
    """
    checkpoints = ModelCheckpoint(folder, save_top_k=-1, filename="{epoch:02d}-{step:04d}", **saving)
    whole = _fit_plainly(switch, None, enable_checkpointing=True, callbacks=[checkpoints])
    steps = EPOCHS * len(loaders()[0])
    paths = [path for path in sorted(folder.glob("*.ckpt")) if f"step={steps:04d}" not in path.stem]  # it is over there
    return {path.stem: _fit_plainly(switch, path) == whole for path in paths}


def _fit_plainly(switch: Schedule | Policy, resumed: Path | None, **settings: Any) -> Trained:
    seeded()
    mix, model = Mix(overmix.Mixup(alpha=1.0), switch, seed=0), net(dropout=0.0)
    train, held_out = loaders(sampler=DistributedSampler(data()[0], 1, 0))
    module = Module(mix, model, SETTINGS["plain"])
    trainer(mix, **settings).fit(module, train, held_out, ckpt_path=resumed)
    assert mix.run is not None
    return outcome(model, mix.run)
