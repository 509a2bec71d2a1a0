"""Commands and their options. Heavy imports wait until a command needs them; PyTorch itself takes a second."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from overmix import __version__
from overmix.cli.benchmark import benchmark
from overmix.cli.census import census
from overmix.cli.diagnose import diagnose
from overmix.cli.explain import explain
from overmix.cli.fault import FAULT, tell_fault
from overmix.cli.plan import plan
from overmix.cli.reproduce import reproduce
from overmix.cli.stopping import stopped
from overmix.errors import OvermixError, StudyInterrupted

if TYPE_CHECKING:
    from overmix.study import Summary
    from overmix.study.plan.shards import Shard
    from overmix.study.store.receipt import Request

USAGE_ERROR, INTERRUPTED = 2, 130
PAGE = "report.html"

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="The instrument for over-training with Mixup: mix, show, explain, switch off.",
    epilog="Start with **overmix demo**. \n\nExit codes: **0** done; **1** a fault of overmix itself, "
    "with its traceback; **2** something to mend in what was given, told in one line; **130** stopped by Ctrl-C.",
)

app.add_typer(benchmark, name="benchmark")
app.add_typer(explain, name="explain")
app.command()(diagnose)
app.command()(census)
app.command()(reproduce)
app.command()(plan)

Out = Annotated[Path | None, typer.Option("--out", "-o", help="Run directory; gone on with if it holds this study.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Worker processes; the results do not depend on it.")]
ShardOption = Annotated[
    str | None, typer.Option("--shard", help="Train a part only, such as 3/8, in a folder of its own; see merge.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of tables.")]


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; errors that the user can mend are one line on stderr."""
    try:
        app(args=list(arguments), prog_name="overmix")
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 0 if left.code is None else USAGE_ERROR
        if code == INTERRUPTED:
            _say_how_to_go_on("stopped", arguments)
            return stopped() or INTERRUPTED
        return code
    except StudyInterrupted as interrupted:
        _say_how_to_go_on(str(interrupted), arguments)
        return stopped() or INTERRUPTED
    except OvermixError as error:
        _say(str(error), style="bold red")
        return USAGE_ERROR
    except ModuleNotFoundError:
        raise  # an extra that is not installed; the entry point names it
    except Exception as error:
        signalled = stopped()
        if signalled is not None:
            # In the middle of an import, or of compiled code, Ctrl-C comes out as something else.
            _say_how_to_go_on("stopped", arguments)
            return signalled
        tell_fault(error)
        return FAULT
    return 0


def _say_how_to_go_on(what: str, arguments: Sequence[str]) -> None:
    goes_on = bool(arguments) and arguments[0] in ("demo", "run", "switch", "reproduce", "census", "benchmark")
    _say(f"{what}; go on with the same command:\n    overmix {shlex.join(arguments)}" if goes_on else what)


def _say(message: str, style: str = "") -> None:
    """Print on stderr, as it is: no markup, no line breaks of our own."""
    Console(stderr=True, highlight=False, soft_wrap=True, emoji=False).print(
        Text.assemble(("overmix:", style), " ", message)
    )


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.", is_eager=True)] = False,
) -> None:
    if version:
        print(f"overmix {__version__}")
        raise typer.Exit


@app.command()
def demo(
    out: Out = None,
    quick: Annotated[bool, typer.Option("--quick", help="A few seconds instead of two minutes; shows no U.")] = False,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Show the U-shaped curve of Mixup, and the cure, on real images of digits (about two minutes).

    Trains ERM, Mixup, and Mixup switched to ERM, over 16 seeds, and writes a page to look at. For example:

    ```
    overmix demo
    overmix demo --quick --json
    ```
    """
    from importlib.resources import as_file, files

    from overmix.study.store.receipt import request_of

    name = "tiny" if quick else "demo"
    folder = out or Path("overmix-demo-quick" if quick else "overmix-demo")
    with as_file(files("overmix.study") / "studies" / f"{name}.yaml") as path:
        request = request_of("demo", path, workers=workers)
        if _show_finished(folder, request, as_json=as_json):
            return
        from overmix.study import read_study

        spec = read_study(path)
    _run_and_report(spec, folder, workers, as_json=as_json, request=request)


@app.command("run")
def run_command(
    spec: Annotated[Path, typer.Argument(help="Study file (YAML).")],
    out: Out = None,
    workers: Workers = None,
    allow_code: Annotated[
        bool,
        typer.Option("--allow-code", help="Let the study name code of your own by import path (runs it)."),
    ] = False,
    other_machine: Annotated[
        bool, typer.Option("--other-machine", help="Go on with a run directory of another machine or version.")
    ] = False,
    shard: ShardOption = None,
    as_json: AsJson = False,
) -> None:
    """Run a study, or what is still missing of it, and write its page.

    A study file can be as short as this; every key has a default:

    ```
    data: {name: digits, train_size: 200}
    train: {epochs: 200}
    seeds: 5
    ```

    The command goes on where an earlier one stopped, and adds seeds and conditions to a finished study. For example:

    ```
    overmix run study.yaml
    overmix run study.yaml --out runs/first --workers 2
    overmix run study.yaml --json > summary.json
    ```
    """
    from overmix.study.store.receipt import request_of

    part = _shard(shard)
    folder = out or _folder(spec.stem, part)
    # Code of the user's own may do something else today.
    request = None if allow_code or part else request_of("run", spec, workers=workers, other_machine=other_machine)
    if _show_finished(folder, request, as_json=as_json):
        return
    from overmix.study import read_study

    study = read_study(spec, allow_code=allow_code)
    _run_and_report(
        study,
        folder,
        workers,
        as_json=as_json,
        allow_code=allow_code,
        other_machine=other_machine,
        request=request,
        shard=part,
    )


@app.command()
def merge(
    directories: Annotated[list[Path], typer.Argument(help="Run directories of all shards of a study.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Run directory of the whole study.")],
    allow_code: Annotated[
        bool, typer.Option("--allow-code", help="Let the study name code of your own by import path (runs it).")
    ] = False,
    other_machine: Annotated[
        bool, typer.Option("--other-machine", help="Join shards of unequal machines or versions.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Join the shards of a study into one run directory, and write its page. Nothing is trained.

    The curves are those of one run of the whole study, byte for byte. For example:

    ```
    overmix run study.yaml --shard 1/2 --out runs/part-1
    overmix run study.yaml --shard 2/2 --out runs/part-2
    overmix merge runs/part-1 runs/part-2 --out runs/study
    ```
    """
    from overmix.report import write_report
    from overmix.study.run.merge import merge_study

    pages: list[Path] = []
    summary = merge_study(
        directories,
        out,
        allow_code=allow_code,
        other_machine=other_machine,
        show=lambda result: pages.append(write_report(result, out).page),
    )
    _show_summary(Console(stderr=as_json, emoji=False), summary, pages[0], as_json=as_json)


@app.command("switch")
def switch_command(
    spec: Annotated[Path, typer.Argument(help="Study file (YAML).")],
    out: Out = None,
    workers: Workers = None,
    allow_code: Annotated[
        bool,
        typer.Option("--allow-code", help="Let the study name code of your own by import path (runs it)."),
    ] = False,
    shard: ShardOption = None,
    as_json: AsJson = False,
) -> None:
    """Find out when to switch Mixup off in a study: its mixing condition, switched off on a log grid of epochs.

    Beside the grid it trains ERM, Mixup to the end, the condition that decides by itself, and what else might help:
    weight decay, and half the budget. The page shows final error against switch epoch. For example:

    ```
    overmix switch study.yaml
    overmix switch study.yaml --out runs/when --json > summary.json
    ```
    """
    from overmix.study.store.receipt import request_of

    part = _shard(shard)
    folder = out or _folder(f"{spec.stem}-switch", part)
    request = None if allow_code or part else request_of("switch", spec, workers=workers)
    if _show_finished(folder, request, as_json=as_json):
        return
    from overmix.study import plan_study, read_study, sweep_study

    own = read_study(spec, allow_code=allow_code)
    plan_study(own, allow_code=allow_code)  # first, so that errors name what the user wrote, not what is made from it
    study = sweep_study(own)
    _run_and_report(study, folder, workers, as_json=as_json, allow_code=allow_code, request=request, shard=part)


@app.command()
def report(directory: Annotated[Path, typer.Argument(help="A finished run directory.")]) -> None:
    """Write the page and the figures of a finished run directory again.

    For example, after an update of overmix:

    ```
    overmix report runs/study
    ```
    """
    from overmix.study.store.receipt import is_unchanged, write_receipt

    if is_unchanged(directory):
        print(directory / PAGE)
        return
    from overmix.report import write_report
    from overmix.study import locked_result

    with locked_result(directory) as result:
        print(write_report(result, directory).page)
        write_receipt(directory, None)


@app.command()
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
        _print_json([entry.describe() for entry in entries])
        return
    Console(emoji=False).print(recipe_table(entries))


def _shard(text: str | None) -> Shard | None:
    if text is None:
        return None  # without what a shard is defined by, which takes PyTorch to import
    from overmix.study.plan.shards import Shard

    return Shard.parse(text)


def _folder(stem: str, shard: Shard | None) -> Path:
    """Return the run directory where none is named; shards have one each."""
    return Path("runs") / (stem if shard is None else f"{stem}-shard-{shard.number}-of-{shard.of}")


def _show_finished(folder: Path, request: Request | None, *, as_json: bool) -> bool:
    """Show a study that is finished, if nothing that it came from has changed; return whether it was."""
    from overmix.study.analyse.record_json import from_json
    from overmix.study.store.files import read_json
    from overmix.study.store.receipt import is_unchanged

    if request is None or not is_unchanged(folder, request):
        return False
    summary = from_json(read_json(folder / "summary.json"))
    console = Console(stderr=as_json, emoji=False)
    console.print(
        f"{escape(summary.name)}: finished, and nothing has changed since; results are in {escape(str(folder))}",
        highlight=False,
        soft_wrap=True,
    )
    _show_summary(console, summary, folder / PAGE, as_json=as_json)
    return True


def _run_and_report(
    spec: Any,
    out: Path,
    workers: int | None,
    *,
    as_json: bool,
    allow_code: bool = False,
    other_machine: bool = False,
    request: Request | None = None,
    shard: Shard | None = None,
) -> None:
    from overmix.cli.progress import StudyProgress
    from overmix.report import write_report
    from overmix.study import run_study
    from overmix.study.spec.schema import condition_parts
    from overmix.study.store.receipt import write_receipt

    if workers is not None:
        spec = spec.model_copy(update={"executor": spec.executor.model_copy(update={"workers": workers})})
    # With --json standard output belongs to the script that reads it.
    console = Console(stderr=as_json, emoji=False)
    if shard is not None:
        from overmix.study.run.run_study import run_shard

        with StudyProgress(console, f"{spec.name}, shard {shard}", out) as progress:
            run_shard(
                spec,
                out,
                shard,
                allow_code=allow_code,
                other_machine=other_machine,
                on_start=progress.start,
                tell=progress.tell,
            )
        console.print(f"Shard {shard} is done; when all are: overmix merge DIR... --out OUT", highlight=False)
        return
    pages: list[Path] = []
    with StudyProgress(console, spec.name, out) as progress:
        summary = run_study(
            spec,
            out,
            allow_code=allow_code,
            other_machine=other_machine,
            on_start=progress.start,
            tell=progress.tell,
            show=lambda result: pages.append(write_report(result, out).page),
        )
    write_receipt(out, request, [condition_parts(spec, condition)[0] for condition in spec.compare])
    _show_summary(console, summary, pages[0], as_json=as_json)


def _show_summary(console: Console, summary: Summary, page: Path, *, as_json: bool) -> None:
    from overmix.cli.tables import advice_lines, summary_table
    from overmix.study import summary_to_json

    if as_json:
        _print_json(summary_to_json(summary))
        return
    console.print(summary_table(summary))
    for line in advice_lines(summary.advice):
        console.print(line)
    if summary.advice.note:
        console.print(Text(summary.advice.note, style="dim"))
    console.print(f"Page: {escape(str(page))}", highlight=False, soft_wrap=True)


def _print_json(content: Any) -> None:
    print(json.dumps(content, indent=2, ensure_ascii=False))
