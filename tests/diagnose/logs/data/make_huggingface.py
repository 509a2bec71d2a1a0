"""Write the folder beside this file with Hugging Face's own Trainer: its log of a run, and that of a checkpoint.

pip install transformers==5.24.0 accelerate==1.15.0 && python make_huggingface.py
"""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import TensorDataset
from transformers import Trainer, TrainingArguments

SAMPLES, EPOCHS = 48, 6


class Tiny(nn.Module):
    """A linear classifier that returns what the Trainer wants: the loss first."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss and logits."""
        logits = self.layer(x)
        return nn.functional.cross_entropy(logits, labels), logits


def collate(rows: list[tuple[torch.Tensor, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """One batch, by the names of `Tiny.forward`."""
    x, labels = zip(*rows, strict=True)
    return {"x": torch.stack(x), "labels": torch.stack(labels)}


def accuracy(found: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    """What the Trainer logs beside the loss, as ``eval_accuracy``."""
    logits, labels = found
    return {"accuracy": float((logits.argmax(axis=-1) == labels).mean())}


if __name__ == "__main__":
    here, run = Path(__file__).parent, Path(tempfile.mkdtemp())
    torch.manual_seed(0)
    x = torch.randn(2 * SAMPLES, 4)
    data = TensorDataset(x, (x[:, 0] + 0.8 * torch.randn(2 * SAMPLES) > 0).long())
    train, held_out = (torch.utils.data.Subset(data, range(a, a + SAMPLES)) for a in (0, SAMPLES))
    arguments = TrainingArguments(
        output_dir=str(run),
        num_train_epochs=EPOCHS,
        per_device_train_batch_size=8,
        learning_rate=0.1,
        logging_steps=4,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=3,
        load_best_model_at_end=True,
        metric_for_best_model="accuracy",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        seed=0,
    )
    trainer = Trainer(
        model=Tiny(),
        args=arguments,
        train_dataset=train,
        eval_dataset=held_out,
        data_collator=collate,
        compute_metrics=accuracy,
    )
    trainer.train()
    trainer.evaluate()  # once more, of the best model: a second entry at the last step
    trainer.save_state()
    target = here / "huggingface"
    shutil.rmtree(target, ignore_errors=True)
    for state in sorted(run.rglob("trainer_state.json")):
        copy = target / state.relative_to(run)
        copy.parent.mkdir(parents=True, exist_ok=True)
        # The best checkpoint is named by its path, which tells of the machine.
        copy.write_text(state.read_text(encoding="utf-8").replace(f"{run}/", ""), encoding="utf-8")
    shutil.rmtree(run)
