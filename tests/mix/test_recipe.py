import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from overmix.errors import ConfigError, DataError
from overmix.mix import (
    BetaCoefficient,
    Draws,
    FixedCoefficient,
    HiddenSpace,
    MixPlan,
    RandomPairing,
    Recipe,
    SideInfo,
    Streams,
    check_batch,
)
from overmix.recipes import OneOf, make_recipe
from overmix.switch import Epochs


def mixup(alpha=1.0, per="batch"):
    return Recipe(RandomPairing(), BetaCoefficient(alpha, per))


def readable_batch(batch_size, width=3):
    """Samples that are one-hot rows of their own label, so that pairing and lam can be read from x and from targets."""
    x = torch.eye(batch_size, dtype=torch.float64)[:, :, None].expand(-1, -1, width).contiguous()
    return x, torch.arange(batch_size)


@given(st.integers(1, 12), st.sampled_from(["batch", "sample"]), st.integers(0, 2**31))
def test_input_and_target_are_mixed_by_the_same_plan(batch_size, per, seed):
    x, y = readable_batch(batch_size)
    x_mixed, target = mixup(per=per)(x, y, generator=torch.Generator().manual_seed(seed))
    # Column j of row i holds the share of sample j in mixture i: the dense target.
    torch.testing.assert_close(x_mixed[..., 0].float(), target.soft(batch_size), atol=1e-7, rtol=0)
    assert target.a.tolist() == list(range(batch_size))
    assert sorted(target.b.tolist()) == list(range(batch_size))


@given(st.integers(0, 12), st.integers(0, 2**31))
def test_off_nothing_changes_but_the_types_stay(batch_size, seed):
    x, y = readable_batch(batch_size)
    x_mixed, target = mixup().unmixed(x, y)
    assert x_mixed is x
    assert target.a is target.b is y
    assert target.lam.tolist() == [1.0] * batch_size
    on, _ = mixup()(x, y, generator=torch.Generator().manual_seed(seed))
    assert on.dtype == x_mixed.dtype
    assert mixup().unmixed(x.to(torch.uint8), y)[0].dtype == mixup()(x.to(torch.uint8), y)[0].dtype


def test_neither_x_nor_y_is_modified():
    x, y = readable_batch(8)
    before = x.clone(), y.clone()
    x_mixed, target = mixup()(x, y)
    x_mixed.fill_(-1)
    target.b.fill_(-1)
    assert torch.equal(x, before[0])
    assert torch.equal(y, before[1])


def test_the_same_seed_gives_the_same_mixture_and_the_next_call_another():
    x, y = readable_batch(16)
    torch.manual_seed(5)
    first, second = mixup()(x, y), mixup()(x, y)
    torch.manual_seed(5)
    again = mixup()(x, y)
    assert torch.equal(first[0], again[0])
    assert not torch.equal(first[0], second[0])
    explicit = [mixup()(x, y, generator=torch.Generator().manual_seed(7))[0] for _ in range(2)]
    assert torch.equal(*explicit)


def test_only_pytorchs_generator_is_moved_and_by_one_draw_whatever_is_mixed():
    states = []
    for recipe in (mixup(), mixup(0.0, "sample"), mixup(per="sample")):
        torch.manual_seed(1)
        recipe(*readable_batch(4))
        states.append(torch.get_rng_state())
    assert all(torch.equal(state, states[0]) for state in states)


def test_draws_have_an_address_and_two_recipes_share_their_partners():
    streams = Streams(1, 2)
    one = mixup(alpha=1.0).draw(streams, 32, epoch=3, step=4)
    two = mixup(alpha=0.2, per="sample").draw(streams, 32, epoch=3, step=4)
    assert torch.equal(one.pairing, two.pairing)
    assert not torch.equal(one.coefficient, two.coefficient)
    for other in (mixup().draw(streams, 32, epoch=4, step=3), mixup().draw(streams.for_rank(1), 32, epoch=3, step=4)):
        assert not torch.equal(one.pairing, other.pairing)
        assert not torch.equal(one.coefficient, other.coefficient)


def test_a_plan_can_be_replayed_bit_for_bit():
    x, y = readable_batch(8)
    recipe = mixup()
    plan = recipe.plan(recipe.draw(Streams(), 8), y)
    once, twice = recipe.mix(x, y, plan), recipe.mix(x, y, MixPlan(plan.partner.clone(), plan.lam.clone()))
    assert torch.equal(once[0], twice[0])
    assert torch.equal(once[1].soft(8), twice[1].soft(8))


def test_draws_move_as_a_whole():
    draws = Draws(torch.arange(2), torch.ones(2), torch.zeros(2, 2)).to("meta")
    assert {d.device.type for d in (draws.pairing, draws.coefficient, draws.space)} == {"meta"}
    assert Draws(torch.arange(2), torch.ones(2)).to("meta").space is None


def test_the_objective_is_the_mixed_targets_cross_entropy_of_the_mixed_batch():
    torch.manual_seed(0)
    model, x, y = nn.Linear(6, 4), torch.randn(5, 6), torch.randint(4, (5,))
    recipe = mixup(per="sample")
    plan = recipe.plan(recipe.draw(Streams(), 5), y)
    x_mixed = plan.lam[:, None] * x + (1 - plan.lam[:, None]) * x[plan.partner]
    by_hand = nn.functional.cross_entropy(model(x_mixed), recipe.target(plan, y).soft(4))
    torch.testing.assert_close(recipe.objective(model, x, y, plan), by_hand)


def test_halves_are_symmetric_in_the_two_partners():
    x, y = readable_batch(6)
    recipe = Recipe(RandomPairing(), FixedCoefficient(0.5))
    plan = recipe.plan(recipe.draw(Streams(), 6), y)
    inverse = MixPlan(torch.argsort(plan.partner), plan.lam)
    x_mixed = recipe.apply(plan, x)
    assert torch.equal(recipe.apply(inverse, x), x_mixed[inverse.partner])


@pytest.mark.parametrize("y", [[0, 1], 3, None, torch.tensor(1)])
def test_labels_that_are_no_batch_are_refused(y):
    with pytest.raises(DataError, match=r"^y must be a tensor of shape \(B, \.\.\.\)"):
        mixup()(torch.zeros(2, 2), y)


@pytest.mark.parametrize("x", [torch.zeros(3, 2), torch.tensor(1.0), {"a": torch.zeros(3, 2)}, [[torch.zeros(3)]]])
def test_another_number_of_samples_than_labels_is_refused(x):
    with pytest.raises(DataError, match="give one label per sample"):
        mixup()(x, torch.zeros(2))


def test_two_devices_are_refused_with_both_names():
    with pytest.raises(DataError, match="x is on meta but y is on cpu: move both to one device"):
        check_batch(torch.zeros(2, 2, device="meta"), torch.zeros(2))


def test_a_plan_of_another_batch_size_is_refused():
    x, y = readable_batch(4)
    with pytest.raises(DataError, match="the plan is for a batch of 5"):
        mixup().target(MixPlan.identity(5), y)
    with pytest.raises(DataError, match="the plan is for a batch of 5"):
        mixup().apply(MixPlan.identity(5), x)


def test_side_information_that_is_needed_is_asked_for_by_name():
    class NeedsDomain(Recipe):
        asks = frozenset({"domain"})

    recipe = NeedsDomain(RandomPairing(), FixedCoefficient(0.5))
    x, y = readable_batch(4)
    assert recipe.needs == {"domain"}
    with pytest.raises(DataError, match=r"^NeedsDomain needs domain, .* of shape \(B,\): give it as domain="):
        recipe(x, y)
    recipe(x, y, domain=torch.zeros(4, dtype=torch.int64))


def test_a_recipe_that_mixes_inside_the_model_cannot_mix_a_batch_alone():
    recipe = Recipe(RandomPairing(), FixedCoefficient(0.5), HiddenSpace(("0",)))
    x, y = readable_batch(4)
    for call in (lambda: recipe(x, y), lambda: recipe.mix(x, y, MixPlan.identity(4))):
        with pytest.raises(ConfigError, match=r"mixes inside the model: use recipe.objective\(model, x, y, plan\)"):
            call()


def test_plans_are_mapped_over_stacked_draws_by_vmap():
    recipe = mixup(per="sample")
    draws = [recipe.draw(Streams(0, r), 5) for r in range(3)]
    stacked = torch.func.vmap(recipe.plan)(Draws.stack(draws))
    for r, drawn in enumerate(draws):
        alone = recipe.plan(drawn)
        assert torch.equal(stacked.partner[r], alone.partner)
        assert torch.equal(stacked.lam[r], alone.lam)


def test_a_method_with_a_loss_of_its_own_does_more_than_mix():
    class Own(Recipe):
        def mixed_loss(self, model, x_mixed, y, plan, loss=None):
            return model(x_mixed).mean()

    class Renamed(Recipe):
        pass

    assert mixup().only_mixes
    assert Renamed(RandomPairing(), FixedCoefficient(0.5)).only_mixes
    assert not Own(RandomPairing(), FixedCoefficient(0.5)).only_mixes


def test_draws_of_another_recipe_are_refused():
    with pytest.raises(DataError, match="these draws are of another recipe"):
        mixup().plan(Draws())


BAD_FEATURES = [
    (torch.rand(3, 2), r"of dtype torch.float32 and shape \(3, 2\), but the batch has 4 samples"),
    (torch.rand(4), r"of dtype torch.float32 and shape \(4,\)"),
    (torch.rand(4, 2, 2), r"shape \(4, 2, 2\)"),
    (torch.ones(4, 2, dtype=torch.int64), r"of dtype torch.int64"),
    (torch.rand(()), r"shape \(\)"),
    ([[0.5]] * 4, r"a list, no tensor"),
    (np.zeros((4, 2)), r"a ndarray, no tensor"),
]
BAD_DOMAIN = [
    (torch.zeros(5, dtype=torch.int64), r"shape \(5,\), but the batch has 4 samples"),
    (torch.zeros(4), r"of dtype torch.float32"),
    (torch.zeros(4, 1, dtype=torch.int64), r"shape \(4, 1\)"),
    ([0, 1, 0, 1], r"a list, no tensor"),
    (np.zeros(4, dtype=np.int64), r"a ndarray, no tensor"),
]


@pytest.mark.parametrize(
    ("name", "need", "value", "message"),
    [("SKMixup", "features", *bad) for bad in BAD_FEATURES]
    + [(name, "domain", *bad) for name in ("LISA", "GroupedMixCo") for bad in BAD_DOMAIN],
)
def test_what_is_known_of_a_batch_is_one_entry_per_sample(name, need, value, message):
    recipe, x = make_recipe(name), torch.rand(4, 3)
    y = x if "views" in recipe.needs else torch.arange(4)
    recipes = [recipe, OneOf(recipe)] if recipe.only_mixes else [recipe]
    for mix in (*recipes, *(Epochs(1, mix=each).next_epoch().mix for each in recipes)):
        with pytest.raises(DataError, match=rf"^{need} is .*{message}.*: give .* of shape \(B"):
            mix(x, y, **{need: value})


def test_features_that_are_not_finite_are_seen_on_the_cpu_and_those_elsewhere_are_not_looked_at():
    recipe, x, y, features = make_recipe("SKMixup"), torch.rand(4, 3), torch.arange(4), torch.rand(4, 2)
    recipe(x, y, features=features.half())
    features[1, 1] = float("nan")
    with pytest.raises(DataError, match=r"^features hold NaN or inf: give finite numbers"):
        recipe(x, y, features=features)
    with pytest.raises(DataError, match=r"^features is on meta but the batch is on cpu: move both to one device"):
        recipe(x, y, features=features.to("meta"))
    SideInfo.checked(None, features.to("meta"), None, None)
    torch.func.vmap(lambda z: SideInfo.checked(None, z, None, z).features)(features.expand(2, 4, 2))


@pytest.mark.filterwarnings("ignore:Sparse .* tensor support|The PyTorch API of nested tensors|.*quantize")
@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda x: x.to_sparse(), r" has layout torch.sparse_coo: give a dense tensor, [xy]\.to_dense\(\)"),
        (lambda x: x.to_sparse_csr(), r" has layout torch.sparse_csr: give a dense tensor"),
        (lambda x: torch.nested.nested_tensor(list(x)), r" is a nested tensor: give a tensor of samples of one size"),
        (lambda x: x.to(torch.float8_e4m3fn), r" has dtype torch.float8_e4m3fn.*[xy]\.float\(\)"),
        (lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.quint8), r"quantized: give floats, [xy]\.dequantize\(\)"),
    ],
    ids=["coo", "csr", "nested", "float8", "quantized"],
)
def test_tensors_of_a_form_that_is_not_mixed_are_refused_with_what_makes_others_of_them(
    made, message, unchecked_shapes
):
    x, y = torch.rand(4, 3), torch.arange(4)
    recipe, odd = Recipe(RandomPairing(), BetaCoefficient(1.0)), made(x)
    for batch in ((odd, y), ({"a": x, "b": [odd]}, y), (x, odd), (x, {"a": y, "b": odd})):
        with pytest.raises(DataError, match=message):
            recipe(*batch)
