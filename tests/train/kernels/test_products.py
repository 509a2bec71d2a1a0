from itertools import pairwise

import pytest
import torch
from torch import nn

from overmix.mix.objective import CrossEntropy
from overmix.train.kernels import Kernel, momentum_step, products
from overmix.train.optimizer import SGD
from overmix.train.perceptron import perceptron_step, stacked_perceptron

fast = pytest.mark.skipif(not products.operators_are_there(), reason="this PyTorch has no such operators")


@pytest.fixture
def taken(monkeypatch):
    """They are taken, also on a processor that gains nothing."""
    monkeypatch.setattr(products, "has_fast_products", lambda: True)


@fast
@pytest.mark.parametrize("relu", [False, True])
def test_linear_is_a_linear_layer(relu):
    torch.manual_seed(0)
    x, weight, bias = torch.randn(7, 33), torch.randn(65, 33), torch.randn(65)
    exact = nn.functional.linear(x.double(), weight.double(), bias.double())
    exact = exact.relu() if relu else exact
    torch.testing.assert_close(products.linear(x, weight, bias, relu=relu).double(), exact, rtol=1e-5, atol=1e-5)


@fast
def test_product_takes_transposed_views():
    torch.manual_seed(1)
    grad, x = torch.randn(64, 256), torch.randn(64, 192)
    found = products.product(grad.T, x.T)
    torch.testing.assert_close(found.double(), grad.double().T @ x.double(), rtol=1e-4, atol=1e-4)


@fast
@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
def test_momentum_step_is_that_of_torch_optim(weight_decay):
    torch.manual_seed(2)
    p, v = torch.randn(40, 30), torch.zeros(40, 30)
    twin = nn.Parameter(p.clone())
    optimizer = torch.optim.SGD([twin], lr=0.1, momentum=0.9, weight_decay=weight_decay)
    for _ in range(5):
        gradient = torch.randn(40, 30)
        twin.grad = gradient.clone()
        optimizer.step()
        momentum_step(p, gradient, v, lr=0.1, momentum=0.9, weight_decay=weight_decay)
    torch.testing.assert_close(p, twin.detach(), rtol=1e-5, atol=1e-6)


def stack(seed=0, replicas=3, sizes=(20, 256, 128, 10)):
    generator = torch.Generator().manual_seed(seed)
    shapes = [s for i, o in pairwise(sizes) for s in ((o, i), (o,))]
    return [0.1 * torch.randn(3, *shape, generator=generator)[:replicas] for shape in shapes]


def train(steps, momentum=0.9, weight_decay=None, replicas=3):
    parameters = stack(replicas=replicas)
    velocities = [torch.zeros_like(p) for p in parameters]
    lr = torch.tensor([0.1, 0.02, 0.0])[:replicas]
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        x = torch.randn(3, 16, 20, generator=generator)[:replicas]
        a, b = torch.randint(10, (2, 3, 16), generator=generator)[:, :replicas]
        lam = torch.rand(3, 16, generator=generator)[:replicas]
        loss = perceptron_step(
            x,
            lambda logits, a=a, b=b, lam=lam: CrossEntropy().with_gradient(logits, a, b, lam),
            parameters,
            velocities,
            SGD(momentum),
            lr,
            weight_decay,
        )
    return parameters, velocities, loss


@fast
@pytest.mark.parametrize("decay", [None, torch.tensor([0.0, 1e-2, 1e-3])])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_both_ways_of_stepping_agree(taken, monkeypatch, momentum, decay):
    calls = []
    original = products.product
    monkeypatch.setattr(products, "product", lambda a, b: calls.append(1) or original(a, b))
    found = train(10, momentum, decay)
    # One large layer of three replicas, with a layer below it: two products each, but none without momentum.
    assert len(calls) == (10 * 3 * 2 if momentum else 0)
    monkeypatch.setattr(products, "has_fast_products", lambda: False)
    expected = train(10, momentum, decay)
    torch.testing.assert_close(found[0], expected[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found[2], expected[2], rtol=1e-4, atol=1e-5)


@fast
def test_a_large_first_layer_has_no_gradient_below(taken, monkeypatch):
    calls = []
    original = products.product
    monkeypatch.setattr(products, "product", lambda a, b: calls.append(1) or original(a, b))
    parameters = stack(sizes=(512, 128, 4))
    velocities = [torch.zeros_like(p) for p in parameters]
    labels = torch.zeros(3, 8, dtype=torch.int64)
    perceptron_step(
        torch.randn(3, 8, 512),
        lambda logits: CrossEntropy().with_gradient(logits, labels, labels, torch.ones(3, 8)),
        parameters,
        velocities,
        SGD(0.9),
        torch.full((3,), 0.1),
        None,
    )
    assert len(calls) == 3


@fast
def test_a_replica_is_the_same_to_the_bit_whatever_stands_beside_it(taken):
    together, _, _ = train(20)
    alone, _, _ = train(20, replicas=1)
    for a, b in zip(together, alone, strict=True):
        assert torch.equal(a[:1], b)


@fast
def test_forward_with_and_without_gradients_agree(taken):
    parameters = stack()
    x = torch.randn(3, 16, 20)
    with torch.no_grad():
        found = stacked_perceptron(x, parameters)
    leaves = [p.requires_grad_() for p in parameters]
    expected = stacked_perceptron(x, leaves)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert all(g is not None for g in torch.autograd.grad(expected.sum(), leaves))


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        (torch.zeros(2, 256, 128), True),
        (torch.zeros(2, 256, 127), False),
        (torch.zeros(2, 256, 128, dtype=torch.float64), False),
        (torch.zeros(2, 256, 128, device="meta"), False),
    ],
)
def test_only_large_layers_of_single_precision_on_the_cpu_gain(monkeypatch, weight, expected):
    monkeypatch.setattr(products, "has_fast_products", lambda: True)
    assert products.gains(weight) is expected


ZEN_4, ZEN_5 = (f"vendor_id\t: AuthenticAMD\ncpu family\t: {family}\nmodel\t\t: 17\n" for family in (25, 26))


@pytest.mark.parametrize(
    ("capability", "processor", "expected"),
    [
        ("AVX512", ZEN_5, True),
        ("AVX512", "AMD64 Family 26 Model 68 Stepping 0, AuthenticAMD", True),
        ("AVX512", ZEN_4, False),
        ("AVX2", ZEN_5, False),
        ("AVX512", "vendor_id\t: GenuineIntel\ncpu family\t: 6\n", False),
    ],
)
def test_processors_that_gain_nothing_keep_the_batched_product(monkeypatch, capability, processor, expected):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(products, "_processor", lambda: processor)
    monkeypatch.setattr(products, "operators_are_there", lambda: True)
    assert products.has_fast_products.__wrapped__() is expected


def test_without_the_private_operators_nothing_breaks(monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(products, "_processor", lambda: ZEN_5)
    monkeypatch.setattr(products, "product", Kernel(products.product.plain, gone, products.product.example))
    assert products.has_fast_products.__wrapped__() is False


def gone(*_):
    raise AttributeError("no such operator")
