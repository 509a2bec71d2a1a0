import pytest
import torch

from overmix.errors import ConfigError, DataError
from overmix.mix import RandomPairing, SimilarityCoefficient, Streams
from overmix.recipes import SKMixup


def test_it_is_random_pairs_and_a_coefficient_by_similarity():
    recipe = SKMixup(0.5, 2.0, 0.7)
    assert recipe.pairing == RandomPairing()
    assert recipe.coefficient == SimilarityCoefficient(0.5, 2.0, 0.7)
    assert recipe.needs == {"features"}


def test_close_pairs_are_mixed_and_distant_ones_are_not():
    # Two tight clusters: pairs within one are near duplicates, pairs between them are far apart.
    z = torch.cat([torch.zeros(16, 2), torch.full((16, 2), 10.0)]) + 0.01 * torch.randn(32, 2)
    recipe, x, y = SKMixup(), torch.randn(32, 3), torch.arange(32)
    within, between = [], []
    for step in range(20):
        plan = recipe.plan(recipe.draw(Streams(1), 32, step=step), y, features=z)
        same = (plan.partner < 16) == (torch.arange(32) < 16)
        distance_to_half = (plan.lam - 0.5).abs()
        within.append(distance_to_half[same & ~plan.alone])
        between.append(distance_to_half[~same])
    assert torch.cat(within).max() < 0.1
    assert torch.cat(between).mean() > 0.4
    mixed, target = recipe.mix(x, y, plan)
    torch.testing.assert_close(mixed, target.lam[:, None] * x + (1 - target.lam[:, None]) * x[target.b])


def test_input_and_labels_have_the_same_warped_share():
    x, y = torch.eye(8), torch.arange(8)
    mixed, target = SKMixup()(x, y, features=torch.randn(8, 3))
    torch.testing.assert_close(mixed, target.soft(8))


def test_features_are_asked_for_instead_of_falling_back_to_mixup():
    # In the released code a configuration falls through to a call without features, and fails there with a TypeError.
    with pytest.raises(DataError, match=r"^SKMixup needs features, representations of shape \(B, D\)"):
        SKMixup()(torch.randn(4, 3), torch.arange(4))


def test_bad_parameters_are_refused():
    for field in ("tau_max", "tau_std"):
        with pytest.raises(ConfigError, match=rf"^{field} = 0"):
            SKMixup(**{field: 0})
