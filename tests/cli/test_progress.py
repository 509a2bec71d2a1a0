import io

import pytest
from rich.console import Console

from overmix.cli import progress as module
from overmix.cli.progress import StudyProgress
from overmix.study import Outlook, StackProgress, parse_study
from overmix.study.plan.cells import expand, layout


def outlook(missing=None):
    spec = parse_study(
        {"train": {"epochs": 10}, "compare": [{"name": "A", "recipe": "NoMixup"}, {"name": "B"}], "seeds": 8}
    )
    cells = expand(spec)
    tasks = layout(cells, {cell.shape_key: "stacked" for cell in cells}, "cpu")
    return Outlook(tasks, tasks if missing is None else tasks[missing:], 2)


@pytest.fixture
def shown(tmp_path):
    """Return a function that shows messages, and returns what was shown and the progress."""

    def show(plan, messages, *, terminal):
        file = io.StringIO()
        console = Console(file=file, force_terminal=terminal, width=100)
        with StudyProgress(console, "a [study]", tmp_path) as progress:
            progress.start(plan)
            for message in messages:
                progress.tell(message)
            task = progress._bar.tasks[0]
            state = (task.completed, task.total)
        return file.getvalue(), state, progress

    return show


def test_the_first_line(shown):
    text, _, _ = shown(outlook(), [], terminal=False)
    assert text.replace("\n", "").startswith("a [study]: 16 runs in 2 stacks, 2 workers; results go to ")
    text, _, _ = shown(outlook(missing=1), [], terminal=False)
    assert "16 runs in 2 stacks, 1 of them finished already, 2 workers" in text


def test_work_done_before_is_not_counted_as_work_of_now(shown):
    a, b = (task.id for task in outlook().tasks)
    runs = {"A": 8}
    _, state, _ = shown(outlook(), [StackProgress(a, 4, 10, runs)], terminal=False)
    assert state == (0, 160 - 32)
    messages = [StackProgress(a, 4, 10, runs), StackProgress(a, 7, 10, runs), StackProgress(b, 0, 10, {"B": 8})]
    _, state, _ = shown(outlook(), messages, terminal=False)
    assert state == (24, 160 - 32)
    messages += [StackProgress(a, 10, 10, runs), StackProgress(b, 10, 10, {"B": 8})]
    _, state, _ = shown(outlook(), messages, terminal=False)
    assert state == (128, 128)


def test_without_a_terminal_there_is_a_line_now_and_then(shown, monkeypatch):
    (a, _), runs = (task.id for task in outlook().tasks), {"A": 8}
    messages = [StackProgress(a, epoch, 10, runs) for epoch in range(0, 11, 5)]
    text, _, _ = shown(outlook(), messages, terminal=False)
    assert "%" not in text
    monkeypatch.setattr(module, "_PLAIN_SECONDS", -1.0)
    text, _, _ = shown(outlook(), messages, terminal=False)
    assert [line.split(",")[0].strip() for line in text.splitlines() if "%" in line] == ["0 %", "25 %", "50 %"]


def test_errors_are_weighted_by_runs_and_the_slowest_epoch_is_told(shown):
    a, b = (task.id for task in outlook().tasks)
    messages = [
        StackProgress(a, 8, 10, {"A": 6, "B": 2}, {"A": 0.10, "B": 0.30}),
        StackProgress(b, 4, 10, {"B": 6}, {"B": 0.10}),
    ]
    _, _, progress = shown(outlook(), messages, terminal=True)
    file = io.StringIO()
    Console(file=file, width=80).print(progress._errors())
    rows = [line.split() for line in file.getvalue().splitlines()]
    assert rows == [
        ["condition", "runs", "epoch", "test", "error"],
        ["A", "6", "8", "10.0", "%"],
        ["B", "8", "4", "15.0", "%"],
    ]


def test_a_terminal_shows_a_bar(shown):
    a = outlook().tasks[0].id
    messages = [StackProgress(a, epoch, 10, {"A": 8}, {"A": 0.25}) for epoch in (0, 5)]
    text, _, _ = shown(outlook(), messages, terminal=True)
    assert "25%" in text
    assert "25.0 %" in text


def test_a_finished_study_shows_no_bar(shown):
    text, state, _ = shown(outlook(missing=2), [], terminal=True)
    assert "2 of them finished already" in text
    assert state == (0, 0)
