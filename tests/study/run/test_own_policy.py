"""A policy of the user's own, named by import path in a study file."""

import pytest

from overmix.errors import ConfigError
from overmix.study import run_study
from overmix.study.plan.cells import expand

OWN = """
from dataclasses import dataclass
from overmix.switch import Decision, Policy

@dataclass(frozen=True)
class make(Policy):
    after: int = 1

    def decide(self, history):
        return Decision(self.after, "so it was told") if history.done >= self.after else Decision(None, "not yet")
"""


def test_it_decides_as_it_was_told(tiny, model_file, tmp_path, in_process):
    path = model_file(OWN)
    compare = [{"name": "own", "schedule": {path: {"after": 2}}}, {"name": "off", "schedule": {"off_at": 2}}]
    spec = tiny(allow_code=True, compare=compare)
    assert [cell.import_paths for cell in expand(spec)][::2] == [[path], []]
    summary = run_study(spec, tmp_path / "out", allow_code=True)
    own, off = summary.conditions
    assert own.role == "auto"
    assert own.final == off.final


@pytest.mark.parametrize(
    ("allowed", "settings", "message"),
    [
        (False, {}, r"schedule = '.*:make': an import path runs that module's code: allow it with --allow-code$"),
        (True, {"afterr": 1}, r"schedule\..*:make.afterr = 1: unknown key, did you mean after\?"),
    ],
)
def test_what_cannot_be_used_is_refused(tiny, model_file, allowed, settings, message):
    with pytest.raises(ConfigError, match=message):
        tiny(allow_code=allowed, compare=[{"schedule": {model_file(OWN): settings}}])


def test_what_is_no_policy_is_refused(tiny, model_file):
    with pytest.raises(ConfigError, match=r"schedule = .*: make it a frozen dataclass that inherits from overmix"):
        tiny(allow_code=True, compare=[{"schedule": model_file("make = nn.Linear")}])
