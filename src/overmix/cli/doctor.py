"""``overmix doctor``: does it work here, and what is there to work with."""

from __future__ import annotations

import json
import os
import platform
import re
import time
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Annotated

import typer

from overmix import __version__
from overmix.errors import OvermixError

_NOT_WELL = 2
_OPTIONAL_DATA = ("cifar10", "cifar100", "fashion_mnist", "svhn", "mnist1d")
_LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn", "polars", "torchvision", "timm", "lightning", "transformers")


@dataclass(frozen=True)
class _Finding:
    """One line: what was looked at, what was seen, and what to do where something is missing.

    Args:
        part: what was looked at.
        said: what was seen.
        remedy: what to do; empty where all is well.
        needed: whether overmix cannot be used to the full without it.
    """

    part: str
    said: str
    remedy: str = ""
    needed: bool = False

    @property
    def is_well(self) -> bool:
        """Whether nothing that is needed is missing."""
        return not (self.needed and self.remedy)


def doctor(
    quick: Annotated[bool, typer.Option("--quick", help="Leave out the self-test.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of lines.")] = False,
) -> None:
    """Say what overmix finds here: versions, device, extras, data; and try a small study (about ten seconds).

    Exit code 0 if all that studies need is there and works, 2 if not; what is missing is said with the line that
    installs it. For example:

    ```
    overmix doctor
    overmix doctor --quick --json
    ```
    """
    findings: list[_Finding] = []
    for look in (_versions, _device, _extras, _data, *([] if quick else [_self_test])):
        for finding in look():
            findings.append(finding)
            if not as_json:
                print(_line(finding), flush=True)
    well = all(finding.is_well for finding in findings)
    if as_json:
        print(json.dumps({"well": well, "findings": [asdict(finding) for finding in findings]}, indent=2))
    else:
        print("All is well." if well else "Something is missing: see the lines with ✗ above.")
    if not well:
        raise typer.Exit(_NOT_WELL)


def _line(finding: _Finding) -> str:
    mark = "✓" if not finding.remedy else "✗" if finding.needed else "·"
    remedy = f"  ({finding.remedy})" if finding.remedy else ""
    return f"{mark} {finding.part:<18} {finding.said}{remedy}"


def _versions() -> list[_Finding]:
    installed = [f"{name} {version}" for name in _LIBRARIES if (version := _version(name))]
    system = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    return [
        _Finding("overmix", f"{__version__}, {system}"),
        _Finding("libraries", ", ".join(installed)),
    ]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _device() -> list[_Finding]:
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    processor = _Finding(
        "processor", f"{cores} cores, {torch.get_num_threads()} threads in a loop of your own, one a worker"
    )
    count = torch.cuda.device_count()
    names = ", ".join(torch.cuda.get_device_name(number) for number in range(count))
    return [processor, _Finding("GPU", names if count else "none that PyTorch can use; studies run on the processor")]


def _extras() -> list[_Finding]:
    """Return, per extra, whether all of its packages are there."""
    findings = []
    for extra, packages in _packages_of_extras().items():
        missing = [package for package in packages if _version(package) is None]
        said = "installed" if not missing else f"{', '.join(missing)} missing"
        remedy = f"pip install 'overmix[{extra}]'" if missing else ""
        findings.append(_Finding(f"extra {extra}", said, remedy, needed=extra == "study"))
    return findings


_FOR_DEVELOPERS = ("bench", "dev", "docs")


def _packages_of_extras() -> dict[str, list[str]]:
    """Return the packages of each extra, as the installed distribution names them."""
    extras: dict[str, list[str]] = {}
    for requirement in metadata.requires("overmix") or []:
        match = re.match(r"""(?P<name>[\w.-]+)[^;]*;.*extra == ['"](?P<extra>\w+)['"]""", requirement)
        if match and match["extra"] not in _FOR_DEVELOPERS:
            extras.setdefault(match["extra"], []).append(match["name"])
    return {extra: [name for name in names if name != "overmix"] for extra, names in extras.items()}


def _data() -> list[_Finding]:
    try:
        from overmix.study.data import load_dataset
    except ImportError as error:
        return [_Finding("data", f"not looked at: {error.name} is missing")]
    there, absent = ["digits"], []
    for name in _OPTIONAL_DATA:
        try:
            load_dataset(name)
        except OvermixError:
            absent.append(name)
        else:
            there.append(name)
    not_there = f"; not found: {', '.join(absent)} (name their folder: data.path)" if absent else ""
    return [_Finding("data", f"{', '.join(there)}{not_there}")]


def _self_test() -> list[_Finding]:
    """Run a tiny study, workers, statistics and page included."""
    began = time.monotonic()
    try:
        page_size = _tiny_study()
    except ImportError as error:
        return [_Finding("self-test", f"not run: {error.name} is missing", "pip install 'overmix[study]'", needed=True)]
    except (OvermixError, OSError) as error:
        return [_Finding("self-test", f"failed: {error}", "mend what it names", needed=True)]
    seconds = time.monotonic() - began
    return [_Finding("self-test", f"9 runs, statistics and a page of {page_size / 1e6:.1f} MB in {seconds:.0f} s")]


def _tiny_study() -> int:
    from importlib.resources import as_file, files
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from overmix.report import write_report
    from overmix.study import StudyResult, read_study, run_study

    with as_file(files("overmix.study") / "studies" / "tiny.yaml") as path:
        spec = read_study(path)
    pages: list[Path] = []

    with TemporaryDirectory() as folder:
        out = Path(folder) / "run"

        def show(result: StudyResult) -> None:
            pages.append(write_report(result, out).page)

        run_study(spec, out, show=show)
        return pages[0].stat().st_size
