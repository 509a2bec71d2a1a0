"""The lowest versions that ``pyproject.toml`` promises to work with, as pip takes them.

    python tools/lowest.py study > lowest.txt              # core and extra, pinned to their lower bounds
    python tools/lowest.py study --without torch > lowest.txt

CI installs them, all but PyTorch's, whose wheels are large: that one is tried by hand, with what is said in
``results/lowest_torch.json``.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # comes with pytest

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
_BOUNDED = re.compile(r"(?P<name>[\w.-]+)(\[[\w,-]+\])?>=(?P<lowest>[\d.]+)$")
_NESTED = r"{name}\[(?P<extras>[\w, -]+)\]$"


def lowest(requirements: Sequence[str], without: Collection[str] = ()) -> list[str]:
    """Return requirements pinned to their lower bounds; those without a bound, and other extras, are left out.

    Example:
        >>> lowest(["torch>=2.4", "PyYAML>=6", "types-PyYAML", "overmix[study]"], without=["torch"])
        ['PyYAML==6']
    """
    bounds = [match for match in map(_BOUNDED.match, requirements) if match]
    return [f"{bound['name']}=={bound['lowest']}" for bound in bounds if bound["name"] not in without]


def declared(extras: Sequence[str], pyproject: Path = PYPROJECT) -> list[str]:
    """Return the requirements of the core and of some extras, with those of the extras that they name in turn."""
    project: dict[str, Any] = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    nested = re.compile(_NESTED.format(name=re.escape(project["name"])))
    requirements, to_read = list(project["dependencies"]), list(extras)
    for extra in to_read:
        for requirement in project["optional-dependencies"][extra]:
            if match := nested.match(requirement):
                named = (name.strip() for name in match["extras"].split(","))
                to_read.extend(name for name in named if name not in to_read)
            else:
                requirements.append(requirement)
    return requirements


def main() -> None:
    """Print the pins."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("extra", nargs="*", help="an extra beside the core")
    parser.add_argument("--without", action="append", default=[], help="a package to leave as it is")
    arguments = parser.parse_args()
    print("\n".join(lowest(declared(arguments.extra), arguments.without)))


if __name__ == "__main__":
    main()
