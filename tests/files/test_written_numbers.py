"""Numbers as they are written: what Python formats is read back, under either decimal sign."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overmix.files.written_numbers import as_python, decimal_signs, sign_shown, why_no_numbers

SWAPPED = str.maketrans(".,", ",.")
NUMBERS = st.floats(-1e12, 1e12).map(lambda x: round(x, 4))


@given(NUMBERS, st.sampled_from(["{:.4f}", "{:,.4f}", "{:,.0f}", "{!r}", "{:.3e}", "{:,.2f} %"]))
def test_what_python_formats_is_read_back(number, form):
    written = form.format(number)
    plain = written.replace(",", "").removesuffix(" %")
    assert float(as_python(written, ".")) == float(as_python(written.translate(SWAPPED), ",")) == float(plain)
    for blank in " '\u00a0\u202f\u2019":
        assert float(as_python(written.replace(",", blank), ".")) == float(plain)


@given(NUMBERS.map("{:,.3f}".format))
def test_the_sign_that_is_shown_is_the_only_one_that_reads_it(written):
    mirror = {".": ",", ",": ".", "either": "either"}
    shown = sign_shown(written)
    assert sign_shown(written.translate(SWAPPED)) == mirror[shown]
    reads = [sign for sign in ".," if as_python(written, sign) is not None]
    assert reads == ([".", ","] if shown == "either" else [shown])


@pytest.mark.parametrize("cell", ["", "%", "1,23,456", "1.2.3", "1,234,56", "0x1F", "1_000", "3+", "١٢", "1e", "12:30"])
def test_what_is_no_number(cell):
    assert sign_shown(cell) is None


@pytest.mark.parametrize(
    ("columns", "otherwise", "signs"),
    [
        ({"a": ["1.234", "2.345"]}, None, "."),  # a point alone is what it always was
        ({"a": ["1.234", "2.345"], "b": ["0,5"]}, None, ",,"),
        ({"a": ["1,234"], "b": ["0.5"], "c": ["0,5"]}, ".", None),  # the file says both
        ({"a": ["1,234"], "b": ["0,5", "x", "y"]}, ".", ".,"),  # a text that holds a number says nothing of others
        ({"a": ["1,234", "999"]}, ".", "."),
        ({"a": ["1,234", "1000"]}, ".", None),
        ({"a": ["750", "1.250"]}, ".", None),  # read as a decimal, the larger one was the smaller
        ({"a": ["750", "1.250", "1500"]}, None, "."),
        ({"a": ["5", "1.250"]}, None, "."),
        ({"a": ["750", "1.250"], "b": ["0.5"]}, None, ".."),
    ],
)
def test_signs_of_columns(columns, otherwise, signs):
    told = list(decimal_signs(columns, otherwise=otherwise).values())
    assert told[0] is None if signs is None else told == list(signs)


def test_a_printed_minus_is_one():
    assert (sign_shown("\u22121,5 %"), as_python("\u22121,5", ",")) == (",", "-1.5")


def test_a_column_of_texts_is_no_column_of_numbers():
    assert why_no_numbers(["a", "b", "1", "2"]) is None
    assert why_no_numbers([None, "1", "2", "inf"]) is None
