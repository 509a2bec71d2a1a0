import numpy as np
import pytest

from overmix.errors import ConfigError
from overmix.experiments.switch_benchmark.cells import FRESH, TABULAR
from overmix.experiments.switch_benchmark.mlbench import FOLDER, read_mlbench


def test_a_missing_table_says_where_it_comes_from(monkeypatch, tmp_path):
    monkeypatch.setenv(FOLDER, str(tmp_path))
    with pytest.raises(
        ConfigError, match=r"^OVERMIX_MLBENCH = .*Vowel\.rda is not there: install Debian's r-cran-mlbench"
    ):
        read_mlbench("Vowel", "Class")


def test_every_fresh_data_set_has_its_arrays():
    assert set(FRESH) <= set(TABULAR)


def test_factors_become_numbers_and_classes(monkeypatch, tmp_path):
    pyreadr, polars = pytest.importorskip("pyreadr"), pytest.importorskip("polars")
    frame = polars.DataFrame(
        {"A": ["1", "0"], "B": [0.5, 2.0], "who": [1.0, 2.0], "y": ["b", "a"], "rownames": ["1", "2"]}
    )
    monkeypatch.setattr(pyreadr, "read_r", lambda path, output_format: {"Toy": frame})
    monkeypatch.setenv(FOLDER, str(tmp_path))
    (tmp_path / "Toy.rda").touch()
    x, y = read_mlbench("Toy", "y", drop=("who",))
    np.testing.assert_array_equal(x, np.array([[1.0, 0.5], [0.0, 2.0]], dtype=np.float32))
    np.testing.assert_array_equal(y, [1, 0])
    assert (x.dtype, y.dtype) == (np.float32, np.int64)
