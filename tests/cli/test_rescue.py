"""``overmix rescue``: a training that is over, finished without mixing."""

import json
import re
from functools import partial
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "rescue.md"


@pytest.fixture
def finish(tmp_path, monkeypatch):
    """The page's own example of plain PyTorch, in the place of a user's file, and what its training has left."""
    monkeypatch.chdir(tmp_path)
    code = re.search(r"^```python\n(.*?)^rescued = ", PAGE.read_text(), re.DOTALL | re.MULTILINE)[1]
    (tmp_path / "finish.py").write_text(code.replace('Path("runs").mkdir()', 'Path("runs").mkdir(exist_ok=True)'))
    monkeypatch.delitem(__import__("sys").modules, "finish", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    __import__("finish")
    return tmp_path / "runs"


def test_it_says_three_sentences_and_writes_beside(overmix, finish):
    outcome = overmix("rescue", "finish:training", "runs/epoch_{epoch}.pt", "--json")
    assert outcome.code == 0
    told = json.loads(outcome.out)
    assert told["path"] == "runs/rescued.pt"
    assert (finish / "rescued.pt").is_file()
    assert [row["tail"] for row in told["decision"]["probes"]] == [2] * len(told["decision"]["probes"])
    again = overmix("rescue", "finish:training", "runs/epoch_{epoch}.pt")
    assert (again.code, again.out) == (2, "")
    assert "out = 'runs/rescued.pt': something is there: name a new place" in again.err
    for_people = overmix("rescue", "finish:training", "runs/epoch_{epoch}.pt", "--out", "new.pt", "--tail", "0.2")
    assert for_people.out.splitlines()[0].startswith("Mixup off after ")
    assert for_people.out.splitlines()[2].startswith("Next: ")
    assert "Price: " in for_people.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("finish", "runs/epoch_{epoch}.pt"), "MODULE:FUNCTION = 'finish': write it as module:function"),
        (("none:training", "runs/epoch_{epoch}.pt"), "MODULE:FUNCTION = 'none:training': No module named 'none'"),
        (("finish:training", "runs/epoch_5.pt"), "checkpoints = 'runs/epoch_5.pt': write one {epoch}, epochs done"),
        (("finish:build", "runs/epoch_{epoch}.pt"), "factory = 'tuple': return a PlainTraining"),
        (("finish:training", "runs/epoch_{epoch}.pt", "--tail", "2"), "tail = 2.0: use a share of the training"),
    ],
)
def test_what_cannot_work_is_one_line(overmix, finish, arguments, message):
    outcome = overmix("rescue", *arguments)
    assert outcome.code == 2
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def test_an_error_of_the_users_own_function_is_told_as_theirs(overmix, finish):
    """With the traceback from their code on; the same error inside of overmix stays a fault of overmix."""
    broken = "import finish\n\ndef training():\n    return int('no number')\n"
    (finish.parent / "broken.py").write_text(broken)
    outcome = overmix("rescue", "broken:training", "runs/epoch_{epoch}.pt")
    *trace, line = outcome.err.splitlines()
    assert outcome.code == 2
    assert f'File "{finish.parent}/broken.py", line 4, in training' in trace[1]
    assert "overmix/cli" not in outcome.err
    assert line.startswith("overmix: MODULE:FUNCTION = 'broken:training': training (")
    assert "broken.py, line 4) raised ValueError: invalid literal" in line
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("overmix.switch.rescue.finishing.find_switch", partial(int, "no number"))
        assert overmix("rescue", "finish:training", "runs/epoch_{epoch}.pt").code == 1
