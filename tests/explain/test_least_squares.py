import tracemalloc
from inspect import unwrap

import numpy as np
import pytest

from overmix.errors import ConfigError, DataError
from overmix.explain.least_squares import array_chunks, least_squares, least_squares_from_chunks


def drawn(m=60, d=8, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(m, d)), rng.normal(size=m), 0.1 * rng.normal(size=m)


def test_decomposition_gives_back_the_gram_matrix_and_the_solution():
    features, targets, noise = drawn()
    problem = least_squares(features, targets, noise=noise, chunk_size=7)
    gram = (problem.basis * problem.eigenvalues) @ problem.basis.T
    np.testing.assert_allclose(gram, features.T @ features / 60, atol=1e-13)
    for components, labels in [
        (problem.solution, targets),
        (problem.noise_solution, noise),
        (problem.clean_solution, targets - noise),
    ]:
        oracle = np.linalg.lstsq(features, labels, rcond=None)[0]
        np.testing.assert_allclose(problem.basis @ components, oracle, rtol=1e-11)
    assert problem.mean_square == pytest.approx(np.mean(targets**2), rel=1e-13)
    assert problem.noise_peak == pytest.approx(np.max(noise**2), rel=1e-13)
    assert (problem.num_samples, problem.largest_stable_eta) == (60, pytest.approx(2 / problem.eigenvalues[-1]))


def test_a_singular_problem_has_null_modes_and_the_solution_of_smallest_norm():
    features, targets, _ = drawn(m=5, d=8)
    problem = least_squares(features, targets)
    assert problem.null.sum() == 3
    assert not problem.moment[problem.null].any()
    oracle = np.linalg.lstsq(features, targets, rcond=None)[0]
    np.testing.assert_allclose(problem.basis @ problem.solution, oracle, atol=1e-12)


def test_one_sample_and_features_that_are_all_zero():
    one = least_squares(np.array([[3.0, 4.0]]), np.array([5.0]))
    np.testing.assert_allclose(one.basis @ one.solution, [0.6, 0.8], rtol=1e-14)
    nothing = least_squares(np.zeros((4, 3)), np.ones(4))
    assert nothing.null.all()
    assert not nothing.solution.any()
    assert nothing.largest_stable_eta == np.inf


def test_single_precision_features_are_decomposed_in_double():
    features, targets, _ = drawn()
    single = least_squares(features.astype(np.float32), targets.astype(np.float32))
    assert single.eigenvalues.dtype == np.float64
    np.testing.assert_allclose(single.eigenvalues, least_squares(features, targets).eigenvalues, rtol=1e-6)


def test_chunks_never_exist_at_once():
    """20,000 samples of 800 features are 128 MB; their Gram matrix is 5 MB."""

    def chunks():
        rng = np.random.default_rng(0)
        for _ in range(40):
            features = rng.normal(size=(500, 800))
            yield features, features[:, 0]

    tracemalloc.start()
    problem = least_squares_from_chunks(chunks())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert problem.num_samples == 20_000
    assert peak < 50e6


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_located(bad):
    features, targets, noise = drawn()
    for name, array in [("features", features), ("targets", targets), ("targets", noise)]:
        broken = array.copy()
        broken[41] = bad
        parts = {"features": features, "targets": targets, "noise": noise}
        parts["noise" if array is noise else name] = broken
        with pytest.raises(DataError, match=f"{name}: row 41 is not finite"):
            least_squares(parts["features"], parts["targets"], noise=parts["noise"], chunk_size=9)


def test_overflow_is_reported_before_the_decomposition():
    ones, huge = np.ones((2, 2)), np.full(2, 1e200)
    for arrays in ({"features": 1e200 * ones, "targets": ones[0]}, {"features": ones, "targets": huge}):
        with pytest.raises(DataError, match="scale them down"):
            least_squares(**arrays)
    with pytest.raises(DataError, match="scale them down"):
        least_squares(ones, ones[0], noise=huge)


def test_misfitting_arrays_are_refused():
    features, targets, _ = drawn()
    with pytest.raises(DataError, match="no samples"):
        least_squares(features[:0], targets[:0])
    with pytest.raises(DataError, match="give one per row"):
        list(unwrap(array_chunks)(features, targets[:-1]))  # users have no shape check before this one
    with pytest.raises(DataError, match="features are"):
        least_squares(features[:, :0], targets)
    with pytest.raises(DataError, match="from row 60 on"):
        least_squares_from_chunks([(features, targets), (features[:, :3], targets)])
    with pytest.raises(ConfigError, match="chunk_size"):
        least_squares(features, targets, chunk_size=0)


@pytest.mark.parametrize(("targets", "noise", "name"), [((2, 1), (2,), "targets"), ((2,), (2, 1), "noise")])
def test_columns_are_no_targets(targets, noise, name):
    with pytest.raises(DataError, match=rf"^{name} have shape \(2, 1\): give one number per row"):
        least_squares_from_chunks([(np.eye(2), np.ones(targets), np.ones(noise))])
