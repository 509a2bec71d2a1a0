"""``overmix init``: a first study of one's own data."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from overmix.errors import ConfigError

if TYPE_CHECKING:
    from overmix.study.data.inspect import Inspection

_TABLES = ("csv", "parquet")


def init(
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="PATH", help="Your data: npz, CSV, Parquet, or a folder of images. Asked for if left out."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The study file to write; by default named after the data.")
    ] = None,
    target: Annotated[str, typer.Option(help="Of a table: the column that is predicted. Asked for if unclear.")] = "",
    domain: Annotated[str, typer.Option(help="Of a table: the column that says where a row comes from (LISA).")] = "",
    labels: Annotated[
        Literal["auto", "classes", "values", "rows", "views"], typer.Option(help="What the labels are, if unclear.")
    ] = "auto",
    force: Annotated[bool, typer.Option("--force", help="Write over a study file that is there.")] = False,
) -> None:
    """Look at your data, say what is in them, and write a study that fits; it runs as it is.

    A table needs a header and the name of its target column; a folder of images has a folder for each class, or train/
    and test/ with those; an npz holds x and y. Nothing is trained. For example:

    ```
    overmix init mice.csv --target outcome
    overmix init photos/ --out photos.yaml
    overmix init measurements.npz
    ```
    """
    console = Console(emoji=False, highlight=False, soft_wrap=True)
    place = path or _ask_for_data(console)
    file = out or Path(f"{place.resolve().name.split('.')[0] or 'study'}.yaml")
    with console.status("looking at the data", spinner="dots"):
        from overmix.files.folders import made_folder
        from overmix.study.data.inspect import inspect_data
        from overmix.study.store.files import write_bytes
    chosen, guess = _target_of(place, target, console)
    with console.status("looking at the data", spinner="dots"):
        inspection = inspect_data(place, target=chosen, domain=domain, labels=labels)
        inspection = replace(inspection, facts=(*guess, *inspection.facts))
        text = _checked(inspection, file)
    # Last, so that a file that is there does not hide what is wrong with the data.
    if file.is_dir():
        raise ConfigError("--out", str(file), "it is a folder: name a file, such as study.yaml in it")
    if file.exists() and not force:
        raise ConfigError("--out", str(file), "it is there already: name another file, or write over it with --force")
    # Through a link, as an editor would; whole or not at all, as it may be written over a study with work in it.
    write_bytes(made_folder(file.resolve().parent) / file.resolve().name, text.encode())
    console.print(f"{place}:", markup=False)
    for fact in inspection.facts:
        console.print(f"  {fact}", markup=False)
    console.print(f"Wrote {file}. Next:\n    overmix plan {file}\n    overmix run {file} --open", markup=False)


def _ask_for_data(console: Console) -> Path:
    if not sys.stdin.isatty():
        raise ConfigError("PATH", None, "name your data: an npz, a CSV, a Parquet file or a folder of images")
    console.print("Your data: an npz, a CSV, a Parquet file, or a folder of images with a folder for each class.")
    return Path(typer.prompt("Path")).expanduser()


def _target_of(place: Path, asked: str, console: Console) -> tuple[str, tuple[str, ...]]:
    """Return the target column of a table, and what is to be said of it where it was guessed; nothing for other data.

    It is asked for if no column's name gives it away.

    Raises:
        ConfigError: if there is no such column, or none is named and nobody can be asked; with a line to copy.
    """
    from overmix.study.data.inspect import form_of, target_choices

    if form_of(place) not in _TABLES:
        return asked, ()
    columns, likely = target_choices(place)
    if asked and asked in columns:
        return asked, ()
    columns = [name for name in columns if name]  # the last has none where a separator ends the lines
    shown = ", ".join(columns[:20]) + (", ..." if len(columns) > 20 else "")
    if asked:
        near = get_close_matches(asked, columns, n=1, cutoff=0.5)
        raise ConfigError("--target", asked, f"no such column: {_line(place, [*near, likely, columns[-1]])} ({shown})")
    if likely is not None:
        return likely, (f"target: {likely} (taken for its name; --target changes it)",)
    if not sys.stdin.isatty():
        line = _line(place, columns[-1:])
        raise ConfigError("--target", "", f"name the column that is to be predicted: {line} ({shown})")
    console.print(f"Columns: {', '.join(columns)}", markup=False)
    return str(typer.prompt("Which one is to be predicted?", default=columns[-1])), ()


def _line(place: Path, columns: Sequence[str | None]) -> str:
    """Return the line to copy that names the first of these columns."""
    column = next(name for name in columns if name)
    return f"overmix init {shlex.quote(str(place))} --target {shlex.quote(column)}"


def _checked(inspection: Inspection, file: Path) -> str:
    """Return the text of the study, once it is known to run: everything is checked but nothing trained."""
    from overmix.study import parse_study, plan_study
    from overmix.study.spec.parse import with_absolute_paths
    from overmix.study.spec.proposal import proposed_study
    from overmix.study.spec.yaml_file import parse_yaml

    text = proposed_study(inspection, file.resolve().parent, file.stem)
    content = with_absolute_paths(parse_yaml(text, str(file)), file.resolve().parent)
    plan_study(parse_study(content))
    return text
