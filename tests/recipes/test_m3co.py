import pytest
import torch
import torch.nn.functional as F
from torch import nn

from overmix.errors import ConfigError, DataError
from overmix.mix import BetaCoefficient, GatedCoefficient, MixPlan, RandomPairing, SquaredError, Streams
from overmix.recipes import M3Co, MultimodalOutput
from overmix.switch import Epochs, always

X, Y = torch.randn(6, 8), torch.tensor([0, 1, 2, 1, 0, 2])


class Fused(nn.Module):
    def __init__(self, modalities):
        super().__init__()
        self.encoders = nn.ModuleList([nn.Linear(8, 5) for _ in range(modalities)])
        self.heads = nn.ModuleList([nn.Linear(5, 3) for _ in range(modalities)])
        self.fused = nn.Linear(5 * modalities, 3)

    def forward(self, x):
        z = tuple(encoder(x).tanh() for encoder in self.encoders)
        logits = [head(h) for head, h in zip(self.heads, z, strict=True)]
        return MultimodalOutput(z, (*logits, self.fused(torch.cat(z, dim=1))))


def plan_of(recipe, step=0):
    return recipe.plan(recipe.draw(Streams(1), 6, step=step), Y)


def embeddings(modalities=2):
    g = torch.Generator().manual_seed(0)
    return tuple(torch.randn(6, 5, generator=g) for _ in range(modalities))


def dense_term(z, keys, part, temperature):
    """The contrastive loss of one ordered pair, by its formula, with a dense matrix of targets that adds up."""
    rows = torch.diag(part.lam)
    for i, (j, lam) in enumerate(zip(part.partner.tolist(), part.lam.tolist(), strict=True)):
        rows[i, j] += 1 - lam
    mixed = part.lam[:, None] * z + (1 - part.lam[:, None]) * z[part.partner]
    similarity = F.normalize(mixed, dim=1) @ F.normalize(keys, dim=1).T / temperature
    forward = -(rows * similarity.log_softmax(1)).sum(1).mean()
    backward = -(rows.T * similarity.T.log_softmax(1)).sum(1).mean()
    return (forward + backward) / 2


def test_every_modality_has_its_own_partners_and_its_own_gated_lam():
    recipe = M3Co(modalities=3)
    assert recipe.pairing == RandomPairing()
    assert recipe.coefficient == GatedCoefficient(BetaCoefficient(0.15, "sample"), 0.5)
    plan = plan_of(recipe)
    assert len(plan.parts) == 3
    assert len({tuple(part.partner.tolist()) for part in plan.parts}) == 3
    assert len({tuple(part.lam.tolist()) for part in plan.parts}) == 3
    assert plan.alone.all()
    assert (plan.lam == 1).all()


def test_draws_come_from_their_own_streams():
    recipe, streams = M3Co(), Streams(1)
    drawn = recipe.draw(streams, 6, epoch=2, step=3)
    pairing, coefficient = (streams.generator(name, epoch=2, step=3) for name in ("pairing", "coefficient"))
    for part in drawn.parts:
        assert torch.equal(part.pairing, recipe.pairing.draw(pairing, 6))
        assert torch.equal(part.coefficient, recipe.coefficient.draw(coefficient, 6))


@pytest.mark.parametrize("modalities", [2, 3, 4])
def test_each_modality_is_contrasted_with_the_next_in_a_circle(modalities):
    recipe, z = M3Co(modalities=modalities, probability=1.0), embeddings(modalities)
    plan = plan_of(recipe)
    expected = sum(dense_term(z[m], z[(m + 1) % modalities], plan.parts[m], 0.1) for m in range(modalities))
    torch.testing.assert_close(recipe.contrastive_term(z, plan), expected)


def test_the_loss_is_the_heads_cross_entropy_on_clean_labels_plus_the_weighted_term():
    torch.manual_seed(0)
    recipe, model = M3Co(weight=0.3), Fused(2)
    plan = plan_of(recipe)
    z, logits = model(X)
    expected = sum(F.cross_entropy(head, Y) for head in logits) + 0.3 * recipe.contrastive_term(z, plan)
    torch.testing.assert_close(recipe.objective(model, X, Y, plan), expected)
    assert len(logits) == 3


class Captioned(nn.Module):
    """A view of numbers and one of tokens, which it writes down."""

    def __init__(self):
        super().__init__()
        self.numbers, self.words = nn.Linear(8, 5), nn.EmbeddingBag(30, 5)
        self.fused = nn.Linear(10, 3)
        self.read = []

    def forward(self, x):
        self.read.append(x[1])
        z = (self.numbers(x[0]), self.words(x[1]))
        return MultimodalOutput(z, (self.fused(torch.cat(z, dim=1)),))


def test_a_view_may_be_tokens_whose_embeddings_are_mixed_and_never_their_ids():
    torch.manual_seed(0)
    recipe, model = M3Co(probability=1.0, weight=0.3), Captioned()
    tokens = torch.randint(30, (6, 4))
    before = tokens.clone()
    (plan,) = [epoch.plan((X, tokens), Y) for epoch in Epochs(1, recipe, always())]
    loss = recipe.objective(model, (X, tokens), Y, plan)
    (read,) = model.read
    assert read.dtype == torch.int64
    assert torch.equal(read, before)
    z = (model.numbers(X), model.words(tokens))
    term = dense_term(z[0], z[1], plan.parts[0], 0.1) + dense_term(z[1], z[0], plan.parts[1], 0.1)
    torch.testing.assert_close(loss, F.cross_entropy(model.fused(torch.cat(z, dim=1)), Y) + 0.3 * term)
    (learned,) = torch.autograd.grad(term, model.words.weight)
    assert (learned[tokens.unique()].abs().sum(1) > 0).all()


def test_unmixed_the_term_is_symmetric_info_nce():
    z = embeddings()
    recipe = M3Co(probability=0.0)
    similarity = F.normalize(z[0], dim=1) @ F.normalize(z[1], dim=1).T / 0.1
    own = torch.arange(6)
    both = F.cross_entropy(similarity, own) + F.cross_entropy(similarity.T, own)
    torch.testing.assert_close(recipe.contrastive_term(z, plan_of(recipe)), both)
    mixed = M3Co(probability=1.0)
    off = plan_of(mixed).only_where(torch.zeros(6, dtype=torch.bool))
    torch.testing.assert_close(mixed.contrastive_term(z, off), both)


def test_swapping_two_modalities_with_their_plans_changes_nothing():
    z, recipe = embeddings(), M3Co(probability=1.0)
    plan = plan_of(recipe)
    swapped = MixPlan(plan.partner, plan.lam, parts=plan.parts[::-1])
    torch.testing.assert_close(recipe.contrastive_term(z, plan), recipe.contrastive_term(z[::-1], swapped))


def test_a_fixed_point_keeps_its_mass():
    # With everybody as its own partner a reference implementation has a loss of 0.
    z, recipe = embeddings(), M3Co()
    identity = MixPlan.identity(6)
    plan = MixPlan(identity.partner, identity.lam, parts=(identity, identity))
    assert recipe.contrastive_term(z, plan) > 0.1


def test_embeddings_that_others_have_to_find_stay_unmixed():
    # A reference implementation mixes in place through a view, so that the fixed side is mixed too.
    z, recipe = embeddings(), M3Co(probability=1.0)
    before = [part.clone() for part in z]
    recipe.contrastive_term(z, plan_of(recipe))
    assert all(torch.equal(part, was) for part, was in zip(z, before, strict=True))


def soft_term(z, keys, temperature):
    q, k = F.normalize(z, dim=1), F.normalize(keys, dim=1)
    rows, similarity = (k @ k.T / temperature).softmax(1), q @ k.T / temperature
    return -sum((rows * s.log_softmax(1)).sum(1).mean() for s in (similarity, similarity.T)) / 2


@pytest.mark.parametrize(("modalities", "pairs"), [(2, [(0, 1)]), (3, [(0, 1), (1, 2), (2, 0)])])
def test_the_later_phase_is_softclip_between_each_pair_of_modalities(modalities, pairs):
    z, recipe = embeddings(modalities), M3Co(modalities=modalities, contrast="soft", temperature=0.125)
    expected = sum(soft_term(z[m], z[n], 0.125) for m, n in pairs)
    torch.testing.assert_close(recipe.contrastive_term(z, plan_of(recipe)), expected)


def test_a_model_or_draws_of_another_number_of_modalities_are_refused():
    with pytest.raises(DataError, match="the model returned 2 embeddings for 3 modalities"):
        M3Co(modalities=3).objective(Fused(2), X, Y, plan_of(M3Co(modalities=3)))
    with pytest.raises(DataError, match="these draws have 2 parts for 3 modalities"):
        M3Co(modalities=3).plan(M3Co().draw(Streams(), 6))


def test_a_batch_alone_cannot_be_mixed():
    with pytest.raises(ConfigError, match="mixes inside the model"):
        M3Co()(X, Y)


@pytest.mark.parametrize(
    ("field", "value"),
    [("weight", -1), ("temperature", 0), ("modalities", 1), ("modalities", 2.0), ("contrast", "hard"), ("alpha", -1)],
)
def test_bad_parameters_are_refused(field, value):
    with pytest.raises(ConfigError, match=rf"^{field} = "):
        M3Co(**{field: value})


def test_off_it_is_softclip_at_its_own_temperature_and_another_loss_is_refused():
    x, y, model = torch.randn(8, 5), torch.randint(3, (8,)), nn.ModuleList([nn.Linear(5, 4), nn.Linear(5, 4)])

    def outputs(x):
        z = tuple(layer(x) for layer in model)
        return MultimodalOutput(z, tuple(part[:, :3] for part in z))

    later = M3Co(contrast="soft", temperature=0.125)
    plan = MixPlan.identity(8)
    assert torch.equal(M3Co().objective(outputs, x, y, None), later.objective(outputs, x, y, plan))
    assert torch.equal(later.objective(outputs, x, y, None), later.objective(outputs, x, y, plan))
    warm = M3Co(soft_temperature=1).objective(outputs, x, y, None)
    assert torch.equal(warm, M3Co(contrast="soft", temperature=1).objective(outputs, x, y, plan))
    with pytest.raises(ConfigError, match=r"^soft_temperature = 0: use a number > 0"):
        M3Co(soft_temperature=0)
    for given in (None, plan):
        with pytest.raises(ConfigError, match=r"^loss = 'SquaredError': leave it out"):
            later.objective(outputs, x, y, given, SquaredError())
