"""MaskMatch's parts: losses that can be counted by hand, and known answers."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from overmix.experiments.census.loop import train
from overmix.experiments.census.systems.masked import (
    LABELLED,
    LABELS_ALONE,
    SHUFFLED,
    UNLABELLED,
    WARM_UP,
    FewLabelled,
    ShuffledBeliefs,
    fixmatch_loss,
)
from overmix.experiments.census.systems.masked_vit import pretrained
from overmix.experiments.census.task import Samples, evaluated
from overmix.mix import IGNORE_INDEX, Streams
from overmix.recipes import ConfidentMixup
from overmix.switch import never

from .conftest import needs_fashion

pytest.importorskip("transformers")
SMALL = FewLabelled(train_size=500, val_size=50, batch_size=50, labelled=200, pretraining=(2000, 150), test_size=500)


def test_fixmatch_is_the_labelled_loss_of_weak_and_the_sure_loss_of_strong_views():
    rng = torch.Generator().manual_seed(0)
    weak, strong = torch.randn(5, 1, 2, 2, generator=rng), torch.randn(5, 1, 2, 2, generator=rng)
    y = torch.tensor([1, 2, 0, IGNORE_INDEX, IGNORE_INDEX])
    domain = torch.tensor([LABELLED, LABELLED, UNLABELLED, UNLABELLED, UNLABELLED])
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    by_hand = F.cross_entropy(model(weak[:2]), y[:2]) + F.cross_entropy(model(strong[2:3]), y[2:3]) / 3
    torch.testing.assert_close(fixmatch_loss(model, Samples(weak, y, domain), strong), by_hand)


@needs_fashion
def test_the_first_fifth_is_labelled_all_classes_alike():
    train = FewLabelled(labelled=40, train_size=500).data(Streams(replica_seed=1)).train
    assert train.y[:40].bincount().tolist() == [4] * 10
    assert torch.equal(train.x[40:80], train.x[:40])  # repeated
    assert (train.domain == LABELLED).sum() == 100
    assert train.y[:100].bincount().tolist() == [10] * 10  # the last repetition is cut short
    assert (train.y[100:] == IGNORE_INDEX).all()


@needs_fashion
def test_the_teacher_is_an_average_of_the_student():
    model = SMALL.smoke().model()
    first = [p.clone() for p in model.student.parameters()]
    with torch.no_grad():
        for p in model.student.parameters():
            p.add_(1)
    model.average(decay=0.9)
    for start, mean in zip(first, model.teacher.parameters(), strict=True):
        torch.testing.assert_close(mean, start + (1 - 2 / 11))
        assert not mean.requires_grad


@needs_fashion
def test_pretraining_repeats_to_the_bit():
    one = pretrained(100, 3)
    pretrained.cache_clear()
    torch.rand(1)  # what others draw does not matter
    again = pretrained(100, 3)
    assert all(torch.equal(one[name], again[name]) for name in one)
    places = one["embeddings.position_embeddings"][0, 1:]
    assert torch.cdist(places, places).fill_diagonal_(1).min() > 0.5  # every patch knows where it is


@needs_fashion
def test_a_score_is_the_teachers():
    task = SMALL.smoke()
    data, model = task.data(Streams(replica_seed=0)), task.model()
    model.student.head.bias.data[3] += 100
    score = evaluated(lambda: task.score(model, data.test), model)
    assert score.wrong.mean() == pytest.approx(score.value)
    assert (model(data.test.x).argmax(1) == 3).all()
    assert not (model.judged(data.test.x).argmax(1) == 3).all()


@needs_fashion
def test_shuffled_beliefs_are_as_many_of_each_class_and_labels_stay():
    task = replace(SMALL.smoke(), threshold=0.5)
    batch, model = task.data(Streams(replica_seed=0)).train, task.model()
    model.updates += WARM_UP
    beliefs = (3 * torch.randn(len(batch), 10)).softmax(1)
    model.aligned = lambda x, unlabelled: beliefs
    right = task.prepare(model, batch).y
    shuffled = ShuffledBeliefs(**vars(task)).prepare(model, batch).y
    others = batch.domain == UNLABELLED
    assert torch.equal(shuffled[~others], batch.y[~others])
    assert torch.equal(shuffled == IGNORE_INDEX, right == IGNORE_INDEX)
    assert 0 < (right == IGNORE_INDEX).sum() < others.sum()
    assert torch.equal(shuffled[others].sort()[0], right[others].sort()[0])
    assert 0.2 < (shuffled != right)[others].double().mean() < 1


@needs_fashion
@pytest.mark.slow
def test_pseudo_labels_teach_and_shuffled_ones_harm():
    # That FixMatch beats labels alone takes the whole pretraining and eight seeds: tests/tools/test_systems.py.
    task = FewLabelled(train_size=1000, pretraining=(60_000, 300))
    errors = {"FixMatch": [], SHUFFLED: [], LABELS_ALONE: []}
    for seed in (0, 1):
        data = task.data(Streams(replica_seed=seed))
        model, _ = train(task, data, ConfidentMixup(), never(), seed)
        errors["FixMatch"].append(evaluated(lambda: task.score(model, data.test), model).value)  # noqa: B023
        for name in (SHUFFLED, LABELS_ALONE):
            errors[name].append(task.baseline(name, data).value)
    fixmatch, shuffled, labels = (sum(each) / 2 for each in errors.values())
    assert shuffled > fixmatch
    assert shuffled > labels
    assert max(fixmatch, labels) < 0.45  # a guess errs in 0.9
