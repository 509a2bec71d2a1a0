"""What a resumed run must share with the saved one: every setting of every recipe, schedule and policy."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn

import overmix
from overmix.errors import ConfigError
from overmix.mix import BetaCoefficient, HiddenSpace, InputSpace, RandomPairing, Recipe
from overmix.recipes import OneOf, make_recipe, registered
from overmix.switch import Epochs, Phases, make_schedule, registered_policies
from overmix.switch.policies.baselines import Patience

OTHER = {
    "axes": 1,
    "clean_gradient": "stop",
    "contrast": "soft",
    "criterion": "mse",
    "domain": "same",
    "intervals": 4,
    "label": "same",
    "layer": "body",
    "layers": ("input", "body"),
    "masks": "union",
    "mix": False,
    "modalities": 3,
    "unit": "label",
}
"""Another value than the default; numbers are made a little smaller."""


def other_than(parameter, default):
    if parameter == "per":
        return "sample" if default == "batch" else "batch"
    return OTHER[parameter] if parameter in OTHER else 0.9 * default


def refused(mix, other, setting):
    """Check that what runs with one is saved is gone on with by its like, and by no other."""
    state = Epochs(4, mix=mix).state_dict()
    Epochs(4, mix=pickle.loads(pickle.dumps(mix))).load_state_dict(state)
    with pytest.raises(ConfigError, match=r": the saved run has .*: use the same settings$") as raised:
        Epochs(4, mix=other).load_state_dict(state)
    assert raised.value.field == setting


@pytest.mark.parametrize("name", sorted(registered()))
def test_a_recipe_with_another_setting_is_refused_by_its_name(name):
    recipe = make_recipe(name)
    for parameter, default in registered()[name].defaults.items():
        other = make_recipe(name, **{parameter: other_than(parameter, default)})
        refused(recipe, other, f"mix.{parameter}")
        refused(Phases([(0, recipe), (2, None)]), Phases([(0, other), (2, None)]), f"mix.parts[0][1].{parameter}")
        if recipe.only_mixes:
            refused(OneOf(recipe), OneOf(other), f"mix.recipes[0].{parameter}")


@pytest.mark.parametrize("name", sorted(registered()))
def test_a_repr_is_the_call_that_makes_the_recipe(name):
    recipe = make_recipe(name, **{p: other_than(p, d) for p, d in registered()[name].defaults.items()})
    again = eval(repr(recipe), vars(overmix.recipes))
    assert repr(again) == repr(recipe) != repr(make_recipe(name)) or not registered()[name].defaults
    assert again.settings == recipe.settings == pickle.loads(pickle.dumps(recipe)).settings


def composed(space):
    return Recipe(RandomPairing(), BetaCoefficient(0.4), space)


def smooth(beta):
    return make_recipe("LossMix", criterion=nn.SmoothL1Loss(reduction="none", beta=beta))


def weighted(weight, classes=2):
    weights = torch.ones(classes)
    weights[-1] = weight
    return make_recipe("LossMix", criterion=nn.CrossEntropyLoss(weights, reduction="none"))


def elsewhere(output, y):
    return (output - y).abs()


class Twice(overmix.Mixup):
    """A user's own recipe, whose settings are not Mixup's."""

    def __init__(self, strength=1.0, *, note="none"):
        super().__init__(alpha=2 * strength)


class PassedOn(overmix.Mixup):
    """A user's own recipe, that names none of its settings."""

    def __init__(self, **settings):
        super().__init__(**settings)


class Scaled:
    """A user's own criterion, with a setting."""

    def __init__(self, scale):
        self.scale = scale

    def __call__(self, output, y):
        return self.scale * (output - y).abs()


@pytest.mark.parametrize(
    ("mix", "other", "setting"),
    [
        (composed(InputSpace("keep")), composed(InputSpace("union")), "mix.space.masks"),
        (composed(HiddenSpace(("a",))), composed(HiddenSpace(("b",))), "mix.space.layers[0]"),
        (make_recipe("LossMix"), make_recipe("LossMix", criterion=elsewhere), "mix.criterion"),
        (smooth(1.0), smooth(0.5), "mix.criterion.beta"),
        (Twice(), Twice(note="other"), "mix.note"),
        (weighted(1), weighted(9), "mix.criterion.weight"),
        (PassedOn(), PassedOn(alpha=2), "mix.alpha"),
        (
            make_recipe("LossMix", criterion=Scaled(1)),
            make_recipe("LossMix", criterion=Scaled(2)),
            "mix.criterion.scale",
        ),
        (
            make_recipe("LossMix", criterion=Scaled(1).__call__),
            make_recipe("LossMix", criterion=Scaled(2).__call__),
            "mix.criterion.scale",
        ),
        (OneOf(Twice(), overmix.Mixup()), OneOf(Twice(), overmix.Mixup(), probs=(0.3, 0.7)), "mix.probs[0]"),
        (OneOf(Twice()), OneOf(Twice(), Twice()), "mix.recipes"),
        (Phases([(0, Twice())]), Phases([(0, Twice()), (2, None)]), "mix.parts"),
        (Twice(), overmix.Mixup(), "mix"),
    ],
)
def test_what_recipes_are_made_of_counts_too(mix, other, setting):
    refused(mix, other, setting)


@pytest.mark.parametrize("name", sorted(registered()))
def test_a_number_of_numpy_is_that_number(name):
    for parameter, default in registered()[name].defaults.items():
        if isinstance(default, float):
            with_numpy, plain = (make_recipe(name, **{parameter: half}) for half in (np.float32(0.5), 0.5))
            assert with_numpy.settings == plain.settings
            assert repr(with_numpy) == repr(plain)


def test_one_setting_has_one_spelling():
    assert repr(make_recipe("RegMixup", eta=2)) == repr(make_recipe("RegMixup", eta=np.float64(2)))
    assert repr(PassedOn()) == repr(PassedOn(alpha=1)) == "PassedOn(alpha=1.0, per='batch', masks=None)"
    as_list, as_tuple = (make_recipe("ManifoldMixup", layers=kind(["a", "b"])) for kind in (list, tuple))
    assert as_list.settings == as_tuple.settings
    assert repr(make_recipe("LossMix", criterion=elsewhere)).count(f"criterion={__name__}.elsewhere") == 1


def test_many_weights_of_classes_are_told_apart_by_a_digest():
    refused(weighted(1, classes=2000), weighted(9, classes=2000), "mix.criterion.weight")


def test_a_policy_with_a_number_in_another_spelling_goes_on():
    state = Epochs(4, mix=overmix.Mixup(), switch=Patience(patience=1), state={}).state_dict()
    for spelt in (1.0, np.float32(1)):
        Epochs(4, mix=overmix.Mixup(), switch=Patience(patience=spelt), state={}).load_state_dict(state)
    state = Epochs(4, mix=overmix.Mixup(), switch=overmix.off_at(1)).state_dict()
    with pytest.raises(ConfigError, match="the saved run has '1'"):  # an epoch is no share
        Epochs(4, mix=overmix.Mixup(), switch=overmix.off_at(1.0)).load_state_dict(state)


@pytest.mark.parametrize(
    "switch",
    ["always", "never", "fade", "linear_decay", "hesitation", *registered_policies()]
    + [{name: 1} for name in ("off_at", "on_from", "off_at_step", "on_from_step")],
    ids=str,
)
def test_every_schedule_and_policy_pickles(switch):
    made = make_schedule(switch)
    assert pickle.loads(pickle.dumps(made)) == made
