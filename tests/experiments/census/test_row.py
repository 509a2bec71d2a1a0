"""A row's grid, and the digest that tells its versions apart."""

from dataclasses import replace

import pytest

from overmix.experiments.census.loop_row import Control, LoopRow
from overmix.experiments.census.tasks.classification import Classification
from overmix.recipes import LossMix, MixCo, Mixup
from overmix.switch import off_at

ROW = LoopRow(recipe_name="Mixup", method=Mixup(), task=Classification())


def test_the_grid_is_log_spaced_between_never_on_and_never_off():
    assert ROW.grid == [0, 25, 50, 100, 200, 400, 600]
    assert ROW.third == 200


def test_a_short_training_has_no_switch_twice():
    grid = replace(ROW, task=Classification(epochs=6)).grid
    assert grid == sorted(set(grid))
    assert grid[0] == 0
    assert grid[-1] == 6


@pytest.mark.parametrize(
    "other",
    [
        replace(ROW, method=Mixup(alpha=0.5)),
        replace(ROW, task=Classification(lr=0.05)),
        replace(ROW, variant="digits"),
        replace(ROW, controls={"c": Control(Mixup())}),
        replace(ROW, controls={"c": Control(Mixup(), off_at(3))}),
        replace(ROW, controls={"c": Control(Mixup())}, erm="c"),
        ROW.at("smoke"),
    ],
)
def test_whatever_changes_the_numbers_changes_the_digest(other):
    assert other.digest() != ROW.digest()


def test_weights_of_a_loss_are_part_of_the_digest():
    assert len({replace(ROW, method=MixCo(temperature=t)).digest() for t in (0.1, 0.2)}) == 2


def test_the_digest_is_the_same_in_every_process():
    # No address of an object may be part of it.
    row, again = (replace(ROW, method=LossMix(criterion=lambda output, y: y)) for _ in range(2))
    assert row.digest() == again.digest()
    assert ROW.digest() == replace(ROW, method=Mixup()).digest()
