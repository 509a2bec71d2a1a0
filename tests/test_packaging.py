"""What is published: metadata that agree, and archives that hold what they should and nothing else."""

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

import overmix

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_citation_and_package_are_of_one_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == overmix.__version__
    assert citation["repository-code"] == PROJECT["project"]["urls"]["Homepage"]


def test_on_the_package_index_no_link_of_the_readme_is_relative():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    home = PROJECT["project"]["urls"]["Homepage"]
    for rule in PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        assert home.removeprefix("https://github.com/") in rule["replacement"]
        text = re.sub(rule["pattern"], rule["replacement"], text)
    targets = re.findall(r"\]\(([^)]+)\)", text) + re.findall(r'src(?:set)?="([^"]+)"', text)
    assert targets
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []


@pytest.mark.slow
def test_wheel_and_source_archive_hold_what_they_should(tmp_path):
    subprocess.run([sys.executable, "-m", "build", "--outdir", tmp_path, ROOT], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    (archive,) = tmp_path.glob("*.tar.gz")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    info = f"overmix-{overmix.__version__}.dist-info"
    assert tops == {"overmix", info}
    package = {name for name in names if name.startswith("overmix/")}
    tracked = subprocess.run(["git", "ls-files", "src/overmix"], cwd=ROOT, check=True, capture_output=True, text=True)
    assert package == {line.removeprefix("src/") for line in tracked.stdout.splitlines()}
    assert "overmix/py.typed" in package
    with zipfile.ZipFile(wheel) as opened:
        metadata = opened.read(f"{info}/METADATA").decode()
    assert "](docs/" not in metadata
    with tarfile.open(archive) as packed:
        inside = {name.split("/")[1] for name in packed.getnames() if "/" in name}
    assert inside == {
        *("src", "docs", "examples", "README.md", "CHANGELOG.md", "CITATION.cff", "LICENSE", "pyproject.toml"),
        *("PKG-INFO", ".gitignore"),
    }
