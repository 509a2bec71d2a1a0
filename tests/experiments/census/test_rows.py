"""Every recipe has a row, and every selective one the control that resamples without mixing."""

from pathlib import Path

import pytest

from overmix.experiments.census.rows import ROWS
from overmix.mix import CoinCoefficient
from overmix.recipes import OneOf, registered
from overmix.study.spec.recipes import build_recipe

DOCS = Path(__file__).parents[3] / "docs"

# NoMixup is what every row is compared with, SoftCLIP what the contrastive rows are switched to.
SERVING = {"NoMixup", "SoftCLIP"}


def test_every_recipe_has_a_row():
    assert {row.recipe_name for row in ROWS} == set(registered()) - SERVING


def test_each_row_has_the_recipe_of_its_name():
    for row in ROWS:
        assert type(row.recipe) is registered()[row.recipe_name].recipe
        assert not isinstance(row.recipe, OneOf)  # it only chooses among others


def test_names_are_unique():
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("name", sorted(set(registered())))
def test_every_card_says_what_was_measured(name):
    text = (DOCS / "recipes" / f"{name.lower()}.md").read_text()
    assert text.count("**Measured over-training.**") == 1
    assert ("<!-- census: begin" in text) == (name not in SERVING)


@pytest.mark.parametrize("name", ["LISA", "SelectiveMixup-imbalanced", "SelectiveMixup-coloured"])
def test_selective_recipes_have_a_control_that_resamples_without_mixing(name):
    (row,) = (row for row in ROWS if row.name == name)
    (written,) = row.controls["resampled, not mixed"]["recipe"].items()
    control = build_recipe(written[0], **written[1])
    assert isinstance(control.coefficient, CoinCoefficient)
    assert repr(control.pairing) == repr(row.recipe.pairing)


@pytest.mark.parametrize("name", ["MixCo", "BiMixCo", "GroupedMixCo", "M3Co"])
def test_contrastive_rows_are_compared_with_their_own_loss_never_mixed_and_give_way_to_softclip(name):
    (row,) = (row for row in ROWS if row.name == name)
    assert (row.off, row.erm) == ("SoftCLIP", "plain contrast")
    assert row.controls[row.erm].recipe.coefficient.probability == 0


def test_every_grid_has_both_ends_and_the_third_that_mindeye_switches_at():
    for row in ROWS:
        assert (row.grid[0], row.grid[-1]) == (0, row.epochs)
        assert row.third in row.grid
