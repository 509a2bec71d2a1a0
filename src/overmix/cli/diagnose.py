"""``overmix diagnose``: did a run over-train, by the logs that other tools left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def diagnose(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Logs: files, or folders to search. Several runs count as seeds.", metavar="PATH…"),
    ],
    x: Annotated[
        str | None, typer.Option("--x", help="Column of the horizontal axis; epoch or step if not given.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="Column to judge; the held-out metric if not given.")] = None,
    lower_is_better: Annotated[
        bool | None,
        typer.Option(
            "--lower-is-better/--higher-is-better",
            help="Which way the metric is better; by its name if not given.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of sentences.")] = False,
) -> None:
    """Say whether logged curves are U-shaped, where they turn, how deep they are, and what to do.

    Reads CSV (Lightning's too), TensorBoard event files, Hugging Face's trainer_state.json, Keras histories and MLflow
    runs. Accuracies and scores are turned around, which their names tell, or you do. For example:

    ```
    overmix diagnose lightning_logs/version_0
    overmix diagnose seed0.csv seed1.csv seed2.csv seed3.csv seed4.csv
    overmix diagnose curve.csv --x epoch --metric test_error --json
    overmix diagnose runs/segmentation --metric val/quality --higher-is-better
    ```
    """
    from overmix.diagnose.logs import read_curves

    curves = read_curves(paths, metric=metric, x=x)
    found = curves.diagnose(lower_is_better=lower_is_better)
    if as_json:
        print(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
        return
    count = len(curves.runs)
    runs = curves.runs[0] if count == 1 else f"{count} runs, {curves.runs[0]} to {curves.runs[-1]}"
    direction = "lower" if found.lower_is_better else "higher"
    print(f"{curves.metric} ({direction} is better) by {curves.axis}, {found.n_epochs} points: {runs}")
    if found.depth_ci is not None:
        low, high = found.depth_ci
        print(
            f"turning epoch {found.turning_epoch:g}, best {found.best:.4g}, final {found.final:.4g}, "
            f"depth {found.depth:.3g} ({100 * found.level:g} %: {low:.3g} to {high:.3g}; {found.delta:.3g} matters)"
        )
    print(found.advice)
