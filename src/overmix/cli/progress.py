"""Live progress of a study, and of other jobs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    # PyTorch takes seconds to import; what is shown from the first second does without.
    from overmix.study import Outlook, StackProgress
    from overmix.study.plan.cells import StackTask
    from overmix.study.run.missing import Done

_PLAIN_SECONDS = 15.0


class StudyProgress:
    """Shows what a study is at: epochs done, time left, the newest test errors; without a terminal a line now and then.

    Args:
        console: where to show it.
        name: of the study.
        out: its run directory.
    """

    def __init__(self, console: Console, name: str, out: Path) -> None:
        self._console, self.name, self._out = console, name, out
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=console,
            expand=True,
        )
        self._live = Live(console=console, refresh_per_second=4, transient=True)
        self._begin: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self._total = 0
        self._state: dict[str, StackProgress] = {}
        self._task = self._bar.add_task(Text(name).plain, total=None)
        self._said = time.monotonic()

    def __enter__(self) -> StudyProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def stage(self, what: str) -> None:
        """Say what goes on that has no epochs to count: checking, statistics, the page."""
        if not self._console.is_terminal:
            self._console.print(f"{what} ...", markup=False, highlight=False)
            return
        self._show(Spinner("dots", Text(f"{self.name}: {what}")))

    def _show(self, what: RenderableType) -> None:
        self._live.update(what)
        self._live.start()

    def start(self, outlook: Outlook) -> None:
        """Say what there is to do, and begin to show it."""
        finished = len(outlook.tasks) - len(outlook.missing)
        runs = sum(len(task.cells) for task in outlook.tasks)
        note = f", {finished} of them finished already" if finished else ""
        self._console.print(
            f"{self.name}: {_count(runs, 'run')} in {_count(len(outlook.tasks), 'stack')}{note}, "
            f"{_count(outlook.workers, 'worker')}; results go to {self._out}",
            markup=False,
            highlight=False,
        )
        for line in (*outlook.notes, *_words_on_damage(outlook.damaged)):
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        self._total = sum(_epochs(task) for task in outlook.missing)
        self._bar.update(self._task, total=self._total)
        if outlook.missing and self._console.is_terminal:
            self._show(self._bar)

    def tell(self, progress: StackProgress) -> None:
        """Take in what a worker says."""
        if progress.note:
            self._console.print(progress.note, markup=False, highlight=False, soft_wrap=True)
            return
        # The first message of a resumed stack is where it goes on from: that part is not work of this session.
        begin = self._begin.setdefault(progress.stack, progress.epoch)
        replicas = sum(progress.runs.values())
        self._done[progress.stack] = (progress.epoch - begin) * replicas
        if progress.stack not in self._state:
            self._total -= begin * replicas
        self._state[progress.stack] = progress
        self._bar.update(self._task, completed=sum(self._done.values()), total=self._total)
        if self._console.is_terminal:
            self._show(Group(self._bar, self._errors()))
        elif time.monotonic() - self._said > _PLAIN_SECONDS:
            self._said = time.monotonic()
            task = self._bar.tasks[self._task]
            left = f", about {task.time_remaining:.0f} s left" if task.time_remaining is not None else ""
            self._console.print(f"{task.percentage:3.0f} %{left}", highlight=False)

    def _errors(self) -> Table:
        """Return the newest mean test error of every condition that is being trained, or was."""
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=True, header_style="dim")
        for title in ("condition", "runs", "epoch", "test error"):
            table.add_column(title, justify="left" if title == "condition" else "right")
        gathered: dict[str, list[tuple[int, int, float]]] = {}
        for state in self._state.values():
            for condition, error in state.test_error.items():
                gathered.setdefault(condition, []).append((state.runs[condition], state.epoch, error))
        for condition, rows in gathered.items():
            runs = sum(share for share, _, _ in rows)
            mean = sum(share * error for share, _, error in rows) / runs
            table.add_row(Text(condition), str(runs), str(min(epoch for _, epoch, _ in rows)), f"{100 * mean:.1f} %")
        return table


def _words_on_damage(damaged: Sequence[Path]) -> list[str]:
    """Return what to say about files that were set aside."""
    if not damaged:
        return []
    return [
        f"{_count(len(damaged), 'file')} damaged, or of an earlier version that did not seal files, set aside in "
        f"{damaged[0].parent}: what was in there is trained again"
    ]


class JobProgress:
    """Shows jobs done and time left; one line now and then where there is no terminal.

    Args:
        console: where to show it.
        name: of what is run.
    """

    def __init__(self, console: Console, name: str) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task(name, total=None)
        self._said = time.monotonic()

    def __enter__(self) -> JobProgress:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def tell(self, done: Done) -> None:
        """Take in that a job was done."""
        self._bar.update(self._task, completed=done.number, total=done.total)
        if not self._console.is_terminal and time.monotonic() - self._said > _PLAIN_SECONDS:
            self._said = time.monotonic()
            left = done.seconds / done.number * (done.total - done.number)
            self.say(f"{done.number}/{done.total} {done.job.name}, about {left:.0f} s left")

    def say(self, line: str) -> None:
        """Print a line, above the bar."""
        self._console.print(line, markup=False, highlight=False)


def _epochs(task: StackTask) -> int:
    """Return the epochs of all runs of a stack together."""
    return sum(cell.train.epochs for cell in task.cells)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"
