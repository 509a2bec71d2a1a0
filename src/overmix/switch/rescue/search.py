"""find_switch: AutoSwitch, asked of the checkpoints that a training has left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np

from overmix.errors import ConfigError
from overmix.switch.machine import Machine, Standing, StartProbe
from overmix.switch.outcome import Outcome
from overmix.switch.policies.auto import AutoSwitch
from overmix.switch.policy import History, Observation, Probe
from overmix.switch.rescue.looks import CheckpointLooks, Scored
from overmix.switch.settings import whole_number

Checkpoint = TypeVar("Checkpoint")

_FEWEST = 2
"""Fewer checkpoints leave nothing to choose from."""


def find_switch(
    branch: Callable[[Checkpoint, int], Scored],
    checkpoints: Mapping[int, Checkpoint],
    epochs: int,
    policy: AutoSwitch | None = None,
) -> Outcome:
    """Return ``argmin_t B(t) + se * min(pull * log2(t / t0)^2, limit)`` over saved checkpoints t, as AutoSwitch has it.

    For trainings that are over, or that another program runs: nothing is trained here, ``branch`` does it. The decision
    is that of a run with ``AutoSwitch(shares=...)`` which probes where the checkpoints are and looks at its own curve
    there alone. Once that has decided, later checkpoints are left alone.

    Args:
        branch: ``branch(checkpoint, tail)`` loads the checkpoint, trains ``tail`` epochs without mixing, the learning
            rate falling linearly to 0, and returns what the model says of held-out samples: ``(logits, labels)`` of
            shapes (N, C) and (N,), or a score of each, shape (N,), lower is better. Always the same samples in the same
            order. With ``tail=0`` it trains nothing: the run's own curve.
        checkpoints: by the epochs of Mixup before them; two or more that leave room for a tail before the end.
        epochs: length of the training.
        policy: how it decides; its ``shares`` are where the checkpoints are.

    Raises:
        ConfigError: if there is nothing to choose from.
        DataError: if ``branch`` returns what cannot be compared; the message names the checkpoint.

    Example:
        >>> import torch
        >>> promised = {10: 0.3, 20: 0.2, 40: 0.4}
        >>> def branch(checkpoint, tail):
        ...     return torch.full((50,), promised[checkpoint]) + 0.01 * torch.arange(50) / 50
        >>> outcome = find_switch(branch, {epoch: epoch for epoch in promised}, epochs=50)
        >>> outcome.headline, outcome.spent
        ('Mixup off after 20 of 50 epochs', 6)
    """
    total = whole_number("epochs", epochs)
    if not isinstance(policy, AutoSwitch | None):
        raise ConfigError("policy", policy, "give an AutoSwitch, such as AutoSwitch(tail=0.05)")
    policy = policy or AutoSwitch()
    if policy.best:
        raise ConfigError("policy.best", True, "leave it out: a rescue has no looks between checkpoints")
    # A tail that is longer than what is left of the training would go on beyond its schedule's end.
    last = total - policy.tail_epochs(total)
    saved = _checked(branch, checkpoints, total, last)
    shares = tuple(done / total for done in sorted(saved) if done <= last)
    machine = Machine(replace(policy, shares=shares), total)
    looks, standing = CheckpointLooks(), Standing()
    observations: tuple[Observation, ...] = ()
    probes: tuple[Probe, ...] = ()
    # Asked after every epoch, as a run asks: what is decided may depend on how many are done.
    for done in range(total + 1):
        if done and done in saved:
            observations += (looks.take(branch(saved[done], 0), done).mean,)
        standing, moves = machine.ask(standing, History(total, done, observations, probes))
        if any(isinstance(move, StartProbe) for move in moves):
            probes += (looks.take(branch(saved[done], machine.tail), done, machine.tail).each,)
            standing, _ = machine.ask(standing, History(total, done, observations, probes))
        if standing.decided:
            break
    decision = standing.decision
    return Outcome(total, decision.switch_at, decision.reason, probes, observations, machine.tail * len(probes))


def _checked(branch: object, checkpoints: Mapping[int, Checkpoint], total: int, last: int) -> dict[int, Checkpoint]:
    """Return the checkpoints with Python's integers."""
    if not callable(branch):
        raise ConfigError("branch", branch, "give a function of (checkpoint, tail)")
    if not isinstance(checkpoints, Mapping):
        raise ConfigError("checkpoints", type(checkpoints).__name__, "give them by epoch, {100: 'epoch_100.pt', ...}")
    done = list(checkpoints)
    if any(isinstance(epoch, bool) or not isinstance(epoch, int | np.integer) for epoch in done):
        raise ConfigError("checkpoints", done, "the keys are epochs that were done, integers")
    beyond = [epoch for epoch in sorted(done) if not 0 <= epoch <= total]
    if beyond:
        remedy = (
            f"{beyond[-1]} is none of the training's 0 to {total} epochs: where optimizer steps are counted write "
            "{step} in the pattern, or divide by the steps of an epoch; where epochs are, {epoch}, or {index} from 0"
        )
        raise ConfigError("checkpoints", sorted(done), remedy)
    if sum(epoch <= last for epoch in done) < _FEWEST:
        remedy = f"give two or more from epoch {last} or before, which leave room for a tail in {total} epochs"
        raise ConfigError("checkpoints", sorted(done), remedy)
    return {int(epoch): checkpoint for epoch, checkpoint in checkpoints.items()}
