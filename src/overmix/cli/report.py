"""``overmix report``: a finished study as a page, a table or words for a paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from overmix.cli.options import OpenPage
from overmix.cli.pages import PAGE, show_page
from overmix.errors import ConfigError


def report(
    directory: Annotated[Path, typer.Argument(help="A finished run directory.", metavar="DIR")],
    table: Annotated[
        Literal["text", "markdown", "latex"] | None,
        typer.Option("--table", help="Print the table of results in this form, and write nothing."),
    ] = None,
    paper: Annotated[
        bool,
        typer.Option("--paper", help="Print a paragraph of methods, with versions, seeds and intervals, and BibTeX."),
    ] = False,
    open_page: OpenPage = False,
) -> None:
    """Write the page and the figures of a finished run directory again, or print its results for a paper.

    For example, after an update of overmix, and then into a manuscript:

    ```
    overmix report runs/study --open
    overmix report runs/study --table latex > results.tex
    overmix report runs/study --paper
    ```
    """
    if (table or paper) and open_page:
        raise ConfigError("--open", True, "with --table or --paper no page is written: leave it out")
    if table or paper:
        _print_for_paper(directory, table, paper=paper)
        return
    page = _written(directory)
    print(page)
    if open_page:
        show_page(page, Console(emoji=False))


def _print_for_paper(directory: Path, table: Literal["text", "markdown", "latex"] | None, *, paper: bool) -> None:
    from overmix.report.paper import bibtex, methods, results_table
    from overmix.study import load_result

    result = load_result(directory)
    parts = [results_table(result, table)] if table else []
    parts += [methods(result), bibtex(result)] if paper else []
    print("\n\n".join(parts))


def _written(directory: Path) -> Path:
    """Return the page, written again unless it is what would be written."""
    from overmix.study.store.receipt import is_unchanged, write_receipt

    if is_unchanged(directory):
        return directory / PAGE
    with Console(stderr=True, emoji=False).status("writing the page", spinner="dots"):
        from overmix.report import write_report
        from overmix.study import locked_result

        with locked_result(directory) as result:
            page = write_report(result, directory).page
            write_receipt(directory, None)
    return page
