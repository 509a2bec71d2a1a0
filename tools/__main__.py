"""``python -m tools``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import tools
from overmix.errors import OvermixError
from overmix.study.store.files import write_bytes
from tools.census.page import CENSUS
from tools.conformance.page import CONFORMANCE
from tools.demo import DEMO
from tools.detector import DETECTOR
from tools.explain import EXPLAIN
from tools.gate.page import GATE
from tools.generated import Generated
from tools.kinds import KINDS
from tools.reproduction import REPRODUCTION
from tools.scale import SCALE
from tools.should_i_mix import SHOULD_I_MIX
from tools.speed import SPEED
from tools.switch_benchmark.frozen import FROZEN
from tools.switch_benchmark.page import SWITCH
from tools.systems import SYSTEMS_PAGE

ROOT = Path(__file__).parents[1]
GENERATED = (
    DEMO,
    CENSUS,
    CONFORMANCE,
    DETECTOR,
    EXPLAIN,
    FROZEN,
    GATE,
    KINDS,
    REPRODUCTION,
    SCALE,
    SHOULD_I_MIX,
    SPEED,
    SWITCH,
    SYSTEMS_PAGE,
)


def check(chosen: Sequence[Generated], root: Path) -> int:
    """Name the documents that are not what would be written, and return an exit code."""
    outdated = [(one, path) for one in chosen for path in one.outdated(root)]
    for one, path in outdated:
        print(f"{path} is not what its results say: python -m tools {one.name}")
    return int(bool(outdated))


def write(chosen: Sequence[Generated], root: Path, *, pictures: bool) -> None:
    """Write documents, and pictures if asked; each file is replaced at once, or not at all."""
    for one in chosen:
        for path, text in one.texts(root).items():
            write_bytes(root / path, text.encode())
        for path, picture in one.pictures(root).items() if pictures else ():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            write_bytes(root / path, picture)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    names = [one.name for one in GENERATED]
    parser = argparse.ArgumentParser(
        prog="python -m tools", description=tools.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", nargs="*", help=f"what to write, all by default: {', '.join(names)}")
    parser.add_argument("--pictures", action="store_true", help="draw pictures too")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if something would change")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="of a run, whose numbers are taken into results/")
    asked = parser.parse_args(arguments)
    for name in asked.name:
        if name not in names:
            parser.error(f"{name} is none of {', '.join(names)}")
    chosen = [one for one in GENERATED if not asked.name or one.name in asked.name]
    try:
        if asked.check:
            return check(chosen, ROOT)
        if asked.keep is not None:
            if len(asked.name) != 1 or chosen[0].keep is None:
                kept = ", ".join(one.name for one in GENERATED if one.keep is not None)
                parser.error(f"--keep needs one of {kept}")
            chosen[0].keep(asked.keep.resolve(), ROOT)
        write(chosen, ROOT, pictures=asked.pictures)
    except OvermixError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
