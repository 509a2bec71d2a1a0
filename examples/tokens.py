"""A token model with Manifold Mixup in hidden layers, under activation checkpointing and a padding mask.

Tokens have no average, so their embeddings and a later block are mixed. Digits are read as sequences: one token for
each inked pixel, its place and its grey level in one number, so that lengths differ.

    python examples/tokens.py [--smoke]
"""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.checkpoint import checkpoint

import overmix
from overmix.recipes import ManifoldMixup

LENGTH, LEVELS = 24, 4


def data():
    """Return the tokens of the darkest pixels, shape (N, LENGTH), which of them exist, and the digits."""
    pixels, digit = load_digits(return_X_y=True)
    grey, place = torch.tensor(pixels).float().topk(LENGTH)
    tokens = place * LEVELS + (grey.long() * (LEVELS - 1) // 16)
    return {"ids": tokens, "attention_mask": grey > 4}, torch.tensor(digit)


class Classifier(nn.Module):
    """A small transformer whose blocks are checkpointed."""

    def __init__(self, width=64):
        super().__init__()
        self.embedding = nn.Embedding(64 * LEVELS, width)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, batch_first=True) for _ in range(2)
        )
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        """Return the logits of tokens with their mask."""
        h, there = self.embedding(x["ids"]), x["attention_mask"]
        for block in self.blocks:
            h = checkpoint(block, h, src_key_padding_mask=~there, use_reentrant=False)
        weight = there.unsqueeze(-1).float()
        return self.head((h * weight).sum(1) / weight.sum(1))


def main(argv=None):
    """Train; return the run and the error of held-out digits."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--smoke", action="store_true", help="a short run")
    smoke = parser.parse_args(argv).smoke
    epochs, train_size = (4, 384) if smoke else (30, 800)

    torch.manual_seed(0)
    x, y = data()

    def part(index):
        return {name: values[index] for name, values in x.items()}

    model = Classifier()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    # The mask of a mixture is that of both sequences.
    recipe = ManifoldMixup(layers=("embedding", "blocks.0"), masks={"attention_mask": "union"})

    run = overmix.Epochs(epochs, mix=recipe, switch=overmix.off_at(0.75))
    for epoch in run:
        for batch in torch.randperm(train_size).split(64):
            plan = epoch.plan(part(batch), y[batch])
            if plan is None:
                loss = nn.functional.cross_entropy(model(part(batch)), y[batch])
            else:
                loss = recipe.objective(model, part(batch), y[batch], plan)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            epoch.observe(model(part(slice(train_size, None))), y[train_size:])
    print(f"error of held-out digits: {run.history[-1].error:.1%}")
    return run, run.history[-1].error


if __name__ == "__main__":
    main()
