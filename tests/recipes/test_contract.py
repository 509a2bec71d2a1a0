"""What every registered recipe must do, over layouts, dtypes, batch sizes and kinds of labels.

A new recipe is tested by being registered.
"""

from contextlib import nullcontext
from functools import cache

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, vmap

import overmix
from overmix.errors import DataError
from overmix.mix import BinaryCrossEntropy, CrossEntropy, Draws, MixPlan, Recipe, Streams, sample_shape
from overmix.mix.space import first_tensor
from overmix.recipes import MultimodalOutput, make_recipe, registered

NAMES = sorted(registered())
CLASSES, WIDTH = 4, 6
LAYOUTS = {"table": (6,), "sequence": (5, 6), "image": (3, 6, 6), "several inputs": None}
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.uint8]
LABELS = ["classes", "rows", "values", "several values"]

# Settings that make a recipe's own place exist in the models of these tests, and its mixing visible.
PARAMETERS = {
    "ManifoldMixup": {"layers": ("input", "body.0")},
    "MixCo": {"probability": 1.0, "temperature": 0.1},
    "BiMixCo": {"probability": 1.0, "temperature": 0.1},
    "GroupedMixCo": {"probability": 1.0, "temperature": 0.1},
    "SoftCLIP": {"temperature": 0.1},
}
# Which labels a recipe is for, if not for all of them.
KINDS = {
    "CMixup": {"values", "several values"},
    "SelectiveMixup": {"classes"},
    "LISA": {"classes"},
    "ConfidentMixup": {"classes"},
    "PromptMixup": {"classes"},
    "AnchorMixup": {"values"},
}
# Labels that no tensor holds, and which recipe is for them.
IN_LISTS = {"LossMix"}
# Recipes whose samples are rows of features.
ROWS_ONLY = {"PromptMixup"}
# Recipes whose batch is the clean one.
NEVER_MIX = {"NoMixup", "SoftCLIP", "M3Co", "AnchorMixup"}


def recipe_of(name):
    return make_recipe(name, **PARAMETERS.get(name, {}))


def samples(layout, batch_size, dtype, g):
    def tensor(shape):
        x = torch.rand(batch_size, *shape, generator=g) * 200
        return x.to(dtype)

    if layout == "several inputs":
        return {"image": tensor((3, 6, 6)), "more": [tensor((2, 6, 6)), tensor((6, 6))]}
    return tensor(LAYOUTS[layout])


def labels(recipe, kind, batch_size, g):
    if "views" in recipe.needs:
        return torch.randn(batch_size, WIDTH, generator=g)
    classes = torch.randint(CLASSES, (batch_size,), generator=g)
    return {
        "classes": classes,
        "rows": F.one_hot(classes, CLASSES).float() * 0.9 + 0.1 / CLASSES,
        "values": torch.randn(batch_size, generator=g),
        "several values": torch.randn(batch_size, 3, generator=g),
        "lists": [{"boxes": torch.rand(n % 3, 4, generator=g)} for n in range(batch_size)],
    }[kind]


def kinds_of(name):
    if "views" in recipe_of(name).needs:
        return ["views"]
    return [kind for kind in LABELS if kind in KINDS.get(name, LABELS)]


def layouts_of(name):
    return ["table"] if name in ROWS_ONLY else list(LAYOUTS)


def side_information(batch_size, g):
    return {
        "features": torch.randn(batch_size, 4, generator=g),
        "domain": torch.randint(2, (batch_size,), generator=g),
    }


def problem(name, layout="table", kind=None, batch_size=5, dtype=torch.float32, seed=0):
    g = torch.Generator().manual_seed(seed)
    recipe = recipe_of(name)
    kind = kinds_of(name)[0] if kind is None else kind
    x, y = samples(layout, batch_size, dtype, g), labels(recipe, kind, batch_size, g)
    side = side_information(batch_size, g)
    draws = recipe.draw(Streams(seed, 1), batch_size, epoch=2, step=3)
    return recipe, x, y, recipe.plan(draws, y, sample_shape=sample_shape(x), **side), draws, side


def leaves(nest):
    if isinstance(nest, torch.Tensor):
        return [nest]
    values = nest.values() if isinstance(nest, dict) else nest
    return [leaf for value in values for leaf in leaves(value)]


def assert_equal(one, other):
    pairs = list(zip(leaves(one), leaves(other), strict=True))
    assert pairs
    for a, b in pairs:
        assert a.dtype == b.dtype
        assert torch.equal(a, b)


def off(plan):
    return plan.only_where(torch.zeros(plan.batch_size, dtype=torch.bool))


every_recipe = pytest.mark.parametrize("name", NAMES)
BATCH_SIZES = [1, 2, 3, 5, 8]


@cache
def cases_of(name):
    """Return settings and problems in which every layout, dtype and batch size meets every other, and most kinds."""
    layouts, kinds = layouts_of(name), kinds_of(name)
    settings = [
        {
            "layout": layouts[i % len(layouts)],
            "kind": kinds[(i + 2 * j) % len(kinds)],
            "batch_size": BATCH_SIZES[(i + j) % len(BATCH_SIZES)],
            "dtype": DTYPES[j],
            "seed": len(DTYPES) * i + j,
        }
        for i in range(len(BATCH_SIZES))
        for j in range(len(DTYPES))
    ]
    return [(case, problem(name, **case)) for case in settings]


@every_recipe
def test_the_batch_is_left_alone_and_the_mixture_has_its_device_dtype_and_form(name):
    for _, (recipe, x, y, plan, _, _) in cases_of(name):
        before = [leaf.clone() for leaf in leaves(x)]
        y_before = y.clone()
        mixed = recipe.apply(plan, x)
        target = recipe.target(plan, y)
        for leaf, result in zip(leaves(x), leaves(mixed), strict=True):
            assert result.dtype == (torch.float32 if leaf.dtype == torch.uint8 else leaf.dtype)
            assert result.device == leaf.device
            assert result.shape[1:] == leaf.shape[1:]
            assert len(result) == len(leaf) * (2 if "clean" in recipe.needs else 1)
            assert result.untyped_storage().data_ptr() != leaf.untyped_storage().data_ptr() or name in NEVER_MIX
        if name not in NEVER_MIX:
            for result in leaves(mixed):
                result.zero_()
        assert all(torch.equal(leaf, was) for leaf, was in zip(leaves(x), before, strict=True))
        assert torch.equal(y, y_before)
        assert len(target.lam) == len(leaves(mixed)[0]) or "hidden" in recipe.needs


@every_recipe
def test_lam_one_is_the_identity(name):
    for _, (recipe, x, y, plan, _, _) in cases_of(name):
        mixed = leaves(recipe.apply(off(plan), x))
        unmixed = leaves(recipe.unmixed(x, y)[0])
        for result, clean in zip(mixed, unmixed, strict=True):
            if name == "PromptMixup":  # scaled to length 1 twice
                torch.testing.assert_close(result, clean, atol=4 * torch.finfo(clean.dtype).eps, rtol=0)
            else:
                assert torch.equal(result[-len(clean) :], clean)
        target = recipe.target(off(plan), y)
        assert (target.lam == 1).all()
        assert torch.equal(target.a, target.b)


@every_recipe
def test_equal_plans_give_equal_results_and_equal_addresses_equal_plans(name):
    for case, (recipe, x, y, plan, _, _) in cases_of(name):
        _, _, _, again, _, _ = problem(name, **case)
        assert torch.equal(plan.partner, again.partner)
        assert torch.equal(plan.lam, again.lam)
        assert_equal(recipe.apply(plan, x), recipe.apply(again, x))
        assert torch.equal(recipe.target(plan, y).b, recipe.target(again, y).b)


@every_recipe
def test_partners_are_in_the_batch_and_shares_are_shares(name):
    for case, (_, _, _, plan, _, _) in cases_of(name):
        assert plan.partner.shape == plan.lam.shape == (case["batch_size"],)
        assert plan.partner.dtype == torch.int64
        assert ((plan.partner >= 0) & (plan.partner < case["batch_size"])).all()
        assert ((plan.lam >= 0) & (plan.lam <= 1)).all()
        assert all(part.batch_size == case["batch_size"] for part in plan.parts)


@every_recipe
def test_the_mass_of_the_target_is_conserved(name):
    for case, (recipe, _, y, plan, _, _) in cases_of(name):
        target = recipe.target(plan, y)
        if "views" in recipe.needs:
            rows = target.soft(case["batch_size"])
        elif case["kind"] in ("classes", "rows"):
            rows = target.soft(CLASSES if case["kind"] == "classes" else None)
        else:
            low, high = torch.minimum(target.a, target.b), torch.maximum(target.a, target.b)
            assert ((target.soft() >= low - 1e-6) & (target.soft() <= high + 1e-6)).all()
            continue
        torch.testing.assert_close(rows.sum(1), torch.ones(len(rows)), atol=1e-5, rtol=0)
        assert (rows >= 0).all()


FLOOR_OF = {"classes": (CrossEntropy(), "cross_entropy"), "rows": (BinaryCrossEntropy(), "binary_cross_entropy")}


@every_recipe
def test_a_loop_is_told_the_floor_that_a_study_is_told(name):
    for kind in set(kinds_of(name)) & FLOOR_OF.keys():
        recipe, _, y, plan, _, _ = problem(name, kind=kind, batch_size=8)
        if not recipe.only_mixes and type(recipe).floors is Recipe.floors:
            continue  # its loss is its own, and a study is told no floor
        objective, entropy = FLOOR_OF[kind]
        weighted = "eta" in registered()[name].defaults
        for each in [make_recipe(name, eta=eta) for eta in (0.5, 3.0)] if weighted else [recipe]:
            floors = each.floors(plan, y, objective)
            assert floors.mean() > 0 or (name == "NoMixup" and kind == "classes")
            torch.testing.assert_close(each.target(plan, y).entropy(entropy).mean(), floors.mean())


@every_recipe
def test_a_stack_of_replicas_is_planned_and_mixed_as_each_alone(name):
    for layout in layouts_of(name):
        for kind in kinds_of(name):
            problems = [problem(name, layout, kind, batch_size=5, seed=r) for r in range(3)]
            recipe = problems[0][0]
            shape = sample_shape(problems[0][1])
            draws = Draws.stack([p[4] for p in problems])
            y = torch.stack([p[2] for p in problems])
            features, domain = (torch.stack([p[5][need] for p in problems]) for need in ("features", "domain"))
            plan = vmap(
                lambda d, y, f, g, recipe=recipe, shape=shape: recipe.plan(
                    d, y, sample_shape=shape, features=f, domain=g
                )
            )(draws, y, features, domain)
            x = _stack([p[1] for p in problems])
            mixed = recipe.apply(plan, x)
            for r, (_, x_alone, _, plan_alone, _, _) in enumerate(problems):
                assert torch.equal(plan.partner[r], plan_alone.partner)
                torch.testing.assert_close(plan.lam[r], plan_alone.lam, atol=1e-6, rtol=0)
                for whole, alone in zip(leaves(mixed), leaves(recipe.apply(plan_alone, x_alone)), strict=True):
                    torch.testing.assert_close(whole[r], alone)


def _stack(nests):
    first = nests[0]
    if isinstance(first, torch.Tensor):
        return torch.stack(nests)
    if isinstance(first, dict):
        return {key: _stack([nest[key] for nest in nests]) for key in first}
    return [_stack(list(group)) for group in zip(*nests, strict=True)]


class Network(nn.Module):
    """Maps rows to logits, values or queries."""

    def __init__(self, outputs):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 7), nn.Tanh())
        self.head = nn.Linear(7, outputs)

    def forward(self, x):
        return self.head(self.body(x / 200)).squeeze(-1)


class TwoModalities(nn.Module):
    """Takes three features for each of two modalities; returns embeddings and the logits of three heads."""

    def __init__(self):
        super().__init__()
        self.encoders = nn.ModuleList([nn.Linear(3, 5), nn.Linear(3, 5)])
        self.heads = nn.ModuleList([nn.Linear(5, CLASSES), nn.Linear(5, CLASSES), nn.Linear(10, CLASSES)])

    def forward(self, x):
        parts = (x / 200).split(3, dim=-1)
        z = tuple(encoder(part) for encoder, part in zip(self.encoders, parts, strict=True))
        fused = torch.cat(z, dim=-1)
        return MultimodalOutput(z, tuple(head(h) for head, h in zip(self.heads, (*z, fused), strict=True)))


def model_for(name, recipe, kind, seed):
    torch.manual_seed(seed)
    return TwoModalities() if name == "M3Co" else Network(outputs_of(recipe, kind))


class Bound:
    """A module called with the parameters of one replica, as an engine does."""

    def __init__(self, module, parameters):
        self.module, self.parameters = module, parameters
        self.get_submodule, self.named_modules = module.get_submodule, module.named_modules

    def __call__(self, x):
        return functional_call(self.module, self.parameters, (x,))


def outputs_of(recipe, kind):
    return {"views": WIDTH, "classes": CLASSES, "rows": CLASSES, "values": 1, "several values": 3}[kind]


def trainable_kinds(name):
    """Kinds of labels that the recipe's own loss is for."""
    if name in ("CMixup", "LossMix", "AnchorMixup"):
        return ["values"]
    return [kind for kind in kinds_of(name) if kind in ("classes", "rows", "views")]


@every_recipe
def test_the_objective_is_a_finite_scalar_that_trains_every_parameter_and_leaves_the_model_alone(name):
    for kind in trainable_kinds(name):
        recipe, x, y, plan, _, _ = problem(name, kind=kind, batch_size=8)
        model = model_for(name, recipe, kind, seed=0)
        loss = recipe.objective(model, x, y, plan)
        assert loss.shape == ()
        assert torch.isfinite(loss)
        loss.backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


@every_recipe
def test_without_a_plan_the_objective_is_the_plain_loss_of_the_clean_batch(name):
    for kind in trainable_kinds(name):
        recipe, x, y, *_ = problem(name, kind=kind, batch_size=8)
        model = model_for(name, recipe, kind, seed=0)
        loss = recipe.objective(model, x, y, None)
        loss.backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
        if kind == "classes" and name != "M3Co":
            plain = nn.functional.cross_entropy(model(recipe.unmixed(x, y)[0]), y)
            torch.testing.assert_close(loss, plain)
        if name in ("AnchorMixup", "LossMix"):
            torch.testing.assert_close(loss, (model(x).view_as(y) - y).abs().mean())


@every_recipe
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_under_autocast_the_loss_is_taken_in_float32(name, dtype):
    for kind in trainable_kinds(name):
        recipe, x, y, plan, _, _ = problem(name, kind=kind, batch_size=8)
        model = model_for(name, recipe, kind, seed=0)
        full = recipe.objective(model, x, y, plan)
        with torch.autocast("cpu", dtype=dtype):
            loss = recipe.objective(model, x, y, plan)
        assert loss.dtype == torch.float32
        # What is rounded is the model's output, not the loss.
        torch.testing.assert_close(loss, full, rtol=torch.finfo(dtype).eps, atol=0)


@every_recipe
def test_the_loss_of_a_stack_is_the_loss_of_each(name):
    for kind in trainable_kinds(name):
        problems = [problem(name, kind=kind, batch_size=5, seed=r) for r in range(3)]
        recipe = problems[0][0]
        models = [model_for(name, recipe, kind, seed=r) for r in range(3)]
        parameters = {
            key: torch.stack([dict(m.named_parameters())[key].detach() for m in models])
            for key, _ in models[0].named_parameters()
        }
        plan = MixPlan.stack([p[3] for p in problems])
        x, y = torch.stack([p[1] for p in problems]), torch.stack([p[2] for p in problems])

        def loss(parameters, x, y, plan, recipe=recipe, base=models[0]):
            return recipe.mixed_loss(Bound(base, parameters), x, y, plan)

        stacked = vmap(loss)(parameters, recipe.apply(plan, x), y, plan)
        looped = torch.stack([recipe.objective(m, p[1], p[2], p[3]) for m, p in zip(models, problems, strict=True)])
        torch.testing.assert_close(stacked, looped.detach())


@every_recipe
def test_after_the_draw_nothing_waits_for_the_device(name, no_host_sync):
    for kind in trainable_kinds(name):
        recipe, x, y, _, draws, side = problem(name, kind=kind)
        model = model_for(name, recipe, kind, seed=0)
        with no_host_sync:
            plan = recipe.plan(draws, y, sample_shape=sample_shape(x), **side)
            recipe.objective(model, x, y, plan)
            recipe.mixed_loss(model, recipe.apply(off(plan), x), y, off(plan))


def on_meta(nest):
    """Return tensors on a device without values: what looks at one fails there, and what makes another on the CPU."""
    return torch.utils._pytree.tree_map(lambda leaf: leaf.to("meta"), nest)


@every_recipe
def test_on_a_device_nothing_looks_at_a_value(name, monkeypatch):
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # "meta" has none
    for kind in kinds_of(name):
        recipe, x, y, _, draws, side = problem(name, kind=kind)
        x, y, side = on_meta(x), on_meta(y), on_meta(side)
        plan = recipe.plan(draws.to("meta"), y, sample_shape=sample_shape(x), **side)
        if kind in trainable_kinds(name):
            recipe.objective(model_for(name, recipe, kind, seed=0).to("meta"), x, y, plan)
        mixed = [(recipe.apply(plan, x), recipe.target(plan, y)), recipe.unmixed(x, y)]
        for x_mixed, target in mixed if "hidden" in recipe.needs else [*mixed, recipe(x, y, **side)]:
            rows = target.soft({"classes": CLASSES, "views": len(target)}.get(kind))
            seen = [*leaves(x_mixed), *leaves([v for v in vars(target).values() if torch.is_tensor(v)]), rows]
            if kind in FLOOR_OF or kind == "views":
                outputs = torch.zeros(len(target), outputs_of(recipe, kind), device="meta")
                seen += [target.entropy(FLOOR_OF.get(kind, (None, "cross_entropy"))[1])]
                seen += [target.cross_entropy(outputs), target.accuracy(outputs)]
            assert {leaf.device.type for leaf in seen} == {"meta"}


@every_recipe
def test_called_on_a_batch_it_is_seeded_by_a_generator(name):
    recipe, x, y, _, _, side = problem(name, batch_size=8)
    if "hidden" in recipe.needs:
        return
    calls = [recipe(x, y, generator=torch.Generator().manual_seed(seed), **side) for seed in (1, 1, 2, 3)]
    assert_equal(calls[0][0], calls[1][0])
    assert torch.equal(calls[0][1].lam, calls[1][1].lam)
    if name not in NEVER_MIX:
        assert any(not torch.equal(first_tensor(calls[0][0]), first_tensor(call[0])) for call in calls[2:])


def same(one, other):
    """Whether two nests of targets, samples and labels hold the same, to the bit."""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple):
        return all(same(a, b) for a, b in zip(one, other, strict=True))
    return type(one) is type(other) and (same(vars(one), vars(other)) if hasattr(one, "lam") else one == other)


@every_recipe
def test_a_loop_mixes_every_kind_of_label_that_it_is_for_and_hands_it_through(name):
    for kind in [*kinds_of(name), *(["lists"] if name in IN_LISTS else [])]:
        recipe, x, y, _, _, side = problem(name, kind=kind)
        runs = [overmix.Epochs(2, mix=recipe, switch=overmix.off_at(1)) for _ in range(2)]
        for planned, mixed in zip(*runs, strict=True):
            plan = planned.plan(x, y, **side)
            assert (plan is None) == (mixed.index == 1)
            if "hidden" in recipe.needs:
                assert same(plan, mixed.plan(x, y, **side))
                continue
            expected = recipe.unmixed(x, y) if plan is None else recipe.mix(x, y, plan)
            assert same(mixed.mix(x, y, **side), expected)


@every_recipe
def test_what_it_needs_is_asked_for(name):
    recipe, x, y, _, draws, side = problem(name)
    for need in recipe.needs & side.keys():
        rest = {key: value for key, value in side.items() if key != need}
        with pytest.raises(DataError, match=rf"^{name} needs {need}"):
            recipe.plan(draws, y, sample_shape=sample_shape(x), **rest)


@every_recipe
def test_it_says_what_it_is(name):
    entry = registered()[name]
    text = entry.describe()
    assert {"pairing", "coefficient", "space", "target", "schedule", "source", "needs"} <= text.keys()
    assert all(isinstance(text[key], str) and text[key] for key in ("pairing", "coefficient", "space", "target"))
    assert entry.summary.startswith(("``", "MixCo in both", "BiMixCo with"))
    assert text["parameters"].keys() == dict(entry.defaults).keys()
