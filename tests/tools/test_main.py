"""The command that writes the documentation, and the documentation as it is committed."""

import re
from pathlib import Path

import pytest

from tools import __main__ as command
from tools.generated import Generated

ROOT = Path(__file__).parents[2]
PICTURE = re.compile(r"!\[[^\]]*\]\(([^)]+\.png)\)")


@pytest.mark.parametrize("generated", command.GENERATED, ids=lambda generated: generated.name)
def test_what_is_committed_is_what_would_be_written(generated):
    assert generated.outdated(ROOT) == []


@pytest.mark.parametrize("generated", command.GENERATED, ids=lambda generated: generated.name)
def test_every_picture_of_the_documents_is_there(generated):
    for path, text in generated.texts(ROOT).items():
        for name in PICTURE.findall(text):
            assert ((ROOT / path).parent / name).read_bytes().startswith(b"\x89PNG"), f"{name} in {path}"


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A document of one word, which is kept in a file."""
    word = Path("word.txt")

    def keep(run, root):
        (root / word).write_text((run / word).read_text())

    page, picture = Path("page.md"), Path("pictures/p.png")
    toy = Generated("toy", lambda root: {page: (root / word).read_text()}, lambda root: {picture: b"png"}, keep)
    monkeypatch.setattr(command, "GENERATED", (toy, Generated("other", lambda root: {})))
    monkeypatch.setattr(command, "ROOT", tmp_path)
    (tmp_path / word).write_text("old")
    return tmp_path


def test_check_names_what_would_change_and_writes_nothing(toy, capsys):
    assert command.main(["--check"]) == 1
    assert "page.md is not what its results say: python -m tools toy" in capsys.readouterr().out
    assert not (toy / "page.md").exists()
    assert command.main([]) == 0
    assert command.main(["--check"]) == 0


def test_pictures_are_drawn_only_if_asked(toy):
    command.main(["toy"])
    assert not (toy / "pictures").exists()
    command.main(["toy", "--pictures"])
    assert (toy / "pictures" / "p.png").read_bytes() == b"png"


def test_a_run_is_kept_before_its_document_is_written(toy, tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    (run / "word.txt").write_text("new")
    assert command.main(["toy", "--keep", str(run)]) == 0
    assert (toy / "page.md").read_text() == "new"


@pytest.mark.parametrize("arguments", ["toi", "--keep .", "other --keep .", "toy other --keep ."])
def test_wrong_usage_writes_nothing(toy, arguments):
    with pytest.raises(SystemExit) as left:
        command.main(arguments.split())
    assert left.value.code == 2
    assert not (toy / "page.md").exists()
