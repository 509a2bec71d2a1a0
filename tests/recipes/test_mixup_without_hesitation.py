import pytest
import torch

from overmix.errors import ConfigError
from overmix.mix import BetaCoefficient, FoldedCoefficient, RandomPairing, StreamCursor, Streams
from overmix.recipes import Mixup, MixupWithoutHesitation


def test_it_is_mixup_with_the_larger_part_on_the_sample_itself():
    recipe = MixupWithoutHesitation()
    assert recipe.pairing == RandomPairing()
    assert recipe.coefficient == FoldedCoefficient(BetaCoefficient(0.5, "batch"))
    cursor = StreamCursor(Streams(1))
    for step in range(50):
        own = recipe.plan(recipe.draw(cursor, 4, step=step))
        mixup = Mixup(0.5)
        plain = mixup.plan(mixup.draw(cursor, 4, step=step))
        assert torch.equal(own.partner, plain.partner)
        assert torch.equal(own.lam, torch.maximum(plain.lam, 1 - plain.lam))
        assert (own.lam >= 0.5).all()


def test_off_the_batch_is_handed_through():
    x, y = torch.randn(4, 3), torch.arange(4)
    same, target = MixupWithoutHesitation().unmixed(x, y)
    assert same is x
    assert (target.lam == 1).all()


def test_a_bad_alpha_is_refused():
    with pytest.raises(ConfigError, match=r"^alpha = -1"):
        MixupWithoutHesitation(-1)
