import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overmix.errors import DataError
from overmix.study.data import validate_arrays, validate_test_arrays

Y = np.array([0, 1, 1, 2])


def x_of(dtype=np.float64, shape=(4, 3)):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint16, np.int64, np.float16, np.float64, ">f4", ">i4"])
def test_real_numbers_become_float32_with_the_same_values(dtype):
    x, y, num_classes = validate_arrays(x_of(dtype), Y)
    assert (x.dtype, y.dtype, num_classes) == (np.float32, np.int64, 3)
    assert x.dtype.isnative
    assert np.array_equal(x, x_of(dtype).astype(np.float64))


def test_bytes_stay_bytes():
    x, _, _ = validate_arrays(x_of(np.uint8, (4, 1, 2, 2)), Y)
    assert x.dtype == np.uint8


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.uint64, ">i8"])
def test_any_integer_type_of_labels(dtype):
    _, y, num_classes = validate_arrays(x_of(), Y.astype(dtype))
    assert y.dtype == np.int64
    assert y.tolist() == Y.tolist()
    assert num_classes == 3


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((0, 3)), r"x has shape \(0, 3\)"),
        (np.zeros((4, 0)), r"x has shape \(4, 0\)"),
        (np.zeros(4), r"x has shape \(4,\): give \(samples, features\)"),
        (np.array(1.0), r"x has shape \(\)"),
        (np.zeros((4, 2), complex), "x has dtype complex128"),
        (np.full((4, 2), "a"), "x has dtype <U1"),
        (np.zeros((4, 2), "M8[s]"), "x has dtype datetime64"),
        (np.array([[1, 2], [3]] * 2, dtype=object), "x has dtype object"),
    ],
)
def test_samples_that_are_none(x, message):
    with pytest.raises(DataError, match=f"^data.path my.npz: {message}"):
        validate_arrays(x, Y, "data.path my.npz")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_what_is_not_finite_is_counted_and_located(bad):
    x = x_of()
    x[1, 2] = x[3, 0] = bad
    with pytest.raises(DataError, match=r"x has 2 values that are not finite in float32, the first \S+ at \(1, 2\)"):
        validate_arrays(x, Y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (Y.astype(float), r"y has dtype float64, but classes are integers: convert it, y.astype\(int\)"),
        (Y > 0, r"y has dtype bool, but classes are integers: convert it"),
        (np.array(list("abbc")), r"y has dtype <U1, but classes are integers: number them, numpy.unique"),
        (Y.astype(object), "y has dtype object"),
        (Y[:3], r"y has shape \(3,\), but there are 4 samples"),
        (Y[:, None], r"y has shape \(4, 1\), but there are 4 samples: give one integer per sample"),
        (np.eye(4, dtype=int), r"y has shape \(4, 4\)"),
        (Y - 1, "y has the label -1: number the classes from 0"),
        (Y + 1, "y goes up to 3, but no sample has the label 0"),
        (np.array([0, 1, 1, 3]), "y goes up to 3, but no sample has the label 2"),
        (np.array([0, 1, 2, 10**15]), "y goes up to 1000000000000000, but no sample has the label 3"),
        (np.array([0, 1, 2, 2**64 - 1], dtype=np.uint64), "y goes up to 18446744073709551615"),
        (np.zeros(4, int), "y has a single class"),
    ],
)
def test_labels_that_are_no_classes(y, message):
    with pytest.raises(DataError, match=f"^data: {message}"):
        validate_arrays(x_of(), y)


@given(hnp.arrays(st.sampled_from([np.int8, np.int64, np.float32, np.bool_]), hnp.array_shapes(min_dims=0, max_dims=2)))
def test_accepted_labels_are_0_to_c_minus_1(y):
    x = np.zeros((len(y) if y.ndim else 1, 1))
    try:
        _, classes, num_classes = validate_arrays(x, y)
    except DataError:
        # Oracle: some reason to refuse them.
        wrong_kind = y.dtype.kind not in "iu" or y.shape != (len(x),) or not y.size
        # As many classes as there are labels: one of 2**62 must not be counted up to.
        assert wrong_kind or len(set(y.tolist())) < 2 or set(y.tolist()) != set(range(len(set(y.tolist()))))
        return
    assert set(classes.tolist()) == set(range(num_classes))
    assert classes.tolist() == y.tolist()


def test_tested_classes_may_be_fewer_than_the_trained_ones():
    x_test, y_test = validate_test_arrays(x_of(np.float16, (2, 3)), np.array([2, 2]), x_of(), 3)
    assert (x_test.dtype, y_test.dtype) == (np.float32, np.int64)


@pytest.mark.parametrize(
    ("x_test", "y_test", "message"),
    [
        (np.zeros((2, 4)), [0, 1], r"a sample of x_test has shape \(4,\), one of x \(3,\)"),
        (np.zeros((0, 3)), [], r"x_test has shape \(0, 3\)"),
        (np.zeros((2, 3), np.uint8), [0, 1], "x_test has dtype uint8, x has float64: store both alike"),
        (np.full((2, 3), np.nan), [0, 1], "x_test has 6 values that are not finite"),
        (np.zeros((2, 3)), [0.0, 1.0], "y_test has dtype float64"),
        (np.zeros((2, 3)), [0], r"y_test has shape \(1,\), but there are 2 samples"),
        (np.zeros((2, 3)), [0, 3], "y_test has the label 3, which no training sample has"),
        (np.zeros((2, 3)), [0, -1], "y_test has the label -1, which no training sample has"),
    ],
)
def test_test_arrays_that_do_not_fit(x_test, y_test, message):
    with pytest.raises(DataError, match=f"^data: {message}"):
        validate_test_arrays(x_test, np.array(y_test), x_of(), 3)
