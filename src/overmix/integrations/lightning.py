"""Lightning: a callback that mixes, probes and goes back inside of ``Trainer.fit``."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from overmix.errors import ConfigError, MissingExtraError
from overmix.integrations.trackers import decision_metrics
from overmix.integrations.versions import warn_if_untested
from overmix.mix import MixedTarget, Recipe
from overmix.switch import Epoch, Epochs, Gate, Outcome, Phases, Policy, Schedule
from overmix.switch.settings import streams_of, switch_of

try:
    import lightning
    from lightning.fabric.utilities.data import _set_sampler_epoch
    from lightning.pytorch import Callback, LightningModule, Trainer
    from lightning.pytorch.loggers.logger import DummyLogger
    from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
    from lightning.pytorch.trainer import call
    from lightning.pytorch.trainer.connectors.logger_connector.result import _ResultCollection
    from lightning_utilities.core.rank_zero import rank_zero_info
except ImportError:
    raise MissingExtraError("lightning", "lightning") from None

__all__ = ["Mix"]

_KEPT_METRICS = ("_callback_metrics", "_progress_bar_metrics", "_logged_metrics")
_REFUSED = {
    "keeps what a probe discards; average in the module instead": ("WeightAveraging", "StochasticWeightAveraging"),
    "changes the training by the epoch, where nobody calls it in a probe; do it in the module's own hooks instead": (
        "BaseFinetuning",
        "GradientAccumulationScheduler",
        "ModelPruning",
    ),
}
"""What callbacks do that a policy's epochs do not go with, and who does it, subclasses included."""


class Mix(Callback):
    """Mixes a module's batches, until a schedule, or what is observed, says stop.

        mix = Mix(overmix.Mixup(alpha=1.0), switch=overmix.AutoSwitch(), seed=0)

        def training_step(self, batch, index):          # in the module
            x, target = mix(*batch)
            return target.cross_entropy(self(x))

        def validation_step(self, batch, index):
            x, y = batch
            mix.observe(self(x), y)

        Trainer(max_epochs=300, callbacks=[mix]).fit(module, ...)

    A policy's probes, and after going back the epochs that were discarded, are trained inside of Lightning's boundary
    between two epochs, with other callbacks, loggers and, in probes, schedulers left out: Lightning's counters, its
    progress bar and its loggers never go back. The module's own hooks are called as in any epoch, since what they do
    (a temperature, frozen layers, lists that they clear) belongs to the training; ``mix.epoch.nested`` says in one that
    writes files whether it is in such an epoch. The state of the run travels in Lightning's checkpoints.

    Args:
        mix: the recipe, such as ``overmix.Mixup(alpha=1.0)``, or None: ``mix.on`` says whether what the module gates by
            itself is on, and ``mix.gate`` says it to a dataset.
        switch: when to mix, as for :class:`overmix.Epochs`.
        seed: names the run; runs with one seed are twins.

    Attributes:
        run: the :class:`overmix.Epochs` of the fit; None before it.

    Raises:
        ConfigError: when the fit begins, if the trainer counts steps in the place of epochs, or if a policy would set
            back what it cannot: averaged weights of a callback, sharded or manually optimised models.

    Source: the hooks are those of Lightning 2.6.
    """

    def __init__(
        self, mix: Recipe | Phases | None = None, switch: Schedule | Policy | None = None, seed: int = 0
    ) -> None:
        self.recipe, self.switch, self.seed = mix, switch, seed
        self.run: Epochs | None = None
        self._epoch: Epoch | None = None
        self._again: Epoch | None = None
        """The last epoch that was trained again at this boundary."""
        self._trainer: Trainer | None = None
        self._saved: dict[str, Any] | None = None
        self._validated = self._told = self._nested = False
        self._gate: Gate | None = None
        self._gate_saved: bool | None = None
        switch_of(switch), streams_of(seed, 0)  # refuse what cannot work before anything is built

    # What the module calls

    def __call__(self, x: Any, y: Tensor, **side: Any) -> tuple[Any, MixedTarget]:
        """Mix a batch in ``training_step``, or hand it through; see :meth:`overmix.switch.Epoch.mix`."""
        return self.epoch.mix(x, y, **side)

    def observe(self, *args: Any, **scores: Any) -> None:
        """Tell in ``validation_step`` what the model says of held-out samples; see :meth:`Epoch.observe`.

        Outside of a fit, and in Lightning's sanity check before it, nobody listens.
        """
        if self._epoch is not None and self._trainer is not None and not self._trainer.sanity_checking:
            self._epoch.observe(*args, **scores)

    @property
    def epoch(self) -> Epoch:
        """The epoch that is trained: for ``plan``, ``kind`` and all else that it offers.

        Raises:
            ConfigError: outside of a fit's training.
        """
        if self._epoch is None:
            remedy = "give it to the trainer, Trainer(callbacks=[mix]), and call it in training_step only"
            raise ConfigError("mix", "not in a training epoch", remedy)
        return self._epoch

    @property
    def on(self) -> bool:
        """Whether what the run switches is on in this epoch."""
        return self.epoch.on

    @property
    def gate(self) -> Gate:
        """What says ``mix.on`` to a dataset, in the workers of its loader too, see :class:`overmix.switch.Gate`."""
        if self._gate is None:
            self._gate = Gate()
        return self._gate

    @property
    def decision(self) -> Outcome | None:
        """What was seen, what was decided, and why; None before the fit."""
        return None if self.run is None else self.run.decision

    # Lightning's hooks

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tell the gate what the first epoch will say: Lightning makes the loader's iterator before it begins."""
        if self._gate is not None:
            self._gate.set(self._first_answer(trainer))

    def _first_answer(self, trainer: Trainer) -> bool:
        if self._gate_saved is not None:
            return self._gate_saved
        if isinstance(self.switch, Policy):
            return True
        assert trainer.max_epochs is not None
        first = Epochs(trainer.max_epochs, self.recipe, self.switch, self.seed).next_epoch()
        assert first is not None
        return first.on

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Register all that the training changes, and resume if a checkpoint was loaded."""
        warn_if_untested("lightning", lightning.__version__, tested="2.6")
        _check(trainer, pl_module, self.switch)
        self._trainer = trainer
        batches, accumulated = trainer.num_training_batches, trainer.accumulate_grad_batches
        steps = None if batches == float("inf") else -(-int(batches) // accumulated)
        assert trainer.max_epochs is not None
        self.run = Epochs(
            trainer.max_epochs, self.recipe, self.switch, self.seed, state=_state(trainer), steps_per_epoch=steps
        )
        self._epoch, self._again, self._validated, self._told = None, None, False, False
        if self._saved is not None:
            self.run.load_state_dict(self._saved)
            self._saved = self._gate_saved = None  # another fit begins anew

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Train what is due before this epoch."""
        self._boundary(_epochs_done(trainer))

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Enter an epoch that was resumed inside: Lightning calls no other hook then."""
        if self._epoch is not None:
            return
        answer = None if self._gate is None else self._gate.on
        self._boundary(_epochs_done(trainer))
        if answer is not None and answer != self.on:
            remedy = "this batch was made before the epoch began: resume from a checkpoint of an epoch's end"
            raise ConfigError("gate", answer, remedy)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remember that this epoch was observed, for what is saved from here on."""
        self._validated = not trainer.sanity_checking

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the last epoch, so that a decision that falls there is carried out before the last checkpoint."""
        self._validated = True  # whether or not a validation was due
        assert trainer.max_epochs is not None
        if _epochs_done(trainer) >= trainer.max_epochs:
            self._boundary(trainer.max_epochs)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say what was decided."""
        self._epoch = None
        if self.run is not None and self.run.policy is not None:
            rank_zero_info(str(self.run.decision))

    def state_dict(self) -> dict[str, Any]:
        """Return the run's state, for Lightning's checkpoint."""
        if self.run is None:
            return {} if self._saved is None else {"run": self._saved, "gate": self._gate_saved}
        gate = None if self._gate is None else self._gate.on
        if self._epoch is None or self._validated:
            return {"run": self.run.state_dict(), "gate": gate}
        assert self._trainer is not None
        trained = self._trainer.fit_loop.epoch_loop._num_ready_batches_reached()
        return {"run": self._epoch.state_dict(trained=trained), "gate": gate}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep what a checkpoint holds until the fit begins."""
        self._saved, self._gate_saved = state_dict.get("run"), state_dict.get("gate")

    # Between two epochs

    def _boundary(self, index: int) -> None:
        assert self.run is not None
        assert self._trainer is not None
        self._nested, self._again = False, None
        epoch = self.run.before(index, self._train_nested)
        # At the end of the training the module's last hooks, which follow, may still ask for its last epoch.
        self._epoch, self._validated = epoch or self._again or self._epoch, epoch is None
        self._tell_once()
        if epoch is not None and (self._set_gate(epoch) or self._nested):
            _renew_iterator(self._trainer)

    def _set_gate(self, epoch: Epoch) -> bool:
        """Tell what an epoch says, and return whether that is something new."""
        if self._gate is None:
            return False
        before = self._gate.on
        self._gate.set(epoch.on)
        return before != epoch.on

    def _tell_once(self) -> None:
        """Write the decision to the loggers once it is made."""
        assert self.run is not None
        assert self._trainer is not None
        if self._told or self.run.policy is None or self.run.decision.switch_at is None:
            return
        self._told = True
        # The step of the last epoch's own metrics: at the end of the training these may be written after.
        step = max(0, _loops(self._trainer)[1]._batches_that_stepped - 1)
        for logger in self._trainer.loggers:
            logger.log_metrics(decision_metrics(self.run), step=step)

    def _train_nested(self, epoch: Epoch) -> None:
        """Train one epoch of a probe, or one that is due again, with Lightning's own loop."""
        assert self._trainer is not None
        outer, self._epoch = self._epoch, epoch
        self._again = None if epoch.kind == "probe" else epoch
        self._nested = True
        self._set_gate(epoch)
        fit, _ = _loops(self._trainer)
        try:
            with _apart(self._trainer, epoch):
                if epoch.trained:
                    _validate(self._trainer)
                else:
                    _call_module(self._trainer, "on_train_epoch_start")
                    fit.epoch_loop.run(fit._data_fetcher)
                # The last epoch is ended by Lightning itself, which is in its own last one: hooks and schedulers.
                if epoch.kind == "probe" or epoch.index < len(self.run or ()) - 1:
                    _end(self._trainer, epoch)
        finally:
            self._epoch = outer


def _call_module(trainer: Trainer, hook: str) -> None:
    call._call_lightning_module_hook(trainer, hook)


def _end(trainer: Trainer, epoch: Epoch) -> None:
    """End a nested epoch as Lightning ends its own: the module's hook, schedulers by epoch, metrics that start anew."""
    fit, loop = _loops(trainer)
    trainer._logger_connector.epoch_end_reached()
    if not epoch.trained:
        fit.epoch_progress.current.processed = epoch.index + 1
        _call_module(trainer, "on_train_epoch_end")
    if epoch.kind != "probe":
        loop.update_lr_schedulers("epoch", update_plateau_schedulers=True)
    trainer._logger_connector.reset_results()


@contextmanager
def _apart(trainer: Trainer, epoch: Epoch) -> Iterator[None]:
    """Let Lightning's loop run an epoch that none of its counters, callbacks and loggers will have seen."""
    fit, loop = _loops(trainer)
    progress, connector = copy.deepcopy(fit.state_dict()), dict(vars(trainer._logger_connector))
    metrics = {name: dict(connector[name]) for name in _KEPT_METRICS}
    apart: list[tuple[Any, str, Any]] = [
        (trainer, "callbacks", []),
        (trainer, "_loggers", [DummyLogger() for _ in trainer.loggers]),
        (trainer, "should_stop", False),
        (trainer, "check_val_every_n_epoch", 1),
        (trainer, "limit_val_batches", trainer.limit_val_batches if epoch.scored else 0),  # else nobody listens
        (trainer.strategy, "lr_scheduler_configs", [] if epoch.kind == "probe" else trainer.lr_scheduler_configs),
        (loop, "_results", _ResultCollection(training=True)),
        (loop.val_loop, "_results", _ResultCollection(training=False)),
        (loop, "_skip_next_val", False),
        (loop, "_batches_that_stepped", loop._batches_that_stepped),
    ]
    before = [(part, name, getattr(part, name)) for part, name, _ in apart]
    _set(apart)
    fit.epoch_progress.current.processed = fit.epoch_progress.current.completed = epoch.index
    _seed_samplers(trainer, epoch.index)
    if epoch.index == 0:
        iter(fit._data_fetcher)
    try:
        yield
    finally:
        fit.load_state_dict(progress)
        # Loading marks every loop as one that restarts, which it does not.
        for part in (fit, loop, loop.val_loop, loop.automatic_optimization, loop.manual_optimization):
            part._restarting = part._loaded_from_state_dict = part._resuming_from_checkpoint = False
        _set(before)
        vars(trainer._logger_connector).update(connector | metrics)
        _seed_samplers(trainer, _epochs_done(trainer))


def _loops(trainer: Trainer) -> tuple[Any, Any]:
    """Return the loop over epochs and the one over batches: what is read and set there is private to Lightning."""
    return trainer.fit_loop, trainer.fit_loop.epoch_loop


def _epochs_done(trainer: Trainer) -> int:
    fit, _ = _loops(trainer)
    return int(fit.epoch_progress.current.processed)


def _renew_iterator(trainer: Trainer) -> None:
    """Make the iterator anew that Lightning made before the first epoch of a fit; it does so itself in later ones."""
    fit, loop = _loops(trainer)
    if trainer.current_epoch == 0 or fit.is_resuming or loop.restarting:
        iter(fit._data_fetcher)


def _set(attributes: list[tuple[Any, str, Any]]) -> None:
    for part, name, value in attributes:
        setattr(part, name, value)


def _seed_samplers(trainer: Trainer, epoch: int) -> None:
    assert trainer.fit_loop._combined_loader is not None
    for loader in trainer.fit_loop._combined_loader.flattened:
        _set_sampler_epoch(loader, epoch)


def _validate(trainer: Trainer) -> None:
    trainer.validating = True
    try:
        trainer.fit_loop.epoch_loop.val_loop.run()
    finally:
        trainer.training = True


def _state(trainer: Trainer) -> dict[str, Any]:
    """Return all that the training changes, by name."""
    state: dict[str, Any] = {"model": trainer.lightning_module}
    state |= {f"optimizer{i}": optimizer for i, optimizer in enumerate(trainer.optimizers)}
    state |= {f"scheduler{i}": config.scheduler for i, config in enumerate(trainer.lr_scheduler_configs)}
    scaler = getattr(trainer.precision_plugin, "scaler", None)
    return state if scaler is None else state | {"scaler": scaler}


def _check(trainer: Trainer, module: LightningModule, switch: Schedule | Policy | None) -> None:
    """Refuse trainers whose epochs cannot be led, and for policies what cannot be set back."""
    if trainer.max_steps != -1 or trainer.max_epochs is None or trainer.max_epochs < 1:
        counts = f"max_epochs={trainer.max_epochs}, max_steps={trainer.max_steps}"
        raise ConfigError("Trainer", counts, "give max_epochs, and no max_steps: a run has a length in epochs")
    if not isinstance(switch, Policy):
        return
    for callback in vars(trainer)["callbacks"]:
        for why, kinds in _REFUSED.items():
            if any(kind.__name__ in kinds for kind in type(callback).__mro__):
                raise ConfigError("callbacks", type(callback).__name__, f"leave it out, since it {why}")
    if not isinstance(trainer.strategy, SingleDeviceStrategy | DDPStrategy):
        name = type(trainer.strategy).__name__
        raise ConfigError("strategy", name, "a policy sets the training back: use one device, DDP, or off_at(0.5)")
    if not module.automatic_optimization:
        raise ConfigError(
            "automatic_optimization", False, "a policy sets the training back: optimise automatically, or use off_at"
        )
    if trainer.val_check_interval not in (1, 1.0):
        raise ConfigError(
            "val_check_interval",
            trainer.val_check_interval,
            "a policy looks once an epoch: leave it out, or use off_at",
        )
