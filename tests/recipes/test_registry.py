import pytest

from overmix.errors import ConfigError
from overmix.mix import FixedCoefficient, RandomPairing, Recipe
from overmix.recipes import Mixup, make_recipe, register, registered, unregister


@pytest.fixture
def halves():
    @register(source="a test")
    class Halves(Recipe):
        """x' = (x_i + x_j) / 2.

        More text.
        """

        def __init__(self, weight: float = 0.5) -> None:
            super().__init__(RandomPairing(), FixedCoefficient(weight))

    yield Halves
    unregister("Halves")


def test_a_registered_recipe_can_be_made_by_name_with_parameters(halves):
    recipe = make_recipe("Halves", weight=0.25)
    assert isinstance(recipe, halves)
    assert recipe.coefficient == FixedCoefficient(0.25)


def test_the_entry_says_where_it_comes_from_its_equation_and_its_defaults(halves):
    entry = registered()["Halves"]
    assert (entry.name, entry.recipe, entry.source) == ("Halves", halves, "a test")
    assert entry.summary == "x' = (x_i + x_j) / 2."
    assert entry.defaults == {"weight": 0.5}


def test_the_description_names_all_choices_and_where_it_mixes_if_that_is_not_its_space(halves):
    text = registered()["Halves"].describe()
    assert text["space"] == "InputSpace()"
    assert text["target"] == "both labels with their weights, cross-entropy"
    assert text["schedule"] == "every batch"
    assert text["needs"] == []
    assert registered()["M3Co"].describe()["space"] == "embeddings of each modality"
    assert registered()["AnchorMixup"].describe()["space"].startswith("representations")


def test_names_are_listed_in_order_and_every_entry_is_documented():
    entries = registered()
    assert list(entries) == sorted(entries)
    for name, entry in entries.items():
        assert entry.name == name == entry.recipe.__name__
        assert entry.summary
        assert entry.source


def test_the_listing_is_a_copy():
    registered().clear()
    assert "Mixup" in registered()


def test_defaults_of_every_recipe_work():
    for name, entry in registered().items():
        assert type(make_recipe(name)) is entry.recipe
        assert type(make_recipe(name, **entry.defaults)) is entry.recipe


@pytest.mark.parametrize(
    ("name", "hint"), [("mixup", "did you mean Mixup?"), ("Mixpu", "did you mean Mixup?"), ("zzz", "known: ")]
)
def test_an_unknown_name_gets_the_nearest_known_one(name, hint):
    with pytest.raises(ConfigError, match=rf"^recipe = '{name}': {hint.replace('?', '[?]')}"):
        make_recipe(name)


def test_an_unknown_parameter_gets_the_nearest_known_one():
    with pytest.raises(ConfigError, match=r"^recipe Mixup: parameter = 'alhpa': did you mean alpha\? known: alpha"):
        make_recipe("Mixup", alhpa=1.0)
    with pytest.raises(ConfigError, match=r"NoMixup takes no parameters"):
        make_recipe("NoMixup", alpha=1.0)


def test_a_value_that_cannot_work_is_refused_by_the_recipe():
    with pytest.raises(ConfigError, match=r"^alpha = -1"):
        make_recipe("Mixup", alpha=-1)


def test_a_taken_name_is_refused_and_the_first_recipe_stays():
    with pytest.raises(ConfigError, match=r"^recipe = 'Mixup': choose another name"):
        register(source="a test")(type("Mixup", (Recipe,), {"__init__": lambda self: None}))
    assert registered()["Mixup"].recipe is Mixup


def test_a_parameter_without_default_is_refused():
    def init(self, weight):
        pass

    with pytest.raises(ConfigError, match=r"^recipe = 'Bare': give a default to weight"):
        register(source="a test")(type("Bare", (Recipe,), {"__init__": init}))
    assert "Bare" not in registered()


def test_an_unregistered_name_is_forgotten():
    register(source="a test")(type("Fleeting", (Recipe,), {"__init__": lambda self: None}))
    unregister("Fleeting")
    unregister("Fleeting")
    assert "Fleeting" not in registered()
