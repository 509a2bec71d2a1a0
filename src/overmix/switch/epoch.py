"""Epoch: one pass over the training data, as the user's loop sees it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from overmix.errors import ConfigError, DataError, OvermixError
from overmix.mix import EntropyLoss, MixedTarget, MixPlan, Recipe
from overmix.switch.mixing import Mixer
from overmix.switch.policy import ScoreKind, Split
from overmix.switch.position import Position, Seen
from overmix.switch.tally import Tally, check_observed, check_scores, check_split

EpochKind = Literal["train", "probe", "final"]
"""What an epoch is for. Savers and loggers look at it: only ``"train"`` and ``"final"`` belong to the user's run."""


@dataclass(frozen=True)
class Book:
    """What an epoch asks of the run that it belongs to.

    Args:
        state_at: returns the state of the run that resumes at a place, given what was seen of the epoch until there.
        check_kind: refuses scores of another kind than the run's.
        per_sample: whether the score of each sample is kept, which policies compare.
    """

    state_at: Callable[[Position, Seen], dict[str, Any]]
    check_kind: Callable[[ScoreKind], None]
    per_sample: bool


class Epoch:
    """One pass over the training data, handed out by :class:`Epochs`.

    Attributes:
        index: zero-based epoch; in a probe, the one that it would be in the run.
        kind: ``"train"``, ``"probe"`` or ``"final"``.
        scored: whether what is observed counts: in a probe, only in the last epoch of its tail.
        nested: whether it is trained inside of a framework's boundary, see :meth:`Epochs.before`: an epoch of a probe,
            or one that is trained again after going back.
        trained: whether all of its batches were done before a resume, so that it is only to be observed.
    """

    def __init__(
        self,
        position: Position,
        kind: EpochKind,
        mixer: Mixer,
        book: Book,
        *,
        scored: bool = True,
        nested: bool = False,
        begun: Seen | None = None,
    ) -> None:
        self.index = position.epoch + (position.tail or 0)
        self.kind: EpochKind = kind
        self.scored, self.nested, self.trained = scored, nested, position.trained
        self.seen = begun or Seen(self.index, position.tail, position.step, position.mixed)
        self._position, self._mixer, self._book = position, mixer, book

    def __repr__(self) -> str:
        return f"Epoch(index={self.index}, kind={self.kind!r}, step={self.step})"

    @property
    def step(self) -> int:
        """Batches mixed so far in this epoch; after resuming inside an epoch, the number of batches to skip."""
        return self.seen.step

    @property
    def recipe(self) -> Recipe:
        """What this epoch's batches are mixed with, or in a plain phase of :class:`Phases` take their types from.

        Raises:
            ConfigError: if the run has none.
        """
        return self._mixer.some_recipe()

    @property
    def on(self) -> bool:
        """Whether what the run switches is on in this epoch, as a whole: for what you gate yourself.

        A schedule that mixes a share of the batches is settled once for the epoch.

        Raises:
            ConfigError: if the switch is after a number of steps, which may fall inside of an epoch.
        """
        self._check_open()
        self.seen.gate = self._mixer.on()
        return self.seen.gate

    def check(self, on: Tensor | Sequence[bool]) -> None:
        """Refuse samples that were made under another answer of the run's gate than this epoch's.

        Args:
            on: what ``run.gate.on`` said when each sample was made, booleans of shape (B,); on the CPU, as the loader
                hands them out, or the device is waited for.

        Raises:
            DataError: if one differs.
        """
        flags = torch.as_tensor(on, dtype=torch.bool)
        expected = self.on
        wrong = int((flags != expected).sum())
        if wrong:
            raise DataError(
                f"epoch {self.index}: {wrong} of {flags.numel()} samples were made with the gate "
                f"{_state(not expected)}, it is {_state(expected)}: make the loader's iterator anew in each epoch"
            )

    def mix(self, x: Any, y: Any, *, features: Tensor | None = None, domain: Tensor | None = None) -> tuple[Any, Any]:
        """Mix the next batch, or hand it through if mixing is off.

        Off or on, the types are the same: ``x`` in a floating dtype and a :class:`MixedTarget`, or a dictionary of
        targets for a dictionary of labels.

        Args:
            x: the batch, a tensor of shape (B, ...) or a tuple, list or dictionary of such tensors.
            y: the labels, shape (B, ...), or a dictionary of labels for several tasks; for ``LossMix`` also a list of B
                labels of any kind, which comes back in a target of two lists.
            features: representations, shape (B, D), if the recipe needs them.
            domain: where each sample comes from, integers of shape (B,), if the recipe needs it.

        Raises:
            DataError: if the batch cannot be mixed, or something that the recipe needs is missing.
            ConfigError: if the recipe mixes inside of the model (use :meth:`plan`), the run has no recipe, or this is a
                loader's worker.
        """
        plan = self._plan(x, y, features, domain)
        return self.recipe.unmixed(x, y) if plan is None else self.recipe.mix(x, y, plan)

    def plan(self, x: Any, y: Any, *, features: Tensor | None = None, domain: Tensor | None = None) -> MixPlan | None:
        """Return the plan of the next batch, or None if mixing is off: for recipes with a loss of their own.

        One call per batch, instead of :meth:`mix`:

            plan = epoch.plan(x, y)
            loss = epoch.recipe.objective(model, x, y, plan)

        Args:
            x: the batch, as for :meth:`mix`; it is not mixed yet.
            y: the labels, shape (B, ...).
            features: representations, shape (B, D), if the recipe needs them.
            domain: where each sample comes from, integers of shape (B,), if the recipe needs it.

        Raises:
            DataError: if the batch cannot be mixed, or something that the recipe needs is missing.
            ConfigError: if the run has no recipe, or this is a loader's worker.
        """
        return self._plan(x, y, features, domain)

    def _plan(self, x: Any, y: Any, features: Tensor | None, domain: Tensor | None) -> MixPlan | None:
        self._check_open()
        plan = self._mixer.plan(x, y, self.seen.step, features, domain)
        self.seen.step += 1
        self.seen.mixed += plan is not None
        return plan

    @property
    def mixing(self) -> float:
        """Share of this epoch's batches that were mixed so far (0 before the first)."""
        return self.seen.mixing

    def observe(
        self,
        logits: Tensor | None = None,
        labels: Tensor | None = None,
        split: Split = "val",
        *,
        scores: Tensor | None = None,
    ) -> None:
        """Tell what the model says about samples; call it once, or once per batch of them.

        Either predictions of classes, which are scored by ``|p - onehot(y)|^2``, or, for any other task, one score per
        sample of your own: a number, lower is better. One run has one kind. Probes compare their scores sample by
        sample: the held-out samples must come in the same order each time.

        Args:
            logits: shape (N, C); detached, so that nothing is kept alive.
            labels: classes, shape (N,).
            split: ``"val"`` for samples held out from training, ``"train"`` for clean training samples.
            scores: shape (N,), in the place of logits and labels; ``overmix.scores`` makes them for the usual tasks.

        Raises:
            DataError: if the shapes do not fit, there are no samples, or the labels are no class indices.
            ConfigError: if the split has another name, the run observed another kind before, or both kinds are given.
            OvermixError: if the epoch has ended.
        """
        self._check_open()
        check_split(split)
        if scores is not None and (logits is not None or labels is not None):
            raise ConfigError("observe", "logits and scores", "give logits and labels, or scores alone")
        if scores is not None:
            check_scores(scores)
            self._book.check_kind("scores")
            if self.scored:
                self._tally(split).add_scores(scores, per_sample=self._book.per_sample)
            return
        check_observed(logits, labels)
        assert logits is not None
        assert labels is not None
        self._book.check_kind("brier")
        if self.scored:
            self._tally(split).add(logits, labels, per_sample=self._book.per_sample)

    def _tally(self, split: Split) -> Tally:
        return self.seen.tallies.setdefault(split, Tally())

    def observe_loss(self, loss: Tensor, target: MixedTarget, kind: EntropyLoss = "cross_entropy") -> None:
        """Tell the training loss of a batch, for policies that look at its distance to the loss floor.

        Call it once per batch. In a probe it does nothing.

        Args:
            loss: mean over the batch, one number; detached, and nothing waits for the device.
            target: what :meth:`mix` returned with the batch: the entropy of its labels is the batch's floor.
            kind: which loss it is; others have no floor.

        Raises:
            DataError: if the loss is not one number, or the labels have no entropy, such as those of a regression.
            ConfigError: if the loss is of no kind that has a floor.
            OvermixError: if the epoch has ended.
        """
        self._check_open()
        if self.kind != "probe":
            self.seen.losses.add(loss, target, kind)

    def _check_open(self) -> None:
        if self.seen.over:
            raise OvermixError(
                f"epoch {self.index} ({self.kind}) has ended: mix and observe inside of its own body, "
                "for epoch in run: ..."
            )

    def state_dict(self, *, trained: bool = False) -> dict[str, Any]:
        """Return the state for resuming inside this epoch, after the batches mixed so far.

        The resumed epoch goes on with what it was told of its own batches so far, by :meth:`observe_loss` and with
        ``split="train"``; looks at held-out samples are not in it: those after the last batch are made anew, and one
        from amid the batches is lost, unless the loop looks there again. So save it after a batch was told, and before
        what is looked at after the last one. What was told is this rank's own. Inside a probe it holds the snapshot
        that the probe will go back to.

        Args:
            trained: whether all batches are done and only the look at held-out samples is missing, as where a framework
                saves between its last batch and its validation. A resumed run then hands out the epoch once more to be
                observed, with ``epoch.trained`` true.
        """
        here = self._position.inside(self.seen.step, self.seen.mixed, trained=trained or self.trained)
        return self._book.state_at(here, self.seen.without_looks())


def _state(on: bool) -> str:
    return "on" if on else "off"


def keep_out_of_graphs() -> None:
    """Let a compiled step call ``mix`` and ``plan`` as they are: plans are drawn on the CPU, with NumPy.

    Not before something was compiled: the compiler takes a second to import.
    """
    if "torch._dynamo" in sys.modules and not hasattr(Epoch.mix, "_torchdynamo_disable"):
        for name in ("mix", "plan"):
            setattr(Epoch, name, torch.compiler.disable(getattr(Epoch, name)))  # type: ignore[no-untyped-call]
