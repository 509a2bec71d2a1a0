import json
from dataclasses import dataclass, field

import pytest

from overmix.study.store import receipt
from overmix.study.store.receipt import is_unchanged, request_of, write_receipt


@dataclass(frozen=True)
class Data:
    name: str
    options: dict = field(default_factory=dict)


@pytest.fixture
def study(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"data")
    file = tmp_path / "study.yaml"
    file.write_text("seeds: 2")
    return file


@pytest.fixture
def finished(tmp_path):
    folder = tmp_path / "out"
    for name in ("study.json", "summary.json", "report.html", "stacks/a.safetensors", "figures/error.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


@pytest.fixture
def data(study):
    return [Data("digits"), Data("npz", {"path": str(study.with_name("x.npz"))})]


@pytest.fixture
def fresh(monkeypatch):
    """Look at the versions again, as a new process does."""
    monkeypatch.setattr(receipt, "_made_with", receipt._made_with.__wrapped__)


def test_what_is_as_it_was_is_unchanged_and_the_page_needs_no_request(study, finished, data, fresh):
    assert not is_unchanged(finished)
    write_receipt(finished, request_of("run", study, workers=2), data)
    assert is_unchanged(finished, request_of("run", study, workers=2))
    assert is_unchanged(finished)
    (finished / ".lock").touch()
    (finished / "stacks" / ".x.tmp").touch()
    assert is_unchanged(finished)


def asked_otherwise(study, finished, monkeypatch):
    return request_of("run", study, workers=3)


def another_command(study, finished, monkeypatch):
    return request_of("switch", study, workers=2)


def edited_study(study, finished, monkeypatch):
    study.write_text("seeds: 3")


def other_folder_for_relative_paths(study, finished, monkeypatch):
    (study.parent / "elsewhere").mkdir()
    moved = study.parent / "elsewhere" / "study.yaml"
    moved.write_bytes(study.read_bytes())
    return request_of("run", moved, workers=2)


def other_data(study, finished, monkeypatch):
    study.with_name("x.npz").write_bytes(b"Data")


def no_data(study, finished, monkeypatch):
    study.with_name("x.npz").unlink()


def other_version_of_torch(study, finished, monkeypatch):
    monkeypatch.setattr(receipt, "_version", lambda name: "9.9" if name == "torch" else "1")


def other_version_of_overmix(study, finished, monkeypatch):
    monkeypatch.setattr("overmix.__version__", "9.9")


def edited_overmix(study, finished, monkeypatch):
    monkeypatch.setattr(receipt, "_source", lambda package: "other")


def other_machine(study, finished, monkeypatch):
    monkeypatch.setattr(receipt, "_machine", lambda: {"processor": "other"})


def other_instruction_set(study, finished, monkeypatch):
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")


def damaged_result(study, finished, monkeypatch):
    (finished / "stacks" / "a.safetensors").write_text("stacks/b.safetensors")


def lost_figure(study, finished, monkeypatch):
    (finished / "figures" / "error.png").unlink()


def edited_summary(study, finished, monkeypatch):
    (finished / "summary.json").write_text("{}")


def damaged_receipt(study, finished, monkeypatch):
    (finished / "receipt.json").write_text("[1")


def receipt_of_nothing(study, finished, monkeypatch):
    content = json.loads((finished / "receipt.json").read_text())
    (finished / "receipt.json").write_text(json.dumps(content | {"files": {}}))


@pytest.mark.parametrize(
    "change",
    [
        asked_otherwise,
        another_command,
        edited_study,
        other_folder_for_relative_paths,
        other_data,
        no_data,
        other_version_of_torch,
        other_version_of_overmix,
        edited_overmix,
        other_machine,
        other_instruction_set,
        damaged_result,
        lost_figure,
        edited_summary,
        damaged_receipt,
        receipt_of_nothing,
    ],
)
def test_whatever_changes_is_noticed(change, study, finished, data, fresh, monkeypatch):
    write_receipt(finished, request_of("run", study, workers=2), data)
    asked = change(study, finished, monkeypatch) or request_of("run", study, workers=2)
    assert not is_unchanged(finished, asked)


def test_where_the_files_are_not_known_only_the_page_is_remembered(study, finished):
    asked = request_of("run", study)
    write_receipt(finished, asked, [Data("cifar10", {"path": "x"})])
    assert not is_unchanged(finished, asked)
    assert is_unchanged(finished)
    write_receipt(finished, None)
    assert not is_unchanged(finished, asked)
    assert request_of("run", study.with_name("missing.yaml")) is None


def test_the_source_is_that_of_every_file(tmp_path):
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "page.css").write_text("a")
    before = receipt._source(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "m.pyc").touch()
    assert receipt._source(tmp_path) == before
    (tmp_path / "assets" / "page.css").write_text("b")
    assert receipt._source(tmp_path) != before
