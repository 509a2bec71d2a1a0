"""Pages that a command wrote: named, and shown if asked for."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape


def tell_page(page: Path, console: Console, *, show: bool) -> None:
    """Print where a page is, and open it in the browser if asked to."""
    console.print(f"Page: {escape(str(page))}", highlight=False, soft_wrap=True)
    if not show:
        return
    import webbrowser

    if not webbrowser.open(page.resolve().as_uri()):
        console.print("No browser was found here: open the page yourself.", highlight=False)
