"""Prompt tuning of a CLIP with PromptMixup: a few images of five classes tune four words, which must fit new classes.

Run: python examples/systems/prompt_tuning.py [--smoke]

The CLIP is `transformers`' own from a tiny configuration, trained here on captions of Fashion-MNIST ("a noisy photo of
a dark sandal"). What it is tuned to is in a style that no caption knew. Reported are the errors among the tuned (base)
and the new classes, and the harmonic mean H of both accuracies, as the field does: zero-shot, plain context tuning,
PromptMixup all along, and PromptMixup that AutoSwitch switches off. About two minutes on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch
from torch import nn
from transformers import CLIPModel

import overmix
from overmix.experiments.census.systems.prompts import BASE, ClipPrompts, Prompted, trained_clip
from overmix.experiments.census.task import Samples
from overmix.mix import Streams
from overmix.recipes import PromptMixup
from overmix.switch import AutoSwitch, always, never


def report(name: str, prompt: Prompted, test: Samples) -> None:
    """Print the errors among base and new classes, and the harmonic mean of the accuracies."""
    prompt.eval()
    new = test.y >= BASE
    with torch.no_grad():
        right = (prompt(test.x[~new]).argmax(1) == test.y[~new]).double().mean()
        right_new = (prompt.logits(test.x[new], slice(BASE, None)).argmax(1) == test.y[new] - BASE).double().mean()
    h = 2 * right * right_new / (right + right_new)
    print(f"{name:28} base {1 - right:.3f}, new {1 - right_new:.3f}, H {h:.3f}")


def tune(clip: CLIPModel, switch: object, epochs: int, fit: Samples, val: Samples) -> Prompted:
    """Return a prompt that was tuned with PromptMixup while a switch is on."""
    torch.manual_seed(0)  # of the order
    prompt = Prompted(clip)
    sgd = torch.optim.SGD([p for p in prompt.parameters() if p.requires_grad], lr=0.02, momentum=0.9)
    run = overmix.Epochs(epochs, PromptMixup(), switch, seed=0, state={"prompt": prompt, "optimizer": sgd})
    for epoch in run:
        prompt.train()
        for index in torch.randperm(len(fit)).split(40):
            features, target = epoch.mix(fit.x[index], fit.y[index])
            loss = nn.functional.cross_entropy(prompt(features), target)
            sgd.zero_grad()
            loss.backward()
            sgd.step()
        prompt.eval()
        with torch.no_grad():
            epoch.observe(prompt(val.x), val.y)
    return prompt


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table of the field for 1, 4 and 16 shots."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="train for a moment only")
    smoke = parser.parse_args(arguments).smoke
    for shots in (1, 4, 16):
        task = ClipPrompts(shots=shots, train_size=BASE * shots)  # the images, as features of the CLIP
        task = task.smoke() if smoke else task
        clip, data = trained_clip(*task.pretraining), task.data(Streams(replica_seed=0))
        print(f"{shots} images of each base class")
        report("  zero-shot", Prompted(clip), data.test)
        for name, switch in (
            ("  context tuning", never()),
            ("  PromptMixup", always()),
            ("  PromptMixup, AutoSwitch", AutoSwitch()),
        ):
            report(name, tune(clip, switch, task.epochs, data.train, data.val), data.test)


if __name__ == "__main__":
    main()
