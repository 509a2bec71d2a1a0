"""A stack whose replicas decide by themselves when Mixup goes off."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overmix._typing import Float, Int
from overmix.errors import ConfigError
from overmix.switch import Fit, History, Observation, OffAt, Policy, Probe
from overmix.switch.policy import Split
from overmix.train.engine import StackTraining
from overmix.train.plan import Replica
from overmix.train.result import StackResult

_SNAPSHOT = "snapshot."


class DecidingTraining(StackTraining):
    """Train with Mixup until every replica's policy has decided, go back to the earliest switch, train on from there.

    Up to its switch a switched run is the Mixup run bit for bit, so that what comes out for each replica is exactly the
    run of ``off_at(its switch)``: replicas that decided differently stay one stack. The cost that is reported is that
    of a replica alone.

    Args:
        policy: decides for each replica from what that replica's held-out samples said.
        replicas: the runs; their schedules are not looked at.
        **settings: as for :class:`StackTraining`.

    Raises:
        ConfigError: if no samples are held out.
    """

    def __init__(self, policy: Policy, replicas: Sequence[Replica], **settings: Any) -> None:
        if any(len(replica.val_index) == 0 for replica in replicas):
            raise ConfigError("data.val_size", 0, "hold out samples that the switch is decided on: val_size: 200")
        super().__init__(replicas=[replace(r, schedule=OffAt(1.0)) for r in replicas], **settings)
        self.policy = policy
        self._probe_epochs = policy.probe_epochs(self.epochs)
        n_replicas, n_val = len(replicas), len(replicas[0].val_index)
        self._brier = torch.full((n_replicas, len(self._probe_epochs), n_val), torch.nan)
        self._switch_at = torch.full((n_replicas,), -1)
        self._decided_at = torch.full((n_replicas,), -1)
        self._probes = torch.zeros(n_replicas, dtype=torch.int64)
        self._snapshots: dict[int, dict[str, Tensor]] = {}
        self._reasons = [""] * n_replicas
        # Until it goes back a look does not change, and policies ask for all of them after every epoch.
        self._looked: dict[tuple[int, int], tuple[list[Observation], Fit]] = {}

    def all_decided(self) -> bool:
        """Return whether every replica has decided."""
        return bool((self._switch_at >= 0).all())

    def _between_epochs(self) -> None:
        if self.all_decided():
            return
        self._decide()
        if not self.all_decided() and self.epoch in self._probe_epochs:
            at = self._probe_epochs.index(self.epoch)
            self._brier[:, at] = torch.from_numpy(self.probe(self.policy.tail_epochs(self.epochs)))
            self._decide()
        if self.all_decided():
            self._go_back()

    def _decide(self) -> None:
        keep = set()
        for r in torch.nonzero(self._switch_at < 0).flatten().tolist():
            history = self.history(r)
            decision = self.policy.decide(history)
            if decision.keep is not None:
                keep.add(decision.keep)
            at = self.epochs if decision.switch_at is None and self.done else decision.switch_at
            if at is not None:
                self._switch_at[r], self._decided_at[r], self._probes[r] = at, self.epoch, len(history.probes)
                self._reasons[r] = decision.reason
        self._keep_states(keep | {int(s) for s in self._switch_at if s >= 0})

    def _keep_states(self, epochs: set[int]) -> None:
        """Keep the states of these epochs, the present one among them, and no others."""
        if self.epoch in epochs and self.epoch not in self._snapshots:
            self._snapshots[self.epoch] = super().state_dict()
        self._snapshots = {epoch: state for epoch, state in self._snapshots.items() if epoch in epochs}

    def _go_back(self) -> None:
        earliest = int(self._switch_at.min())
        self._switch_off()
        if earliest < self.epoch:
            # From a state before the switch the same steps lead to it.
            before = [epoch for epoch in self._snapshots if epoch <= earliest]
            if not before:
                raise ConfigError(
                    "switch_at",
                    earliest,
                    "a policy that goes back must name the epoch as Decision.keep while it is there",
                )
            super().load_state_dict(self._snapshots[max(before)])
            self._looked = {}  # later epochs are looked at once more
        self._snapshots = {}

    def _switch_off(self) -> None:
        """Give each replica the schedule that it decided on."""
        self.planner.replicas = [
            replace(replica, schedule=OffAt(int(at)))
            for replica, at in zip(self.planner.replicas, self._switch_at, strict=True)
        ]

    def history(self, r: int) -> History:
        """Return what the policy of a replica may know now."""
        seen = int(np.searchsorted(self.evaluation_epochs, self.epoch, side="right"))
        for at in range(seen):
            if (at, r) not in self._looked:
                self._looked[at, r] = self._looks(at, r), self._fit(at, r)
        observations = tuple(look for at in range(seen) for look in self._looked[at, r][0])
        fits = tuple(self._looked[at, r][1] for at in range(seen))
        tail = self.policy.tail_epochs(self.epochs)
        probes = tuple(
            Probe(epoch, tail, tuple(self._brier[r, at].tolist()))
            for at, epoch in enumerate(self._probe_epochs)
            if epoch <= self.epoch and not bool(self._brier[r, at].isnan().all())
        )
        return History(self.epochs, self.epoch, observations, probes, fits)

    def _looks(self, at: int, r: int) -> list[Observation]:
        epoch, mixing = int(self.evaluation_epochs[at]) - 1, float(self._mixing[at, r])
        replica, metrics = self.planner.replicas[r], self._metrics[at, :, r].tolist()
        # METRICS has four scores of each split: test, which decides nothing, val and train; then the margin on train.
        splits: tuple[tuple[Split, int, list[float], float | None], ...] = (
            ("val", len(replica.val_index), metrics[4:8], None),
            ("train", len(replica.train_index), metrics[8:12], metrics[12]),
        )
        return [
            Observation(epoch, mixing, n, error, cross_entropy, brier, ece, split, margin)
            for split, n, (error, cross_entropy, brier, ece), margin in splits
        ]

    def _fit(self, at: int, r: int) -> Fit:
        n = self.steps_per_epoch * self.planner.batch_size
        loss, floor = float(self._mix_loss[at, r]), float(self._mix_floor[at, r])
        return Fit(int(self.evaluation_epochs[at]) - 1, float(self._mixing[at, r]), n, loss, floor)

    @property
    def trained(self) -> Int[np.ndarray, " replicas"]:
        """Epochs that each replica would train alone until it has decided, tails included."""
        # A replica that decided just before a probe that others of its stack still needed would not have made it.
        epochs: np.ndarray = self._decided_at.numpy() + self.policy.tail_epochs(self.epochs) * self._probes.numpy()
        return epochs

    @property
    def cost(self) -> Float[np.ndarray, " replicas"]:
        """Epochs that each replica would train alone, tails and discarded ones included, over those of one run."""
        costs: np.ndarray = (self.trained + self.epochs - self._switch_at.numpy()) / self.epochs
        return costs

    @property
    def switch_at(self) -> Int[np.ndarray, " replicas"]:
        """Epochs of Mixup that each replica decided on; -1 while undecided."""
        return self._switch_at.numpy().copy()

    def train(self, after_step: Callable[[StackTraining], None] | None = None) -> StackResult:
        """Train to the end; the result says what was decided, and what it cost."""
        return replace(super().train(after_step), switch_at=self.switch_at, cost=self.cost)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the state after the last step, with what was probed and the states that may be gone back to."""
        own = {
            "probe_brier": self._brier.clone(),
            "switch_at": self._switch_at.clone(),
            "decided_at": self._decided_at.clone(),
            "probes": self._probes.clone(),
        }
        kept = {
            f"{_SNAPSHOT}{epoch}.{name}": tensor
            for epoch, state in self._snapshots.items()
            for name, tensor in state.items()
        }
        return {**super().state_dict(), **own, **kept}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go back to a saved state."""
        super().load_state_dict(state)
        self._looked = {}
        for name, own in (
            ("probe_brier", self._brier),
            ("switch_at", self._switch_at),
            ("decided_at", self._decided_at),
            ("probes", self._probes),
        ):
            own.copy_(state[name])
        self._snapshots = {}
        for name, tensor in state.items():
            if name.startswith(_SNAPSHOT):
                epoch, key = name[len(_SNAPSHOT) :].split(".", 1)
                self._snapshots.setdefault(int(epoch), {})[key] = tensor
        if self.all_decided():
            self._switch_off()
