"""transformers: three lines change, marked here. A ViT of its own configuration, nothing is downloaded."""

import argparse
import tempfile

import torch
from sklearn.datasets import load_digits
from transformers import TrainingArguments, ViTConfig, ViTForImageClassification

import overmix.integrations.transformers  # overmix, was: from transformers import Trainer


def images(first: int, last: int) -> list[dict]:
    """Return digits as Trainer's datasets have them."""
    digits = load_digits()
    pixels = torch.tensor(digits.images[first:last] / 16, dtype=torch.float32)[:, None]
    return [{"pixel_values": x, "labels": int(y)} for x, y in zip(pixels, digits.target[first:last])]  # noqa: B905


def accuracy(prediction) -> dict[str, float]:
    """Return the share of right answers."""
    return {"accuracy": float((prediction.predictions.argmax(1) == prediction.label_ids).mean())}


def main(epochs: int) -> float:
    """Train on 300 digits, and return the accuracy on 500 others."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    config = ViTConfig(image_size=8, patch_size=2, num_channels=1, num_labels=10, **sizes)
    with tempfile.TemporaryDirectory() as folder:
        args = TrainingArguments(
            output_dir=folder,
            num_train_epochs=epochs,
            per_device_train_batch_size=50,
            per_device_eval_batch_size=250,
            learning_rate=3e-3,
            lr_scheduler_type="cosine",
            eval_strategy="epoch",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
        )
        trainer = overmix.integrations.transformers.MixTrainer(  # overmix, was: trainer = Trainer(
            model=ViTForImageClassification(config),
            args=args,
            train_dataset=images(0, 300),
            eval_dataset=images(300, 800),
            compute_metrics=accuracy,
            mix=overmix.Mixup(alpha=1.0), switch=overmix.AutoSwitch(),  # overmix
        )  # fmt: skip
        trainer.train()
        print(trainer.decision)  # overmix, to see
        return trainer.evaluate()["eval_accuracy"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="train for a moment only")
    print(f"accuracy {main(10 if parser.parse_args().smoke else 40):.3f}")
