import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import nn

from overmix.train.dropout import KeyedDropout, key_dropout, uniform_at

MASK = 2**64 - 1


def splitmix64(key, count):
    """The published generator in Python's own integers."""
    state, numbers = key & MASK, []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        numbers.append((z ^ (z >> 31)) >> 40)
    return np.array(numbers) / 2**24


@given(st.integers(-(2**63), 2**63 - 1))
def test_the_numbers_are_those_of_splitmix64(key):
    drawn = uniform_at(torch.tensor(key), 20)
    assert drawn.dtype == torch.float32
    np.testing.assert_array_equal(drawn.numpy(), splitmix64(key, 20))


def test_the_numbers_are_uniform_within_and_across_keys():
    assert stats.kstest(uniform_at(torch.tensor(5), 20_000).numpy(), "uniform").pvalue > 1e-3
    across = torch.stack([uniform_at(torch.tensor(key), 2) for key in range(5_000)])
    assert stats.kstest(across[:, 0].numpy(), "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(across.T.numpy())[0, 1]) < 5 / np.sqrt(5_000)


def layer(p=0.5, channels=False, number=1, key=9):
    dropout = KeyedDropout(p, channels, number)
    dropout.key.fill_(key)
    return dropout


def mask(dropout, shape=(100, 100)):
    return dropout(torch.ones(shape)) > 0


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_units_are_dropped_with_probability_p_and_the_rest_scaled_to_keep_the_mean(p):
    out = layer(p)(torch.ones(100, 100))
    kept = int((out > 0).sum())
    assert stats.binomtest(kept, 10_000, 1 - p).pvalue > 1e-3
    torch.testing.assert_close(out[out > 0], torch.full((kept,), 1 / (1 - p)))


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_the_limits_drop_nothing_and_everything(p):
    assert torch.equal(layer(p)(torch.ones(3, 4)), torch.full((3, 4), 1 - p))


def test_evaluation_hands_the_input_through():
    x = torch.rand(3, 4)
    assert layer().eval()(x) is x


def test_one_key_gives_one_mask():
    assert torch.equal(mask(layer()), mask(layer()))


def test_masks_of_other_keys_layers_and_calls_are_unrelated():
    repeated = layer()
    masks = [mask(repeated) for _ in range(4)]
    # 2 * 2**63 and beyond: the address must wrap around as int64 does.
    masks += [mask(layer(number=n)) for n in (2, 3, 50)]
    masks += [mask(layer(key=k)) for k in (8, 10, -9, 2**63 - 1)]
    correlation = np.corrcoef(np.stack([m.flatten().numpy() for m in masks]))
    assert np.abs(correlation - np.eye(len(masks))).max() < 5 / np.sqrt(10_000)


@pytest.mark.parametrize("shape", [(64, 50, 4), (64, 50, 4, 3), (64, 50, 2, 3, 2)])
def test_channel_dropout_drops_whole_channels(shape):
    kept = mask(layer(channels=True), shape).flatten(2)
    assert bool((kept == kept[:, :, :1]).all())
    assert stats.binomtest(int(kept[:, :, 0].sum()), 64 * 50, 0.5).pvalue > 1e-3


class AlwaysOn(nn.Dropout):
    def forward(self, x):
        return nn.functional.dropout(x, self.p, training=True)


def test_every_dropout_layer_is_replaced_and_nothing_else():
    custom = AlwaysOn(0.5)
    inner = nn.Sequential(nn.Dropout1d(0.1), nn.ReLU(), nn.Dropout2d(0.2))
    model = key_dropout(nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.3), inner, nn.Dropout3d(0.4), custom))
    found = [m for m in model.modules() if isinstance(m, KeyedDropout)]
    assert [(m.p, m.channels, m.layer) for m in found] == [
        (0.3, False, 1),
        (0.1, True, 2),
        (0.2, True, 3),
        (0.4, True, 4),
    ]
    assert model[4] is custom
    assert isinstance(model[2][1], nn.ReLU)


def test_a_layer_with_two_names_stays_one_layer():
    drop = nn.Dropout(0.5)
    model = key_dropout(nn.Sequential(drop, nn.ReLU(), drop, nn.Sequential(drop)))
    assert isinstance(model[0], KeyedDropout)
    assert model[0] is model[2] is model[3][0]


def test_a_model_that_is_a_dropout_layer_is_replaced_itself():
    assert isinstance(key_dropout(nn.Dropout(0.5)), KeyedDropout)


def test_keys_are_no_part_of_what_the_model_saves():
    assert key_dropout(nn.Sequential(nn.Dropout(0.5))).state_dict() == {}
