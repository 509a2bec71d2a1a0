"""What is there, and whether it works."""

import json
from importlib import metadata

import pytest

from overmix.cli import doctor as module


@pytest.fixture(autouse=True)
def _no_large_data(monkeypatch):
    monkeypatch.setattr(module, "_OPTIONAL_DATA", ("svhn",))


def test_versions_device_extras_and_data_are_said(overmix, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = overmix("doctor", "--quick")
    assert (outcome.code, outcome.err) == (0, "")
    parts = [line.split()[1] for line in outcome.out.splitlines()[:-1]]
    assert parts[:4] == ["overmix", "libraries", "processor", "GPU"]
    extras = [line.split() for line in outcome.out.splitlines() if line.startswith("✓ extra ")]
    assert ["✓", "extra", "study", "installed"] in extras
    assert {len(words) for words in extras} == {4}, "a long name runs into what is said of it"
    assert "digits; not found: svhn (name their folder: data.path)" in outcome.out
    assert outcome.out.splitlines()[-1] == "All is well."


def test_a_missing_extra_is_named_with_its_line_and_the_exit_code_is_two(overmix, monkeypatch):
    def version(package):
        if package in ("polars", "timm"):
            raise metadata.PackageNotFoundError
        return "1.0"

    monkeypatch.setattr(module.metadata, "version", version)
    outcome = overmix("doctor", "--quick", "--json")
    assert outcome.code == 2
    found = {entry["part"]: entry for entry in json.loads(outcome.out)["findings"]}
    assert (found["extra study"]["said"], found["extra study"]["remedy"]) == (
        "polars missing",
        "pip install 'overmix[study]'",
    )
    assert not json.loads(outcome.out)["well"]
    # What one can do without is said too, and is no fault.
    assert (found["extra timm"]["remedy"], found["extra timm"]["needed"]) == ("pip install 'overmix[timm]'", False)


@pytest.mark.usefixtures("in_process")
def test_the_self_test_runs_a_study(overmix, monkeypatch):
    outcome = overmix("doctor")
    assert outcome.code == 0
    (told,) = (line for line in outcome.out.splitlines() if "self-test" in line)
    assert told.split()[:2] == ["✓", "self-test"]
    assert "9 runs, statistics and a page of" in told
    monkeypatch.setattr("overmix.report.write_report", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    failed = overmix("doctor")
    assert failed.code == 2
    assert "failed: disk full  (mend what it names)" in failed.out
