import pytest
import torch
import torch.nn.functional as F

from overmix.errors import ConfigError
from overmix.mix.objective import CrossEntropy, SquaredError, make_objective


def batch(*stack, classes=4, size=5):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(*stack, size, classes, generator=generator, dtype=torch.float64)
    a, b = torch.randint(classes, (2, *stack, size), generator=generator)
    return logits, a, b, torch.rand(*stack, size, generator=generator, dtype=torch.float64)


def soft(a, b, lam, classes=4):
    return lam[..., None] * F.one_hot(a, classes) + (1 - lam[..., None]) * F.one_hot(b, classes)


def test_cross_entropy_is_that_of_dense_soft_labels():
    logits, a, b, lam = batch()
    expected = F.cross_entropy(logits, soft(a, b, lam), reduction="none")
    torch.testing.assert_close(CrossEntropy().losses(logits, a, b, lam), expected)


def test_squared_error_is_that_of_dense_soft_labels():
    logits, a, b, lam = batch()
    expected = F.mse_loss(logits, soft(a, b, lam), reduction="none").mean(-1)
    torch.testing.assert_close(SquaredError().losses(logits, a, b, lam), expected)


@pytest.mark.parametrize("stack", [(), (3,)], ids=["one", "stack"])
@pytest.mark.parametrize("objective", [CrossEntropy(), SquaredError()], ids=lambda o: type(o).__name__)
def test_the_written_out_gradient_is_that_of_autograd(objective, stack):
    logits, a, b, lam = batch(*stack)
    lam.view(-1)[0] = 1.0
    leaf = logits.clone().requires_grad_()
    loss = objective.losses(leaf, a, b, lam).mean(-1)
    (expected,) = torch.autograd.grad(loss.sum(), leaf)
    before = logits.clone()
    found, gradient = objective.with_gradient(logits, a, b, lam)
    torch.testing.assert_close(found, loss.detach())
    torch.testing.assert_close(gradient, expected)
    assert torch.equal(logits, before)


def test_a_pair_of_one_class_counts_once():
    logits = torch.randn(1, 3)
    a = torch.tensor([2])
    _, gradient = CrossEntropy().with_gradient(logits, a, a, torch.tensor([0.3]))
    torch.testing.assert_close(gradient, logits.softmax(-1) - F.one_hot(a, 3))


def test_the_floor_of_the_cross_entropy_is_the_loss_of_the_label_itself():
    _, a, b, lam = batch(3)
    p = soft(a, b, lam)
    expected = -(p * p.clamp_min(1e-300).log()).sum(-1)
    found = CrossEntropy().floors(a, b, lam)
    torch.testing.assert_close(found, expected)
    assert found[a == b].eq(0).all()
    torch.testing.assert_close(CrossEntropy().losses(p.clamp_min(1e-300).log(), a, b, lam), expected)
    assert SquaredError().floors(a, b, lam).eq(0).all()


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(ConfigError, match=r"^train.objective = 'cross_entrop': .*cross_entropy"):
        make_objective("cross_entrop")
