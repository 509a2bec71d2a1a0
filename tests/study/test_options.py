import pytest

from overmix.errors import ConfigError
from overmix.study.options import check_option_values

DEFAULTS = {"width": 32, "dropout": 0.0, "batch_norm": False, "hidden": (256, 256), "path": ""}


@pytest.mark.parametrize(
    "options",
    [{}, {"width": 8}, {"dropout": 0}, {"dropout": 0.5}, {"batch_norm": True}, {"hidden": [8]}, {"path": "a.npz"}],
)
def test_values_of_the_right_kind_pass(options):
    check_option_values("model", "net", options, DEFAULTS)


@pytest.mark.parametrize(
    ("option", "value", "remedy"),
    [
        ("width", 8.0, "give a whole number, such as 32"),
        ("width", True, "give a whole number, such as 32"),
        ("width", None, "give a whole number, such as 32"),
        ("dropout", "half", "give a number, such as 0.0"),
        ("dropout", True, "give a number, such as 0.0"),
        ("batch_norm", 1, "give true or false"),
        ("batch_norm", "yes", "give true or false"),
        ("hidden", 256, "give a list, such as [256, 256]"),
        ("hidden", "256", "give a list, such as [256, 256]"),
        ("path", 7, "give text"),
    ],
)
def test_another_kind_is_refused(option, value, remedy):
    with pytest.raises(ConfigError) as error:
        check_option_values("model", "net", {option: value}, DEFAULTS)
    assert str(error.value) == f"model.{option} = {value!r}: {remedy}"


def test_an_unknown_option_names_the_nearest():
    with pytest.raises(ConfigError, match=r"^data\.pth = 'x': unknown key, did you mean path\? known: .*width$"):
        check_option_values("data", "npz", {"pth": "x"}, DEFAULTS)


def test_an_option_of_what_takes_none():
    with pytest.raises(ConfigError, match=r"^data\.path = 'x': unknown key, digits takes no options$"):
        check_option_values("data", "digits", {"path": "x"}, {})
