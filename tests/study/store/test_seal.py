import json

from overmix.study.store.seal import is_intact, sealed_json


def test_any_flipped_bit_any_cut_and_any_addition_breaks_a_seal():
    content = sealed_json({"a": [1, None, "→"], "b": {}})
    assert is_intact(content)
    for bit in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        assert not is_intact(bytes(damaged)), bit
    assert not any(is_intact(content[:length]) for length in range(len(content)))
    assert not is_intact(content + b"\0")


def test_other_programs_read_what_is_sealed():
    assert list(json.loads(sealed_json({"b": 1, "a": 2}))) == ["seal", "b", "a"]


def test_a_text_that_looks_like_a_seal_is_none():
    forged = json.loads(sealed_json({"a": 1}))["seal"]
    assert is_intact(sealed_json({"name": forged}))
    assert not is_intact(json.dumps({"name": forged}).encode())
    assert not any(map(is_intact, (b"", b"overmix-sha256:", b"overmix-sha256:" + b"0" * 64)))
