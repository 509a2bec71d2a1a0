"""Epoch: one pass over the training data, as the user's loop sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor

from overmix.mix import MixedTarget, MixPlan, check_batch, sample_shape
from overmix.switch.loss_tally import LossTally
from overmix.switch.policy import Fit, Observation, Split
from overmix.switch.tally import SPLITS, Tally, check_observed

if TYPE_CHECKING:
    from overmix.switch.epochs import Epochs

Kind = Literal["train", "probe", "final"]
"""What an epoch is for. Savers and loggers look at it: only ``"train"`` and ``"final"`` belong to the user's run."""


@dataclass(frozen=True)
class Position:
    """Where a run stands.

    Args:
        epoch: epochs of the run that are done.
        tail: epochs of a probe's tail that are done; None outside of a probe.
        step: batches of the epoch that are done.
        mixed: how many of these were mixed.
    """

    epoch: int = 0
    tail: int | None = None
    step: int = 0
    mixed: int = 0

    def after(self) -> Position:
        """Return the beginning of the next epoch."""
        return Position(self.epoch + 1) if self.tail is None else Position(self.epoch, self.tail + 1)


@dataclass
class Seen:
    """What happened in an epoch, from its body to the run's own book-keeping."""

    index: int
    tail: int | None = None
    step: int = 0
    mixed: int = 0
    tallies: dict[Split, Tally] = field(default_factory=dict)
    losses: LossTally = field(default_factory=LossTally)

    @property
    def mixing(self) -> float:
        """Share of the batches that were mixed; 0 before the first."""
        return self.mixed / self.step if self.step else 0.0

    def observations(self, *, pooled: bool = False) -> list[Observation]:
        """Return the means of what was observed, of this process or pooled over ranks (a collective operation)."""
        tallies = [(split, self.tallies.get(split, Tally())) for split in SPLITS]
        found = [
            (tally.pooled() if pooled else tally).observation(self.index, self.mixing, split)
            for split, tally in tallies
        ]
        return [observation for observation in found if observation is not None]

    def fits(self, *, pooled: bool = False) -> list[Fit]:
        """Return how well the epoch's batches were fitted, if it was told: one entry or none (pooling: collective)."""
        fit = (self.losses.pooled() if pooled else self.losses).fit(self.index, self.mixing)
        return [] if fit is None else [fit]

    def samples(self) -> tuple[tuple[float, ...], tuple[int, ...]]:
        """Return Brier score and label of each held-out sample, pooled over ranks (a collective operation)."""
        pooled = self.tallies.get("val", Tally()).pooled()
        return pooled.samples(), pooled.classes()

    def plain(self) -> dict[str, Any]:
        """Return it as numbers and lists."""
        tallies = {split: tally.plain() for split, tally in self.tallies.items()}
        own = {"index": self.index, "tail": self.tail, "step": self.step, "mixed": self.mixed}
        return {**own, "tallies": tallies, "losses": self.losses.plain()}

    @classmethod
    def from_plain(cls, saved: Mapping[str, Any]) -> Seen:
        """Undo :meth:`plain`."""
        tallies = {split: Tally.from_plain(tally) for split, tally in saved["tallies"].items()}
        return cls(**{**saved, "tallies": tallies, "losses": LossTally.from_plain(saved["losses"])})


class Epoch:
    """One pass over the training data, handed out by :class:`Epochs`.

    Attributes:
        index: zero-based epoch; in a probe, the one that it would be in the run.
        kind: ``"train"``, ``"probe"`` or ``"final"``.
        scored: whether what is observed counts: in a probe, only in the last epoch of its tail.
    """

    def __init__(self, run: Epochs, position: Position, kind: Kind, *, scored: bool = True) -> None:
        self.index = position.epoch + (position.tail or 0)
        self.kind: Kind = kind
        self.scored = scored
        self._run = run
        self._position = position
        self._seen = Seen(self.index, position.tail, position.step, position.mixed)

    @property
    def step(self) -> int:
        """Batches mixed so far in this epoch; after resuming inside an epoch, the number of batches to skip."""
        return self._seen.step

    def mix(
        self, x: Any, y: Tensor, *, features: Tensor | None = None, domain: Tensor | None = None
    ) -> tuple[Any, MixedTarget]:
        """Mix the next batch, or hand it through if mixing is off.

        Off or on, the types are the same: ``x`` in a floating dtype and a :class:`MixedTarget`. In a probe it also sets
        the learning rate of the step to come.

        Args:
            x: the batch, a tensor of shape (B, ...) or a tuple, list or dictionary of such tensors.
            y: the labels, shape (B, ...).
            features: representations, shape (B, D), if the recipe needs them.
            domain: where each sample comes from, integers of shape (B,), if the recipe needs it.

        Raises:
            DataError: if the batch cannot be mixed, or something that the recipe needs is missing.
            ConfigError: if the recipe mixes inside of the model: use :meth:`plan`.
        """
        recipe = self._run._recipe(self)
        plan = self.plan(x, y, features=features, domain=domain)
        return recipe.unmixed(x, y) if plan is None else recipe.mix(x, y, plan)

    def plan(
        self, x: Any, y: Tensor, *, features: Tensor | None = None, domain: Tensor | None = None
    ) -> MixPlan | None:
        """Return the plan of the next batch, or None if mixing is off: for recipes with a loss of their own.

        One call per batch, instead of :meth:`mix`:

            plan = epoch.plan(x, y)
            loss = F.cross_entropy(model(x), y) if plan is None else run.recipe.objective(model, x, y, plan)

        Args:
            x: the batch, as for :meth:`mix`; it is not mixed yet.
            y: the labels, shape (B, ...).
            features: representations, shape (B, D), if the recipe needs them.
            domain: where each sample comes from, integers of shape (B,), if the recipe needs it.

        Raises:
            DataError: if the batch cannot be mixed, or something that the recipe needs is missing.
        """
        check_batch(x, y)
        run, step = self._run, self._seen.step
        run._prepare(self, step)
        self._seen.step += 1
        recipe = run._recipe(self)
        if not run._mixes(self, step):
            return None
        self._seen.mixed += 1
        draws = recipe.draw(run.streams, y.shape[0], epoch=self.index, step=step).to(y.device)
        return recipe.plan(draws, y, sample_shape=sample_shape(x), features=features, domain=domain)

    @property
    def mixing(self) -> float:
        """Share of this epoch's batches that were mixed so far (0 before the first)."""
        return self._seen.mixing

    def observe(self, logits: Tensor, labels: Tensor, split: Split = "val") -> None:
        """Tell what the model says about samples; call it once, or once per batch of them.

        Probes compare their scores sample by sample: the held-out samples must come in the same order each time.

        Args:
            logits: shape (N, C); detached, so that nothing is kept alive.
            labels: classes, shape (N,).
            split: ``"val"`` for samples held out from training, ``"train"`` for clean training samples.

        Raises:
            DataError: if the shapes do not fit, there are no samples, or the labels are no class indices.
            ConfigError: if the split has another name.
        """
        check_observed(logits, labels, split)
        if self.scored:
            tally = self._seen.tallies.setdefault(split, Tally())
            tally.add(logits, labels, per_sample=self._run.policy is not None)

    def observe_loss(self, loss: Tensor, target: MixedTarget) -> None:
        """Tell the training loss of a batch, for policies that look at its distance to the loss floor.

        Call it once per batch. In a probe it does nothing.

        Args:
            loss: mean over the batch, one number; detached, and nothing waits for the device.
            target: what :meth:`mix` returned with the batch: the entropy of its labels is the batch's floor.

        Raises:
            DataError: if the loss is not one number, or the labels are no classes.
        """
        if self.kind != "probe":
            self._seen.losses.add(loss, target)

    def state_dict(self) -> dict[str, Any]:
        """Return the state for resuming inside this epoch, after the batches mixed so far.

        What was observed in this epoch is not in it: the resumed epoch observes anew. Inside a probe it holds the
        snapshot that the probe will go back to.
        """
        here = Position(self._position.epoch, self._position.tail, self._seen.step, self._seen.mixed)
        return self._run._state(asdict(here), None)
