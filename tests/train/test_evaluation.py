import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss

from overmix.train import METRICS, evaluation, evaluation_epochs
from overmix.train.stacked_model import seeded_model


@given(epochs=st.integers(1, 20_000), per_octave=st.integers(1, 12))
def test_looks_are_log_spaced_from_the_first_to_the_last_epoch(epochs, per_octave):
    grid = evaluation_epochs(epochs, per_octave)
    assert grid.dtype == np.int64
    assert (grid[0], grid[-1]) == (1, epochs)
    for early, late in itertools.pairwise(grid):
        assert late > early
        # Rounding moves either end by half an epoch at most.
        assert late - 0.5 <= (early + 0.5) * 2 ** (1 / per_octave) + 1e-6 or late == early + 1
    assert len(grid) <= per_octave * np.log2(epochs) + 2


def test_the_demos_grid():
    grid = evaluation_epochs(1000)
    assert grid[:12].tolist() == [*range(1, 10), 11, 13, 16]
    assert len(grid) == 36


def scored_by_hand(p, y):
    """Error, cross-entropy, Brier score and calibration error, by their definitions, in double precision."""
    onehot = np.eye(p.shape[1])[y]
    confidence, correct = p.max(1), p.argmax(1) == y
    bins = np.ceil(confidence * 15).astype(int)
    gaps = [abs((correct[bins == b] - confidence[bins == b]).sum()) for b in range(1, 16)]
    return [
        1 - correct.mean(),
        log_loss(y, p, labels=range(p.shape[1])),
        ((p - onehot) ** 2).sum(1).mean(),
        sum(gaps) / len(y),
    ]


@pytest.mark.parametrize("execution", ["stacked", "looped"])
def test_every_metric_is_that_of_the_plain_models(replica, training, models, execution):
    runs = [replica(seed) for seed in range(3)]
    own = training(runs, models["dropout"], execution)
    metrics, wrong = own.evaluator(own.model)
    assert metrics.shape == (len(METRICS), 3)
    data = own.data
    for r, run in enumerate(runs):
        model = seeded_model(models["dropout"], run.streams.torch_seed("init")).eval()
        mean, std = own.normalization.mean[r], own.normalization.std[r]
        splits = {
            "test": (data.x_test, data.y_test),
            "val": (data.x[run.val_index], data.y[run.val_index]),
            "train": (data.x[run.train_index], data.y[run.train_index]),
        }
        for s, (x, y) in enumerate(splits.values()):
            with torch.no_grad():
                p = model((x - mean) / std).double().softmax(1).numpy()
            expected = scored_by_hand(p, y.numpy())
            np.testing.assert_allclose(metrics[4 * s : 4 * s + 4, r].numpy(), expected, rtol=1e-4, atol=1e-6)
            if s == 2:
                rest = np.where(np.eye(p.shape[1])[y.numpy()] == 1, -1, p).max(1)
                margins = p[np.arange(len(y)), y.numpy()] - rest
                np.testing.assert_allclose(metrics[12, r].numpy(), margins.mean(), rtol=1e-4, atol=1e-6)
            if s == 0:
                assert wrong[r].tolist() == (p.argmax(1) != y.numpy()).tolist()


def test_metrics_are_named_split_by_split():
    assert METRICS[0] == "test_error"
    assert METRICS[5] == "val_cross_entropy"
    assert METRICS[8:] == ("train_error", "train_cross_entropy", "train_brier", "train_ece", "train_margin")


def test_without_a_validation_split_its_metrics_are_nan_and_the_others_are_not(replica, training):
    runs = [replica(seed, val_index=np.empty(0, dtype=np.int64)) for seed in range(2)]
    own = training(runs)
    metrics, _ = own.evaluator(own.model)
    assert metrics.isnan().any(1).tolist() == [name.startswith("val_") for name in METRICS]


@pytest.mark.parametrize("at_once", [3, 21, 60])
def test_chunks_change_nothing_but_rounding(replica, training, models, monkeypatch, at_once):
    runs = [replica(seed) for seed in range(3)]
    whole = training(runs, models["batch_norm"])
    metrics, wrong = whole.evaluator(whole.model)
    monkeypatch.setattr(evaluation, "_SAMPLES_AT_ONCE", at_once)
    pieces = training(runs, models["batch_norm"])
    other_metrics, other_wrong = pieces.evaluator(pieces.model)
    torch.testing.assert_close(other_metrics, metrics, rtol=1e-5, atol=1e-6)
    assert torch.equal(other_wrong, wrong)


@pytest.mark.parametrize("execution", ["stacked", "looped"])
def test_looking_changes_nothing(replica, training, models, execution):
    own = training([replica(0), replica(1)], models["batch_norm"], execution)
    own.model.train()
    before = own.state_dict()
    first, _ = own.evaluator(own.model)
    second, _ = own.evaluator(own.model)
    assert torch.equal(first, second)
    torch.testing.assert_close(own.state_dict(), before, rtol=0, atol=0, equal_nan=True)
    assert own.model.base.training


@pytest.mark.parametrize(
    ("execution", "device", "expected"), [("looped", "cpu", 64), ("looped", "cuda", 2730), ("stacked", "cpu", 2730)]
)
def test_only_loops_on_the_cpu_score_as_many_samples_as_the_cache_holds(execution, device, expected):
    assert evaluation.samples_at_once(execution, torch.device(device), n_replicas=3) == expected
