"""``overmix recipes``: which methods there are."""

from __future__ import annotations

import json

from rich.console import Console

from overmix.cli.options import AsJson


def recipes(as_json: AsJson = False) -> None:
    """List the mixing methods, with their parameters and sources.

    They are the names that `recipe` takes in a study file. For example:

    ```
    overmix recipes
    overmix recipes --json
    ```
    """
    from overmix.cli.tables import recipe_table
    from overmix.recipes import registered

    entries = list(registered().values())
    if as_json:
        print(json.dumps([entry.describe() for entry in entries], indent=2, ensure_ascii=False))
        return
    Console(emoji=False).print(recipe_table(entries))
