import pytest
import torch
from torch import nn

from overmix.errors import ConfigError, DataError
from overmix.explain.evaluation import data_chunks, evaluating, sample_losses


def test_every_module_gets_its_own_mode_back_even_after_an_error():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2).eval(), nn.Dropout())
    seen = []

    def fail_inside():
        with evaluating(model):
            seen.extend(module.training for module in model.modules())
            raise KeyError

    with pytest.raises(KeyError):
        fail_inside()
    assert seen == [False] * 4
    assert [module.training for module in model.modules()] == [True, True, False, True]


def test_chunks_put_together_are_the_data():
    x, y = torch.arange(10.0)[:, None], torch.arange(10)
    parts = list(data_chunks(x, (y, 2 * y), 4))
    assert [len(part) for part, _ in parts] == [4, 4, 2]
    assert torch.equal(torch.cat([part for part, _ in parts]), x)
    assert torch.equal(torch.cat([labels[1] for _, labels in parts]), 2 * y)


def test_misfitting_data_are_refused():
    with pytest.raises(DataError, match="one of each per sample"):
        list(data_chunks(torch.zeros(3, 1), (torch.zeros(2),), 4))
    with pytest.raises(DataError, match="0 inputs"):
        list(data_chunks(torch.zeros(0, 1), (torch.zeros(0),), 4))
    with pytest.raises(ConfigError, match="chunk_size"):
        list(data_chunks(torch.zeros(3, 1), (torch.zeros(3),), 0))


def test_a_loss_that_reduces_is_refused():
    model = nn.Linear(2, 2)
    with pytest.raises(DataError, match="reduction='none'"):
        sample_losses(model, {}, torch.zeros(3, 2), (torch.zeros(3, dtype=torch.long),), nn.functional.cross_entropy)
