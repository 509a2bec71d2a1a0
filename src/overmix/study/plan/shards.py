"""Shards: the parts of a study that the jobs of a cluster's array train, a function of the study alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from overmix.errors import ConfigError
from overmix.study.plan.cells import StackTask
from overmix.study.plan.forks import with_forks

Job = TypeVar("Job")


@dataclass(frozen=True)
class Shard:
    """One of several parts of equal work.

    Args:
        number: which, from 1.
        of: how many there are.

    Raises:
        ConfigError: if there is no such part.
    """

    number: int
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise ConfigError("shard", f"{self.number}/{self.of}", _WRITE)

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Return the shard that ``3/8`` means.

        Example:
            >>> Shard.parse("3/8")
            Shard(number=3, of=8)
        """
        number, _, of = text.partition("/")
        if not (number.isascii() and number.isdigit() and of.isascii() and of.isdigit() and len(text) < 20):
            raise ConfigError("shard", text, _WRITE)
        return cls(int(number), int(of))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def of_jobs(self, jobs: Sequence[Job], works: Sequence[float]) -> list[Job]:
        """Return the jobs of this part: neighbours stay together, and a job belongs where its middle lies.

        Args:
            jobs: all of them.
            works: of each one, in any unit.
        """
        total, done, mine = sum(works) or 1.0, 0.0, []
        for job, work in zip(jobs, works, strict=True):
            at = int((done + work / 2) / total * self.of)
            done += work
            if min(at, self.of - 1) == self.number - 1:
                mine.append(job)
        return mine

    def of_tasks(self, tasks: Sequence[StackTask]) -> list[StackTask]:
        """Return the stacks of this part; those that share a beginning are neighbours."""
        distinct = list({task.id: task for task in tasks}.values())
        ordered = [
            member
            for task, forks in with_forks(distinct)
            for member in (task, *(branch for at in sorted(forks) for branch in forks[at]))
        ]
        ordered = list({task.id: task for task in ordered}.values())
        return self.of_jobs(ordered, [len(task.cells) * task.cells[0].train.epochs for task in ordered])


_WRITE = "write which part of how many, from 1/8 to 8/8"
