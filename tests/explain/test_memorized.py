from inspect import unwrap

import pytest
import torch

from overmix.errors import DataError
from overmix.explain.memorized import dominant_label, memorization


def drawn(shape, classes=4, seed=0):
    g = torch.Generator().manual_seed(seed)
    logits = torch.randn(*shape, classes, generator=g)
    labelled, truth = torch.randint(classes, (2, *shape), generator=g)
    return logits, labelled, truth


def test_counts_agree_with_a_loop():
    logits, labelled, truth = drawn((200,))
    counts = memorization(logits, labelled, truth)
    rows = list(zip(logits.argmax(1).tolist(), labelled.tolist(), truth.tolist(), strict=True))
    assert counts.noisy.item() == sum(lab != t for _, lab, t in rows)
    assert counts.noisy_as_labelled.item() == sum(lab != t and p == lab for p, lab, t in rows)
    assert counts.noisy_as_truth.item() == sum(lab != t and p == t for p, lab, t in rows)
    assert counts.clean.item() == sum(lab == t for _, lab, t in rows)
    assert counts.clean_as_labelled.item() == sum(lab == t == p for p, lab, t in rows)


def test_batches_add_up():
    logits, labelled, truth = drawn((30,))
    parts = [memorization(logits[rows], labelled[rows], truth[rows]) for rows in (slice(0, 11), slice(11, 30))]
    assert parts[0] + parts[1] == memorization(logits, labelled, truth)


def test_replicas_are_counted_apart():
    logits, labelled, truth = drawn((3, 50))
    stacked = memorization(logits, labelled, truth)
    shared = memorization(logits, labelled[0], truth[0])
    for r in range(3):
        assert stacked.memorized[r] == memorization(logits[r], labelled[r], truth[r]).memorized
        assert shared.resisted[r] == memorization(logits[r], labelled[0], truth[0]).resisted


def test_a_network_that_fits_its_labels_has_memorised_and_one_that_knows_the_truth_has_not():
    _, labelled, truth = drawn((100,))
    fitted = memorization(torch.nn.functional.one_hot(labelled, 4).float(), labelled, truth)
    wise = memorization(torch.nn.functional.one_hot(truth, 4).float(), labelled, truth)
    assert (fitted.memorized.item(), fitted.resisted.item(), fitted.learnt.item()) == (1.0, 0.0, 1.0)
    assert (wise.memorized.item(), wise.resisted.item(), wise.learnt.item()) == (0.0, 1.0, 1.0)


def test_without_noisy_mixtures_the_share_is_undefined_but_the_count_is_not():
    logits, labelled, _ = drawn((5,))
    counts = memorization(logits, labelled, labelled)
    assert counts.noisy.item() == 0
    assert counts.memorized.isnan().item()
    assert not counts.learnt.isnan().item()


def test_the_dominant_label_is_the_likelier_of_the_label_law():
    g = torch.Generator().manual_seed(1)
    a, b = torch.randint(5, (2, 300), generator=g)
    lam = torch.rand(300, generator=g)
    law = lam[:, None] * torch.eye(5)[a] + (1 - lam[:, None]) * torch.eye(5)[b]
    assert torch.equal(dominant_label(a, b, lam), law.argmax(1))


def test_misfitting_labels_are_refused():
    logits, labelled, truth = drawn((5,))
    with pytest.raises(DataError, match="one label per row"):
        unwrap(memorization)(logits, labelled[:3], truth)  # users have no shape check before this one
