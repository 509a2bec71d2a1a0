"""Pages that a command wrote, in the browser."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

PAGE = "report.html"
"""In a run directory."""


def show_page(page: Path, console: Console) -> None:
    """Open a page in the browser, or say that there is none."""
    import webbrowser

    if not webbrowser.open(page.resolve().as_uri()):
        console.print("No browser was found here: open the page yourself.", highlight=False)
