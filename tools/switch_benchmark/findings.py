"""What the benchmark's table says, in sentences that are written from it, so that they can never say anything else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from overmix.diagnose.practical import practical_size
from overmix.experiments.switch_benchmark.cells import CELLS
from overmix.experiments.switch_benchmark.evaluate import POLICIES
from overmix.report.numbers import percent, points, points_range
from overmix.switch import AutoSwitch, HeldOut
from overmix.switch.policies.baselines import Fixed
from tools.switch_benchmark.names import OURS, SPLITS

Row = Mapping[str, Any]

REGRET_GOAL, REGRET_GOAL_HELD_OUT, COST_GOAL_HELD_OUT = 0.02, 0.04, 2.5
COST_GOALS = (("1,000 epochs", 1000, 1000, 1.35), ("200 to 300 epochs", 200, 300, 1.5))
_RIVALS = ("off at 50 %", "lowest probe")


def findings(result: Row) -> list[str]:
    """Return the findings as Markdown list items; what the result does not hold is not spoken of."""
    said = [find(result) for find in _FINDINGS]
    return [f"- {sentence}" for sentence in said if sentence]


def _of(result: Row, policy: str) -> dict[str, Row]:
    """Return a policy's rows by split, in the order of the page, the one that it was chosen on last."""
    rows = {row["split"]: row for row in result["policies"] if row["policy"] == policy}
    return {split: rows[split] for split in SPLITS if split in rows}


def _trainings(result: Row, policy: str) -> list[Row]:
    return [row for row in result["rows"] if row["policy"] == policy]


def interval(ends: Sequence[float]) -> str:
    """Write an interval of shares, in percent.

    Example:
        >>> interval([-0.0124, 0.031])
        '[−1.2 to 3.1]'
    """
    return f"[{points_range(ends[0], ends[1], 1)}]"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _regrets(rows: Mapping[str, Row]) -> str:
    return _listed(
        [f"{percent(row['regret'])} {interval(row['regret_ci'])} {SPLITS[split].where}" for split, row in rows.items()]
    )


def _goal(rows: Mapping[str, Row], goal: float) -> str:
    missed = [SPLITS[split].where for split, row in rows.items() if row["regret"] > goal and split != "chosen on"]
    if not any(split != "chosen on" for split in rows):
        return ""
    verdict = f"**missed** {_listed(missed)}" if missed else "**reached**"
    return f" The goal on data that it was not chosen on, at most {percent(goal)}, is {verdict}."


def _regret(result: Row) -> str:
    rows = _of(result, OURS[0])
    return f"**Regret** of AutoSwitch, mean and 95 % interval: {_regrets(rows)}.{_goal(rows, REGRET_GOAL)}"


def _held_out(result: Row) -> str:
    rows = _of(result, OURS[1])
    if not rows:
        return ""
    seen = {row["cell"]: row["cost"] for row in _trainings(result, OURS[0])}
    own = _trainings(result, OURS[1])
    more = sum(row["cost"] - seen[row["cell"]] for row in own) / len(own)
    largest = max(row["cost"] for row in own)
    return (
        f"**Without a validation set**: {_regrets(rows)}.{_goal(rows, REGRET_GOAL_HELD_OUT)} It costs {more:.2f} runs "
        f"more in mean, and {largest:.2f} in all at most; the goal was {COST_GOAL_HELD_OUT:g}."
    )


def _cost(result: Row) -> str:
    epochs = {cell.name: cell.epochs for cell in CELLS}
    parts = []
    for name, low, high, goal in COST_GOALS:
        costs = [r["cost"] for r in _trainings(result, OURS[0]) if low <= epochs.get(r["cell"], 0) <= high]
        if costs:
            reached = "reached" if max(costs) <= goal else "missed"
            parts.append(
                f"at {name} {sum(costs) / len(costs):.2f} runs in mean and {max(costs):.2f} at most, seeds averaged "
                f"(goal: at most {goal}, {reached})"
            )
    return f"**Cost** of AutoSwitch: {'; '.join(parts)}." if parts else ""


def _worst_split(result: Row) -> str:
    """Compare policies by their worst split: what is good somewhere by luck is not good everywhere."""
    worst = {name: max(row["regret"] for row in _of(result, name).values()) for name in POLICIES if _of(result, name)}
    if len(_of(result, OURS[0])) < 2:
        return ""
    best = min(worst, key=worst.__getitem__)
    rivals = _listed([f"{percent(worst[name])} for {_quoted(name)}" for name in _RIVALS if name in worst])
    return (
        f"**On its worst split** AutoSwitch has a mean regret of {percent(worst[OURS[0]])}; it is {rivals}. "
        f"The lowest is {percent(worst[best])}, of {_quoted(best)}."
    )


def _against_erm(result: Row) -> str:
    rows, own = _of(result, OURS[0]), _trainings(result, OURS[0])
    significant = sum(row["worse_than_erm"] for row in rows.values())
    above = [row for row in own if row["over_erm"] > practical_size(row["error"] - row["over_erm"])]
    above.sort(key=lambda row: -row["over_erm"])
    said = (
        f"**Against ERM**: worse by more than the margin, with significance, in {significant} of {len(own)} trainings; "
        f"in mean it ends above ERM by more than the margin in {len(above)}"
    )
    named = "; ".join(f"{row['cell']}, {points(row['over_erm'], 1)} points" for row in above)
    return f"{said} ({named})." if named else f"{said}."


def _largest(result: Row) -> str:
    best = {cell["name"]: min(cell["error"]) for cell in result["cells"]}
    parts = []
    for split in _of(result, OURS[0]):
        row = max((r for r in _trainings(result, OURS[0]) if r["split"] == split), key=lambda r: r["regret"])
        parts.append(
            f"{percent(row['regret'])} {SPLITS[split].where} ({row['cell']}, error of the "
            f"best switch {percent(best[row['cell']])})"
        )
    return f"**Its largest regrets**: {_listed(parts)}."


def _in_vain(result: Row) -> str:
    parts = [
        f"{round(row['needless'] * row['cells'])} of {row['cells']} trainings {SPLITS[split].where} (regret of Mixup "
        f"to the end: {percent(row['regret'])})"
        for split, row in _of(result, "Mixup to the end").items()
    ]
    return f"**No switch gains the margin over ERM** in {_listed(parts)}." if parts else ""


def _rules(result: Row) -> str:
    parts = []
    for name, policy in POLICIES.items():
        rows = _of(result, name)
        if isinstance(policy, Fixed | AutoSwitch | HeldOut) or not rows:
            continue
        split = max(rows, key=lambda split: rows[split]["regret"])
        parts.append(f"{name} {percent(rows[split]['regret'])} {SPLITS[split].where}")
    return f"**Rules that look at the own curve or at training samples**, where each is worst: {'; '.join(parts)}."


def _quoted(name: str) -> str:
    return f"“{name}”"


_FINDINGS: tuple[Callable[[Row], str], ...] = (
    _regret,
    _held_out,
    _cost,
    _worst_split,
    _against_erm,
    _largest,
    _in_vain,
    _rules,
)
