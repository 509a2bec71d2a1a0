from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from overmix.errors import ConfigError
from overmix.mix import Stream, StreamCursor, Streams, streams_from

NAMES = get_args(Stream)

addresses = st.tuples(st.sampled_from(NAMES), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
sources = st.builds(Streams, st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1))


def numbers(source, name="order", epoch=0, step=0):
    return tuple(source.generator(name, epoch=epoch, step=step).integers(2**63, size=4))


@given(sources, st.lists(addresses, min_size=1, max_size=6))
def test_an_address_gives_the_same_numbers_whatever_was_asked_before(streams, asked):
    forwards = [numbers(streams, *address) for address in asked]
    backwards = [numbers(Streams(streams.study_seed, streams.replica_seed, streams.rank), *a) for a in asked[::-1]]
    assert forwards == backwards[::-1]


@given(sources, sources, addresses, addresses)
def test_two_addresses_meet_only_if_they_are_equal(one, other, here, there):
    assert (numbers(one, *here) == numbers(other, *there)) == ((one, here) == (other, there))


def test_all_streams_epochs_steps_ranks_and_seeds_differ():
    seen = [numbers(Streams(1, 1, 1), name, 1, 1) for name in NAMES]
    seen += [numbers(Streams(1, 1, 1), "order", *at) for at in [(0, 1), (1, 0), (0, 0), (2, 1), (1, 2)]]
    seen += [numbers(streams, "order", 1, 1) for streams in (Streams(1, 1, 0), Streams(1, 0, 1), Streams(0, 1, 1))]
    assert len(set(seen)) == len(seen)


def test_blocks_at_neighbouring_addresses_do_not_overlap():
    # A counter that moved on by blocks would hand the second address what the first one gives a little later.
    first = Streams(0, 0).generator("order", step=0).integers(2**63, size=4096)
    second = Streams(0, 0).generator("order", step=1).integers(2**63, size=4096)
    assert not set(first) & set(second)


def test_streams_keep_their_numbers():
    assert NAMES[:10] == (
        *("subset", "validation", "init", "order", "gate", "pairing"),
        *("coefficient", "space", "augmentation", "dropout"),
    )


def test_numbers_are_pinned_so_that_old_runs_can_be_repeated():
    drawn = Streams(study_seed=1, replica_seed=2, rank=3).generator("pairing", epoch=4, step=5)
    by_hand = np.random.Generator(np.random.Philox(key=[1, 2], counter=[0, 5, 4, (3 << 32) + 5]))
    assert drawn.integers(2**63, size=8).tolist() == by_hand.integers(2**63, size=8).tolist()


@given(sources, st.lists(addresses, min_size=1, max_size=4))
def test_a_cursor_gives_the_numbers_of_the_streams_even_after_half_used_words(streams, asked):
    cursor = StreamCursor(streams)
    for name, epoch, step in asked:
        rng = cursor.generator(name, epoch=epoch, step=step)
        assert tuple(rng.integers(2**63, size=4)) == numbers(streams, name, epoch, step)
        rng.integers(0, 2**31, dtype=np.int32)  # leaves half of a 64-bit word behind
        rng.random()


def test_the_rank_alone_changes_for_another_process():
    streams = Streams(study_seed=5, replica_seed=6)
    assert streams.for_rank(7) == Streams(5, 6, 7)


def test_torch_seed_is_reproducible_and_fits_a_torch_generator():
    seeds = {Streams(0, r).torch_seed("init") for r in range(50)}
    assert len(seeds) == 50
    for seed in seeds:
        torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("field", ["study_seed", "replica_seed", "rank"])
@pytest.mark.parametrize("value", [-1, 2**64, 1.0, "3", None, True, np.float64(2)])
def test_seeds_that_are_not_integers_of_their_range_are_refused(field, value):
    with pytest.raises(ConfigError, match=rf"^{field} = .*: use an integer in \[0, 2\*\*"):
        Streams(**{field: value})


def test_numpy_integers_are_welcome_as_seeds():
    assert Streams(np.int64(3), np.uint8(4)) == Streams(3, 4)


def test_streams_from_torch_obey_manual_seed_and_move_on():
    torch.manual_seed(3)
    first, second = streams_from(), streams_from()
    torch.manual_seed(3)
    assert (streams_from(), streams_from()) == (first, second)
    assert first != second
    explicit = [streams_from(torch.Generator().manual_seed(4)) for _ in range(2)]
    assert explicit[0] == explicit[1] != first


class SeedsOfTheWorker:
    """A collate function that returns what a recipe in its place would draw from."""

    def __init__(self, generator):
        self.generator = generator

    def __call__(self, samples):
        streams = streams_from(self.generator)
        return streams.study_seed, streams.replica_seed


def seeds_seen(workers, persistent, explicit, epochs=3):
    torch.manual_seed(11)
    loader = DataLoader(
        range(8),
        batch_size=2,
        num_workers=workers,
        persistent_workers=persistent,
        collate_fn=SeedsOfTheWorker(torch.Generator().manual_seed(0) if explicit else None),
    )
    return [[tuple(map(int, batch)) for batch in loader] for _ in range(epochs)]


@pytest.mark.parametrize("explicit", [False, True], ids=["default-generator", "explicit-generator"])
@pytest.mark.parametrize(("workers", "persistent"), [(0, False), (1, False), (1, True), (2, False), (2, True)])
def test_workers_and_epochs_never_repeat_a_plan_and_a_seed_repeats_them_all(workers, persistent, explicit):
    epochs = seeds_seen(workers, persistent, explicit)
    drawn = [batch for epoch in epochs for batch in epoch]
    assert len(set(drawn)) == len(drawn) == 12
    assert seeds_seen(workers, persistent, explicit) == epochs
