"""Retrieval in galleries, and the simulated voxels of several subjects."""

import pytest
import torch

from overmix.experiments.census.loop import train
from overmix.experiments.census.tasks.retrieval import GALLERY, TEMPERATURE, Halves, in_galleries
from overmix.experiments.census.tasks.voxels import DIM, VOXELS, Voxels, embeddings, subjects
from overmix.mix import Streams
from overmix.recipes import GroupedMixCo
from overmix.switch import always

STREAMS = Streams(replica_seed=1)


def test_the_own_view_is_found_where_queries_are_the_views():
    keys = torch.randn(2 * GALLERY, 16)
    logits, own = in_galleries(3 * keys, keys)
    assert torch.equal(logits.argmax(1), own)


def test_a_query_is_compared_within_its_gallery_only():
    keys = torch.randn(2 * GALLERY, 16)
    logits, _ = in_galleries(keys.roll(GALLERY, 0), keys)
    assert logits.shape == (2 * GALLERY, GALLERY)
    # All own views are in the other gallery: none can be similar.
    assert float(logits.max()) < 10 * 0.999


def test_what_fills_no_gallery_is_left_out():
    logits, own = in_galleries(torch.randn(GALLERY + 7, 4), torch.randn(GALLERY + 7, 4))
    assert len(logits) == len(own) == GALLERY


def test_halves_make_the_digit_and_the_training_mean_is_taken_off():
    data = Halves().data(STREAMS)
    assert data.train.x.shape[1:] == (1, 4, 8)
    assert data.train.y.shape[1:] == (32,)
    assert float(data.train.x.mean(0).abs().max()) < 1e-5
    assert float(data.train.y.mean(0).abs().max()) < 1e-5


def test_each_subject_has_a_third_of_its_voxels_that_see():
    response, sees = subjects()
    assert sees.sum(1).tolist() == [voxels // 3 for voxels in VOXELS]
    for subject, voxels in enumerate(VOXELS):
        assert not sees[subject, voxels:].any()
    assert (response[~sees.unsqueeze(1).expand_as(response)] == 0).all()


def test_absent_voxels_are_silent_and_present_ones_noisy():
    train = Voxels().data(STREAMS).train
    voxels, subject = train.x
    assert torch.equal(subject.argmax(1), train.domain)
    for index, width in enumerate(VOXELS):
        own = voxels[train.domain == index]
        assert (own[:, width:] == 0).all()
        assert (own[:, :width] != 0).all()


def test_images_are_scaled_and_parts_share_none():
    assert embeddings().shape[1] == DIM
    torch.testing.assert_close(embeddings().var(0), torch.ones(DIM), rtol=0.01, atol=0)
    data = Voxels().data(STREAMS)
    rows = [{tuple(row.tolist()) for row in part.y} for part in (data.train, data.val, data.test)]
    assert not rows[0] & rows[1]
    assert not (rows[0] | rows[1]) & rows[2]


@pytest.mark.slow
def test_the_gates_find_the_voxels_that_see():
    task = Voxels()
    model, _ = train(task, task.data(Streams()), GroupedMixCo(temperature=TEMPERATURE), always(), 0)
    _, sees = subjects()
    openness = model.openness.detach()
    for subject, width in enumerate(VOXELS):
        own, seeing = openness[subject, :width], sees[subject, :width]
        widest = own.argsort(descending=True)[: int(seeing.sum())]
        assert float(seeing[widest].float().mean()) > 0.8  # a third, by chance
        assert float(own[seeing].mean()) > 1.5 * float(own[~seeing].mean())
