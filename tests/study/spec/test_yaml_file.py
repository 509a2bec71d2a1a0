import os
from itertools import pairwise

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from overmix.errors import ConfigError
from overmix.study.spec.yaml_file import read_yaml


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "s.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_yaml(path)

    return read


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 1e-3), ("1E5", 1e5), ("-2.5e+3", -2500.0), ("1.e2", 100.0), (".5e1", 5.0), ("+1e2", 100.0), ("0.1", 0.1),
     ("12", 12), (".inf", float("inf")), ("'1e3'", "1e3"), ("1e", "1e"), ("e3", "e3"),
     ("0x1F", 31), ("1_000", 1000), ("00.5", 0.5), ("'1:40'", "1:40"), ("!!str 0144", "0144"),
     ("1e3x", "1e3x"), (".e1", ".e1")],
)  # fmt: skip
def test_numbers_are_numbers(read, text, value):
    found = read(f"lr: {text}")["lr"]
    assert found == value
    assert type(found) is type(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_as_python_writes_them_are_read_back(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("yaml") / "s.yaml"
    path.write_text(f"lr: {value!r}")
    assert read_yaml(path) == {"lr": value}


def test_everything_else_is_as_pyyaml_reads_it(read):
    text = "a: {b: [1, x, null, true], <<: {c: 2}}\nd: &here {e: 1}\nf: *here\ng: |\n  two\n  lines\n"
    assert read(text) == yaml.safe_load(text)


def test_json_is_yaml(read):
    assert read('{"data": {"name": "digits"}, "seeds": [1, 2]}') == {"data": {"name": "digits"}, "seeds": [1, 2]}


def test_the_two_loaders_are_apart(read):
    assert read("1e-3") == 1e-3
    assert yaml.safe_load("1e-3") == "1e-3"


def bomb(line, first):
    """Return YAML, each line of which stands for nine of the one before."""
    letters = "abcdefghi"
    return "\n".join([first, *(line.format(new, ",".join([f"*{old}"] * 9)) for old, new in pairwise(letters))])


BOMB = bomb("{0}: &{0} [{1}]", "a: &a [x]")
MERGED = bomb("{0}: &{0} {{<<: [{1}]}}", "a: &a {k: 1}")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: 2\na: 3", "line 3: the key a is there twice: write plain text, numbers, lists and mappings"),
        ("x:\n  a: 1\n  a: 3", "line 3: the key a is there twice"),
        ("a: !!python/object/apply:os.getcwd []", "line 1: could not determine a constructor for the tag"),
        ("a: !!python/name:os.system", "line 1: could not determine a constructor for the tag"),
        ("a: !!python/tuple [1]", "line 1: could not determine a constructor for the tag"),
        ("a: 1\nb: 0144", "line 2: 0144 would be read in base 8: write a number without leading zeros and colons, or"),
        ("a: [-007]", "line 1: -007 would be read in base 8"),
        ("a: 1:40", "line 1: 1:40 would be read in base 60"),
        ("a: 1:40.5", "line 1: 1:40.5 would be read in base 60"),
        ("0144: a", "line 1: 0144 would be read in base 8"),
        ("[1, 2]: 3", "line 1: found unhashable key"),
        ("a: [1", "line 1: expected ',' or ']', but got '<stream end>': check indentation, colons and quotes"),
        ("\ta: 1", r"line 1: found character '\\t' that cannot start any token"),
        ("a: b: c", "line 1: mapping values are not allowed here"),
        ("a: 1\n---\nb: 1", "line 2: but found another document"),
        ("a: 2024-13-45", "it is no YAML: check"),
        ("a: \x00", "it is no YAML: check"),
        (b"a: \xff\xfe", "it is no text in UTF-8: give a YAML file"),
        ("[" * 5000, "it is nested too deeply: write fewer levels"),
        ("a: !!bool x", "it is no YAML: check"),
        ("a: !!timestamp x", "it is no YAML: check"),
        ("a: " + "x" * (256 << 10), "it is larger than 256 KiB: give a study file"),
        (BOMB, "with its aliases it has more than 100000 values: write fewer"),
        ("a: &a [*a]", "with its aliases it has more than 100000 values"),
        (MERGED, "with its aliases it has more than 100000 values"),
    ],
)
def test_what_is_no_plain_yaml_is_refused_in_one_line(read, text, told):
    with pytest.raises(ConfigError, match=f"^study file = '.*s.yaml': {told}") as caught:
        read(text)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(ConfigError, match=r"none.yaml': it cannot be read \(No such file or directory\): give a YAML"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match=r"it cannot be read \(Is a directory\)"):
        read_yaml(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match=r"it cannot be read \(it is no regular file\)"):
        read_yaml(tmp_path / "pipe")
