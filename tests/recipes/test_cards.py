"""Every recipe has a method card, whose table of defaults is true and whose example runs."""

import re
import sys
from pathlib import Path

import pytest

from overmix.recipes import registered, unregister
from overmix.study import parse_study
from overmix.study.spec.yaml_file import yaml

CARDS = Path(__file__).parents[2] / "docs" / "recipes"


@pytest.mark.parametrize("name", sorted(registered()))
def test_the_card_names_all_parameters_with_their_defaults(name):
    text = (CARDS / f"{name.lower()}.md").read_text()
    assert text.startswith(f"# {name}\n")
    rows = dict(re.findall(r"^\| `(\w+)` \| `(.*?)` \|", text, flags=re.MULTILINE))
    assert rows == {parameter: repr(default) for parameter, default in registered()[name].defaults.items()}
    assert all(f"**{part}" in text for part in ("Source.", "Held to, by tests."))
    # Plain training leaves nothing open; everything else says what its authors left to us.
    assert "**Our choices.**" in text or name == "NoMixup"


@pytest.mark.parametrize("name", sorted(registered()))
def test_the_example_of_the_card_runs(name):
    blocks = re.findall(r"```python\n(.*?)```", (CARDS / f"{name.lower()}.md").read_text(), flags=re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, f"{name}.md", "exec"), {})


@pytest.mark.parametrize("page", ["oneof", "compose"])
def test_the_examples_of_the_other_pages_run(page):
    try:
        for block in re.findall(r"```python\n(.*?)```", (CARDS / f"{page}.md").read_text(), flags=re.DOTALL):
            exec(compile(block, f"{page}.md", "exec"), {"__name__": page})
    finally:
        unregister("CutFromOthers")


def test_the_study_file_of_the_page_is_one(tmp_path, monkeypatch):
    text = (CARDS / "compose.md").read_text()
    (block,) = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    (code, *_) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    (tmp_path / "my_methods.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    try:
        spec = parse_study(yaml.safe_load(block), allow_code=True)
        assert spec.compare[1].recipe_parameters == {"alpha": 0.5}
    finally:
        unregister("CutFromOthers")
        sys.modules.pop("my_methods", None)


def test_the_index_lists_every_card():
    index = (CARDS / "index.md").read_text()
    assert {name.lower() for name in registered()} <= set(re.findall(r"\]\((\w+)\.md\)", index))


def test_the_readme_counts_what_mixes():
    readme = (CARDS.parents[1] / "README.md").read_text()
    # Plain training, and what contrastive methods are switched to, mix nothing.
    mixing = registered().keys() - {"NoMixup", "SoftCLIP"}
    counts = re.findall(r"mixes \((\d+) methods\)|\| methods that mix \| (\d+) \|", readme)
    assert [int(one or other) for one, other in counts] == [len(mixing)] * 2


def test_what_the_choosing_page_tells_to_write_is_the_method_that_it_names():
    text = (CARDS.parent / "which-recipe.md").read_text()
    rows = re.findall(r"\| \[(\w+)\]\([^|]+\| `([^`]+)`", text)
    study = {"compare": [{"name": name, **yaml.safe_load(f"{{{given}}}")} for name, given in rows]}
    conditions = {condition.name: condition for condition in parse_study(study).compare}
    assert len(rows) >= 7
    assert {name: condition.recipe_name for name, condition in conditions.items()} == {name: name for name, _ in rows}
    assert conditions["MixupWithoutHesitation"].schedule == "hesitation"
    assert "input" not in conditions["ManifoldMixup"].recipe_parameters["layers"]


def test_there_is_no_card_without_a_recipe():
    cards = {path.stem for path in CARDS.glob("*.md")} - {"index", "oneof", "compose"}
    assert cards == {name.lower() for name in registered()}
