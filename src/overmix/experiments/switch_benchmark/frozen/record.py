"""Record all that a policy could ask of a training, and how every rival ends; policies are replayed on it later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overmix.experiments.switch_benchmark.frozen.setup import Settings, Setup, longer
from overmix.experiments.switch_benchmark.frozen.trainings import (
    AVERAGE,
    DECAYS,
    LONG_TAILS,
    LONGER,
    SHORT_TAILS,
    Training,
    tail_epochs,
)
from overmix.experiments.switch_benchmark.frozen.tune import tune
from overmix.study.store.arrays import npz_bytes
from overmix.train import StackTraining
from overmix.train.average import Average

SIGNALS = ("val_error", "val_cross_entropy", "val_brier", "train_error", "train_cross_entropy", "train_margin")
"""What policies may see of the run that mixes, and of plain training."""

END_METRICS = ("test_error", "test_brier", "test_cross_entropy", "val_error", "val_brier", "val_cross_entropy")
"""What is kept of every run's curve, and of every tail."""

STEP = 1 / 16
"""Resolution of kept logits, in nats below the largest one; what is 16 nats below is kept as that."""

_WITH_LOGITS = (SHORT_TAILS[0], LONG_TAILS[-1])
"""Plain tails of these lengths keep what the model says of each held-out sample."""

State = tuple[dict[str, Tensor], list[Tensor]]
"""Of a training, and of its averaged weights."""


class Watched:
    """A training whose averaged weights are kept beside it; the training does not change by a bit.

    Args:
        training: perhaps set back to a state.
        average: values of the averaged weights there; by default they begin here.
    """

    def __init__(self, training: StackTraining, average: Sequence[Tensor] | None = None) -> None:
        self.training = training
        model = training.model
        self.average = Average([*model.parameters.values(), *model.buffers.values()], AVERAGE)
        if average is not None:
            for value, before in zip(self.average.values, average, strict=True):
                value.copy_(before)

    @classmethod
    def after(cls, training: StackTraining, state: State) -> Watched:
        """Go on from a state of another schedule: until there both mix alike."""
        training.load_state_dict(state[0])
        return cls(training, state[1])

    def to_the_end(self, keep: Mapping[int, Any] | None = None) -> None:
        """Train to the end; what ``keep`` names by epochs done is called there with this object."""
        wanted = dict(keep or {})

        def step(now: StackTraining) -> None:
            done = now.epoch * now.steps_per_epoch + now.step
            self.average.update(done - 1)
            if now.step == 0 and now.epoch in wanted:
                wanted[now.epoch](self)

        if self.training.epoch == 0 and 0 in wanted:
            wanted[0](self)
        self.training.train(after_step=step)

    def state(self) -> State:
        """Return what another schedule may go on from."""
        return self.training.state_dict(), [value.clone() for value in self.average.values]


class Recorder:
    """Collects the arrays of one training's record.

    Args:
        setup: the training and its data.
        settings: tuned.
    """

    def __init__(self, setup: Setup, settings: Settings) -> None:
        self.setup, self.settings, self.training = setup, settings, setup.training
        self.arrays: dict[str, np.ndarray] = {"switch_epochs": np.array(self.training.switch_epochs)}
        self.states: dict[int, State] = {}

    def all(self) -> dict[str, np.ndarray]:
        """Train everything, and return the arrays."""
        self._mixing_and_switched()
        self._other_schedules()
        self._other_settings()
        self._longer()
        return self.arrays

    def _mixing_and_switched(self) -> None:
        """Mixup to the end with its probes, plain training, and the runs that are switched on the grid."""
        grid = self.training.switch_epochs
        mixup = Watched(self._stack("always"))
        probes: dict[str, list[np.ndarray]] = {}
        epochs = self.training.epochs
        also = {round(share * epochs) for share in (0.5, 0.6)}
        looks = {at: lambda now: self._probe(now, probes) for at in grid[:-1]}
        mixup.to_the_end({at: self._keep for at in also} | looks)
        self._ended("Mixup", mixup, signals=True)
        self.arrays |= {name: np.stack(values, axis=1) for name, values in probes.items()}
        erm = Watched(self._stack("never"))
        erm.to_the_end()
        self._ended("ERM", erm, signals=True)
        for at in grid[1:-1]:
            switched = Watched.after(self._stack({"off_at": at}), self.states[at])
            switched.to_the_end()
            self._ended(f"off at {at}", switched)

    def _keep(self, now: Watched) -> None:
        self.states[now.training.epoch] = now.state()

    def _probe(self, now: Watched, probes: dict[str, list[np.ndarray]]) -> None:
        """Train tails of all lengths, with and without mixing, from where the training stands, and score them."""
        self._keep(now)
        training = now.training
        long = training.epoch in self.training.long_epochs
        plain = [0.0, *SHORT_TAILS, *(LONG_TAILS if long else ())]
        mixed = [*SHORT_TAILS, *(LONG_TAILS[-1:] if long else ())]
        for mixing, shares in ((False, plain), (True, mixed)):
            for share in shares:
                tail = tail_epochs(share, self.training.epochs) if share else 0
                name = f"{'mixed ' if mixing else ''}{'long ' if share in LONG_TAILS else ''}tail {share:g}"
                logits = not mixing and share in _WITH_LOGITS
                with training.after_tail(tail, mixing=mixing):
                    for what, values in _looked(training, logits=logits).items():
                        probes.setdefault(f"{name}: {what}", []).append(values)

    def _other_schedules(self) -> None:
        epochs = self.training.epochs
        for name, schedule, shared in (
            ("fade", "fade", 0.5),
            ("hesitation", "hesitation", 0.6),
            ("linear decay", "linear_decay", 0.0),
        ):
            training = self._stack(schedule)
            watched = Watched.after(training, self.states[round(shared * epochs)]) if shared else Watched(training)
            watched.to_the_end()
            self._ended(name, watched)
        regmixup = Watched(self.setup.stack(self.settings, "always", recipe={"RegMixup": {}}))
        regmixup.to_the_end()
        self._ended("RegMixup", regmixup)

    def _other_settings(self) -> None:
        """Mixup to the end at every weight decay that plain training was tuned over, its own left out."""
        for decay in DECAYS[self.training.optimizer]:
            if decay != self.settings.weight_decay:
                run = Watched(self.setup.stack(replace(self.settings, weight_decay=decay), "always"))
                run.to_the_end()
                self._ended(f"Mixup, weight decay {decay:g}", run)

    def _longer(self) -> None:
        """Free schedules at 1.3 times the length."""
        epochs = longer(self.training, LONGER).epochs
        shares = (0.25, 0.5, 0.75)
        states: dict[int, State] = {}
        places = {share: round(share * epochs) for share in shares}

        def keep(now: Watched) -> None:
            states[now.training.epoch] = now.state()

        mixup = Watched(self._stack("always", epochs))
        mixup.to_the_end(dict.fromkeys(places.values(), keep))
        self._ended("longer Mixup", mixup)
        erm = Watched(self._stack("never", epochs))
        erm.to_the_end()
        self._ended("longer ERM", erm)
        for share, at in places.items():
            switched = Watched.after(self._stack({"off_at": at}, epochs), states[at])
            switched.to_the_end()
            self._ended(f"longer off at {share:g}", switched)
        fading = Watched.after(self._stack("fade", epochs), states[places[0.5]])
        fading.to_the_end()
        self._ended("longer fade", fading)

    def _stack(self, schedule: str | dict[str, Any], epochs: int | None = None) -> StackTraining:
        return self.setup.stack(self.settings, schedule, epochs=epochs)

    def _ended(self, name: str, run: Watched, *, signals: bool = False) -> None:
        """Keep a run's curve, its end in detail, and the end of its averaged weights."""
        training = run.training
        result = training.result()
        self.arrays[f"{name}: epochs"] = result.epochs
        self.arrays[f"{name}: curve"] = _small(np.stack([result.metrics[metric] for metric in END_METRICS]))
        self.arrays[f"{name}: wrong"] = result.wrong[:, -1]
        self.arrays[f"{name}: val logits"] = packed(training.evaluator.val_outputs(training.model))
        self.arrays[f"{name}: diverged"] = result.diverged
        with run.average.in_place():
            self.arrays[f"{name}: averaged"] = _metrics(training)
        if signals:
            for metric in SIGNALS:
                self.arrays[f"{name}: {metric}"] = result.metrics[metric].astype(np.float32)
            self.arrays[f"{name}: mix loss"] = result.mix_loss.astype(np.float32)
            self.arrays[f"{name}: mix floor"] = result.mix_floor.astype(np.float32)


def _looked(training: StackTraining, *, logits: bool) -> dict[str, np.ndarray]:
    brier = training.evaluator.val_scores(training.model).cpu().numpy()
    looked = {"val brier": brier.astype(np.float16), "metrics": _metrics(training)}
    if logits:
        looked["val logits"] = packed(training.evaluator.val_outputs(training.model))
    return looked


def _metrics(training: StackTraining) -> np.ndarray:
    """Return :data:`END_METRICS` of where the training stands, shape (R, metrics)."""
    values = dict(zip(training.evaluator.columns, training.evaluator(training.model)[0].cpu().numpy(), strict=True))
    return np.stack([values[name] for name in END_METRICS], axis=1).astype(np.float32)


def packed(logits: Tensor) -> np.ndarray:
    """Return logits as nats below the largest one, in sixteenths rounded up, so that no other ties with the largest.

    uint8; 255 is all from 15.9 on, or not finite.

    Example:
        >>> packed(torch.tensor([[2.0, 0.0, -90.0]])).tolist()
        [[0, 32, 255]]
    """
    below = (logits.amax(-1, keepdim=True) - logits) / STEP
    return torch.nan_to_num(below, nan=255.0, posinf=255.0).clamp(0, 255).ceil().to(torch.uint8).cpu().numpy()


def _small(values: np.ndarray) -> np.ndarray:
    """Return numbers in half precision; what is larger than it can hold is infinite."""
    with np.errstate(over="ignore"):
        return values.astype(np.float16)


def record_file(out: Path, training: Training) -> Path:
    """Return the file of a training's record."""
    return out / f"{training.name}.npz"


def record(training: Training, out: Path) -> bytes:
    """Tune a training, train it in every way, and return the content of its record."""
    setup = Setup(training, out / "data")
    settings, trials = tune(setup)
    arrays = Recorder(setup, settings).all()
    arrays["settings"] = np.array([settings.lr, settings.weight_decay])
    arrays["trials"] = np.array([[t.settings.lr, t.settings.weight_decay, t.error, t.brier] for t in trials])
    arrays["y test"] = setup.dataset.y_test.numpy().astype(np.uint8)
    arrays["y val"] = _held_out_labels(setup, settings)
    return npz_bytes(arrays)


def _held_out_labels(setup: Setup, settings: Settings) -> np.ndarray:
    """Return the classes of each seed's held-out samples, shape (R, v)."""
    replicas = setup.stack(settings, "never").planner.replicas
    y = setup.dataset.y.numpy()
    return np.stack([y[replica.val_index] for replica in replicas]).astype(np.uint8)
