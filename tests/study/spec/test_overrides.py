from hypothesis import given
from hypothesis import strategies as st

from overmix.study.spec.overrides import merged

keys = st.sampled_from("abc")
trees = st.recursive(st.integers(), lambda inner: st.dictionaries(keys, inner), max_leaves=6)
mappings = st.dictionaries(keys, trees)


def paths(tree, begin=()):
    """Leaves of nested mappings, by the keys that lead to them."""
    if not isinstance(tree, dict) or not tree:
        return {begin: tree}
    return {path: leaf for key, value in tree.items() for path, leaf in paths(value, (*begin, key)).items()}


def test_the_rest_of_a_mapping_is_kept():
    base = {"epochs": 5, "optimizer": {"lr": 0.1, "momentum": 0.9}}
    assert merged(base, {"optimizer": {"weight_decay": 0.005}}) == {
        "epochs": 5,
        "optimizer": {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.005},
    }
    assert base == {"epochs": 5, "optimizer": {"lr": 0.1, "momentum": 0.9}}


@given(mappings, mappings)
def test_what_is_laid_over_is_found_again(base, override):
    found = merged(base, override)
    flat = paths(found)
    for path, leaf in paths(override).items():
        if leaf != {}:
            assert flat[path] == leaf
    assert set(found) == set(base) | set(override)


@given(mappings)
def test_nothing_laid_over_changes_nothing(base):
    assert merged(base, {}) == base
    assert merged(base, base) == base
    assert merged({}, base) == base
