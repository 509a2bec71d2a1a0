import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call, grad, vmap

from overmix.errors import ConfigError
from overmix.mix import BetaCoefficient, HiddenSpace, InputSpace, MixPlan, RandomPairing, Recipe, Streams


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Sequential(nn.Linear(6, 5), nn.Tanh()), nn.Linear(5, 3))


def plan_at(layer, batch_size=5, seed=0):
    g = torch.Generator().manual_seed(seed)
    return MixPlan(
        torch.randperm(batch_size, generator=g),
        torch.rand(batch_size, generator=g),
        choice=torch.full((batch_size,), layer),
    )


LAYERS = ("input", "0", "2.0", "2", "3")


def forward(space, model, plan, x):
    with space.inside(model, plan):
        return model(space.apply(plan, x))


def by_hand(model, plan, x, layer):
    """Run the model in two halves, and mix between them."""

    def mixed(h):
        return plan.lam[:, None] * h + (1 - plan.lam[:, None]) * h[plan.partner]

    first, tanh, (second, last_tanh), head = model[0], model[1], model[2], model[3]
    h = mixed(x) if layer == "input" else x
    h = mixed(first(h)) if layer == "0" else first(h)
    h = tanh(h)
    h = mixed(second(h)) if layer == "2.0" else second(h)
    h = mixed(last_tanh(h)) if layer == "2" else last_tanh(h)
    return mixed(head(h)) if layer == "3" else head(h)


@pytest.mark.parametrize("layer", LAYERS)
def test_the_output_of_the_chosen_layer_is_mixed_and_of_no_other(layer):
    model, plan, x = network(), plan_at(LAYERS.index(layer)), torch.randn(5, 4)
    found = forward(HiddenSpace(LAYERS), model, plan, x)
    torch.testing.assert_close(found, by_hand(model, plan, x, layer))
    assert not torch.allclose(found, model(x))


@pytest.mark.parametrize("layer", range(len(LAYERS)))
def test_lam_one_leaves_the_forward_pass_as_it_is_bit_for_bit(layer):
    model, x = network(), torch.randn(5, 4)
    plan = MixPlan(plan_at(layer).partner, torch.ones(5), choice=plan_at(layer).choice)
    assert torch.equal(forward(HiddenSpace(LAYERS), model, plan, x), model(x))


def test_an_affine_layer_before_the_place_commutes_with_mixing():
    # Mixing the input of an affine layer is mixing its output.
    model, x = network().double(), torch.randn(5, 4, dtype=torch.float64)
    space = HiddenSpace(("input", "0"))
    at_input, after = (forward(space, model, plan_at(k), x) for k in (0, 1))
    # lam is float32, but both sides round it alike.
    torch.testing.assert_close(at_input, after, atol=1e-14, rtol=1e-12)


@given(st.integers(1, 8), st.integers(0, 2**31))
def test_with_the_input_as_only_place_it_is_the_input_space_bit_for_bit(batch_size, seed):
    x = torch.randn(batch_size, 4)
    plan = plan_at(0, batch_size, seed)
    space = HiddenSpace(("input",))
    assert space.needs == frozenset()
    assert torch.equal(space.apply(plan, x), InputSpace().apply(plan, x))


def hooks(model):
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


def test_hooks_are_gone_afterwards():
    model, x = network(), torch.randn(5, 4)
    plain = model(x)
    forward(HiddenSpace(LAYERS), model, plan_at(2), x)
    assert hooks(model) == 0
    assert torch.equal(model(x), plain)


def fail_in_the_model(model, space, plan):
    with space.inside(model, plan):
        assert hooks(model) == 4
        model(torch.randn(5, 99))


def fail_after_the_model(model, space, plan):
    with space.inside(model, plan):
        model(torch.randn(5, 4))
        raise RuntimeError("mat")


@pytest.mark.parametrize("fail", [fail_in_the_model, fail_after_the_model])
def test_hooks_are_gone_after_an_exception(fail):
    model = network()
    with pytest.raises(RuntimeError, match="mat"):
        fail(model, HiddenSpace(LAYERS), plan_at(1))
    assert hooks(model) == 0


def test_a_missing_layer_is_refused_with_the_nearest_name_and_leaves_no_hook():
    model = nn.ModuleDict({"stem": nn.Linear(1, 1), "layer1": nn.Linear(1, 1)})
    with (
        pytest.raises(ConfigError, match=r"^layers = 'layer2': did you mean layer1\? known: input, layer1, stem"),
        HiddenSpace(("stem", "layer2")).inside(model, plan_at(0)),
    ):
        pass
    assert hooks(model) == 0
    with (
        pytest.raises(ConfigError, match=r"give a torch\.nn\.Module"),
        HiddenSpace(("a",)).inside(torch.relu, plan_at(0)),
    ):
        pass


class Twice(nn.Module):
    def __init__(self, calls):
        super().__init__()
        self.layer, self.calls = nn.Linear(4, 4), calls

    def forward(self, x):
        for _ in range(self.calls):
            x = self.layer(x)
        return x


@pytest.mark.parametrize("calls", [0, 2])
def test_a_layer_that_is_not_called_exactly_once_is_refused(calls):
    # Otherwise the labels would be mixed and the hidden state not, or twice.
    model = Twice(calls)
    with pytest.raises(ConfigError, match=rf"^layers = 'layer': .* was called {calls} times in a forward pass"):
        forward(HiddenSpace(("layer",)), model, plan_at(0), torch.randn(5, 4))
    assert hooks(model) == 0


@pytest.mark.parametrize("layers", [(), ("a", "a"), "layer1"])
def test_layers_must_be_a_list_of_different_names(layers):
    with pytest.raises(ConfigError, match=r"^layers = .*: name at least one layer, each once"):
        HiddenSpace(layers)


def test_every_part_of_a_layers_output_is_mixed():
    torch.manual_seed(0)
    recurrent = nn.LSTM(3, 2, batch_first=True, proj_size=0)
    model = nn.ModuleDict({"lstm": recurrent})
    x, plan = torch.randn(5, 4, 3), plan_at(0)
    sequence, _ = recurrent(x)
    holder = HiddenSpace(("lstm",))
    with pytest.raises(Exception, match="the plan is for a batch of 5"), holder.inside(model, plan):
        recurrent(x)  # the last states of an LSTM have their batch in the second dimension
    assert hooks(model) == 0

    class First(nn.Module):
        def forward(self, h):
            return {"states": (h, 2 * h)}

    pair = nn.ModuleDict({"first": First()})
    with HiddenSpace(("first",)).inside(pair, plan):
        out = pair["first"](sequence)["states"]
    for scale, part in zip((1, 2), out, strict=True):
        torch.testing.assert_close(part, scale * InputSpace().apply(plan, sequence.detach()))


def test_layers_are_chosen_uniformly_from_the_space_stream():
    from scipy import stats

    space = HiddenSpace(("input", "a", "b"))
    drawn = torch.stack([space.draw(Streams().generator("space", step=step), 4) for step in range(3000)])
    assert (drawn == drawn[:, :1]).all()
    assert stats.chisquare(torch.bincount(drawn[:, 0], minlength=3).numpy()).pvalue > 1e-3


def test_replicas_that_chose_different_layers_run_as_one_stack():
    recipe, base = Recipe(RandomPairing(), BetaCoefficient(), HiddenSpace(LAYERS)), network()
    models = [dict(network(seed).named_parameters()) for seed in range(5)]
    parameters = {name: torch.stack([model[name].detach() for model in models]) for name in models[0]}
    plans = [plan_at(layer, seed=layer) for layer in range(5)]
    x, y = torch.randn(5, 5, 4), torch.randint(3, (5, 5))

    class Bound:
        """The base module called with the parameters of one replica."""

        def __init__(self, parameters):
            self.parameters = parameters

        def __call__(self, x):
            return functional_call(base, self.parameters, (x,))

        def get_submodule(self, name):
            return base.get_submodule(name)

    def loss(parameters, x_mixed, y, plan):
        return recipe.mixed_loss(Bound(parameters), x_mixed, y, plan)

    stack = MixPlan.stack(plans)
    stacked = vmap(grad(loss))(parameters, recipe.apply(stack, x), y, stack)
    for r, plan in enumerate(plans):
        own = {name: parameter[r] for name, parameter in parameters.items()}
        looped = grad(lambda p, r=r, plan=plan: recipe.objective(Bound(p), x[r], y[r], plan))(own)
        for name, gradient in looped.items():
            torch.testing.assert_close(stacked[name][r], gradient)
    assert hooks(base) == 0
