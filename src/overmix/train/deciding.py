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
from overmix.switch.machine import Machine, Standing, StartProbe
from overmix.switch.policy import ScoreKind, Split
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
        self.policy, self.machine = policy, Machine(policy, self.epochs)
        n_replicas, n_val = len(replicas), len(replicas[0].val_index)
        self._brier = torch.full((n_replicas, len(self.machine.planned), n_val), torch.nan)
        self._probed = torch.zeros((n_replicas, len(self.machine.planned)), dtype=torch.bool)
        self._switch_at = torch.full((n_replicas,), -1)
        self._decided_at = torch.full((n_replicas,), -1)
        self._kept_at = torch.full((n_replicas,), -1)
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
        if probing := self._ask():
            at = self.machine.planned.index(self.epoch)
            self._brier[:, at] = torch.from_numpy(self.probe(self.machine.tail))
            self._probed[probing, at] = True
            self._ask()
        if self.all_decided():
            self._go_back()

    def _ask(self) -> list[int]:
        """Ask every replica that has not decided, and return those that want a probe here.

        Replicas wait for each other: a state that one wants to go back to, or to train on from, is held until all have
        decided.
        """
        probing = []
        for r in torch.nonzero(self._switch_at < 0).flatten().tolist():
            standing, moves = self.machine.ask(self._standing(r), self.history(r))
            self._kept_at[r] = -1 if standing.kept is None else standing.kept
            if StartProbe(self.machine.tail) in moves:
                probing.append(r)
            self._take_note(r, standing)
        held = {*self._kept_at.tolist(), *self._switch_at.tolist()} - {-1}
        self._keep_states(held)
        return probing

    def _standing(self, r: int) -> Standing:
        kept = int(self._kept_at[r])
        return Standing(kept=None if kept < 0 else kept)

    def _take_note(self, r: int, standing: Standing) -> None:
        """Write down what a replica decided; one that never decides mixes to the end."""
        at = self.epochs if not standing.decided and self.done else standing.decision.switch_at
        if at is not None:
            self._switch_at[r], self._decided_at[r] = at, self.epoch
            self._reasons[r] = standing.decision.reason

    def _keep_states(self, epochs: set[int]) -> None:
        """Keep the states of these epochs, the present one among them, and no others."""
        if self.epoch in epochs and self.epoch not in self._snapshots:
            self._snapshots[self.epoch] = super().state_dict()
        self._snapshots = {epoch: state for epoch, state in self._snapshots.items() if epoch in epochs}

    def _go_back(self) -> None:
        earliest = int(self._switch_at.min())
        self._switch_off()
        if earliest < self.epoch:
            super().load_state_dict(self._snapshots[earliest])
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
        seen = self.looks.until(self.epoch)
        for at in range(seen):
            if (at, r) not in self._looked:
                self._looked[at, r] = self._looks(at, r), self._fit(at, r)
        observations = tuple(look for at in range(seen) for look in self._looked[at, r][0])
        fits = tuple(self._looked[at, r][1] for at in range(seen))
        probes = tuple(
            Probe(epoch, self.machine.tail, tuple(self._brier[r, at].tolist()), self.kind)
            for at, epoch in enumerate(self.machine.planned)
            if self._probed[r, at]
        )
        return History(self.epochs, self.epoch, observations, probes, fits, self.planner.replicas[r].recipe.off_doubt)

    @property
    def kind(self) -> ScoreKind:
        """What policies are shown of a sample: the Brier score of classes, the score of other labels."""
        return "brier" if self.data.labels == "classes" else "scores"

    def _looks(self, at: int, r: int) -> list[Observation]:
        epoch, mixing = int(self.evaluation_epochs[at]) - 1, float(self.looks.mixing[at, r])
        replica, metrics = self.planner.replicas[r], self.looks.metrics[at, :, r].tolist()
        seen = dict(zip(self.evaluator.columns, metrics, strict=True))
        # What the test samples say decides nothing.
        sizes: list[tuple[Split, int]] = [("val", len(replica.val_index)), ("train", len(replica.train_index))]
        if self.kind == "scores":
            return [Observation(epoch, mixing, n, seen[f"{split}_score"], "scores", split) for split, n in sizes]
        return [
            Observation(
                epoch,
                mixing,
                n,
                seen[f"{split}_brier"],
                "brier",
                split,
                seen[f"{split}_error"],
                seen[f"{split}_cross_entropy"],
                seen[f"{split}_ece"],
                seen["train_margin"] if split == "train" else None,
            )
            for split, n in sizes
        ]

    def _fit(self, at: int, r: int) -> Fit:
        n = self.steps_per_epoch * self.planner.batch_size
        loss, floor = float(self.looks.mix_loss[at, r]), float(self.looks.mix_floor[at, r])
        return Fit(int(self.evaluation_epochs[at]) - 1, float(self.looks.mixing[at, r]), n, loss, floor)

    @property
    def trained(self) -> Int[np.ndarray, " replicas"]:
        """Epochs that each replica would train alone until it has decided, tails included."""
        epochs: np.ndarray = self._decided_at.numpy() + self.machine.tail * self._probed.sum(1).numpy()
        return epochs

    @property
    def cost(self) -> Float[np.ndarray, " replicas"]:
        """Epochs that each replica would train alone, tails and discarded ones included, over those of one run."""
        # A switch that is still to come discards nothing.
        kept = np.minimum(self._switch_at.numpy(), self._decided_at.numpy())
        costs: np.ndarray = (self.trained + self.epochs - kept) / self.epochs
        return costs

    @property
    def switch_at(self) -> Int[np.ndarray, " replicas"]:
        """Epochs of Mixup that each replica decided on; -1 while undecided."""
        return self._switch_at.numpy().copy()

    def train(self, after_step: Callable[[StackTraining], None] | None = None) -> StackResult:
        """Train to the end; the result says what was decided, and what it cost."""
        return replace(super().train(after_step), switch_at=self.switch_at, cost=self.cost)

    def _decisions(self) -> dict[str, Tensor]:
        """What was probed and decided, by name."""
        return {
            "probe_brier": self._brier,
            "probed": self._probed,
            "switch_at": self._switch_at,
            "decided_at": self._decided_at,
            "kept_at": self._kept_at,
        }

    def state_dict(self) -> dict[str, Tensor]:
        """Return the state after the last step, with what was probed and the states that may be gone back to."""
        decisions = {name: tensor.clone() for name, tensor in self._decisions().items()}
        kept = {
            f"{_SNAPSHOT}{epoch}.{name}": tensor
            for epoch, state in self._snapshots.items()
            for name, tensor in state.items()
        }
        return {**super().state_dict(), **decisions, **kept}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go back to a saved state."""
        super().load_state_dict(state)
        self._looked = {}
        for name, tensor in self._decisions().items():
            tensor.copy_(state[name])
        self._snapshots = {}
        for name, tensor in state.items():
            if name.startswith(_SNAPSHOT):
                epoch, key = name[len(_SNAPSHOT) :].split(".", 1)
                self._snapshots.setdefault(int(epoch), {})[key] = tensor
        if self.all_decided():
            self._switch_off()
