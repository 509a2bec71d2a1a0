"""Integers and booleans beside what is mixed: masks, tokens, and what becomes of them."""

from collections import OrderedDict, namedtuple

import pytest
import torch
from torch import nn

from overmix.errors import ConfigError, DataError
from overmix.mix import HiddenSpace, InputSpace, MixPlan, Streams
from overmix.recipes import CutMix, ManifoldMixup, Mixup

PLAN = MixPlan(torch.tensor([1, 0, 3, 2]), torch.tensor([0.5, 0.25, 1.0, 0.0]), choice=torch.zeros(4).long())
MASK = torch.tensor([[1, 1, 0], [1, 0, 0], [1, 1, 1], [0, 0, 1]])
UNION = torch.tensor([[1, 1, 0], [1, 1, 0], [1, 1, 1], [1, 1, 1]])
INTERSECTION = torch.tensor([[1, 0, 0], [1, 0, 0], [1, 1, 1], [1, 1, 1]])
X = torch.randn(4, 3)
Batch = namedtuple("Batch", ["image", "mask"])


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.int32, torch.int8])
@pytest.mark.parametrize(("rule", "expected"), [("union", UNION), ("intersection", INTERSECTION), ("keep", MASK)])
def test_masks_follow_the_rule_and_unmixed_sides_have_no_part(dtype, rule, expected):
    x = {"values": X, "more": [MASK.to(dtype)]}
    mixed = InputSpace(masks=rule).apply(PLAN, x)
    assert mixed["more"][0].dtype == dtype
    assert torch.equal(mixed["more"][0], expected.to(dtype))
    assert torch.equal(mixed["values"], InputSpace().apply(PLAN, X))
    assert InputSpace(masks=rule).unmixed(x)["more"][0] is x["more"][0]


def test_a_union_of_integers_is_their_maximum():
    segments = {"x": X, "segments": 3 * MASK}
    assert torch.equal(InputSpace("union").apply(PLAN, segments)["segments"], 3 * UNION)


@pytest.mark.parametrize("space", [InputSpace(), HiddenSpace(("input", "a"))])
def test_without_a_rule_they_are_refused_by_name(space):
    for x in ({"values": X, "attention_mask": MASK}, OrderedDict(attention_mask=MASK.bool())):
        for call in (lambda x=x: space.apply(PLAN, x), lambda x=x: space.unmixed(x)):
            with pytest.raises(DataError, match=r"^x\['attention_mask'\] has dtype .*masks='union' or 'keep'"):
                call()


def test_rules_by_name_refuse_what_they_do_not_name():
    space = InputSpace(masks={"mask": "union"})
    assert torch.equal(space.apply(PLAN, Batch(X, MASK)).mask, UNION)
    with pytest.raises(DataError, match=r"^x\['ids'\]"):
        space.apply(PLAN, {"x": X, "ids": MASK})


def test_masks_alone_are_nothing_to_mix():
    with pytest.raises(DataError, match="holds masks only"):
        InputSpace("keep").apply(PLAN, {"ids": MASK})
    with pytest.raises(DataError, match=r"^x has dtype torch\.int64"):
        InputSpace("keep").apply(PLAN, MASK)


def test_a_mask_of_another_batch_is_refused():
    with pytest.raises(DataError, match=r"mask of shape \(3, 3\), but the plan is for a batch of 4"):
        InputSpace("union").apply(PLAN, {"x": X, "mask": MASK[:3]})


@pytest.mark.parametrize("masks", ["or", 3, {"mask": "or"}, True])
def test_what_is_no_rule_is_refused(masks):
    for space in (lambda: InputSpace(masks=masks), lambda: HiddenSpace(masks=masks), lambda: Mixup(masks=masks)):
        with pytest.raises(ConfigError, match=r"^masks = .*: use 'union', 'intersection' or 'keep'"):
            space()


def test_what_is_absent_stays_absent():
    assert InputSpace().apply(PLAN, {"x": X, "mask": None})["mask"] is None


def test_tokens_are_left_alone_where_only_layers_are_mixed():
    space = HiddenSpace(("embedding",))
    assert space.apply(PLAN, MASK) is MASK
    assert space.unmixed(MASK) is MASK
    tokens = {"ids": MASK, "attention_mask": MASK.bool()}
    assert HiddenSpace(("embedding",)).apply(PLAN, tokens)["attention_mask"] is tokens["attention_mask"]
    named = HiddenSpace(("embedding",), masks={"attention_mask": "union"}).apply(PLAN, tokens)
    assert named["ids"] is MASK
    assert torch.equal(named["attention_mask"], UNION.bool())


class TokenModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.head = nn.Embedding(5, 6), nn.Linear(6, 2)

    def forward(self, x):
        h = self.embedding(x["ids"]) * x["mask"].unsqueeze(-1)
        return self.head(h.sum(1) / x["mask"].sum(1, keepdim=True))


def test_a_token_model_is_mixed_after_its_embedding():
    model, y = TokenModel(), torch.tensor([0, 1, 1, 0])
    x = {"ids": torch.randint(5, (4, 3)), "mask": MASK}
    recipe = ManifoldMixup(layers=("embedding",), masks={"mask": "union"})
    lam = PLAN.lam[:, None]
    h = lam[:, None] * model.embedding(x["ids"]) + (1 - lam[:, None]) * model.embedding(x["ids"])[PLAN.partner]
    logits = model.head((h * UNION[..., None]).sum(1) / UNION.sum(1, keepdim=True))
    expected = recipe.target(PLAN, y).cross_entropy(logits)
    torch.testing.assert_close(recipe.objective(model, x, y, PLAN), expected)


def test_patches_cut_masks_and_tokens_as_they_cut_images():
    image, mask = torch.rand(4, 3, 6, 6), torch.randint(9, (4, 6, 6))
    recipe, plans = CutMix(), []
    for seed in range(5):
        g = torch.Generator().manual_seed(seed)
        mixed, target = recipe({"image": image, "mask": mask}, mask, generator=g)
        assert torch.equal(mixed["mask"], target.a)
        inside = (mixed["image"] != image).any(1)
        assert torch.equal(mixed["mask"] != mask, inside & (mixed["mask"] != mask))
        plans.append(inside.any())
    assert any(plans)
    tokens, _ = CutMix(axes=1)(torch.arange(24).view(4, 6), torch.arange(4))
    assert tokens.dtype == torch.int64


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Mixup()(torch.zeros(4, 2, dtype=torch.complex64), torch.arange(4)), r"give torch\.view_as_real\(x\)"),
        (
            lambda: CutMix()({"a": torch.rand(4, 3, 6, 6), "b": torch.rand(4, 3, 5, 5)}, torch.arange(4)),
            r"lies in axes of sizes \(6, 6\): give all of a batch one size",
        ),
        (
            lambda: Mixup()([torch.rand(3, 6, 6), torch.rand(3, 5, 5)], torch.arange(2)),
            r"torch\.stack\(x\), of samples",
        ),
        (lambda: CutMix(axes=3), "2 for images and, through their whole depth, volumes"),
    ],
)
def test_what_cannot_be_mixed_is_told_in_one_line(call, message):
    with pytest.raises((DataError, ConfigError), match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


class Output(OrderedDict):
    """As the output classes of model libraries are: a dictionary with attributes."""

    def __setitem__(self, key, value):
        super().__setitem__(key, value)
        self.__dict__[key] = value


def test_a_layers_output_keeps_its_class_and_what_is_no_state():
    class Layer(nn.Module):
        def forward(self, x):
            return Output(state=x, places=MASK, nothing=None)

    model = nn.ModuleDict({"layer": Layer()})
    with HiddenSpace(("layer",)).inside(model, PLAN):
        out = model["layer"](X)
    assert isinstance(out, Output)
    assert torch.equal(out.state, torch.lerp(X[PLAN.partner], X, PLAN.lam[:, None]))
    assert out.places is MASK
    assert out.nothing is None


def test_labels_of_several_tasks_are_a_dictionary_of_targets():
    image, y = (
        torch.rand(4, 1, 6, 6),
        {"kind": torch.arange(4), "map": torch.randint(3, (4, 6, 6)), "age": torch.rand(4)},
    )
    recipe = CutMix()
    plan = recipe.plan(recipe.draw(Streams(0), 4), None, sample_shape=(1, 6, 6))
    _, targets = recipe.mix(image, y, plan)
    for name, label in y.items():
        alone = recipe.target(plan, label)
        assert all(torch.equal(getattr(targets[name], side), getattr(alone, side)) for side in ("a", "b", "lam"))
    assert (targets["map"].lam == 1).all()
    assert (targets["kind"].lam == plan.lam).all()
    _, plain = recipe.unmixed(image, y)
    assert plain.keys() == y.keys()
    x_mixed, again = Mixup()(torch.rand(4, 2), y, generator=torch.Generator().manual_seed(0))
    assert again["age"].soft().shape == (4,)
    with pytest.raises(DataError, match=r"labels for \[3, 4\] samples"):
        Mixup()(x_mixed, {"a": torch.arange(4), "b": torch.arange(3)})


def test_weights_of_samples_are_mixed_as_labels():
    y, w = torch.tensor([0, 1, 2, 1]), torch.tensor([1.0, 0.0, 2.0, 1.0])
    _, targets = Mixup(per="sample")(torch.rand(4, 2), {"class": y, "weight": w})
    logits, of = torch.randn(4, 3), targets["class"]
    ce = nn.functional.cross_entropy
    own, other = of.lam * targets["weight"].a, (1 - of.lam) * targets["weight"].b
    expected = (own * ce(logits, of.a, reduction="none") + other * ce(logits, of.b, reduction="none")).sum()
    found = of.cross_entropy(logits, sample_weight=targets["weight"])
    torch.testing.assert_close(found, expected / (own + other).sum())
