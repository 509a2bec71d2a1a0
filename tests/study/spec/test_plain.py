import json
import math
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overmix.errors import ConfigError
from overmix.study.spec.plain import canonical, digest, json_ready, plain

shown = st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"])
scalars = (
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False) | st.text(shown, max_size=5)
)
contents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(shown, max_size=4), inner, max_size=3)
)


@given(contents)
def test_plain_content_stays_what_it_is(content):
    assert plain(content) == content


@given(contents)
def test_the_canonical_text_is_json_and_does_not_depend_on_the_order_of_keys(content):
    def reversed_keys(value):
        if isinstance(value, dict):
            return {key: reversed_keys(value[key]) for key in reversed(list(value))}
        return [reversed_keys(item) for item in value] if isinstance(value, list) else value

    assert json.loads(canonical(content)) == json_ready(content)
    assert canonical(reversed_keys(content)) == canonical(content)


def test_tuples_are_lists_so_that_python_callers_may_use_them():
    assert plain({"hidden": (3, (4,))}) == {"hidden": [3, [4]]}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            {"name": date(2024, 1, 1)},
            r"name = datetime.date\(2024, 1, 1\): a date has no place here: for text write it in",
        ),
        ({"model": {"hidden": [1, {2}]}}, r"model.hidden\[1\] = \{2\}: a set has no place here"),
        ({"data": b"x"}, "data = b'x': a bytes has no place here"),
        ({"data": {1: 2}}, "data = 1: keys are text: write this one in quotes"),
        ({3: 4}, "study = 3: keys are text"),
        ({"seeds": [2**63]}, r"seeds\[0\] = 9223372036854775808: use a number below 2\*\*63"),
        ({"train": {"epochs": -(10**9999)}}, "train.epochs = 'a long number': use a number below"),
        ({"name": "a\x07b"}, r"name = 'a\\x07b': leave out the character U\+0007, which cannot be shown"),
        ({"compare": [{"name": "a\ud800"}]}, r"compare\[0\].name = 'a\\ud800': leave out the character U\+D800"),
        ({"name": "x" * 200_000}, r"name = 'xxx*\.\.\.x*': use at most 4096 characters"),
        ({"a": [0] * 100_001}, r"a\[99998\] = '...': write at most 100000 values in all"),
    ],
)
def test_what_json_cannot_hold_is_refused_with_its_place(content, told):
    with pytest.raises(ConfigError, match=f"^{told}"):
        plain(content)


def test_a_list_that_contains_itself_is_refused():
    endless = []
    endless.append(endless)
    with pytest.raises(ConfigError, match=r"data\[0\].*: write at most 20 levels of keys"):
        plain({"data": endless})


def test_infinity_is_spelt_as_yaml_spells_it():
    assert json_ready([math.inf, {"a": -math.inf}, math.nan]) == [".inf", {"a": "-.inf"}, ".nan"]


def test_a_digest_is_the_beginning_of_the_sha_256_of_the_text():
    # printf '{"a":"\\u2192","b":[1,2.5,null,true]}' | sha256sum
    assert digest({"b": [1, 2.5, None, True], "a": "→"}) == "ff2b9dc379aca721"
