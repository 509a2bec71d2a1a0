"""rescue: find the checkpoint, finish the training from it, and say what that gained."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from overmix.diagnose.numerals import written
from overmix.errors import ConfigError, RunDirectoryError
from overmix.files.folders import check_writable, made_folder
from overmix.switch.outcome import Outcome, ProbeRow, beside_the_best, for_json, score_name
from overmix.switch.policies.auto import AutoSwitch
from overmix.switch.rescue.looks import CheckpointLook, CheckpointLooks, Scored
from overmix.switch.rescue.search import find_switch
from overmix.switch.rescue.training import Factory, Rescuable, seeded


@dataclass(frozen=True)
class Rescued:
    """What was decided about a training that was over, and how it ends now.

    Args:
        outcome: what was decided, why, and the price: the sentences of ``run.decision``.
        ended: the training as it had ended, on the held-out samples; None without a checkpoint of its last epoch.
        finished: as it ends after plain training; None if nothing was trained.
        path: where the finished training is; None if there is none.
    """

    outcome: Outcome
    ended: CheckpointLook | None
    finished: CheckpointLook | None
    path: Path | None

    @property
    def sentences(self) -> tuple[str, str, str]:
        """What was decided, what it gained, and what to do now."""
        return f"{self.outcome.headline}: {self.outcome.reason}.", self._gain(), self._next()

    @property
    def row(self) -> ProbeRow | None:
        """The worse of both ends beside the better one, samples paired; None if there are not both."""
        if self.ended is None or self.finished is None:
            return None
        # Their epochs of Mixup differ, and tell them apart.
        rows = beside_the_best((self.ended.each, self.finished.each))
        return max(rows, key=lambda row: row.behind)

    @property
    def gained(self) -> bool | None:
        """Whether the finished training is better, True, or worse, False, beyond chance; None if that is open."""
        row = self.row
        if row is None or not row.worse:
            return None
        assert self.finished is not None
        return row.epoch != self.finished.each.epoch

    def _gain(self) -> str:
        if self.finished is None:
            return "Nothing was trained on: no checkpoint is a better place to go on from."
        n, name = self.finished.mean.n, score_name((self.finished.each,))
        ends = (
            f"finished without mixing its {name} is {written(self.finished.each.score, '.4f')} on {n} held-out samples"
        )
        row = self.row
        if row is None:
            last = f"give the checkpoint after {self.outcome.epochs} epochs, too"
            return f"{ends[0].upper()}{ends[1:]}; where it had ended is not known: {last}."
        verdict = {True: "Rescued", False: "Not rescued", None: "No clear difference"}[self.gained]
        side = "lower" if row.epoch != self.finished.each.epoch else "higher"
        behind = f"{row.behind:.4f} ± {row.standard_error:.4f} {side} than where it had ended"
        return f"{verdict}: {ends}, {behind}{self._errors()}."

    def _errors(self) -> str:
        assert self.finished is not None
        assert self.ended is not None
        now, before = self.finished.mean.error, self.ended.mean.error
        if now is None or before is None:
            return ""
        return f" (error {100 * now:.1f} % in the place of {100 * before:.1f} %)"

    def _next(self) -> str:
        if self.path is None:
            return "Next: keep the training as it is."
        if self.gained is False:
            return f"Next: keep the training as it had ended; the other one is {self.path}."
        if self.gained is None and self.row is not None:
            return f"Next: hold out more samples to tell; what was finished is {self.path}."
        return f"Next: use {self.path}; judge it on test samples that decided nothing."

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        looks = {"ended": self.ended, "finished": self.finished}
        return {
            "sentences": list(self.sentences),
            "gained": self.gained,
            "path": None if self.path is None else str(self.path),
            **{name: None if look is None else for_json(asdict(look.mean)) for name, look in looks.items()},
            "decision": self.outcome.to_dict(),
        }

    def __str__(self) -> str:
        _, *rest = str(self.outcome).split("\n")
        return "\n".join([*self.sentences, *rest])


def rescue(
    factory: Factory,
    checkpoints: Mapping[int, Path],
    out: str | Path,
    policy: AutoSwitch | None = None,
    tell: Callable[[str], object] = lambda _: None,
) -> Rescued:
    """Find out where a training that is over should have been switched off, and finish it from there without mixing.

    From each checkpoint a short plain tail is trained, as in AutoSwitch's probes, until :func:`find_switch` has
    decided; then the training goes on from the chosen one to its last epoch, its learning rates as they would have
    been. Every training begins with the same random numbers, so that a rescue gives the same result twice. Files that
    are there are only read.

    Args:
        factory: returns the training anew at each call, but that nothing is mixed: a :class:`PlainTraining`, or one of
            Lightning's or transformers'.
        checkpoints: by the epochs of Mixup before them, see :class:`Checkpoints`; that of the last epoch is what the
            rescue is compared with.
        out: where the finished training goes, in the form of its checkpoints; nothing may be there.
        policy: how it decides.
        tell: called with what is done next, a line each.

    Raises:
        ConfigError: if something is at ``out`` already, or there is nothing to choose from.
        CheckpointError: if a checkpoint cannot be read, or does not fit.
        RunDirectoryError: if nothing can be written beside ``out``; this is tried before anything is trained.
        DataError: if what is said of held-out samples cannot be compared.
    """
    place = Path(out)
    if place.exists() or place.is_symlink():
        raise ConfigError("out", str(place), "something is there: name a new place, nothing is written over")
    check_writable(place.parent, room=_size(checkpoints))
    build = _checked(factory)

    def branch(done: int, tail: int) -> Scored:
        tell(f"after {done} epochs: {f'a plain tail of {tail} epochs' if tail else 'as it stands'}")
        with seeded():
            training = build()
            training.go_on(Path(checkpoints[done]), done, tail, as_tail=tail > 0)
            return training.score()

    with seeded():
        epochs = build().epochs
    outcome = find_switch(branch, {done: done for done in checkpoints}, epochs, policy)
    looks, at = CheckpointLooks(), outcome.switch_at
    ended = looks.take(branch(epochs, 0), epochs) if epochs in checkpoints else None
    if at is None or at >= epochs:
        return Rescued(outcome, ended, None, None)
    tell(f"from {at} to {epochs} epochs without mixing")
    with seeded():
        training = build()
        training.go_on(Path(checkpoints[at]), at, epochs - at, as_tail=False)
        finished = looks.take(training.score(), at, epochs - at, mixing=0.0)
        _save_beside(training.save, place)
    return Rescued(replace(outcome, spent=outcome.spent + epochs - at), ended, finished, place)


def _size(checkpoints: Mapping[int, Path]) -> int:
    """Return the bytes of the largest one, which has the form of the result; of folders the result is a part only."""
    paths = map(Path, checkpoints.values()) if isinstance(checkpoints, Mapping) else ()
    return max((path.stat().st_size for path in paths if path.is_file()), default=0)


def _checked(factory: Factory) -> Factory:
    """Return a function that refuses what is no training."""
    if not callable(factory):
        raise ConfigError("factory", factory, "give a function that returns the training anew at each call")

    def build() -> Rescuable:
        training: Any = factory()
        if not all(hasattr(training, name) for name in ("epochs", "steps", "go_on", "score", "save")):
            remedy = "return a PlainTraining, or one of Lightning's or transformers' from overmix.switch.rescue"
            raise ConfigError("factory", type(training).__name__, remedy)
        return training  # type: ignore[no-any-return]

    return build


def _save_beside(save: Callable[[Path], object], place: Path) -> None:
    """Write a file or folder whole or not at all, and never over another one."""
    folder = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=made_folder(place.parent)))
    try:
        written = folder / place.name
        save(written)
        if os.path.lexists(place):
            raise ConfigError("out", str(place), "something has come there meanwhile: name a new place")
        os.rename(written, place)
    except OSError as error:
        told = error.strerror or error
        raise RunDirectoryError(f"{place}: it cannot be written ({told}): choose another place") from error
    finally:
        shutil.rmtree(folder)
