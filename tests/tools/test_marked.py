import pytest

from overmix.errors import OvermixError
from tools.marked import Part

PART = Part("speed", "speed")


def test_the_rest_of_the_document_stays():
    document = f"# Title\n{PART.begin}\nold\n{PART.end}\nend\n"
    first = PART.within(document, "new – 1")
    assert PART.within(first, "new – 2") == f"# Title\n{PART.begin}\nnew – 2\n{PART.end}\nend\n"


@pytest.mark.parametrize("text", ["", f"{PART.begin} only", f"{PART.end} only", f"{PART.end} {PART.begin}"])
def test_a_document_without_both_markers_in_their_order_is_refused(text):
    with pytest.raises(OvermixError, match="lacks the markers"):
        PART.within(text, "new")


def test_the_first_pair_is_taken():
    pair = f"{PART.begin}{PART.end}"
    assert PART.within(pair + pair, "x") == f"{PART.begin}\nx\n{PART.end}{pair}"
