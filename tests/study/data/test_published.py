from pathlib import Path

import numpy as np
import pytest

from overmix.errors import DataError
from overmix.study.data.published import check_files

A, B, TEST = Path("a"), Path("b"), Path("test")


def files(a, b, test):
    return {file: (np.zeros((n, 1), np.uint8), np.zeros(n, np.int64)) for file, n in ((A, a), (B, b), (TEST, test))}


@pytest.mark.parametrize("counts", [(5000, 5000, 1000), (3, 3, 2), (4999, 4999, 1)])
def test_as_published_or_small(counts):
    check_files(files(*counts), [5000, 5000, 1000], equal=[A, B])


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ((5000, 4999, 1000), "b: it holds 4999 images, not 5000"),
        ((5000, 3, 1000), "b: it holds 3 images, not 5000"),
        ((5000, 5000, 3), "test: it holds 3 images, not 1000"),
        ((6000, 6000, 1000), "a: it holds 6000 images, not 5000"),
        ((3, 2, 2), "b: it holds 2 images, not 3"),
    ],
)
def test_cut_between_two_images(counts, message):
    with pytest.raises(DataError, match=rf"^data\.path {message}: fetch it again$"):
        check_files(files(*counts), [5000, 5000, 1000], equal=[A, B])


def test_labels_that_only_add_up_in_total():
    batches = files(20, 20, 20)
    batches[A] = (batches[A][0], np.zeros(21, np.int64))
    batches[B] = (batches[B][0], np.zeros(19, np.int64))
    with pytest.raises(DataError, match=r"^data\.path a: 20 images and 21 labels do not belong together: fetch"):
        check_files(batches, [20, 20, 20])
