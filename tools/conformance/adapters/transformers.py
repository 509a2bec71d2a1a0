"""transformers: ``MixTrainer`` beside a loop over Trainer's own loader, optimizer and scheduler."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import transformers
from torch import Tensor, nn, no_grad
from torch.utils.data import Dataset
from transformers.modeling_outputs import SequenceClassifierOutput

import overmix
from overmix.integrations.transformers import MixTrainer
from overmix.switch import Policy, Schedule
from tools.conformance.task import (
    BATCH,
    EPOCHS,
    HELD_OUT_BATCH,
    SETTINGS,
    Setting,
    Trained,
    data,
    net,
    outcome,
    seeded,
)

transformers.logging.set_verbosity_error()


class Digits(Dataset[dict[str, Tensor]]):
    """Digits, by the names that a Trainer's model takes."""

    def __init__(self, part: Any) -> None:
        self.x, self.y = part.tensors

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.y)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Return a sample."""
        return {"pixel_values": self.x[index], "labels": self.y[index]}


class Classifier(nn.Module):
    """The net, called as models of transformers are."""

    def __init__(self) -> None:
        super().__init__()
        self.net = net()

    def forward(self, pixel_values: Tensor, labels: Tensor | None = None) -> SequenceClassifierOutput:
        """Return logits, and the loss where there are labels."""
        logits = self.net(pixel_values)
        loss = None if labels is None else nn.functional.cross_entropy(logits, labels)
        return SequenceClassifierOutput(loss=loss, logits=logits)


class _Steps(transformers.TrainerCallback):
    def __init__(self) -> None:
        self.steps: list[int] = []

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.steps.append(state.global_step)


def arguments(folder: Path, setting: Setting, **settings: Any) -> transformers.TrainingArguments:
    """Return Trainer's arguments for the task."""
    chosen: dict[str, Any] = {
        "num_train_epochs": EPOCHS,
        "eval_strategy": "epoch",
        "save_strategy": "no",
        "logging_strategy": "no",
        "lr_scheduler_type": "cosine",
        "torch_compile": setting.compiled,
    }
    if setting.compiled:
        chosen["torch_compile_backend"] = "eager"
    return transformers.TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=BATCH,
        per_device_eval_batch_size=HELD_OUT_BATCH,
        learning_rate=1e-2,
        gradient_accumulation_steps=setting.accumulate,
        bf16=setting.bf16,
        dataloader_num_workers=setting.workers,
        dataloader_persistent_workers=setting.workers > 0,
        dataloader_pin_memory=False,
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        seed=0,
        data_seed=0,
        **chosen | settings,
    )


def trainer(
    switch: Schedule | Policy, folder: Path, setting: Setting = SETTINGS["plain"], **settings: Any
) -> MixTrainer:
    """Return the trainer of the task, with callbacks, data sets and a segment of one's own among the settings."""
    seeded()
    train, held_out = (Digits(part) for part in data())
    own: dict[str, Any] = {
        name: settings.pop(name) for name in ("callbacks", "train_dataset", "segment") if name in settings
    }
    mixing = MixTrainer(
        model=Classifier(),
        args=arguments(folder, setting, **settings),
        eval_dataset=held_out,
        mix=overmix.Mixup(alpha=1.0),
        switch=switch,
        **{"train_dataset": train} | own,
    )
    mixing.remove_callback(transformers.PrinterCallback)
    return mixing


def fit(switch: Schedule | Policy, setting: Setting, **settings: Any) -> Trained:
    """Train the task with MixTrainer."""
    steps = _Steps()
    with tempfile.TemporaryDirectory() as folder:
        logs = {"logging_strategy": "steps", "logging_steps": 3}
        mixing = trainer(switch, Path(folder), setting, callbacks=[steps], **logs | settings)
        mixing.train()
    assert mixing.run is not None
    return outcome(_model(mixing), mixing.run, steps.steps)


def own_loop(switch: Schedule | Policy, setting: Setting, **settings: Any) -> Trained:
    """Train the task in a loop of one's own over what Trainer makes."""
    seeded()
    train, held_out = (Digits(part) for part in data())
    model = Classifier()
    with tempfile.TemporaryDirectory() as folder:
        theirs = transformers.Trainer(
            model=model, args=arguments(Path(folder), setting, **settings), train_dataset=train, eval_dataset=held_out
        )
        loader: Any = theirs.get_train_dataloader()
        wrapped, optimizer = theirs.accelerator.prepare(model, theirs.create_optimizer())
        steps = EPOCHS * -(-len(loader) // setting.accumulate)
        scheduler = theirs.create_scheduler(steps, optimizer)
        state = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
        run = overmix.Epochs(EPOCHS, mix=overmix.Mixup(alpha=1.0), switch=switch, seed=0, state=state)
        for epoch in run:
            wrapped.train()
            loader.set_epoch(epoch.index)
            for index, batch in enumerate(loader):
                x, target = epoch.mix(batch["pixel_values"], batch["labels"])
                loss = target.cross_entropy(wrapped(pixel_values=x).logits)
                first = index - index % setting.accumulate
                group = min(setting.accumulate, len(loader) - first)
                last = index + 1 == first + group
                theirs.accelerator.gradient_state._set_sync_gradients(last)
                theirs.accelerator.backward(loss / group)
                if last:
                    theirs.accelerator.clip_grad_norm_(wrapped.parameters(), 1.0)
                    optimizer.step()
                    if epoch.kind != "probe":
                        scheduler.step()
                    wrapped.zero_grad()
            if epoch.scored:
                wrapped.eval()
                with no_grad():
                    for batch in theirs.get_eval_dataloader():
                        # As Trainer does: the model itself, with each process's own statistics.
                        epoch.observe(model(pixel_values=batch["pixel_values"]).logits, batch["labels"])
    return outcome(model, run)


def resumes(switch: Schedule | Policy, folder: Path, **saving: Any) -> dict[str, bool]:
    """Return for each checkpoint whether what resumes from it ends as the training that saved it."""
    whole = _resumed(switch, folder / "whole", None, **saving)
    paths = sorted((folder / "whole").glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    return {path.name: _resumed(switch, folder / "resumed", path) == whole for path in paths}


def _resumed(switch: Schedule | Policy, folder: Path, checkpoint: Path | None, **saving: Any) -> Trained:
    mixing = trainer(switch, folder, **saving)
    mixing.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    assert mixing.run is not None
    return outcome(_model(mixing), mixing.run)


def _model(mixing: MixTrainer) -> nn.Module:
    assert isinstance(mixing.model, nn.Module)
    return mixing.model
