"""The frozen benchmark in the documentation: README, the answer before "When to switch", and a page of its own.

overmix benchmark frozen --out results/switch_frozen            # records what is missing there, in the list's order
python -m tools frozen --keep results/switch_frozen
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from overmix.experiments.switch_benchmark.frozen.candidates import FIRST, SECOND, WATCHED
from overmix.experiments.switch_benchmark.frozen.contenders import BEST_LOOK
from overmix.experiments.switch_benchmark.frozen.endpoints import PRIMARY, verdict
from overmix.experiments.switch_benchmark.frozen.evaluate import evaluate_frozen
from overmix.experiments.switch_benchmark.frozen.protocol import FEWEST
from overmix.experiments.switch_benchmark.frozen.trainings import LONGER
from overmix.report.numbers import percent, points, points_range
from overmix.study.store.files import read_json, write_json
from tools.generated import Generated, Texts
from tools.marked import Part

RESULT = Path("results/switch_frozen.json")
README, ANSWER_PAGE, PAGE = Path("README.md"), Path("docs/switch.md"), Path("docs/switch-benchmark.md")
FREE, ANSWER, TABLES = Part("free", "frozen"), Part("answer", "frozen"), Part("frozen benchmark", "frozen")
SINCE = Part("best look since the switch", "frozen")

Result = Mapping[str, Any]

_SHORT = (
    FIRST,
    SECOND,
    PRIMARY,
    "off at 50 %",
    "off at 75 %",
    "fade from 50 % to 75 %",
    "plain training",
    "Mixup to the end",
    "Mixup, its weight decay tuned",
    "a study of all seeds",
)
"""The rows of the answer's table; the page has them all."""

_SAYS = {
    "better": "**It is worth its price**",
    "as good": "**It is not worth its price: the free schedule is as good**",
    "worse": "**It is not worth its price: the free schedule is better**",
    "open": "**Whether it is worth its price is open**",
}


_BESIDE_FREE = {
    "better": "is better",
    "as good": "is no better",
    "worse": "is worse",
    "open": "is not shown to be better",
}


_NAMES = {FIRST: "`AutoSwitch()`", SECOND: "its second generation, not in the package"}
"""What a user calls the contenders that the list calls otherwise."""

_MEANS = {BEST_LOOK: " (mixed to the end, the weights with the lowest held-out score kept)"}
"""What a contender's name does not say by itself."""


def free(result: Result) -> str:
    """Return what README says of the switch that costs nothing, within an item of a list."""
    if result["recorded_data_sets"] < FEWEST:
        return "  Whether AutoSwitch beats it is being measured."
    (row,) = (row for row in result["contenders"] if row["name"] == FIRST)
    gain = result["shipped"][PRIMARY]
    more = percent(row["cost"] - 1, 0)
    return (
        f"  `AutoSwitch()`, which costs {more} more, {_BESIDE_FREE[verdict(gain)]}: it ends\n"
        f"  {_apart(gain)} off at half in a training {LONGER:g} times as long,\n"
        f"  over {_of(result)} that were [written down before any was run]({PAGE}).{_lower_for_less(result)}"
    )


def _lower_for_less(result: Result) -> str:
    """Name the rivals that end below AutoSwitch and cost about as much or less; one added later is none of the list."""
    cost = {row["name"]: row["cost"] for row in result["contenders"]}
    lower = [
        f"“{name}”{_MEANS.get(name, '')} by {points(-gain['mean'], 2)}{_interval(gain, sign=-1)}"
        for name, gain in result["shipped"].items()
        if verdict(gain) == "worse" and cost[name] <= cost[PRIMARY] and name != WATCHED
    ]
    if not lower:
        return ""
    head = (
        f"Of the list's other rivals that cost {LONGER:g} runs or less, these end below it (intervals are not\n"
        "  corrected for their number):"
    )
    return f"\n  {head}\n  " + ";\n  ".join(lower) + "."


def answer(result: Result) -> str:
    """Return the answer in a paragraph, and the short table."""
    if not result["recorded"]:
        return f"\nNone of the {result['trainings']} trainings of the frozen benchmark is recorded yet.\n"
    link = f"[The benchmark]({PAGE.name}) says how it is measured, and has every rival and training."
    if result["recorded_data_sets"] < FEWEST:
        few = f"recorded so far: {_of(result)}, too few to say anything (an interval needs {FEWEST} data sets)"
        said = f"Open. The benchmark that asks was written down before any of its trainings was run; {few}. {link}"
        return "\n".join(["", said, ""])
    rows = {row["name"]: row for row in result["contenders"]}
    paragraph = " ".join(
        [
            _first(result["shipped"][PRIMARY], result),
            _harm(rows[FIRST]),
            _generations(result["primary"], rows[FIRST]["gain"]),
            _study(rows["a study of all seeds"]),
        ]
    )
    shown = [rows[name] | {"gain": result["shipped"][name], "name": _NAMES.get(name, name)} for name in _SHORT]
    return "\n".join(["", paragraph, "", *table(shown, _NAMES[FIRST]), "", _COLUMNS, "", link, ""])


_COLUMNS = (
    "*Within the margin*: the share of the trainings in which a contender ends within half a point, or 5 %, of the "
    "best switch. *Worse than plain, mixed*: in how many trainings by more than that margin, with significance. "
    "*Runs*: all that is trained, over one run."
)


def _first(gain: Result, result: Result) -> str:
    return (
        f"On {_of(result)}, written down before any was run: {_SAYS[verdict(gain)]}. `AutoSwitch()` ends "
        f"{_apart(gain)} “off at half of the training”, which costs nothing, trained {LONGER:g} times as long."
    )


def _generations(primary: Result, over_first: Result) -> str:
    """Say what the list's primary endpoint was of: a second generation, to take the first's place if it is better."""
    so = "which is reason to change it" if verdict(over_first) == "better" else "which is no reason to change it"
    return (
        "The list's primary endpoint is that of a second generation, which compares probes in another way and was to "
        f"take its place if better: it ends {_apart(primary)} the same rival ({primary['verdict']}), and "
        f"{_apart(over_first)} `AutoSwitch()`, {so}."
    )


def _of(result: Result) -> str:
    done, whole = result["recorded"], result["trainings"]
    part = f"{done} of the {whole} trainings" if done < whole else f"{whole} trainings"
    sets, every = result["recorded_data_sets"], result["data_sets"]
    return f"{part} ({sets}{f' of {every}' if sets < every else ''} data set{'s' if sets != 1 else ''})"


def _apart(gain: Result) -> str:
    """Say how far apart two means are; positive gains are AutoSwitch's."""
    side = "below" if gain["mean"] >= 0 else "above"
    return f"{points(abs(gain['mean']), 2)} points of error {side}{_interval(gain, sign=1 if side == 'below' else -1)}"


def _interval(value: Result, sign: int = 1) -> str:
    if value["ci"] is None:
        return ""
    low, high = sorted(sign * end for end in value["ci"])
    return f" [{points_range(low, high, 2)}]"


def _harm(row: Result) -> str:
    return (
        f"It lies {_over(row['over_plain'])} plain training and {_over(row['over_mixed'])} mixing to the end; "
        "by more than the margin (half a point, or 5 % of the error), with significance, it is worse than them in "
        f"{row['worse_than_plain']} and {row['worse_than_mixed']} trainings."
    )


def _over(over: Result) -> str:
    side = "above" if over["mean"] >= 0 else "below"
    return f"{points(abs(over['mean']), 2)} points{_interval(over, 1 if side == 'above' else -1)} {side}"


def _study(row: Result) -> str:
    return (
        "A study of all seeds that chooses among the second generation, plain training and “off at 75 %” has a regret "
        "(how far it ends above the best switch, as a share of the error there) of "
        f"{percent(row['regret']['mean'])}, at {row['cost']:.2f} runs a seed."
    )


def table(rows: list[Result], policy: str = SECOND) -> list[str]:
    """Return contenders as lines of a table, the gain of the policy over itself left empty."""
    lines = [
        "| contender | AutoSwitch gains, points | regret | within the margin | worse than plain, mixed | runs |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        own = row["name"] == policy
        name = f"**{row['name']}**" if own else row["name"]
        gain = "" if own else _gain(row["gain"])
        ends = row["regret"]["ci"]
        regret = percent(row["regret"]["mean"]) + (f" [{points_range(ends[0], ends[1], 1)}]" if ends else "")
        lines.append(
            f"| {name} | {gain} | {regret} | {percent(row['within'], 0)} "
            f"| {row['worse_than_plain']}, {row['worse_than_mixed']} | {row['cost']:.2f} |"
        )
    return lines


def _gain(gain: Result) -> str:
    said = points(gain["mean"], 2)
    return said if gain["ci"] is None else f"{said}{_interval(gain)}, {verdict(gain)}"


_SIDES = {
    FIRST: _NAMES[FIRST],
    PRIMARY: "“off at half”, trained as long in all",
    BEST_LOOK: "the best look of a run that mixes to the end and costs nothing more",
}
"""What stands beside the best look since the switch, as a sentence calls it."""


def watched(result: Result) -> str:
    """Return what is known of `AutoSwitch(best=True)`, in a sentence or two."""
    if result["recorded_data_sets"] < FEWEST:
        return "Whether that gains is not known yet."
    gains = result["watched"]
    against = [f"{_apart(gains[rival])} {called} ({verdict(gains[rival])})" for rival, called in _SIDES.items()]
    return (
        f"Replayed on {_of(result)}, it ends {', '.join(against[:-1])}, and {against[-1]}. "
        "It was added when all else was known, so that this is a hint, which a test has to confirm; and recorded runs "
        "look a few dozen times, not after every epoch."
    )


def page(result: Result) -> str:
    """Return the tables of the benchmark's own page."""
    if not result["recorded"]:
        return answer(result)
    without = result["primary_without_fashion_mnist"]
    lines = [
        "",
        f"Recorded: {_of(result)}.",
        "",
        f"**Primary endpoint**: the second generation ends {_apart(result['primary'])} “{PRIMARY}”: "
        f"{result['primary']['verdict']}.",
    ]
    if without is not None:
        lines.append(f"Without Fashion-MNIST: {_apart(without)}, {without['verdict']}.")
    lines += ["", *_goals(result), "", f"**`AutoSwitch(best=True)`.** {watched(result)}"]
    lines += ["", "## All contenders", "", *table(result["contenders"])]
    return "\n".join([*lines, "", "## Training by training", "", *_trainings(result), ""])


def _goals(result: Result) -> list[str]:
    """Hold the costs and the regret against what was aimed at."""
    rows = {row["name"]: row for row in result["contenders"]}
    lines = []
    for name, long, goal in (("1,000 epochs", True, 1.35), ("fewer epochs", False, 1.5)):
        for policy in (SECOND, FIRST):
            costs = [row["cost"][policy] for row in result["rows"] if (row["epochs"] >= 1000) == long]
            if costs:
                reached = "reached" if max(costs) <= goal else "missed"
                lines.append(
                    f"- Cost of “{policy}” at {name}: {sum(costs) / len(costs):.2f} runs in mean, {max(costs):.2f} at "
                    f"most (goal {goal}: {reached})."
                )
    for name, goal in ((SECOND, 0.025), (FIRST, 0.025), ("a study of all seeds", 0.01)):
        regret = rows[name]["regret"]["mean"]
        reached = "reached" if regret <= goal else "missed"
        lines.append(f"- Regret of “{name}”: {percent(regret)} (goal {percent(goal)}: {reached}).")
    return lines


def _trainings(result: Result) -> list[str]:
    lines = [
        "| training | plain | Mixup | off at 50 %, longer | best switch "
        "| second generation | its median switch | runs |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        error = row["error"]
        shown = [error[name] for name in ("plain training", "Mixup to the end", PRIMARY)]
        cells = " | ".join(percent(value) for value in (*shown, row["oracle"], error[SECOND]))
        lines.append(f"| {row['training']} | {cells} | {row['switch_at'][SECOND]:g} | {row['cost'][SECOND]:.2f} |")
    return lines


def texts(root: Path) -> Texts:
    """Return README, the page, and "When to switch" with its answer."""
    result = read_json(root / RESULT)
    before = {path: (root / path).read_text(encoding="utf-8") for path in (README, ANSWER_PAGE, PAGE)}
    return {
        README: FREE.within(before[README], free(result)),
        ANSWER_PAGE: SINCE.within(ANSWER.within(before[ANSWER_PAGE], answer(result)), watched(result)),
        PAGE: TABLES.within(before[PAGE], page(result)),
    }


def keep(records: Path, root: Path) -> None:
    """Judge all contenders on the records of a folder."""
    write_json(root / RESULT, evaluate_frozen(records))


FROZEN = Generated("frozen", texts, keep=keep)
