import pickle
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overmix.errors import ConfigError, DataError, OvermixError
from overmix.study import load_result, parse_study, run_study
from overmix.study.data import load_dataset

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 3)), np.arange(40) % 4


def load(tmp_path, test_size=0.25, **arrays):
    np.savez(tmp_path / "a.npz", **arrays)
    return load_dataset("npz", path=str(tmp_path / "a.npz"), test_size=test_size)


def test_a_quarter_of_every_class_is_set_aside(tmp_path):
    data = load(tmp_path, x=X, y=Y)
    assert len(data.y) == 30
    assert len(data.y_test) == 10
    assert sorted(torch.bincount(data.y_test).tolist()) == [2, 2, 3, 3]
    assert (data.x.dtype, data.num_classes, data.name) == (torch.float32, 4, "npz")


def test_pool_and_test_set_are_the_file_and_keep_their_labels(tmp_path):
    data = load(tmp_path, x=X, y=Y)
    both = torch.cat([data.x, data.x_test]).numpy()
    labels = torch.cat([data.y, data.y_test]).numpy()
    own = {tuple(row): label for row, label in zip(X.astype(np.float32).tolist(), Y.tolist(), strict=True)}
    assert {tuple(row): label for row, label in zip(both.tolist(), labels.tolist(), strict=True)} == own


def test_the_split_is_the_same_every_time(tmp_path):
    assert torch.equal(load(tmp_path, x=X, y=Y).x_test, load(tmp_path, x=X, y=Y).x_test)


def test_given_test_arrays_are_used_as_they_are(tmp_path):
    data = load(tmp_path, x=X, y=Y, x_test=X[:2], y_test=Y[:2].astype(np.uint8), groups=Y)
    assert len(data.y) == 40
    assert torch.equal(data.x_test, data.x[:2])
    assert data.y_test.dtype == torch.int64


def test_given_validation_arrays_join_the_pool_and_are_marked(tmp_path):
    data = load(tmp_path, x=X, y=Y, x_val=X[:6], y_val=Y[:6], domain=Y % 2)
    assert (len(data.y), len(data.y_test), len(data.domain)) == (36, 10, 36)
    assert data.validation.tolist() == [False] * 30 + [True] * 6
    assert torch.equal(data.x[data.validation], torch.from_numpy(X[:6]).float())
    values = load(tmp_path, x=X, y=X[:, 0], x_val=X[:6], y_val=X[:6, 0])
    assert (values.labels, tuple(values.y.shape)) == ("values", (36, 1))


def test_a_study_with_validation_arrays_decides_and_chooses_on_them(tmp_path, in_process):
    np.savez(tmp_path / "a.npz", x=X, y=Y, x_val=X[:12], y_val=Y[:12])
    content = {
        "data": {"name": "npz", "path": str(tmp_path / "a.npz")},
        "model": {"hidden": [4]},
        "train": {"epochs": 3, "batch_size": 8},
        "compare": [{"name": "Mixup"}, {"name": "auto", "schedule": "auto"}],
        "seeds": 2,
        "device": "cpu",
    }
    run_study(parse_study(content), tmp_path / "run")
    curves = load_result(tmp_path / "run").curves
    assert curves["val_error"].null_count() == 0


def test_bytes_stay_bytes_and_fortran_order_does_not_matter(tmp_path):
    images = np.asfortranarray(RNG.integers(256, size=(40, 2, 5, 5), dtype=np.uint8))
    data = load(tmp_path, x=images, y=Y, x_test=images, y_test=Y)
    assert data.x.dtype == torch.uint8
    assert data.x.is_contiguous()
    assert np.array_equal(data.x.numpy(), images)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X}, "it holds x, not x and y"),
        ({}, "it holds nothing, not x and y"),
        ({"x_train": X, "y_train": Y}, "it holds x_train, y_train, not x and y: save it as numpy.savez"),
        ({"x": X, "y": Y, "x_test": X}, "it holds x_test alone"),
        ({"x": X, "y": Y, "x_val": X}, "it holds x_val alone: give both x_val and y_val, or neither"),
        ({"x": X, "y": Y, "y_val": Y}, "it holds y_val alone"),
        ({"x": X, "y": Y, "x_val": X, "y_val": Y + 1}, "y_val has the label 4, which no training sample has"),
        ({"x": X, "y": Y, "x_val": X[:, :2], "y_val": Y}, "a sample of x_val has shape"),
        ({"x": X, "y": Y, "X_test": X, "Y_test": Y}, "it holds X_test: rename it to x_test, or leave it out"),
        ({"x": X, "y": Y, "xtest": X, "ytest": Y}, "it holds xtest: rename it to x_test"),
        ({"x": np.array([[1], [1, 2]] * 20, dtype=object), "y": Y}, "x is an array of Python objects: make it rect"),
        ({"x": X, "y": Y.astype(object)}, "y is an array of Python objects"),
        ({"x": X, "y": Y.astype(float)}, r"y holds 4 whole numbers in float64: save y.astype\(int\).*labels: values"),
        ({"x": X, "y": np.eye(4)[Y]}, r"every row of y has a single 1: save y.argmax\(1\).*labels: rows"),
        ({"x": X, "y": np.eye(4)[Y] * 0.6 + 0.1}, r"the rows of y are shares that sum to 1: save y.argmax\(1\)"),
        (
            {"x": X, "y": np.where(Y > 0, "a", "b").astype(object)},
            r"y is an array of .* numpy.unique\(y, return_inverse=True\)",
        ),
        (
            {"x": X, "y": Y * 0, "x_test": X, "y_test": Y},
            "y has a single class, y_test has 4: shuffle the samples before they are divided",
        ),
        ({"x": X, "y": Y * 100}, "y goes up to 300, but no sample has the label 1.*labels: values"),
        ({"x": X, "y": X[:, :2], "unlabelled": Y > 1}, "it holds unlabelled, but the labels are values"),
        ({"x": X, "y": Y, "unlabelled": Y > -1}, "unlabelled is true for all samples"),
        ({"x": X, "y": Y, "unlabelled": X}, "unlabelled has shape"),
        ({"x": X, "y": Y, "domain": X}, "domain has dtype float64.*give one integer or name per sample"),
        ({"x": X, "y": X[:, 0] * 0 + 0.5}, "column 0 of y is the same for all samples"),
        ({"x": X, "y": Y, "view": X}, "it holds y and view: say data: {labels: views}"),
        ({"x": X, "view": X, "x_test": X}, "it holds x_test alone"),
        ({"x": X, "y": Y, "domains": Y}, "it holds domains: rename it to domain"),
        ({"x": X[:0], "y": Y[:0]}, r"x has shape \(0, 3\)"),
        ({"x": X, "y": Y, "x_test": X[:, :2], "y_test": Y}, r"a sample of x_test has shape \(2,\)"),
    ],
)
def test_arrays_that_cannot_be_trained_on(tmp_path, arrays, message):
    with pytest.raises(DataError, match=rf"^data.path \S+a\.npz: {message}") as error:
        load(tmp_path, **arrays)
    assert "\n" not in str(error.value)


def test_no_path():
    with pytest.raises(ConfigError, match=r"^data\.path = '': name the file: data: \{name: npz, path: my-data\.npz\}"):
        load_dataset("npz")


def test_no_such_file(tmp_path):
    with pytest.raises(ConfigError, match=r"^data\.path = '\S+b\.npz': there is no such file"):
        load_dataset("npz", path=str(tmp_path / "b.npz"))


def test_the_home_folder_may_be_abbreviated(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    np.savez(tmp_path / "a.npz", x=X, y=Y)
    assert load_dataset("npz", path="~/a.npz").num_classes == 4


@pytest.mark.parametrize("test_size", [0, 1, 1.0, -0.1, 1.5, float("nan"), float("inf")])
def test_a_share_that_is_none(tmp_path, test_size):
    with pytest.raises(ConfigError, match=r"^data\.test_size = \S+: use a share in \(0, 1\)$"):
        load(tmp_path, x=X, y=Y, test_size=test_size)


@pytest.mark.parametrize(("test_size", "shortage"), [(0.01, "no sample is tested on"), (0.99, "of class . is left")])
def test_too_few_samples_for_the_share(tmp_path, test_size, shortage):
    with pytest.raises(ConfigError, match=rf"^data\.test_size = {test_size}: of 40 samples .*{shortage}"):
        load(tmp_path, x=X, y=Y, test_size=test_size)


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("the file's code was run",))


@pytest.mark.parametrize(
    "content",
    [b"", b"text", b"PK\x03\x04", pickle.dumps(Trap()), b"\x93NUMPY\x01\x00"],
    ids=["empty", "text", "zip", "pickle", "npy"],
)
def test_a_file_of_another_kind(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"^data\.path \S+: it is no \.npz file"):
        load_dataset("npz", path=str(tmp_path / "a.npz"))


def test_a_folder_and_a_single_array(tmp_path):
    with pytest.raises(ConfigError, match=r"it cannot be read \(Is a directory\): name an .npz file"):
        load_dataset("npz", path=str(tmp_path))
    np.save(tmp_path / "a.npy", X)
    with pytest.raises(DataError, match="it holds a single array: save it as"):
        load_dataset("npz", path=str(tmp_path / "a.npy"))


def test_objects_are_not_unpickled(tmp_path):
    trap = np.array([Trap()] * 4, dtype=object)
    with pytest.raises(DataError, match="x is an array of Python objects"):
        load(tmp_path, x=trap, y=Y)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(data=st.data())
def test_a_damaged_file_gives_one_line(tmp_path, save, data):
    path = tmp_path / "a.npz"
    save(path, x=X, y=Y)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        outcome = load_dataset("npz", path=str(path))
    except OvermixError as error:
        outcome = error
    sound = "\n" not in str(outcome) if isinstance(outcome, OvermixError) else torch.isfinite(outcome.x).all()
    assert sound


def test_values_rows_and_views_are_read_off_the_arrays(tmp_path):
    bits = (RNG.random((40, 3)) < 0.6).astype(np.uint8)
    for name, array, kind, width in (("y", X[:, 0], "values", 1), ("y", bits, "rows", 3), ("view", X, "views", 3)):
        data = load(tmp_path, x=X, **{name: array})
        assert (data.labels, data.num_classes, data.y.dtype) == (kind, width, torch.float32)
        assert len(data.y) + len(data.y_test) == 40
        assert data.y.shape[1:] == (width,)


def test_what_cannot_be_told_can_be_said(tmp_path):
    np.savez(tmp_path / "a.npz", x=X, y=Y, view=X)

    def kind(labels):
        return load_dataset("npz", path=str(tmp_path / "a.npz"), labels=labels).labels

    assert [kind(labels) for labels in ("classes", "values", "views")] == ["classes", "values", "views"]
    with pytest.raises(ConfigError, match=r"data.labels = 'value': did you mean values\?"):
        kind("value")


def test_domains_stay_with_their_samples_and_samples_without_a_label_are_not_tested_on(tmp_path):
    mask = np.arange(40) >= 20
    domain = np.where(X[:, 0] > 0, "here", "there")
    data = load(tmp_path, x=X, y=np.where(mask, -1, Y), unlabelled=mask, domain=domain)
    assert torch.equal(data.domain, (data.x[:, 0] <= 0).long())
    assert data.labelled.sum() + len(data.y_test) == 20
    assert (data.y_test >= 0).all()
    assert (~data.labelled).sum() == 20


def test_a_member_that_is_no_array(tmp_path):
    np.savez(tmp_path / "d.npz", x=np.zeros((8, 2)))
    with zipfile.ZipFile(tmp_path / "d.npz", "a") as archive:
        archive.writestr("y.npy", b"these are no labels")
    with pytest.raises(DataError, match=r"y is no array: save it as numpy\.savez"):
        load_dataset("npz", path=str(tmp_path / "d.npz"))


def test_values_that_were_taken_for_classes(tmp_path):
    with pytest.raises(DataError, match=r"a\.npz: y has 40 different values in 40 samples, .*\{labels: values\}$"):
        load(tmp_path, x=X, y=np.arange(40))
