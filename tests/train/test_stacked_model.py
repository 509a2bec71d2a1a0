import pytest
import torch
from torch import nn

from overmix.train import StackedModel, choose_execution
from overmix.train.stacked_model import seeded_model

CPU = torch.device("cpu")
STACKABLE = [
    "mlp",
    "batch_norm",
    "dropout",
    "dropout_twice",
    "shared_dropout",
    "convnet",
    "convnet_dropout2d",
    "tied",
    "running_mean",
    "unused_layer",
]
KEYS = torch.tensor([4_000_000_000_000_000_001, 17, 2**63 - 1])


def forward_backward(factory, execution):
    """Two training steps' outputs, the gradients, the buffers, and an evaluation output of a stack of three."""
    model = StackedModel(factory, [5, 6, 7], CPU, execution)
    model.train()
    x = torch.randn(2, 3, 16, 6, generator=torch.Generator().manual_seed(0))
    model.set_dropout_keys(KEYS)
    first = model(x[0])
    model.set_dropout_keys(KEYS + 1 - 2**40)
    second = model(x[1])
    weight = torch.linspace(-1, 1, second.numel()).view_as(second)
    gradients = torch.autograd.grad((second * weight).sum(), model.trainable, allow_unused=True)
    model.eval()
    evaluated = model(x[0]).detach()
    buffers = {name: buffer for name, buffer in model.buffers.items() if not name.endswith("key")}
    return {"first": first, "second": second, "gradients": gradients, "evaluated": evaluated, "buffers": buffers}


@pytest.mark.parametrize("name", STACKABLE)
def test_stacked_equals_looped(models, name):
    stacked, looped = (forward_backward(models[name], execution) for execution in ("stacked", "looped"))
    torch.testing.assert_close(stacked, looped, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_convolutions_that_are_looped_over_compute_with_the_channels_innermost(channels):
    def factory():
        return nn.Sequential(nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 1))

    model = StackedModel(factory, [5, 6], CPU, "looped")
    outputs = []
    model.base[0].register_forward_hook(lambda module, inputs, output: outputs.append(output))
    model(torch.randn(2, 8, channels, 6, 6))
    order = torch.channels_last
    assert [output.is_contiguous(memory_format=order) for output in outputs] == [True, True]
    for name, kernels in model.parameters.items():
        plain = [dict(seeded_model(factory, seed).named_parameters())[name] for seed in (5, 6)]
        assert torch.equal(kernels, torch.stack(plain))
        if kernels.dim() == 5:
            assert all(kernel.is_contiguous(memory_format=order) for kernel in kernels)


@pytest.mark.parametrize("name", ["mlp", "batch_norm", "convnet", "tied", "running_mean", "recurrent"])
def test_a_loop_is_bit_for_bit_the_plain_module(models, name):
    x = torch.randn(2, 16, 6)
    model = StackedModel(models[name], [5, 6], CPU, "looped")
    model.train()
    with torch.no_grad():
        outputs = [model(x), model(x)]
    for r, seed in enumerate([5, 6]):
        plain = seeded_model(models[name], seed)
        for output in outputs:
            assert torch.equal(output[r], plain(x[r]))
        for key, buffer in plain.named_buffers():
            assert torch.equal(model.buffers[key][r], buffer)


def test_replicas_differ_by_their_seed_alone(models):
    model = StackedModel(models["mlp"], [5, 6, 5], CPU, "stacked")
    for parameter in model.parameters.values():
        assert torch.equal(parameter[0], parameter[2])
        assert not torch.equal(parameter[0], parameter[1])


def test_dropout_keys_decide_the_masks(models):
    model = StackedModel(models["dropout"], [5, 5, 5], CPU, "stacked")
    assert model.uses_dropout
    x = torch.randn(16, 6).expand(3, 16, 6)
    model.set_dropout_keys(torch.tensor([1, 1, 2]))
    one = model(x)
    model.set_dropout_keys(torch.tensor([1, 1, 2]))
    assert torch.equal(one, model(x))
    torch.testing.assert_close(one[0], one[1])
    assert not torch.allclose(one[0], one[2])


def test_a_frozen_parameter_is_not_trained():
    def frozen():
        model = nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 3))
        model[0].requires_grad_(False)
        return model

    model = StackedModel(frozen, [1, 2], CPU, "stacked")
    assert [tuple(p.shape) for p in model.trainable] == [(2, 3, 4), (2, 3)]
    assert set(model.parameters) == {"0.weight", "0.bias", "1.weight", "1.bias"}


def not_a_leaf():
    # The hook-based form keeps a computed weight, which deepcopy refuses.
    layer = nn.Linear(6, 3)
    layer.register_forward_pre_hook(lambda module, _: setattr(module, "scaled", module.weight * 2))
    layer.scaled = layer.weight * 2
    return layer


def test_a_module_that_cannot_be_copied_is_stacked_all_the_same():
    model = StackedModel(not_a_leaf, [1, 2], CPU, "stacked")
    assert model(torch.rand(2, 4, 6)).shape == (2, 4, 3)


@pytest.mark.parametrize("name", STACKABLE)
def test_what_stacks_is_stacked_unless_it_convolves_on_a_cpu(models, name):
    expected = "looped" if name.startswith("convnet") else "stacked"
    assert choose_execution(models[name], torch.rand(4, 6), CPU) == expected


@pytest.mark.parametrize("name", ["recurrent", "own_randomness"])
def test_what_vmap_refuses_is_looped(models, name):
    assert choose_execution(models[name], torch.rand(4, 6), CPU) == "looped"


class BranchOnData(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        return self.head(x if x.sum() > 0 else -x)


class OwnDropout(nn.Linear):
    def forward(self, x):
        return super().forward(nn.functional.dropout(x, 0.5, training=self.training))


def random_only_in_training():
    return OwnDropout(6, 3).eval()


@pytest.mark.parametrize("factory", [BranchOnData, random_only_in_training])
def test_what_vmap_refuses_only_in_training_or_on_some_data_is_looped(factory):
    assert choose_execution(factory, torch.rand(4, 6), CPU) == "looped"


def test_the_choice_looks_at_bytes_as_the_training_will(models):
    assert choose_execution(models["mlp"], torch.zeros(4, 6, dtype=torch.uint8), CPU) == "stacked"


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_own_randomness_repeats_and_leaves_the_callers_generator_alone(models, mode):
    torch.manual_seed(123)
    before = torch.get_rng_state()
    assert choose_execution(models["own_randomness"], torch.zeros(4, 6), CPU) == "looped"
    model = StackedModel(models["own_randomness"], [1, 2], CPU, "looped")
    getattr(model, mode)()
    x = torch.ones(2, 4, 6)
    one, again, other = model(x, [3, 4]), model(x, [3, 4]), model(x, [3, 5])
    by_default = model(x)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one, again)
    assert torch.equal(one[0], other[0])
    assert not torch.equal(one[1], other[1])
    torch.manual_seed(99)
    assert torch.equal(by_default, model(x))


def test_building_leaves_the_callers_generator_alone_and_ignores_it(models):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = seeded_model(models["mlp"], 8).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    torch.testing.assert_close(seeded_model(models["mlp"], 8).state_dict(), one, rtol=0, atol=0)
    torch.manual_seed(8)
    torch.testing.assert_close(models["mlp"]().state_dict(), one, rtol=0, atol=0)
