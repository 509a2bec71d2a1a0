"""Trains over gated datasets, and looks at every sample."""

from __future__ import annotations

import logging
import tempfile
import time
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

import overmix
from overmix.errors import OvermixError
from overmix.switch import Decision, History, Policy
from tools.gate.samples import DATASETS, Gated, N, Named

BATCH, EPOCHS = 4, 3
PASSES = "on, a probe, on, off"


@dataclass(frozen=True)
class Setting:
    """A cell of the table.

    Args:
        framework: ``"plain loop"``, ``"Lightning"`` or ``"transformers"``.
        dataset: one of ``DATASETS``.
        workers: of the loader.
        start: how they are started, ``"fork"`` or ``"spawn"``; empty without workers.
        persistent: whether they live through epochs.
    """

    framework: str
    dataset: str
    workers: int = 0
    start: str = ""
    persistent: bool = False

    def loader(self, data: Gated) -> DataLoader[Any]:
        """Return a loader over the data."""
        return DataLoader(
            data,
            BATCH,
            shuffle=True,
            num_workers=self.workers,
            multiprocessing_context=self.start or None,
            persistent_workers=self.persistent,
        )


SETTINGS = [
    Setting(framework, dataset, workers, start, persistent)
    for framework in ("plain loop", "Lightning", "transformers")
    for dataset in DATASETS
    for workers, start, persistent in [
        (0, "", False),
        *((n, start, lives) for start in ("fork", "spawn") for lives in (False, True) for n in (1, 2)),
    ]
]


@dataclass(frozen=True)
class Scripted(Policy):
    """Probes after the first epoch, and goes off after the second."""

    def probe_epochs(self, epochs: int) -> tuple[int, ...]:
        """Return where it looks."""
        return (1,)

    def tail_epochs(self, epochs: int) -> int:
        """Return the epochs of a probe."""
        return 1

    def decide(self, history: History) -> Decision:
        """Go off after two epochs."""
        return Decision(2 if history.done >= 2 else None, "so it was told")


@dataclass
class Count:
    """Looks at samples, and counts those that are what their epoch asks for."""

    data: Gated
    samples: int = 0
    right: int = 0

    def look(self, kind: str, images: Tensor, indices: Tensor) -> None:
        """Compare images with what each should be: changed in the run's own epochs until the switch, else plain."""
        for image, index in zip(images, indices.tolist(), strict=True):
            expected = self.data.gated(index) if kind == "train" else self.data.images[index]
            self.samples += 1
            self.right += torch.equal(image, expected)


def measure(setting: Setting) -> dict[str, Any]:
    """Train, and return how many samples there were, and how many were right."""
    count = _TRAIN[setting.framework](setting)
    return {"samples": count.samples, "right": count.right}


def _run() -> tuple[overmix.Epochs, torch.optim.Optimizer]:
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return overmix.Epochs(EPOCHS, switch=Scripted(), state={"model": model, "optimizer": optimizer}), optimizer


def _plain(setting: Setting) -> Count:
    run, optimizer = _run()
    data = DATASETS[setting.dataset](run.gate)
    count, loader = Count(data), setting.loader(data)
    for epoch in run:
        for images, indices, on in loader:
            epoch.check(on)
            count.look(epoch.kind, images, indices)
            optimizer.step()
        epoch.observe(scores=torch.zeros(4))
    return count


def _lightning(setting: Setting) -> Count:
    import lightning as L

    from overmix.integrations.lightning import Mix

    mix = Mix(switch=Scripted())
    data = DATASETS[setting.dataset](mix.gate)
    count = Count(data)

    class Module(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(1, 1)

        def training_step(self, batch: Any, index: int) -> Tensor:
            images, indices, on = batch
            mix.epoch.check(on)
            count.look(mix.epoch.kind, images, indices)
            loss: Tensor = self.layer(torch.ones(1, 1)).sum()
            return loss

        def validation_step(self, batch: Any, index: int) -> None:
            mix.observe(scores=batch[0])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    for name in ("lightning.pytorch", "lightning", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of few workers and small logs
        trainer = L.Trainer(
            max_epochs=EPOCHS,
            accelerator="cpu",
            callbacks=[mix],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        held_out = DataLoader(torch.utils.data.TensorDataset(torch.zeros(4)), 4)
        trainer.fit(Module(), setting.loader(data), held_out)
    return count


def _transformers(setting: Setting) -> Count:
    import transformers

    from overmix.integrations.transformers import MixTrainer

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rows = nn.Parameter(torch.zeros(2))

        def forward(self, pixel_values: Tensor, labels: Tensor, **others: Any) -> dict[str, Tensor]:
            logits = self.rows.expand(len(labels), 2)
            return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}

    class Checking(MixTrainer):
        def training_step(self, model: nn.Module, inputs: dict[str, Any], *others: Any) -> Tensor:
            self.epoch.check(inputs["on"])
            count.look(self.epoch.kind, inputs["pixel_values"], inputs["index"])
            loss: Tensor = super().training_step(model, inputs, *others)
            return loss

    logging.getLogger("transformers").setLevel(logging.ERROR)
    data = DATASETS[setting.dataset](None)
    count = Count(data)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of small logs
        args = transformers.TrainingArguments(
            output_dir=folder,
            num_train_epochs=EPOCHS,
            per_device_train_batch_size=BATCH,
            dataloader_num_workers=setting.workers,
            dataloader_persistent_workers=setting.persistent,
            dataloader_multiprocessing_context=setting.start or None,
            dataloader_pin_memory=False,
            remove_unused_columns=False,
            eval_strategy="epoch",
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
        )
        held_out = Named(DATASETS[setting.dataset](Flag()))
        trainer = Checking(Classifier(), args, train_dataset=Named(data), eval_dataset=held_out, switch=Scripted())
        trainer.remove_callback(transformers.PrinterCallback)
        data.gate = trainer.gate
        trainer.train()
    return count


_TRAIN = {"plain loop": _plain, "Lightning": _lightning, "transformers": _transformers}


class Flag:
    """What users write by hand: a flag in the loop's process."""

    on = True


def plain_flag() -> dict[str, Any]:
    """Measure a flag instead of the gate, with a worker that lives through epochs: what the gate is there for."""
    setting, flag = Setting("plain loop", "mosaic", 1, "fork", True), Flag()
    data = DATASETS[setting.dataset](flag)
    count, loader = Count(data), setting.loader(data)
    run, optimizer = _run()
    for epoch in run:
        flag.on = epoch.on
        for images, indices, _ in loader:
            count.look(epoch.kind, images, indices)
            optimizer.step()
        epoch.observe(scores=torch.zeros(4))
    return {"samples": count.samples, "right": count.right, "error": None}


def kept_iterator() -> dict[str, Any]:
    """Measure an iterator that lives on: batches of the next epoch were made under this one, and are refused."""
    setting = Setting("plain loop", "mosaic", 1, "fork", True)
    run = overmix.Epochs(2, switch=overmix.off_at(1))
    data = DATASETS[setting.dataset](run.gate)
    count, batches = Count(data), None
    try:
        for epoch in run:
            batches = batches or iter(setting.loader(data))
            for _ in range(N // BATCH // 2):
                images, indices, on = next(batches)
                epoch.check(on)
                count.look(epoch.kind if epoch.on else "final", images, indices)
            time.sleep(0.5)  # as validation takes its time: the worker fetches ahead
    except OvermixError as error:
        return {"samples": count.samples, "right": count.right, "error": str(error)}
    return {"samples": count.samples, "right": count.right, "error": None}
