"""``overmix plan``: what a study will cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def plan(
    spec: Annotated[Path, typer.Argument(help="Study file (YAML).")],
    allow_code: Annotated[
        bool,
        typer.Option("--allow-code", help="Let the study name code of your own by import path (runs it)."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of a table.")] = False,
) -> None:
    """Say what a study will cost before it starts: runs, steps, FLOPs, memory, disk, and time on this machine.

    It checks the study as `run` does and trains for a few seconds to see how fast this machine is; nothing is written.
    For example:

    ```
    overmix plan study.yaml
    overmix plan study.yaml --json
    ```
    """
    from overmix.study import read_study
    from overmix.study.plan.cost import as_rows, plan_cost

    cost = plan_cost(read_study(spec, allow_code=allow_code), allow_code=allow_code)
    if as_json:
        print(json.dumps(cost, indent=2, ensure_ascii=False))
        return
    print(cost["name"])
    for name, value in as_rows(cost):
        print(f"  {name:<8}{value}")
