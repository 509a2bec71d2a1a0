"""Every Python block of README and docs runs."""

import re
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from overmix.recipes import registered, unregister
from overmix.study import parse_study
from overmix.switch import registered_policies, unregister_policy

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[Any]:
    return [
        pytest.param(match[2], id=f"{page.relative_to(ROOT)}:{page.read_text()[: match.start()].count(chr(10)) + 1}")
        for page in PAGES
        for match in BLOCK.finditer(page.read_text(encoding="utf-8"))
        if match[1] == language
    ]


@pytest.fixture
def readers_own(tmp_path, monkeypatch):
    """What a reader has at hand when a block begins in the middle: a model, data, an optimizer."""
    monkeypatch.chdir(tmp_path)  # what an example writes
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    x, y = torch.rand(48, 1, 8, 8), torch.randint(10, (48,))
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=16)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    recipes, policies = set(registered()), set(registered_policies())
    yield {"model": model, "loader": loader, "optimizer": optimizer, "x_val": x, "y_val": y}
    # What an example registers is none of the next test's business.
    for name in set(registered()) - recipes:
        unregister(name)
    for name in set(registered_policies()) - policies:
        unregister_policy(name)


FRAMEWORKS = re.compile(r"^import (lightning|transformers)$", re.MULTILINE)


@pytest.mark.parametrize("code", blocks("python"))
def test_python_blocks_run(code, readers_own):
    with warnings.catch_warnings():
        if framework := FRAMEWORKS.search(code):
            pytest.importorskip(framework[1])
            warnings.simplefilter("ignore")  # of few workers
        exec(compile(code, "<block>", "exec"), {"__name__": "__example__", **readers_own})


@pytest.mark.parametrize("code", blocks("yaml"))
def test_yaml_blocks_are_studies(code):
    if "my_methods:" in code:
        pytest.skip("names a module of the reader's: tests/recipes/test_cards.py has it beside the study")
    parse_study(yaml.safe_load(code))
