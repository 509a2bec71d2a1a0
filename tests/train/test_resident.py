import pytest
import torch

from overmix.train import Normalization
from overmix.train.resident import gather_samples


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("sample", [(), (5,), (1, 4, 3)])
def test_a_batch_is_an_index_into_the_pool(dtype, sample):
    x = torch.randint(256, (20, *sample)).to(dtype)
    index = torch.randint(20, (3, 7))
    batch = gather_samples(x, index)
    assert batch.dtype == torch.float32
    assert torch.equal(batch, x[index].float())


def test_a_batch_is_a_copy_so_that_normalising_it_in_place_leaves_the_pool_alone():
    x = torch.rand(20, 5)
    kept = x.clone()
    Normalization(torch.zeros(1, 5), torch.full((1, 5), 2.0)).apply_(gather_samples(x, torch.arange(20)[None]))
    assert torch.equal(x, kept)


@pytest.mark.parametrize("stats", [(1, 1, 1), (2, 1, 1), (2, 4, 3)], ids=["global", "channel", "pixel"])
def test_each_replica_is_normalised_by_its_own_statistics(stats):
    x = torch.randn(3, 7, 2, 4, 3, dtype=torch.float64).float()
    mean, std = torch.randn(3, *stats), torch.rand(3, *stats) + 0.5
    expected = torch.stack([(x[r] - mean[r]) / std[r] for r in range(3)])
    assert torch.equal(Normalization(mean, std).apply_(x.clone()), expected)


def test_normalising_a_mixture_is_mixing_what_is_normalised():
    x = torch.rand(2, 9, 4, dtype=torch.float64)
    partner, lam = torch.randperm(9), torch.rand(2, 9, 1, dtype=torch.float64)
    normalization = Normalization(torch.rand(2, 4, dtype=torch.float64), torch.rand(2, 4, dtype=torch.float64) + 0.1)
    after = normalization.apply_(lam * x + (1 - lam) * x[:, partner])
    before = normalization.apply_(x.clone())
    torch.testing.assert_close(after, lam * before + (1 - lam) * before[:, partner], rtol=1e-12, atol=1e-14)
