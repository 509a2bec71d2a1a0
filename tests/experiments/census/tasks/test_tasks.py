"""What all tasks owe: finite losses that train, scores that are errors, and a look that policies can take."""

import numpy as np
import pytest
import torch

from overmix.experiments.census.loop_row import LoopRow
from overmix.experiments.census.rows import ROWS
from overmix.experiments.census.task import batches, evaluated
from overmix.experiments.census.tasks.retrieval import Halves
from overmix.mix import StreamCursor, Streams

ONE_EACH = list({type(row.task): row for row in ROWS if isinstance(row, LoopRow)}.values())
PER_TASK = pytest.mark.parametrize("row", ONE_EACH, ids=lambda row: type(row.task).__name__)


@pytest.fixture(scope="module")
def prepared():
    """Return a function that gives data, model and a first batch of a task, made once."""
    known = {}

    def made(row):
        if row.name not in known:
            streams = Streams(replica_seed=4)
            data = row.task.data(streams)
            torch.manual_seed(0)
            batch = next(batches(data.train, row.task.batch_size, streams, 0))
            known[row.name] = data, row.task.model(), batch
        return known[row.name]

    return made


@PER_TASK
def test_the_parts_have_the_sizes_that_the_task_says(row, prepared):
    data, _, batch = prepared(row)
    assert len(data.train) == row.task.train_size
    assert len(batch) == min(row.task.batch_size, row.task.train_size)
    assert len(data.val) == row.task.val_size


@PER_TASK
def test_the_test_samples_are_the_same_for_all_seeds_and_the_training_samples_are_not(row):
    one, other = (row.task.data(Streams(replica_seed=seed)) for seed in (1, 2))
    if _scaled_by_the_training_samples(row.task):
        one_y, other_y = (
            part.test.y[:, 3:].flatten() if part.test.y.ndim > 1 else part.test.y for part in (one, other)
        )
        both = torch.stack([one_y, other_y])
        assert float(both.corrcoef()[0, 1]) > 0.95
    else:
        assert torch.equal(one.test.y, other.test.y)
    assert not torch.equal(one.train.y, other.train.y) or not _same(one.train.x, other.train.x)


def _scaled_by_the_training_samples(task):
    return type(task) is Halves


def _same(one, other):
    pairs = zip(one, other, strict=True) if isinstance(one, tuple) else [(one, other)]
    return all(torch.equal(a, b) for a, b in pairs)


@PER_TASK
def test_a_score_is_an_error_and_a_look_is_what_policies_take(row, prepared):
    data, model, _ = prepared(row)
    task = row.task
    score = evaluated(lambda: task.score(model, data.test), model)
    assert score.value >= 0
    if task.kind != "value":
        assert score.value <= 1
    if task.kind == "error":
        assert score.wrong.mean() == pytest.approx(score.value)
    logits, labels = evaluated(lambda: task.look(model, data.val), model)
    assert logits.shape[0] == labels.shape[0] > 0
    assert logits.isfinite().all()
    assert 0 <= labels.min() <= labels.max() < logits.shape[1]


@PER_TASK
def test_plain_and_mixed_losses_differ_and_train_what_is_to_be_trained(row, prepared):
    _, model, batch = prepared(row)
    task, recipe = row.task, row.recipe
    batch = task.prepare(model, batch)
    draws = recipe.draw(StreamCursor(Streams()), len(batch))
    plan = recipe.plan(draws, batch.y, domain=batch.domain)
    losses = [task.loss(model, batch, recipe, used, np.random.default_rng(0)) for used in (None, plan)]
    assert all(loss.isfinite() for loss in losses)
    assert not torch.isclose(*losses, rtol=1e-4)  # or the row measures nothing
    trained = {id(p) for group in task.optimizer(model).param_groups for p in group["params"]}
    for loss in losses:
        model.zero_grad()
        loss.backward()
        gradients = [p.grad for p in model.parameters() if id(p) in trained]
        assert sum(float(g.abs().sum()) for g in gradients if g is not None) > 0
    untrained = [p for p in model.parameters() if id(p) not in trained]
    assert not any(p.requires_grad for p in untrained)


@PER_TASK
def test_a_batch_that_is_not_mixed_never_sees_the_recipe(row, prepared):
    _, model, batch = prepared(row)
    batch = row.task.prepare(model, batch)
    first, second = (
        row.task.loss(model, batch, recipe, None, np.random.default_rng(0)) for recipe in (row.recipe, None)
    )
    assert torch.equal(first, second)


def test_every_sample_is_in_one_batch_of_each_epoch_and_orders_differ(prepared):
    data, _, _ = prepared(ONE_EACH[0])
    epochs = [torch.cat([b.x for b in batches(data.train, 30, Streams(), e)]) for e in (0, 1)]
    for seen in epochs:
        assert torch.equal(seen.flatten(1).sum(1).sort().values, data.train.x.flatten(1).sum(1).sort().values)
    assert not torch.equal(*epochs)
