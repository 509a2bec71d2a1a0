"""Options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from overmix.study.plan.shards import Shard

StudyFile = Annotated[Path, typer.Argument(help="Study file (YAML).", metavar="STUDY.yaml")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Run directory; gone on with if it holds this study.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Worker processes; the results do not depend on it.")]
AllowCode = Annotated[
    bool, typer.Option("--allow-code", help="Let code of your own be named by import path (runs it).")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of tables.")]
ShardOption = Annotated[
    str | None, typer.Option("--shard", help="Train a part only, such as 3/8, in a folder of its own; see merge.")
]
PartOption = Annotated[
    str | None,
    typer.Option(
        "--shard",
        help="Do a part only, such as 3/8; all parts may write to one folder. Then the command without it shows all.",
    ),
]
Fair = Annotated[
    bool, typer.Option("--fair", help="Tune every arm alike on held-out error, then compare the tuned ones on test.")
]
OpenPage = Annotated[bool, typer.Option("--open", help="Show the page in the browser when it is written.")]


def shard_of(text: str | None) -> Shard | None:
    """Return the shard that an option names."""
    if text is None:
        return None  # without what a shard is defined by, which takes PyTorch to import
    from overmix.study.plan.shards import Shard

    return Shard.parse(text)


def say_part_is_done(console: Console, shard: Shard) -> None:
    """Say what follows once a part is done."""
    console.print(f"Shard {shard} is done; when all are: the same command without --shard", highlight=False)


def run_directory(spec: Path, what: str = "") -> Path:
    """Return where a command puts a study by default: a folder in ``runs`` with the file's name, and what is done."""
    return Path("runs") / (f"{spec.stem}-{what}" if what else spec.stem)
