"""Exact identities of Mixup for logistic regression: nothing but correct label handling satisfies them."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import beta as beta_function
from scipy.special import roots_jacobi

from overmix.mix import InputSpace, MixedTarget, MixPlan


def mixed(x, partner, lam):
    return InputSpace().apply(MixPlan(partner, lam), x)


def moments_of_beta(p, q, nodes=64):
    """Nodes and weights that integrate against the density of Beta(p, q) exactly for polynomials up to degree 127."""
    x, w = roots_jacobi(nodes, q - 1, p - 1)
    return (1 + x) / 2, w / w.sum()


def mean_mixup_loss(lams, weights, x, y, theta, one_sided):
    """Mean over all ordered pairs and over lam of the loss, through overmix's own mixing and target."""
    n = len(x)
    total = torch.zeros((), dtype=torch.float64)
    for shift in range(n):
        partner = (torch.arange(n) + shift) % n
        for lam, weight in zip(lams, weights, strict=True):
            lam_batch = torch.full((n,), float(lam), dtype=torch.float64)
            logit = mixed(x, partner, lam_batch) @ theta
            logits = torch.stack([torch.zeros_like(logit), logit], dim=1)
            target = MixedTarget(y, y if one_sided else y[partner], lam_batch)
            total = total + weight * target.cross_entropy(logits)
    return total / n


def problem(seed, n=6, d=3):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, d, generator=g, dtype=torch.float64)
    y = torch.randint(2, (n,), generator=g)
    return x, y, torch.randn(d, generator=g, dtype=torch.float64)


def test_quadrature_integrates_beta_moments_exactly():
    for a in (0.3, 0.7, 1.0, 4.0):
        nodes, weights = moments_of_beta(a + 1, a)
        assert weights @ nodes**3 == pytest.approx(beta_function(a + 4, a) / beta_function(a + 1, a), rel=1e-12)


@pytest.mark.parametrize("alpha", [0.3, 0.7, 1.0, 4.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_two_sided_beta_equals_one_sided_beta_with_alpha_plus_one(alpha, seed):
    # Zhang et al., "How Does Mixup Help With Robustness and Generalization?" (2021): mixing both labels with
    # lam ~ Beta(a, a) is, on average over ordered pairs, keeping the sample's own label with lam ~ Beta(a + 1, a).
    x, y, theta = problem(seed)
    two_sided = mean_mixup_loss(*moments_of_beta(alpha, alpha), x, y, theta, one_sided=False)
    one_sided = mean_mixup_loss(*moments_of_beta(alpha + 1, alpha), x, y, theta, one_sided=True)
    assert abs(float(two_sided - one_sided)) < 1e-12
    # The identity is not trivial: with the laws exchanged it fails.
    wrong = mean_mixup_loss(*moments_of_beta(alpha, alpha), x, y, theta, one_sided=True)
    assert abs(float(two_sided - wrong)) > 1e-3


def softplus(u):
    return np.logaddexp(0, u)


@given(st.integers(0, 2**31), st.floats(0, 1))
def test_mixup_loss_of_logistic_regression_is_interpolated_loss_minus_jensen_gap_plus_label_term(seed, lam):
    # u = theta.x, h = softplus:  l(mixed) = lam l_i + (1 - lam) l_j - G + lam (1 - lam) (y_i - y_j) (u_i - u_j).
    x, y, theta = problem(seed, n=2)
    lam_batch = torch.full((2,), lam, dtype=torch.float64)
    logit = mixed(x, torch.tensor([1, 0]), lam_batch) @ theta
    target = MixedTarget(y, y.flip(0), lam_batch)
    y_soft = target.soft(2)[:, 1]
    found = F.binary_cross_entropy_with_logits(logit, y_soft, reduction="none").numpy()
    u, labels = (x @ theta).numpy(), y.numpy()
    losses = softplus(u) - labels * u
    for i, j in ((0, 1), (1, 0)):
        gap = lam * softplus(u[i]) + (1 - lam) * softplus(u[j]) - softplus(lam * u[i] + (1 - lam) * u[j])
        label_term = lam * (1 - lam) * (labels[i] - labels[j]) * (u[i] - u[j])
        assert gap >= -1e-14
        assert found[i] == pytest.approx(lam * losses[i] + (1 - lam) * losses[j] - gap + label_term, abs=1e-12)


@given(st.integers(0, 2**31), st.floats(0, 1))
def test_pairs_of_one_class_never_lose_more_than_their_interpolated_losses(seed, lam):
    x, _, theta = problem(seed, n=2)
    y = torch.ones(2, dtype=torch.int64)
    lam_batch = torch.full((2,), lam, dtype=torch.float64)
    partner = torch.tensor([1, 0])

    def losses(batch):
        logit = batch @ theta
        return F.softplus(-logit)

    loss = losses(mixed(x, partner, lam_batch))
    interpolated = lam * losses(x) + (1 - lam) * losses(x)[partner]
    assert (loss <= interpolated + 1e-12).all()
    assert (MixedTarget(y, y[partner], lam_batch).soft(2)[:, 1] == 1).all()
