"""``overmix explain``: why Mixup over-trains, in closed form and measured on one's own data."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from overmix.cli.options import AllowCode, AsJson
from overmix.cli.own_code import blaming
from overmix.errors import ConfigError

if TYPE_CHECKING:
    from overmix.report.explain import Explanation
    from overmix.study.data import Dataset

explain = typer.Typer(no_args_is_help=True, help="Say why Mixup over-trains.", rich_markup_mode="markdown")

_MOST = 10**9
"""Of anything that is counted; beyond, the numbers themselves overflow."""
ReportFolder = Annotated[
    Path | None, typer.Option("--out", "-o", help="Folder for report.html, summary.json and figures.")
]
DataOption = Annotated[str, typer.Option("--data", help="Name of a data set, or an .npz file with your x and y.")]
Seed = Annotated[int, typer.Option(min=0, max=10**15, help="Seed of everything random.")]


@explain.callback()
def _root() -> None:
    """Say why Mixup over-trains: theory in closed form, and measurements on your own data."""


@explain.command()
def floor(
    context: typer.Context,
    classes: Annotated[int | None, typer.Option(max=_MOST, help="Number of balanced classes.")] = None,
    class_counts: Annotated[str | None, typer.Option(help="Samples per class, with commas between.")] = None,
    data: Annotated[str | None, typer.Option(help="Data set or .npz file whose classes are counted.")] = None,
    study: Annotated[Path | None, typer.Option(help="Study file: the floors of its conditions that mix.")] = None,
    alpha: Annotated[float, typer.Option(help="Parameter of lam ~ Beta(alpha, alpha).")] = 1.0,
    lam: Annotated[float | None, typer.Option(help="A fixed weight instead of the Beta law.")] = None,
    batch_size: Annotated[
        int | None, typer.Option(max=_MOST, help="Partners come from a permutation of such batches.")
    ] = None,
    samples: Annotated[int | None, typer.Option(max=_MOST, help="Size of the training set, with --classes.")] = None,
    objective: Annotated[str, typer.Option(help="cross_entropy, squared_error or squared_error_mixed.")] = (
        "cross_entropy"
    ),
    allow_code: AllowCode = False,
    out: ReportFolder = None,
    as_json: AsJson = False,
) -> None:
    """Give the floor under a Mixup training loss: soft labels have an entropy that no model can go below.

    For example:

    ```
    overmix explain floor --classes 10 --alpha 1 --json
    overmix explain floor --class-counts 50,30,20 --alpha 0.4
    overmix explain floor --classes 10 --batch-size 128 --samples 50000
    overmix explain floor --study study.yaml
    ```
    """
    given = {"classes": classes, "class_counts": class_counts, "data": data, "study": study}
    named = [name for name, value in given.items() if value is not None]
    if len(named) != 1:
        raise ConfigError("classes", named or None, "give one of --classes, --class-counts, --data or --study")
    if lam is not None:
        _refuse_unused(context, ["alpha"], "lam")
    if classes is None:
        _refuse_unused(context, ["samples"], named[0])
    if study is not None:
        _refuse_unused(context, ["alpha", "lam", "batch_size", "objective", "out"], "study")
        _floors_of_study(study, allow_code=allow_code, as_json=as_json)
        return
    _check_place(out)
    from overmix.report.explain.floor import explain_floor

    counts = _counts(class_counts) if class_counts is not None else None if data is None else _counts_of(data)
    explanation = explain_floor(
        counts, classes=classes, alpha=alpha, lam=lam, batch_size=batch_size, samples=samples, objective=objective
    )
    _show(explanation, out, as_json=as_json)


@explain.command()
def noise(
    context: typer.Context,
    data: DataOption = "digits",
    alpha: Annotated[float, typer.Option(help="Parameter of lam ~ Beta(alpha, alpha).")] = 1.0,
    lam: Annotated[float | None, typer.Option(help="A fixed weight instead of the Beta law.")] = None,
    samples: Annotated[int, typer.Option(max=_MOST, help="Samples that are mixed, at most.")] = 2000,
    mixtures: Annotated[int, typer.Option(max=_MOST, help="Number of mixtures.")] = 20_000,
    teacher: Annotated[
        str,
        typer.Option(help="Your trained model, module:factory, judged on test samples; else teachers are fitted."),
    ] = "",
    model: Annotated[str, typer.Option(help="Model of the fitted teachers; by the samples' shape if empty.")] = "",
    epochs: Annotated[
        int | None, typer.Option(max=_MOST, help="Epochs of each fitted teacher; by its samples if empty.")
    ] = None,
    draws: Annotated[int, typer.Option(max=_MOST, help="Bootstrap draws of the intervals.")] = 1000,
    seed: Seed = 0,
    allow_code: AllowCode = False,
    out: ReportFolder = None,
    as_json: AsJson = False,
) -> None:
    """Measure how wrong Mixup's labels are on data: by weight, by pair of classes, and how often a third class shows.

    The truth at a mixed point is what teachers say that never saw its two samples. For example:

    ```
    overmix explain noise --data digits --out noise-digits
    overmix explain noise --data mine.npz --alpha 0.4 --json
    overmix explain noise --data mine.npz --teacher my_models:trained --allow-code
    ```
    """
    _check_place(out)
    from overmix.report.explain.noise import explain_noise
    from overmix.study.data.names import class_names

    if lam is not None:
        _refuse_unused(context, ["alpha"], "lam")
    field = "teacher" if teacher else "model"
    _check_code(field, teacher or model, allow_code)
    dataset = _dataset(data)
    _one_thread()
    console = Console(stderr=True, emoji=False)
    with blaming(field, _import_path(teacher or model)):
        explanation = explain_noise(
            dataset,
            samples=samples,
            mixtures=mixtures,
            alpha=alpha,
            lam=lam,
            teacher=teacher,
            model=model,
            epochs=epochs,
            seed=seed,
            draws=draws,
            class_names=class_names(dataset.name, dataset.num_classes),
            tell=lambda line: console.print(line, markup=False, highlight=False),
        )
    _show(explanation, out, as_json=as_json)


_OF_THE_TOY = ("inputs", "features", "teacher_width", "teacher_scale", "samples", "mixtures", "alpha", "lam", "seeds")


@explain.command()
def dynamics(
    context: typer.Context,
    inputs: Annotated[int, typer.Option(max=_MOST, help="Dimension of the Gaussian inputs.")] = 10,
    features: Annotated[int, typer.Option(max=_MOST, help="Random features d of the student.")] = 100,
    teacher_width: Annotated[int, typer.Option(max=_MOST, help="Hidden units of the teacher.")] = 5,
    teacher_scale: Annotated[float, typer.Option(help="Factor on the teacher's weights: larger ones bend more.")] = 1.0,
    samples: Annotated[int, typer.Option(max=_MOST, help="Original samples n.")] = 20,
    mixtures: Annotated[int, typer.Option(max=_MOST, help="Mixtures m; 0 for all n^2 ordered pairs.")] = 500,
    alpha: Annotated[float, typer.Option(help="Parameter of lam ~ Beta(alpha, alpha).")] = 1.0,
    lam: Annotated[float | None, typer.Option(help="A fixed weight instead of the Beta law.")] = None,
    seeds: Annotated[int, typer.Option(max=_MOST, min=1, help="Draws of teacher, student and data.")] = 30,
    eta: Annotated[float, typer.Option(help="Learning rate.")] = 0.1,
    steps: Annotated[int, typer.Option(help="Length of the training.")] = 1_000_000,
    arrays: Annotated[
        Path | None,
        typer.Option(help="Your own problem instead: .npz with features, targets, test_features, test_targets."),
    ] = None,
    out: ReportFolder = None,
    as_json: AsJson = False,
) -> None:
    """Draw the risk of random features over training, its bound and the switch-time curve, without training.

    The teacher-student toy with its controls: the same mixed inputs with true labels, under a teacher that the student
    can and one that it cannot represent, and fresh real samples. For example:

    ```
    overmix explain dynamics --out dynamics
    overmix explain dynamics --samples 50 --lam 0.9 --json
    overmix explain dynamics --arrays problem.npz --eta 0.01
    ```
    """
    _check_place(out)
    if lam is not None:
        _refuse_unused(context, ["alpha"], "lam")
    if arrays is not None:
        _refuse_unused(context, _OF_THE_TOY, "arrays")
        from overmix.report.explain.arrays import explain_arrays, read_problem

        explanation = explain_arrays(read_problem(arrays), eta=eta, steps=steps, name=arrays.name)
    else:
        from overmix.explain import Toy
        from overmix.report.explain.dynamics import explain_dynamics

        toy = Toy(
            inputs=inputs,
            features=features,
            teacher_width=teacher_width,
            samples=samples,
            mixtures=mixtures or None,
            lam=lam,
            alpha=alpha,
            teacher_scale=teacher_scale,
        )
        explanation = explain_dynamics(toy, steps=steps, seeds=range(seeds), eta=eta)
    _show(explanation, out, as_json=as_json)


@explain.command()
def hessian(
    data: DataOption = "digits",
    alpha: Annotated[float, typer.Option(help="Parameter of lam ~ Beta(alpha, alpha) in training.")] = 1.0,
    samples: Annotated[int, typer.Option(max=_MOST, help="Training samples, at most.")] = 1000,
    mixtures: Annotated[int, typer.Option(max=_MOST, help="Mixtures on which derivatives are taken.")] = 2000,
    model: Annotated[str, typer.Option(help="mlp, convnet, or module:factory; by the samples' shape if empty.")] = "",
    epochs: Annotated[int, typer.Option(max=_MOST, help="Epochs of training.")] = 50,
    seeds: Annotated[int, typer.Option(max=_MOST, min=1, help="Trainings of each kind.")] = 5,
    probes: Annotated[int, typer.Option(max=_MOST, help="Random vectors per derivative.")] = 4,
    allow_code: AllowCode = False,
    out: ReportFolder = None,
    as_json: AsJson = False,
) -> None:
    """Measure Jacobian and input Hessian of ERM and Mixup models, at even mixtures and near real samples.

    For example:

    ```
    overmix explain hessian --data digits
    overmix explain hessian --data fashion_mnist --seeds 3 --json
    ```
    """
    _check_place(out)
    from overmix.report.explain.hessian import explain_hessian

    _check_code("model", model, allow_code)
    dataset = _dataset(data)
    _one_thread()
    console = Console(stderr=True, emoji=False)
    with blaming("model", _import_path(model)):
        explanation = explain_hessian(
            dataset,
            alpha=alpha,
            samples=samples,
            mixtures=mixtures,
            model=model,
            epochs=epochs,
            seeds=range(seeds),
            probes=probes,
            tell=lambda line: console.print(line, markup=False, highlight=False),
            allow_code=allow_code,
        )
    _show(explanation, out, as_json=as_json)


def _check_place(out: Path | None) -> None:
    """Refuse a folder that nothing can be written to, before the work whose result it is to hold."""
    if out is not None:
        from overmix.report.explain import check_explanation_place

        check_explanation_place(out)


def _show(explanation: Explanation, out: Path | None, *, as_json: bool) -> None:
    if out is not None:
        from overmix.report.explain import write_explanation

        files = write_explanation(explanation, out)
    if as_json:
        print(json.dumps(explanation.summary, indent=2, ensure_ascii=False, allow_nan=False))
        return
    console = Console(emoji=False)
    console.print(Text(explanation.sentence, style="bold"))
    for finding in explanation.findings:
        console.print(Text(f"• {finding}"))
    for table in explanation.tables:
        shown = Table(title=Text(table.caption), title_justify="left")
        for number, column in enumerate(table.columns):
            shown.add_column(Text(column), justify="left" if number == 0 else "right")
        for row in table.rows:
            shown.add_row(*(Text(cell) for cell in row))
        console.print(shown)
    if out is not None:
        console.print(Text(f"Page: {files.page}"), soft_wrap=True)


def _refuse_unused(context: typer.Context, unused: Iterable[str], by: str) -> None:
    """Refuse options that were written and would have no effect beside the option ``by``."""
    for name in unused:
        source = context.get_parameter_source(name)
        if source is not None and source.name != "DEFAULT":
            remedy = f"it has no effect with --{by.replace('_', '-')}: leave one of the two out"
            raise ConfigError(name, context.params[name], remedy)


def _counts(text: str) -> list[int]:
    """Return the class counts that were written."""
    try:
        counts = [int(part) for part in text.split(",")]
    except ValueError:
        counts = []
    if not counts or min(counts) < 0 or not sum(counts):
        raise ConfigError("class_counts", text, "write whole numbers of samples >= 0, such as 50,30,20, not all 0")
    return counts


def _counts_of(data: str) -> list[int]:
    import torch

    dataset = _dataset(data)
    return [int(count) for count in torch.bincount(dataset.y, minlength=dataset.num_classes)]


def _dataset(data: str) -> Dataset:
    from overmix.study.data import load_dataset

    return load_dataset("npz", path=data) if data.endswith(".npz") else load_dataset(data)


def _import_path(name: str) -> str:
    """Return the name of a model if it is an import path, which runs the user's code; else nothing."""
    return name if ":" in name else ""


def _check_code(field: str, path: str, allow_code: bool) -> None:
    if _import_path(path) and not allow_code:
        raise ConfigError(field, path, "an import path runs that module's code: allow it with --allow-code")


def _one_thread() -> None:
    """Make numbers independent of the number of processors, unless the user chose a number of threads."""
    if "OMP_NUM_THREADS" not in os.environ:
        import torch

        torch.set_num_threads(1)


def _floors_of_study(path: Path, *, allow_code: bool, as_json: bool) -> None:
    from overmix.study import read_study
    from overmix.study.analyse.floors import study_floors

    floors: list[dict[str, Any]] = study_floors(read_study(path, allow_code=allow_code))
    if as_json:
        print(json.dumps({"command": "explain floor", "conditions": floors}, indent=2, ensure_ascii=False))
        return
    table = Table(title="Lowest mean training loss; mean over the seeds' class counts", title_justify="left")
    for column in ("condition", "floor", "why"):
        table.add_column(column)
    for row in floors:
        table.add_row(Text(row["condition"]), "–" if row["floor"] is None else f"{row['floor']:.6g}", Text(row["why"]))
    Console(emoji=False).print(table)
