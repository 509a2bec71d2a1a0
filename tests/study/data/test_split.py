import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overmix.errors import ConfigError, DataError
from overmix.study.data import split_indices
from overmix.study.data.split import fixed_test_split, stratified_order

Y = np.repeat(np.arange(4), [40, 30, 20, 10])


def split(y=Y, train_size=None, val_size=0, balanced=False, seed=0, val_seed=1, num_classes=None):
    return split_indices(
        y,
        train_size=train_size,
        val_size=val_size,
        balanced=balanced,
        subset_rng=np.random.default_rng(seed),
        val_rng=np.random.default_rng(val_seed),
        num_classes=int(y.max()) + 1 if num_classes is None else num_classes,
    )


labels = st.lists(st.integers(0, 5), min_size=1, max_size=80).map(lambda y: np.unique(y, return_inverse=True)[1])


@given(labels, st.integers(0, 90), st.integers(0, 40), st.booleans(), st.integers(0, 3))
def test_what_is_drawn(y, train_size, val_size, balanced, seed):
    num_classes = int(y.max()) + 1
    try:
        train, val = split(y, train_size, val_size, balanced, seed)
    except ConfigError:
        return
    assert (len(train), len(val)) == (train_size, val_size)
    assert (train.dtype, val.dtype) == (np.int64, np.int64)
    drawn = np.concatenate([train, val])
    assert len(np.unique(drawn)) == len(drawn)
    counts = np.bincount(y[train], minlength=num_classes)
    assert counts.min() > 0
    if balanced:
        assert counts.max() - counts.min() <= 1
        assert (np.diff(counts) <= 0).all()


def most_of(error):
    return int(str(error).split("use at most ")[1].split(":")[0].split(",")[0])


@given(labels, st.integers(0, 40), st.booleans())
def test_the_remedy_is_the_most_that_works(y, val_size, balanced):
    try:
        split(y, None, val_size, balanced)
    except ConfigError:
        return
    with pytest.raises(ConfigError, match="use at most") as error:
        split(y, len(y) - val_size + 1, val_size, balanced)
    most = most_of(error.value)
    if balanced and most == len(y) - val_size:
        # So many there are; whether they can be balanced is the next question.
        counts = np.bincount(np.delete(y, split(y, None, val_size)[1]))
        sizes = [size for size in range(len(counts), most + 1) if (shares(size, len(counts)) <= counts).all()]
        for size in range(len(counts), most + 1):
            if size in sizes:
                split(y, size, val_size, balanced)
                continue
            with pytest.raises(ConfigError, match="has only") as error:
                split(y, size, val_size, balanced)
            assert most_of(error.value) == max(sizes)
        return
    assert len(split(y, most, val_size, balanced)[0]) == most


def shares(size, num_classes):
    """Return how a size is shared out among classes: one after the other."""
    return np.bincount(np.arange(size) % num_classes, minlength=num_classes)


@pytest.mark.parametrize("balanced", [False, True])
def test_the_validation_split_does_not_depend_on_the_training_subset(balanced):
    _, val = split(train_size=40, val_size=20)
    _, again = split(train_size=20, val_size=20, balanced=balanced, seed=9)
    assert np.array_equal(val, again)
    assert not np.array_equal(val, split(val_size=20, val_seed=2)[1])


@pytest.mark.parametrize("balanced", [False, True])
def test_a_smaller_subset_lies_within_a_larger_one(balanced):
    small, large = (split(train_size=size, balanced=balanced)[0] for size in (20, 33))
    assert set(small) < set(large)


@pytest.mark.parametrize("balanced", [False, True])
def test_seeds_decide(balanced):
    first, again, other = (split(train_size=16, balanced=balanced, seed=seed)[0] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert set(first) != set(other)


def test_every_sample_is_drawn_equally_often():
    y = np.array([0, 0, 0, 0, 1, 1])
    n = 4000
    counts = sum(np.bincount(split(y, 2, balanced=True, seed=seed)[0], minlength=6) for seed in range(n))
    expected = np.array([1 / 4] * 4 + [1 / 2] * 2)
    # Five standard errors.
    assert (abs(counts / n - expected) < 5 * np.sqrt(expected * (1 - expected) / n)).all()


def test_the_rest_without_a_size():
    train, val = split(val_size=30, balanced=True)
    assert sorted([*train, *val]) == list(range(100))


@pytest.mark.parametrize(("share", "size"), [(0.5, 50), (0.29, 29), (0.999, 100), (0.296, 30)])
def test_a_share_of_the_pool(share, size):
    assert len(split(train_size=share)[0]) == size


def test_the_order_is_not_the_pools():
    train, _ = split(train_size=40, balanced=True)
    assert (np.diff(Y[train]) < 0).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train_size": 101}, r"data\.train_size = 101: use at most 100: the pool has 100 samples, and 0 are held out"),
        ({"train_size": 81, "val_size": 20}, r"data\.train_size = 81: use at most 80: .*and 20 are held out"),
        ({"train_size": 0.9, "val_size": 20}, r"data\.train_size = 0\.9: use at most a share of 0\.8: "),
        ({"train_size": 0}, r"data\.train_size = 0: use at least one sample"),
        ({"train_size": -5}, r"data\.train_size = -5: use at least one sample"),
        ({"train_size": 1.0}, r"data\.train_size = 1\.0: use a share in \(0, 1\), or a whole number"),
        ({"train_size": float("nan")}, r"data\.train_size = nan: use a share in \(0, 1\)"),
        ({"train_size": 3}, r"data\.train_size = 3: class \d is missing from this draw: .*balanced: true"),
        ({"train_size": 3, "balanced": True}, r"data\.train_size = 3: use at least 4: one sample of each class"),
        ({"train_size": 44, "balanced": True}, r"data\.train_size = 44: class 3 has only 10 samples: use at most 43"),
        ({"train_size": 100, "balanced": True}, r"data\.train_size = 100: class 3 has only 10 samples"),
        ({"val_size": 100}, r"data\.val_size = 100: use 0 to 99: the pool has 100 samples"),
        ({"val_size": -1}, r"data\.val_size = -1: use 0 to 99"),
        ({"val_size": 99}, r"data\.val_size = 99: it takes all samples of class \d: use a smaller one"),
    ],
)
def test_sizes_that_do_not_exist(options, message):
    with pytest.raises(ConfigError, match=f"^{message}"):
        split(**options)


def test_the_most_that_can_be_balanced():
    train, _ = split(train_size=43, balanced=True)
    assert np.bincount(Y[train]).tolist() == [11, 11, 11, 10]


def test_a_pool_without_a_class():
    with pytest.raises(DataError, match="the pool has no sample of class 4"):
        split(num_classes=5)


@given(labels, st.integers(0, 3))
def test_every_beginning_of_a_stratified_order_has_the_classes_shares(y, seed):
    order = stratified_order(y, np.random.default_rng(seed))
    assert sorted(order) == list(range(len(y)))
    share = np.bincount(y) / len(y)
    found = np.cumsum(np.eye(len(share))[y[order]], axis=0)
    expected = np.arange(1, len(y) + 1)[:, None] * share
    # Evenly spaced positions miss a class's share of an interval by less than one sample; the beginning's own length
    # is missed by the sum of the classes' misses.
    assert (abs(found - expected) <= (1 - share) + share * (len(share) - 1) + 1e-9).all()


def test_the_fixed_split_is_complete_and_sorted():
    pool, test = fixed_test_split(Y, 25)
    assert len(test) == 25
    assert np.array_equal(np.sort(np.concatenate([pool, test])), np.arange(100))
    assert (np.diff(pool) > 0).all()
    assert (np.diff(test) > 0).all()


def test_a_share_is_held_out_beside_the_training_samples_with_two_of_each_class():
    y = np.repeat([0, 1, 2, 3], [80, 15, 4, 1])
    train, val = split(y, None, 0.2)
    assert (len(train), len(val)) == (80, 20)
    assert np.bincount(y[val]).tolist()[2:] == [2]  # two of four; the only one of its class is trained on
    assert not np.intersect1d(train, val).size
    train, val = split(y[:95], 50, 0.2)
    assert (len(train), len(val)) == (50, 10)
