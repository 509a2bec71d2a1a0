import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from overmix.errors import ConfigError, DataError
from overmix.mix import IGNORE_INDEX, BetaCoefficient, LabelledPairing, Streams
from overmix.recipes import ConfidentMixup, Mixup, confident_labels

NONE = IGNORE_INDEX
Y = torch.tensor([0, 1, 2, NONE, NONE, NONE, NONE, NONE])
LOGITS = torch.tensor([[0.0, 0, 0]] * 3 + [[5.0, 0, 0], [0, 1, 0], [0, 0, 9], [0.1, 0, 0], [0, 4, 0]])
P = LOGITS.softmax(1)


def test_it_is_a_permutation_of_the_pool_and_one_beta_lam():
    assert ConfidentMixup(0.5).pairing == LabelledPairing()
    assert ConfidentMixup(0.5).coefficient == BetaCoefficient(0.5, "batch")
    assert ConfidentMixup().needs == {"predictions"}


def test_labels_stay_and_confident_samples_get_their_most_probable_class():
    found = confident_labels(P, Y, threshold=0.9)
    assert found.tolist() == [0, 1, 2, 0, NONE, 2, NONE, 1]


def test_a_class_of_one_byte_is_a_label():
    y = torch.tensor([156, 1], dtype=torch.uint8)  # 156 is what -100 would be
    assert confident_labels(P[3:5], y, threshold=0.0).tolist() == [156, 1]


def test_a_sample_at_its_threshold_is_confident():
    p = torch.tensor([[0.75, 0.25], [0.5, 0.5]])
    assert confident_labels(p, torch.tensor([NONE, NONE]), 0.75).tolist() == [0, NONE]


def test_a_threshold_of_each_class_decides_by_the_predicted_class():
    found = confident_labels(P, Y, threshold=torch.tensor([0.999, 0.5, 0.5]))
    assert found.tolist() == [0, 1, 2, NONE, 1, 2, NONE, 1]


@given(st.floats(0, 1.5))
def test_equal_thresholds_of_all_classes_are_one_threshold(threshold):
    one, many = confident_labels(P, Y, threshold), confident_labels(P, Y, torch.full((3,), threshold))
    assert torch.equal(one, many)


def test_threshold_zero_takes_everybody_and_above_one_only_the_labelled():
    assert (confident_labels(P, Y, 0.0) != NONE).all()
    assert torch.equal(confident_labels(P, Y, 1.01), Y)


def test_nobody_below_the_threshold_is_mixed_or_is_a_partner_or_has_a_part_in_the_loss():
    y = confident_labels(P, Y, 0.9)
    outside = y == NONE
    recipe, x = ConfidentMixup(), torch.randn(8, 5)
    logits = torch.randn(8, 3, requires_grad=True)
    for step in range(20):
        plan = recipe.plan(recipe.draw(Streams(1), 8, step=step), y)
        assert plan.alone[outside].all()
        assert not outside[plan.partner[~outside]].any()
        mixed, target = recipe.mix(x, y, plan)
        assert torch.equal(mixed[outside], x[outside])
        (gradient,) = torch.autograd.grad(target.cross_entropy(logits), logits)
        assert (gradient[outside] == 0).all()
        assert (gradient[~outside].abs().sum(1) > 0).all()


def test_without_a_confident_sample_it_is_mixup_of_the_labelled_ones():
    y = confident_labels(P, Y, 1.01)
    recipe, x, logits = ConfidentMixup(), torch.randn(8, 5), torch.randn(8, 3)
    plan = recipe.plan(recipe.draw(Streams(1), 8), y)
    pool = plan.partner[:3]
    soft = plan.lam[:3, None] * torch.eye(3)[y[:3]] + (1 - plan.lam[:3, None]) * torch.eye(3)[y[pool]]
    torch.testing.assert_close(recipe.target(plan, y).cross_entropy(logits), F.cross_entropy(logits[:3], soft))
    assert torch.equal(recipe.apply(plan, x)[3:], x[3:])


def test_with_everybody_in_the_pool_it_is_mixup():
    y = confident_labels(P, Y, 0.0)
    ours, mixup, x = ConfidentMixup(), Mixup(), torch.randn(8, 5)
    own, plain = (r.plan(r.draw(Streams(1), 8), y) for r in (ours, mixup))
    assert torch.equal(own.partner, plain.partner)
    assert torch.equal(ours.apply(own, x), mixup.apply(plain, x))


def test_an_empty_pool_gives_no_loss():
    y = torch.full((4,), NONE)
    _, target = ConfidentMixup()(torch.randn(4, 2), y)
    assert target.cross_entropy(torch.randn(4, 3)) == 0


def test_no_gradient_flows_through_the_probabilities():
    p = P.clone().requires_grad_()
    assert not confident_labels(p, Y, 0.9).requires_grad


@pytest.mark.usefixtures("unchecked_shapes")
def test_bad_thresholds_and_shapes_are_refused():
    with pytest.raises(ConfigError, match=r"^threshold = \(2,\): give one number, or 3, one per class"):
        confident_labels(P, Y, torch.tensor([0.9, 0.9]))
    with pytest.raises(DataError, match=r"probabilities have shape \(8, 3\) and y \(7,\)"):
        confident_labels(P, Y[:7])
