"""Gradient norms and memorisation through training, against overmix.explain and against plain NumPy."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.train.test_engine import EXECUTIONS, assert_identical, mixed_runs

from overmix.errors import ConfigError
from overmix.explain import dominant_label, gradient_norm
from overmix.mix import mixed_cross_entropy
from overmix.train import TRACKED, TRACKS
from overmix.train.stacked_model import seeded_model
from overmix.train.track import FIXED_MIXTURES, fixed_mixtures

BOTH = ("gradient_norm", "memorization")


def own_model(own, r, factory):
    """Replica r of a stack as a module of its own."""
    model = seeded_model(factory, 0)
    state = {name: p.detach()[r] for name, p in own.model.parameters.items()}
    model.load_state_dict({**state, **{name: b[r] for name, b in own.model.buffers.items()}}, strict=False)
    return model.eval()


def mixtures_of(own, r):
    index, partner, lam = (tensor[r] for tensor in own.looks.tracker.mixtures)
    x = (own.data.x.float() - own.normalization.mean[r]) / own.normalization.std[r]
    return lam[:, None] * x[index] + (1 - lam[:, None]) * x[partner], own.data.y[index], own.data.y[partner], lam


def column(own, name):
    return own.result().tracked[name][:, -1]


@pytest.mark.parametrize("execution", EXECUTIONS)
@pytest.mark.parametrize("name", ["mlp", "batch_norm", "unused_layer"])
def test_gradient_norms_are_those_of_explain(replica, training, models, name, execution):
    if name == "unused_layer" and execution == "stacked":
        pytest.skip("is always looped over")
    own = training(mixed_runs(replica), models[name], execution, track=("gradient_norm",))
    own.train()
    for r, run in enumerate(own.planner.replicas):
        model, (x, a, b, lam) = own_model(own, r, models[name]), mixtures_of(own, r)
        expected = gradient_norm(model, x, (a, b, lam), mixed_cross_entropy)
        assert column(own, "gradient_norm_mixed")[r] == pytest.approx(expected, rel=1e-4)
        index = torch.from_numpy(run.train_index)
        x = (own.data.x[index].float() - own.normalization.mean[r]) / own.normalization.std[r]
        expected = gradient_norm(model, x, (own.data.y[index],), lambda z, y: F.cross_entropy(z, y, reduction="none"))
        assert column(own, "gradient_norm_clean")[r] == pytest.approx(expected, rel=1e-4)


def nearest_class(points, pool, y, left_out):
    """The class of most of the five nearest, the nearest deciding ties, sample by sample."""
    named = []
    for point, own in zip(points, left_out, strict=True):
        distance = np.linalg.norm(pool - point, axis=1)
        distance[own] = np.inf
        near = y[np.argsort(distance)[:5]]
        most = max(np.bincount(near))
        named.append(next(label for label in near if (near == label).sum() == most))
    return np.array(named)


def test_memorisation_counts_what_it_says(replica, training, models):
    own = training(mixed_runs(replica), models["mlp"], track=("memorization",))
    own.train()
    for r in range(3):
        x, a, b, lam = mixtures_of(own, r)
        index, partner, _ = (tensor[r].numpy() for tensor in own.looks.tracker.mixtures)
        pool = ((own.data.x.float() - own.normalization.mean[r]) / own.normalization.std[r]).numpy()
        truth = nearest_class(x.numpy(), pool, own.data.y.numpy(), np.stack([index, partner], 1))
        found, error = own.looks.tracker.truth()
        # Rounding may exchange neighbours that are equally near, and the samples are whole numbers.
        assert (found[r].numpy() == truth).mean() > 0.995
        labelled = dominant_label(a, b, lam).numpy()
        with torch.no_grad():
            predicted = own_model(own, r, models["mlp"])(x).argmax(1).numpy()
        noisy = labelled != found[r].numpy()
        assert 0.05 < noisy.mean() < 0.9
        assert column(own, "noise_share")[r] == pytest.approx(noisy.mean())
        assert column(own, "noise_memorized")[r] == pytest.approx((predicted == labelled)[noisy].mean(), abs=1e-6)
        assert column(own, "noise_resisted")[r] == pytest.approx(
            (predicted == found[r].numpy())[noisy].mean(), abs=1e-6
        )
        assert column(own, "mixtures_learnt")[r] == pytest.approx((predicted == labelled)[~noisy].mean(), abs=1e-6)
        test = ((own.data.x_test.float() - own.normalization.mean[r]) / own.normalization.std[r]).numpy()
        named = nearest_class(test, pool, own.data.y.numpy(), np.zeros((len(test), 0), dtype=int))
        assert float(error[r]) == pytest.approx((named != own.data.y_test.numpy()).mean(), abs=1 / len(test) + 1e-9)


def test_the_pool_is_searched_in_parts_of_any_size(replica, training, models, monkeypatch):
    own, other = (training(mixed_runs(replica), models["mlp"], track=("memorization",)) for _ in range(2))
    whole = own.looks.tracker.truth()
    monkeypatch.setattr("overmix.train.track._REFERENCES_AT_ONCE", 7)
    parts = other.looks.tracker.truth()
    assert (whole[0] == parts[0]).double().mean() > 0.995
    torch.testing.assert_close(whole[1], parts[1], atol=0.021, rtol=0)


@pytest.mark.parametrize("execution", EXECUTIONS)
@pytest.mark.parametrize("name", ["mlp", "dropout", "batch_norm"])
def test_the_training_does_not_change_by_a_bit_and_it_goes_on_from_any_step(replica, training, models, name, execution):
    def new(track=BOTH):
        return training(mixed_runs(replica), models[name], execution, track=track, average=0.9)

    plain, states = new(()).train(), []
    assert plain.tracked == {}
    whole = new().train(after_step=lambda own: states.append(own.state_dict()))
    assert_identical(plain, whole)
    assert tuple(whole.tracked) == TRACKS["gradient_norm"] + TRACKS["memorization"] == TRACKED
    assert all(np.isfinite(values).all() and values.shape == (3, 4) for values in whole.tracked.values())
    again = new()
    again.load_state_dict(states[7])
    for key, values in again.train().tracked.items():
        np.testing.assert_array_equal(values, whole.tracked[key], err_msg=key)


def test_stacked_equals_looped(replica, training, models):
    one, other = (training(mixed_runs(replica), models["mlp"], e, track=BOTH).train() for e in EXECUTIONS)
    for name in TRACKED:
        np.testing.assert_allclose(one.tracked[name], other.tracked[name], rtol=1e-4, atol=1e-6, err_msg=name)


def test_twins_are_looked_at_on_the_same_mixtures_of_training_samples(replica):
    runs = [replica(0), replica(0, lr=1.0), replica(1)]
    index, partner, lam = fixed_mixtures(runs, torch.device("cpu"))
    assert index.shape == partner.shape == lam.shape == (3, FIXED_MIXTURES)
    for tensor in (index, partner, lam):
        assert torch.equal(tensor[0], tensor[1])
        assert not torch.equal(tensor[0], tensor[2])
    for r, run in enumerate(runs):
        assert set(index[r].tolist()) | set(partner[r].tolist()) <= set(run.train_index.tolist())
    assert abs(float(lam.mean()) - 0.5) < 0.05
    assert abs(float(lam.var()) - 1 / 12) < 0.01


def test_noisy_labels_that_are_learnt_by_heart_show(replica, training, models):
    own = training([replica(0, lr=0.2)], models["mlp"], epochs=60, track=BOTH)
    own.train()
    tracked = own.result().tracked
    assert tracked["mixtures_learnt"][0, -1] > tracked["mixtures_learnt"][0, 0]
    assert tracked["noise_memorized"][0, -1] + tracked["noise_resisted"][0, -1] <= 1


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_data_are_left_as_they_lie(replica, training, resident, dtype):
    data = resident(dtype)
    x, x_test = data.x.clone(), data.x_test.clone()
    training([replica(0)], data=data, track=BOTH).train()
    assert torch.equal(data.x, x)
    assert torch.equal(data.x_test, x_test)


def test_unknown_names_are_refused(replica, training):
    with pytest.raises(ConfigError, match=r"^train.track = 'gradient_nrm': did you mean gradient_norm\?"):
        training([replica(0)], track=("gradient_nrm",))
