"""``overmix rescue``: a training that is over, finished without mixing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from overmix.cli.options import AsJson
from overmix.cli.own_code import blaming

_FORM = "module:function"


def rescue_command(
    factory: Annotated[
        str, typer.Argument(metavar="MODULE:FUNCTION", help="Your function that returns the training, mixing nothing.")
    ],
    checkpoints: Annotated[
        str,
        typer.Argument(
            metavar="PATTERN",
            help="Your checkpoints, in quotes: {epoch} for the epochs done, {index} if they count from 0, {step} for "
            "optimizer steps, * for anything.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Where the result goes; by default `rescued` beside the checkpoints."),
    ] = None,
    tail: Annotated[float, typer.Option(help="Length of a tail, as a share of the training.")] = 0.02,
    as_json: AsJson = False,
) -> None:
    """Finish a training that is over, and got worse with Mixup, from the right one of its checkpoints.

    From each checkpoint a short tail without mixing is trained and scored on held-out samples; from the one where
    AutoSwitch would have switched off, the training is finished without mixing. Your files are only read, and nothing
    is written over. The function returns a `PlainTraining`, a `LightningTraining` or a `TransformersTraining`; what
    these hold, with an example of each, is in docs/rescue.md. For example:

    ```
    overmix rescue finish:training 'runs/epoch_{epoch}.pt'
    overmix rescue finish:training 'checkpoints/epoch={index}-*.ckpt' --out rescued.ckpt
    overmix rescue finish:training 'out/checkpoint-{step}' --json
    ```
    """
    console = Console(stderr=as_json, emoji=False, highlight=False, soft_wrap=True)
    with console.status("loading the training") as status, blaming("MODULE:FUNCTION", factory):
        from overmix.import_path import import_attribute
        from overmix.switch import AutoSwitch
        from overmix.switch.rescue import Checkpoints, rescue

        policy = AutoSwitch(tail=tail)
        build = import_attribute(factory, field="MODULE:FUNCTION", form=_FORM)
        paths = Checkpoints(checkpoints, steps=lambda: int(build().steps))
        one = paths[next(iter(paths))]
        rescued = rescue(build, paths, out or one.with_name(f"rescued{one.suffix}"), policy, tell=status.update)
    if as_json:
        print(json.dumps(rescued.to_dict(), indent=2, ensure_ascii=False))
        return
    console.print(str(rescued), markup=False)
