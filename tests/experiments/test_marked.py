import pytest

from overmix.errors import OvermixError
from overmix.experiments.marked import with_part, write_part


def test_the_rest_of_the_document_stays(tmp_path):
    document = tmp_path / "page.md"
    document.write_text("# Title\n<b>\nold\n<e>\nend\n", encoding="utf-8")
    write_part(document, "<b>", "<e>", "new – 1")
    write_part(document, "<b>", "<e>", "new – 2")
    assert document.read_text(encoding="utf-8") == "# Title\n<b>\nnew – 2\n<e>\nend\n"


@pytest.mark.parametrize("text", ["", "<b> only", "<e> only", "<e> <b>"])
def test_a_document_without_both_markers_is_left_alone(tmp_path, text):
    document = tmp_path / "page.md"
    document.write_text(text, encoding="utf-8")
    with pytest.raises(OvermixError, match="lacks the markers"):
        write_part(document, "<b>", "<e>", "new")
    assert document.read_text(encoding="utf-8") == text


def test_with_part_takes_the_first_pair():
    assert with_part("<b><e><b><e>", "<b>", "<e>", "x") == "<b>\nx\n<e><b><e>"
