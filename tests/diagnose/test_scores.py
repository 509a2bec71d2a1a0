from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax
from sklearn.metrics import accuracy_score, log_loss

from overmix.diagnose import scores


def sample(n, classes, seed=0, stack=()):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(*stack, n, classes, generator=generator)
    return logits, torch.randint(classes, (*stack, n), generator=generator)


def means(logits, y):
    return scores.finish(scores.sums(logits, y)[0])


def calibration_error(confidence, correct, edges):
    """By the definition, one half-open bin (low, high] after the other."""
    error = 0.0
    for low, high in pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            error += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    return error


@pytest.mark.parametrize(("n", "classes"), [(1, 2), (7, 3), (500, 10), (300, 100)])
def test_scores_are_those_of_the_textbooks(n, classes):
    logits, y = sample(n, classes, seed=n)
    log_p = log_softmax(logits.double().numpy(), axis=1)
    p, onehot, labels = np.exp(log_p), np.eye(classes)[y], y.numpy()
    own = means(logits, y)
    assert float(own.error) == pytest.approx(1 - accuracy_score(labels, p.argmax(1)), abs=1e-7)
    assert float(own.cross_entropy) == pytest.approx(log_loss(labels, p, labels=range(classes)), rel=1e-5)
    assert float(own.brier) == pytest.approx(((p - onehot) ** 2).sum(1).mean(), rel=1e-5)
    expected = calibration_error(p.max(1), p.argmax(1) == labels, np.linspace(0, 1, 16))
    assert float(own.ece) == pytest.approx(expected, rel=1e-4)


def with_confidence(*confidences):
    p = torch.tensor(confidences, dtype=torch.float64)
    return torch.stack([p.log(), ((1 - p) / 2).log(), ((1 - p) / 2).log()], dim=1)


def test_a_confidence_of_one_shares_the_last_bin():
    # .97 right and 1.0 wrong: in one bin their gaps, .03 and -1, partly cancel; a bin of its own would give .515.
    logits = with_confidence(0.97, 1.0)
    logits[1, 1:] = -1000
    total, wrong = scores.sums(logits, torch.tensor([0, 1]))
    assert wrong.tolist() == [False, True]
    assert float(logits.softmax(1)[1].max()) == 1.0
    assert total.bins.nonzero().flatten().tolist() == [14]
    assert float(scores.finish(total).ece) == pytest.approx(0.485, abs=1e-6)


@pytest.mark.parametrize(("confidence", "index"), [(0.35, 5), (0.4001, 6), (0.6665, 9), (0.6668, 10), (0.94, 14)])
def test_bins_are_fifteenths(confidence, index):
    total, _ = scores.sums(with_confidence(confidence), torch.tensor([0]))
    assert total.bins.nonzero().flatten().tolist() == [index]


def test_perfect_and_hopeless_predictions():
    y = torch.tensor([0, 1])
    sure = torch.tensor([[1e4, 0.0], [0.0, 1e4]])
    assert [float(value) for value in means(sure, y)] == [0.0, 0.0, 0.0, 0.0]
    assert [float(value) for value in means(sure, 1 - y)] == [1.0, 1e4, 2.0, 1.0]


@given(cuts=st.lists(st.integers(1, 99), max_size=6, unique=True), seed=st.integers(0, 100))
def test_chunks_add_up_to_the_whole(cuts, seed):
    logits, y = sample(100, 4, seed)
    chunks = zip(logits.tensor_split(sorted(cuts)), y.tensor_split(sorted(cuts)), strict=True)
    pieces = [scores.sums(*chunk)[0] for chunk in chunks]
    total = pieces[0]
    for piece in pieces[1:]:
        total = scores.add(total, piece)
    assert total.n == 100
    torch.testing.assert_close(list(scores.finish(total)), list(means(logits, y)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("stack", [(3,), (2, 3)])
def test_a_stack_is_scored_as_its_members_are(stack):
    logits, y = sample(20, 5, stack=stack)
    total, wrong = scores.sums(logits, y)
    whole = scores.finish(total)
    assert wrong.shape == y.shape
    for at in np.ndindex(*stack):
        one, missed = scores.sums(logits[at], y[at])
        assert torch.equal(wrong[at], missed)
        torch.testing.assert_close([value[at] for value in whole], list(scores.finish(one)), rtol=1e-6, atol=1e-7)


def test_one_nan_marks_its_own_sample_wrong_and_its_own_replica_nan():
    logits, y = sample(20, 5, stack=(2,))
    logits[1, 3, 0], y[1, 3] = 10.0, 0  # the index that max returns for a row of NaN
    clean = scores.sums(logits, y)
    logits[1, 3, 0] = torch.nan
    total, wrong = scores.sums(logits, y)
    assert bool(wrong[1, 3])
    assert not bool(clean[1][1, 3])
    assert int((wrong ^ clean[1]).sum()) == 1
    broken, whole = scores.finish(total), scores.finish(clean[0])
    for field in ("cross_entropy", "brier", "ece"):
        values = getattr(broken, field)
        assert values.isnan().tolist() == [False, True]
        assert values[0] == getattr(whole, field)[0]
    assert broken.error[1] == whole.error[1] + 1 / 20


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_any_floating_dtype_is_scored_in_single_precision(dtype):
    logits, y = sample(50, 4)
    logits = logits.to(dtype)
    own = means(logits, y)
    assert {value.dtype for value in own} == {torch.float32}
    torch.testing.assert_close(list(own), list(means(logits.float(), y)), rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int16])
def test_any_integer_dtype_of_the_labels_is_welcome(dtype):
    logits, y = sample(50, 4)
    torch.testing.assert_close(list(means(logits, y.to(dtype))), list(means(logits, y)), rtol=0, atol=0)


def test_scoring_does_not_wait_for_the_device(no_host_sync):
    logits, y = sample(20, 5, stack=(2,))
    with no_host_sync:
        total, _ = scores.sums(logits, y)
        scores.finish(scores.add(total, total))


def test_the_guard_against_waiting_works(no_host_sync):
    with no_host_sync, pytest.raises(AssertionError, match="_local_scalar_dense waits"):
        float(torch.ones(1).sum())


def test_the_margin_is_negative_exactly_where_the_class_is_missed():
    generator = torch.Generator().manual_seed(0)
    logits, y = torch.randn(3, 50, 5, generator=generator), torch.randint(5, (3, 50), generator=generator)
    found = scores.margins(logits, y)
    assert torch.equal(found < 0, logits.argmax(-1) != y)
    p = logits[1, 7].softmax(-1).tolist()
    own = p.pop(int(y[1, 7]))
    assert float(found[1, 7]) == pytest.approx(own - max(p), abs=1e-6)
