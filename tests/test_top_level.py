"""What ``import overmix`` gives, and what it does not take."""

import subprocess
import sys

import pytest

import overmix


def test_every_name_is_there_and_they_are_few():
    assert len(overmix.__all__) <= 15
    for name in overmix.__all__:
        assert getattr(overmix, name) is getattr(overmix, name)
    assert set(overmix.__all__) | {"mix", "switch", "diagnose"} <= set(dir(overmix))
    assert overmix.switch.Epochs is overmix.Epochs


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'overmix' has no attribute 'Mixpu'"):
        _ = overmix.Mixpu
    with pytest.raises(ImportError, match="Mixpu"):
        exec("from overmix import Mixpu")


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["run", "--help"], ["diagnose", "--help"]])
def test_help_does_not_wait_for_pytorch(arguments):
    code = f"""
import sys
from overmix.cli.app import run
assert run({arguments!r}) == 0
assert "torch" not in sys.modules, "PyTorch was imported"
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
