"""Options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
OpenPage = Annotated[bool, typer.Option("--open", help="Show the page in the browser when it is written.")]


def run_directory(spec: Path, *, switch: bool) -> Path:
    """Return where ``run`` and ``switch`` put a study by default: a folder in ``runs`` with the file's name."""
    return Path("runs") / (f"{spec.stem}-switch" if switch else spec.stem)
