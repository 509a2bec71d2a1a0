import numpy as np
import pytest

from overmix.diagnose import compare_turns, diagnose_ensemble
from overmix.errors import DataError

EPOCHS = np.array([1, 2, 4, 8, 16, 32, 64, 128, 256])


def wrong(turn, slope, seeds=12, samples=300, seed=0, epochs=EPOCHS):
    rng = np.random.default_rng(seed)
    rate = 0.1 + slope * np.abs(np.log2(epochs / turn))
    ease, luck = rng.random((1, 1, samples)), rng.normal(0, 0.01, (seeds, 1, 1))
    return ease < rate[:, None] + luck


def test_the_turn_and_the_depth_of_each_are_those_of_its_own_diagnosis():
    a, b = wrong(8, 0.06), wrong(32, 0.03, seed=1)
    found = compare_turns(EPOCHS, a, EPOCHS, b)
    one, other = diagnose_ensemble(EPOCHS, a), diagnose_ensemble(EPOCHS, b)
    assert found.doublings == np.log2(one.turning_epoch / other.turning_epoch)
    assert found.depth == pytest.approx(one.depth - other.depth, abs=1e-9)
    assert found.doublings_ci[0] <= found.doublings <= found.doublings_ci[1]
    assert found.doublings_ci[1] < 0 < found.depth_ci[0]


def test_a_condition_equals_itself_exactly_since_both_are_drawn_together():
    a = wrong(16, 0.05)
    found = compare_turns(EPOCHS, a, EPOCHS, a)
    assert (found.doublings, found.depth) == (0.0, 0.0)
    assert found.doublings_ci == (0.0, 0.0)
    assert found.depth_ci == (0.0, 0.0)


def test_the_two_may_be_looked_at_at_other_times():
    later = 6 * EPOCHS
    found = compare_turns(EPOCHS, wrong(16, 0.05), later, wrong(16, 0.05))
    assert found.doublings == pytest.approx(-np.log2(6))


def test_swapping_the_two_changes_the_sign():
    a, b = wrong(8, 0.06), wrong(32, 0.03, seed=1)
    there, back = compare_turns(EPOCHS, a, EPOCHS, b), compare_turns(EPOCHS, b, EPOCHS, a)
    assert back.doublings == -there.doublings
    assert back.depth == pytest.approx(-there.depth)
    assert back.depth_ci == pytest.approx((-there.depth_ci[1], -there.depth_ci[0]))


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize(
    ("b", "message"),
    [(wrong(8, 0.05, seeds=11), "pair the seeds"), (wrong(8, 0.05, samples=299), "one test set")],
)
def test_what_cannot_be_paired_is_refused(b, message):
    with pytest.raises(DataError, match=message):
        compare_turns(EPOCHS, wrong(8, 0.05), EPOCHS, b)


def test_one_seed_and_times_at_zero_are_refused():
    one = wrong(8, 0.05, seeds=1)
    with pytest.raises(DataError, match="at least 2"):
        compare_turns(EPOCHS, one, EPOCHS, one)
    with pytest.raises(DataError, match=r"times\[0\]"):
        compare_turns(EPOCHS - 1, wrong(8, 0.05), EPOCHS, wrong(8, 0.05))
