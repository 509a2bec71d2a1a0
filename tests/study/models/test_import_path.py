import sys

import pytest
import torch

from overmix.errors import ConfigError
from overmix.study.models import build_model

SOURCE = """
import torch
from torch import nn

def linear(*, sample_shape, num_classes, scale=1.0):
    model = nn.Sequential(nn.Flatten(), nn.LazyLinear(num_classes), nn.BatchNorm1d(num_classes))
    model.scale = scale
    return model

class Makers:
    make = staticmethod(linear)

def no_module(**_): return "a model"
def positional(sample_shape, num_classes, /): return nn.Flatten()
def fails(**_): raise ZeroDivisionError("division by zero\\nand more")
def refuses(**_):
    from overmix.errors import ConfigError
    raise ConfigError("model.width", 3, "use an even number")
def wrong_shape(*, sample_shape, num_classes): return nn.Sequential(nn.Flatten(), nn.LazyLinear(num_classes + 1))
def wrong_input(*, sample_shape, num_classes): return nn.Linear(999, num_classes)

class Pair(nn.Module):
    def forward(self, x): return x, x
def pair(**_): return Pair()
number = 7
"""


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    """A module in the working directory, which is not on the search path."""
    (tmp_path / "own_models.py").write_text(SOURCE)
    (tmp_path / "broken_models.py").write_text("def f(:\n")
    (tmp_path / "needy_models.py").write_text("import not_installed_anywhere\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", ".")])
    for name in ("own_models", "broken_models", "needy_models"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield
    for name in ("own_models", "broken_models", "needy_models"):
        sys.modules.pop(name, None)


def build(path, **options):
    return build_model(path, sample_shape=(1, 4), num_classes=3, allow_code=True, **options)


@pytest.mark.parametrize("path", ["own_models:linear", "own_models:Makers.make"])
def test_a_factory_beside_the_study(path):
    model = build(path, scale=2.0)
    assert model.scale == 2.0
    assert model(torch.zeros(5, 1, 4)).shape == (5, 3)


def test_the_look_at_its_output_leaves_no_trace():
    torch.manual_seed(0)
    model = build("own_models:linear")
    after = torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(after, torch.rand(1))
    assert all(module.training for module in model.modules())
    assert model[2].num_batches_tracked == 0


def test_without_permission_nothing_is_imported():
    with pytest.raises(ConfigError, match=r"^model\.name = 'own_models:linear': .*allow it with --allow-code$"):
        build_model("own_models:linear", sample_shape=(1, 4), num_classes=3)
    assert "own_models" not in sys.modules


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("own_model:linear", "No module named 'own_model': put its folder on PYTHONPATH, or start there"),
        ("own_models.sub:linear", "No module named 'own_models.sub'"),
        ("needy_models:f", "No module named 'not_installed_anywhere'"),
        ("broken_models:f", "importing broken_models failed .SyntaxError"),
        ("own_models:liner", "own_models has no liner: name a function in it"),
        ("own_models:number", "number is a int: name a function"),
        ("own_models:", "write it as module:factory"),
        (":linear", "write it as module:factory"),
        (".own_models:linear", "write it as module:factory"),
        ("own_models:no_module", "it returned a str: return a torch.nn.Module"),
        ("own_models:positional", "calling it with sample_shape, num_classes failed .TypeError: .*: make it accept"),
        ("own_models:fails", "calling it .* failed .ZeroDivisionError: division by zero.: make"),
        ("own_models:wrong_shape", r"it maps a batch of shape \(2, 1, 4\) to \(2, 4\): return logits of shape \(2, 3"),
        ("own_models:wrong_input", r"it fails on a batch of shape \(2, 1, 4\) .RuntimeError: .*: repair it"),
        ("own_models:pair", r"it maps a batch of shape \(2, 1, 4\) to tuple: return logits"),
    ],
)
def test_one_line_for_whatever_is_wrong(path, message):
    with pytest.raises(ConfigError, match=rf"^model\.name = '{path}': {message}") as error:
        build(path)
    assert "\n" not in str(error.value)


def test_an_option_that_the_factory_does_not_take():
    with pytest.raises(ConfigError, match=r"with sample_shape, num_classes, width failed .*'width'"):
        build("own_models:linear", width=3)


def test_the_factorys_own_refusal_is_passed_on():
    with pytest.raises(ConfigError, match=r"^model\.width = 3: use an even number$"):
        build("own_models:refuses")
