"""Logs that go back to earlier epochs: a run that was resumed, or another run in the same file."""

from __future__ import annotations

from collections.abc import Sequence

from overmix.diagnose.axis import written_place


def longest_run(places: Sequence[float], axis: str) -> tuple[list[int], str | None]:
    """Tell a resumed run from another one behind it, by where the log goes after it went back.

    What reaches the old end, or goes on past it, is the same run, trained again from where it was resumed. What ends
    before it is another run: the two would make a curve that nobody trained. Rows in another order than that of their
    epochs go back too, but repeat none, and are one run.

    Args:
        places: the epoch of each row, in the order of the log.
        axis: its name, for the note.

    Returns:
        The indices of the longest run's rows, the last one of several as long, and a sentence if the log went back.

    Example:
        >>> longest_run([1, 2, 3, 2, 3, 4], "epoch")
        ([0, 1, 2, 3, 4, 5], 'epoch goes back from 3 to 2 and on: one resumed run, what was logged last counts')
        >>> longest_run([1, 2, 3, 1, 2], "epoch")[0], longest_run([3, 1, 2], "epoch")
        ([0, 1, 2], ([0, 1, 2], None))
        >>> longest_run([1, 2, 1, 2], "epoch")[1].partition(";")[0]
        'epoch goes back from 2 to 1 and on, where it began: what was logged last counts'
    """
    parts = _parts(places)
    runs: list[list[list[int]]] = []
    while parts:
        ends = [max(places[i] for i in part) for part in parts]
        reached = max(i for i, end in enumerate(ends) if end == max(ends))
        runs.append(parts[: reached + 1])
        parts = parts[reached + 1 :]
    # Of several as long, the last.
    longest = max(reversed(runs), key=lambda run: len({places[i] for part in run for i in part}), default=[])
    rows = [i for part in longest for i in part]
    if len(runs) > 1:
        lengths = " and ".join(
            f"{written_place(places[run[0][0]])} to {written_place(max(places[i] for i in run[-1]))}" for run in runs
        )
        first, last = written_place(places[rows[0]]), written_place(max(places[i] for i in rows))
        return rows, (
            f"{axis} goes back to an earlier one and ends before the old end: several runs ({lengths}); "
            f"judged is {first} to {last}, keep each run in a file of its own"
        )
    if len(longest) > 1:
        back = f"from {written_place(max(places[i] for i in longest[0]))} to {written_place(places[longest[1][0]])}"
        if any(places[part[0]] == places[rows[0]] for part in longest[1:]):
            return rows, (
                f"{axis} goes back {back} and on, where it began: what was logged last counts; "
                f"if these are several runs, keep each in a file of its own"
            )
        return rows, f"{axis} goes back {back} and on: one resumed run, what was logged last counts"
    return rows, None


def _parts(places: Sequence[float]) -> list[list[int]]:
    """Split rows where the log goes back to epochs that it had before."""
    steps = [i for i in range(1, len(places)) if places[i] < places[i - 1]]
    if not steps or len(set(places)) == len(places):
        return [list(range(len(places)))] if places else []
    parts: list[list[int]] = []
    seen: set[float] = set()
    for start, end in zip([0, *steps], [*steps, len(places)], strict=True):
        part = list(range(start, end))
        here = {places[i] for i in part}
        if parts and not here & seen:
            parts[-1] += part
        else:
            parts.append(part)
        seen |= here
    return parts
