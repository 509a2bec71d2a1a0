import numpy as np
import pytest

from overmix.errors import DataError
from overmix.experiments.reproduce import study_checks as rules
from overmix.experiments.reproduce.check import states
from overmix.experiments.reproduce.measured import Measured

from .conftest import EPOCHS, cell

FALLING = 0.1 + 0.4 / EPOCHS
VALLEY = 0.1 + 0.03 * np.abs(np.log2(EPOCHS / 16))
EARLY = 0.1 + 0.03 * np.abs(np.log2(EPOCHS / 4))


def said(rule, measured):
    return states(rule(measured))


def test_a_valley_is_u_shaped_and_a_falling_curve_is_flat(study):
    measured = study(ERM=FALLING, Mixup=VALLEY)
    assert said(rules.together(rules.u_shaped(), rules.monotone()), measured) == ["yes", "yes"]
    assert said(rules.u_shaped("ERM"), measured) == ["no"]
    assert said(rules.monotone("Mixup"), measured) == ["no"]


def test_the_loss_goes_on_only_if_it_falls_after_the_turn(study):
    falls = study({"Mixup": 0.45}, Mixup={"rate": VALLEY, "loss": 1 - 0.05 * np.arange(9)})
    rises = study(Mixup={"rate": VALLEY, "loss": 0.5 + 0.05 * np.arange(9)})
    assert said(rules.loss_goes_on(), falls) == ["yes", "yes"]
    assert "floor 0.450" in rules.loss_goes_on()(falls)[0].what
    assert said(rules.loss_goes_on(), rises) == ["no", "yes"]


def test_turns_are_compared_in_epochs_and_in_steps(study):
    measured = study(small={"rate": EARLY, "steps": 1}, large={"rate": VALLEY, "steps": 6})
    assert said(rules.turns_earlier("small", "large"), measured) == ["yes"]
    assert said(rules.turns_earlier("large", "small"), measured) == ["no"]
    (in_epochs,) = rules.turns_earlier("small", "large")(measured)
    (in_steps,) = rules.turns_earlier("small", "large", of="steps")(measured)
    assert in_epochs.value == pytest.approx(-2)
    assert in_steps.value == pytest.approx(-2 - np.log2(6))


def test_a_u_is_deeper_only_by_more_than_delta(study):
    hardly = 0.1 + 0.031 * np.abs(np.log2(EPOCHS / 16))
    measured = study(deep=0.1 + 0.08 * np.abs(np.log2(EPOCHS / 16)), shallow=VALLEY, hardly=hardly)
    assert said(rules.deeper("deep", "shallow"), measured) == ["yes"]
    assert said(rules.deeper("hardly", "shallow"), measured) != ["yes"]


def test_the_right_switch_is_chosen_on_held_out_samples_and_read_on_test_samples(study):
    measured = study(
        ERM=FALLING,
        Mixup=VALLEY,
        **{
            "@4": {"rate": FALLING, "val": 0.3},
            "@16": {"rate": 0.6 * FALLING, "val": 0.1},
            "@64": {"rate": 0.5 * FALLING, "val": 0.2},
        },
    )
    switched = ["@4", "@16", "@64"]
    assert measured.best_on_validation(switched) == "@16"
    checks = rules.switch_helps(switched, ["ERM", "Mixup"])(measured)
    assert [check.what for check in checks] == ["final error, ERM minus @16", "final error, Mixup minus @16"]
    assert states(checks) == ["yes", "yes"]
    assert said(rules.wrong_time(switched, "@4"), measured) == ["yes"]
    assert said(rules.wrong_time(switched, "@64"), measured) == ["no"]


def test_auto_must_end_within_the_margin_of_plain_training_of_mixing_and_of_the_right_switch(study):
    switches = {"@4": {"rate": FALLING, "val": 0.3}, "@16": {"rate": 0.6 * FALLING, "val": 0.1}}
    rule = rules.as_good_as_the_best("auto", ["ERM", "Mixup"], list(switches))
    good = study(ERM=FALLING, Mixup=VALLEY, auto=0.6 * FALLING, **switches)
    rivals = [check.what.removeprefix("final error, auto minus ") for check in rule(good)]
    assert rivals == ["ERM", "Mixup", "@16"]
    assert said(rule, good) == ["yes", "yes", "yes"]
    assert said(rule, study(ERM=FALLING, Mixup=VALLEY, auto=0.9 * FALLING, **switches)) == ["yes", "yes", "no"]


def test_budgets(study):
    measured = study(short={"rate": FALLING, "val": 0.1}, long={"rate": FALLING + 0.05, "val": 0.2})
    assert said(rules.long_budget_hurts(["short", "long"]), measured) == ["yes"]
    assert said(rules.long_budget_does_not_hurt(["short", "long"]), measured) == ["no"]
    assert said(rules.long_budget_hurts(["long", "short"]), measured) == ["no"]
    assert said(rules.long_budget_does_not_hurt(["long", "short"]), measured) == ["yes"]


def test_ends_better_needs_the_margin(study):
    measured = study(a=FALLING, b=FALLING + 0.002, c=FALLING + 0.05)
    assert said(rules.ends_better("a", "c"), measured) == ["yes"]
    assert said(rules.ends_better("a", "b"), measured) != ["yes"]


def test_a_seed_that_diverged_is_left_out_of_every_condition():
    cells = [cell(name, seed, FALLING) for name in ("ERM", "Mixup") for seed in range(6)]
    cells[8].values["mix_loss"][-1] = np.nan
    measured = Measured(cells)
    assert (measured.n, measured.n_lost) == (5, 1)
    assert len(measured.wrong("ERM")) == len(measured.wrong("Mixup")) == 5
    for each in cells:
        each.values["mix_loss"][-1] = np.nan
    with pytest.raises(DataError, match="every seed diverged"):
        Measured(cells)
