import inspect

import pytest
import torch
from torch.func import functional_call, stack_module_state, vmap

from overmix.errors import ConfigError
from overmix.study.models import build_model, check_model_name, model_names, model_options

SMALL = {
    "mlp": {"hidden": [8]},
    "convnet": {"width": 4},
    "resnet8": {"width": 2},
    "resnet18": {"width": 2},
    "resnet34": {"width": 2},
    "vgg16": {"width": 2},
}


@pytest.mark.parametrize("name", model_names())
def test_every_option_has_a_plain_default(name):
    options = model_options(name)
    assert all(isinstance(default, str | int | float | bool | tuple) for default in options.values())
    assert not {"sample_shape", "num_classes"} & set(options)
    build_model(name, sample_shape=(3, 32, 32), num_classes=4, **{**options, **SMALL[name]})


@pytest.mark.parametrize("name", model_names())
def test_one_seed_gives_one_model(name):
    def weights(seed):
        torch.manual_seed(seed)
        model = build_model(name, sample_shape=(3, 32, 32), num_classes=4, **SMALL[name])
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("name", model_names())
def test_stacked_training_gives_each_replicas_own_gradients(name, batch_norm):
    options = SMALL[name] | ({"batch_norm": batch_norm} if "batch_norm" in model_options(name) else {})
    models = [build_model(name, sample_shape=(3, 32, 32), num_classes=4, **options).double().train() for _ in range(2)]
    x = torch.randn(2, 6, 3, 32, 32, dtype=torch.float64)
    kept = x.clone()
    parameters, buffers = stack_module_state(models)
    base = models[0]

    def loss(p, b, x):
        return functional_call(base, (p, b), (x,)).square().mean()

    losses = vmap(loss)(parameters, buffers, x)
    stacked = torch.autograd.grad(losses.sum(), list(parameters.values()))
    for r, model in enumerate(models):
        own = torch.autograd.grad(model(x[r]).square().mean(), list(model.parameters()))
        for ours, theirs in zip(stacked, own, strict=True):
            torch.testing.assert_close(ours[r], theirs, rtol=1e-8, atol=1e-10)
    assert torch.equal(x, kept)


def test_unknown_names_and_options():
    with pytest.raises(ConfigError, match=r"^model\.name = 'convent': did you mean convnet\? .*, or module:factory$"):
        check_model_name("convent", allow_code=True)
    with pytest.raises(ConfigError, match=r"^model\.name = 'mpl': did you mean mlp\?"):
        model_options("mpl")
    with pytest.raises(ConfigError, match=r"^model\.widht = 3: unknown key, did you mean width\?"):
        build_model("convnet", sample_shape=(1, 8, 8), num_classes=3, widht=3)
    with pytest.raises(ConfigError, match=r"^model\.width = 'wide': give a whole number"):
        build_model("convnet", sample_shape=(1, 8, 8), num_classes=3, width="wide")


def test_options_come_from_the_function_itself():
    from overmix.study.models.mlp import mlp

    defaults = {name: p.default for name, p in inspect.signature(mlp).parameters.items()}
    assert model_options("mlp") == {k: defaults[k] for k in ("hidden", "activation", "dropout", "batch_norm")}
