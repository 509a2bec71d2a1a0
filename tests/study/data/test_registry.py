import pytest

from overmix.errors import ConfigError
from overmix.study.data import dataset_names, dataset_options, load_dataset


def test_every_option_has_a_default():
    """The study file's schema and the documentation show them."""
    for name in dataset_names():
        assert all(isinstance(default, str | int | float | bool | tuple) for default in dataset_options(name).values())


def test_unknown_names_and_options():
    with pytest.raises(ConfigError, match=r"^data\.name = 'digit': did you mean digits\?"):
        load_dataset("digit")
    with pytest.raises(
        ConfigError, match=r"^data\.pth = 'a': unknown key, did you mean path\? known: labels, path, test_size"
    ):
        load_dataset("npz", pth="a")
    with pytest.raises(ConfigError, match=r"^data\.path = 'a': unknown key, digits takes no options"):
        load_dataset("digits", path="a")


def test_values_of_the_wrong_kind():
    with pytest.raises(ConfigError, match=r"^data\.path = 3: give text"):
        load_dataset("npz", path=3)
    with pytest.raises(ConfigError, match=r"^data\.download = 'yes': give true or false"):
        load_dataset("fashion_mnist", download="yes")
