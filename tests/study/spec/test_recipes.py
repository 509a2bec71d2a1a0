"""A recipe of the user's own in a study: by its registered name, and by import path where only a file is given."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import overmix
from overmix.errors import ConfigError
from overmix.mix import FixedCoefficient, RandomPairing, Recipe
from overmix.recipes import Mixup, register, registered, unregister
from overmix.study import load_result, parse_study, run_study
from overmix.study.spec.recipes import build_recipe, check_recipe_name, recipe_entry

SOURCE = '''
from overmix.mix import FixedCoefficient, RandomPairing, Recipe
from overmix.recipes import register


@register(source="a test")
class OwnHalves(Recipe):
    """x' = w x_i + (1 - w) x_j."""

    def __init__(self, weight: float = 0.5) -> None:
        super().__init__(RandomPairing(), FixedCoefficient(weight))


class NotRegistered(Recipe):
    pass


number = 3
'''


@pytest.fixture
def halves():
    @register(source="a test")
    class Halves(Recipe):
        """x' = w x_i + (1 - w) x_j."""

        def __init__(self, weight: float = 0.5) -> None:
            super().__init__(RandomPairing(), FixedCoefficient(weight))

    yield Halves
    unregister("Halves")


@pytest.fixture
def own_methods(tmp_path, monkeypatch):
    """A module beside the study that registers a recipe."""
    (tmp_path / "own_methods.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    yield "own_methods:OwnHalves"
    unregister("OwnHalves")
    sys.modules.pop("own_methods", None)


COMPARE = [{"name": "ERM", "recipe": "NoMixup", "schedule": "never"}]


@pytest.mark.usefixtures("in_process", "halves")
def test_a_registered_recipe_runs_in_a_study_by_name(tiny, tmp_path):
    spec = tiny(compare=[*COMPARE, {"recipe": {"Halves": {"weight": 1.0}}}, {"name": "half", "recipe": "Halves"}])
    plain, whole, half = run_study(spec, tmp_path / "run").conditions
    assert [condition.name for condition in (plain, whole, half)] == ["ERM", "Halves", "half"]
    # A weight of 1 mixes nothing: it is the twin of plain training. A half is another training.
    curves = load_result(tmp_path / "run").curves
    loss = [
        curves.filter(curves["condition"] == name)["test_cross_entropy"].to_numpy()
        for name in ("ERM", "Halves", "half")
    ]
    np.testing.assert_array_equal(loss[0], loss[1])
    assert (loss[2] != loss[0]).any()
    assert plain.final == whole.final


def test_names_and_parameters_of_the_users_recipe_are_checked_like_all_others(halves, tiny):
    with pytest.raises(ConfigError, match=r"recipe = 'Halvs': did you mean Halves\?"):
        tiny(compare=[{"recipe": "Halvs"}])
    with pytest.raises(ConfigError, match=r"recipe.Halves.wieght = 0.3: unknown key, did you mean weight\?"):
        tiny(compare=[{"recipe": {"Halves": {"wieght": 0.3}}}])


def test_an_import_path_needs_permission(own_methods, tiny):
    with pytest.raises(ConfigError, match=r"recipe = 'own_methods:OwnHalves': .* allow it with --allow-code"):
        tiny(compare=[{"recipe": own_methods}])
    assert "own_methods" not in sys.modules  # nothing of it was run
    assert tiny(allow_code=True, compare=[{"recipe": own_methods}]).compare[0].recipe_name == own_methods


def test_an_import_path_is_the_recipe_that_it_registers(own_methods):
    entry = recipe_entry(own_methods)
    assert entry is registered()["OwnHalves"]
    recipe = build_recipe(own_methods, weight=0.25)
    assert type(recipe) is entry.recipe
    assert recipe.coefficient == FixedCoefficient(0.25)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("own_methods:NotRegistered", "decorate the class with overmix.recipes.register"),
        ("own_methods:number", "number is a int"),
        ("own_methods:Absent", "own_methods has no Absent"),
        ("not_there_at_all:Recipe", "put its folder on PYTHONPATH"),
        (":Recipe", "write it as module:Recipe"),
    ],
)
@pytest.mark.usefixtures("own_methods")
def test_what_an_import_path_cannot_be(path, message):
    with pytest.raises(ConfigError, match=f"^recipe = '{path}': .*{message}"):
        recipe_entry(path)


def test_a_name_that_is_none_says_both_ways():
    with pytest.raises(ConfigError, match=r"did you mean Mixup.*or module:Recipe of your own"):
        check_recipe_name("Mixpu", allow_code=True)


def test_registered_recipes_are_built_as_everywhere():
    assert type(build_recipe("Mixup", alpha=0.2)) is Mixup


@pytest.mark.parametrize("recipe", ["AnchorMixup", "MixCo", "M3Co", "LISA", "LossMix"])
@pytest.mark.usefixtures("in_process")
def test_recipes_that_need_what_the_data_do_not_have_are_refused_before_any_work(recipe, tiny, tmp_path):
    with pytest.raises(ConfigError, match=recipe) as refused:
        run_study(tiny(compare=[{"recipe": recipe}]), tmp_path / "run")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "run" / "stacks").exists()


@pytest.mark.slow
def test_worker_processes_know_it_too(own_methods, tmp_path):
    """The command, with two processes that have never seen the module."""
    (tmp_path / "study.yaml").write_text(
        f"""\
name: own
data: {{name: digits, train_size: 64, val_size: 32}}
model: {{name: mlp, hidden: [8]}}
train: {{epochs: 4, batch_size: 32}}
compare: [{{name: ERM, recipe: NoMixup}}, {{name: own, recipe: {{"{own_methods}": {{weight: 0.7}}}}}}]
seeds: 2
device: cpu
"""
    )
    source = Path(overmix.__file__).parents[1]
    ran = subprocess.run(
        [sys.executable, "-m", "overmix.cli", "run", "study.yaml", "--out", "out", "--allow-code", "--json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    summary = json.loads(ran.stdout)
    assert [condition["name"] for condition in summary["conditions"]] == ["ERM", "own"]


@pytest.mark.slow
def test_a_script_that_registers_and_runs_with_worker_processes(tmp_path):
    (tmp_path / "script.py").write_text(
        SOURCE
        + """
from pathlib import Path

from overmix.study import parse_study, run_study

if __name__ == "__main__":
    spec = parse_study(
        {
            "name": "own",
            "data": {"name": "digits", "train_size": 64, "val_size": 32},
            "model": {"name": "mlp", "hidden": [8]},
            "train": {"epochs": 3, "batch_size": 32},
            "compare": [{"recipe": "OwnHalves"}],
            "seeds": 2,
            "device": "cpu",
            "executor": {"workers": 2},
        }
    )
    print(run_study(spec, Path("out")).conditions[0].name)
"""
    )
    source = Path(overmix.__file__).parents[1]
    ran = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "OwnHalves"


def test_the_study_says_how_to_call_it_in_a_loop(own_methods):
    from overmix.study.analyse.code_line import imported_as

    assert imported_as("Mixup") == "overmix.Mixup"
    assert imported_as("CutMix") == "overmix.recipes.CutMix"
    assert imported_as(own_methods) == "own_methods.OwnHalves"


def test_the_study_has_its_defaults_written_out(own_methods, tiny):
    from overmix.study.plan.cells import expand

    (first, *_) = expand(tiny(allow_code=True, compare=[{"recipe": own_methods}]))
    assert first.content["recipe"] == {own_methods: {"weight": 0.5}}


def test_parsing_refuses_values_that_cannot_work(own_methods):
    compare = [{"recipe": {own_methods: {"weight": 2.0}}}]
    with pytest.raises(ConfigError, match=r"lam = 2.0: use a number in \[0, 1\]"):
        parse_study({"compare": compare}, allow_code=True)
