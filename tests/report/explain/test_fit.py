import pytest
import torch
from torch import nn

from overmix.errors import ConfigError, DataError
from overmix.recipes import Mixup
from overmix.report.explain.fit import fit


def blobs(n=60):
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(n) % 2
    return 100 + 10 * y[:, None] + torch.randn(n, 2, generator=generator), y


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))


@pytest.mark.parametrize("recipe", [None, Mixup(alpha=1.0)])
def test_what_can_be_told_apart_is_learnt_whatever_its_scale(recipe):
    x, y = blobs()
    model = fit(network(), x, y, epochs=40, recipe=recipe, batch_size=20, lr=1e-2)
    assert not model.training
    assert (model(x).argmax(1) == y).float().mean() > 0.98
    torch.testing.assert_close(model.normalize(x).mean(0), torch.zeros(2), atol=1e-4, rtol=0)


def test_a_fit_is_a_function_of_its_seed_and_leaves_the_callers_randomness_alone():
    x, y = blobs()
    networks = [network() for _ in range(3)]
    before = torch.random.get_rng_state()
    outputs = [
        fit(net, x, y, epochs=2, recipe=Mixup(), seed=seed)(x) for net, seed in zip(networks, (0, 0, 1), strict=True)
    ]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])


def test_settings_that_cannot_work_are_named():
    x, y = blobs()
    with pytest.raises(ConfigError, match="epochs = 0"):
        fit(network(), x, y, epochs=0)
    with pytest.raises(ConfigError, match="lr = nan"):
        fit(network(), x, y, epochs=1, lr=float("nan"))
    with pytest.raises(DataError, match="no samples"):
        fit(network(), x[:0], y[:0], epochs=1)
    with pytest.raises(DataError, match="diverged"):
        fit(network(), x * float("inf"), y, epochs=1)
