"""The commands, in the order of a user's journey. Heavy imports wait until a command needs them."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup

from overmix import __version__
from overmix.cli.benchmark import benchmark
from overmix.cli.census import census
from overmix.cli.diagnose import diagnose
from overmix.cli.doctor import doctor
from overmix.cli.explain import explain
from overmix.cli.fault import FAULT, tell_fault
from overmix.cli.init import init
from overmix.cli.own_code import OwnCodeError
from overmix.cli.plan import plan
from overmix.cli.recipes import recipes
from overmix.cli.report import report
from overmix.cli.reproduce import reproduce
from overmix.cli.rescue import rescue_command
from overmix.cli.stopping import stopped
from overmix.cli.studies import demo, merge, run_command, switch_command
from overmix.errors import OvermixError, StudyInterrupted

USAGE_ERROR, INTERRUPTED = 2, 130

_START, _RESEARCH = "Commands", "Research"
_JOURNEY = {
    "demo": _START,
    "init": _START,
    "run": _START,
    "switch": _START,
    "rescue": _START,
    "diagnose": _START,
    "explain": _START,
    "plan": _START,
    "merge": _START,
    "report": _START,
    "recipes": _START,
    "doctor": _START,
    "reproduce": _RESEARCH,
    "census": _RESEARCH,
    "benchmark": _RESEARCH,
}
"""Every command, in the order in which a user meets them, with the group that it is shown in."""


class _InOrder(TyperGroup):
    """Commands in the order of the journey; typer alone puts groups last."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands."""
        return sorted(self.commands, key=list(_JOURNEY).index)


app = typer.Typer(
    cls=_InOrder,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="The instrument for over-training with Mixup: mix, show, explain, switch off.",
    epilog="Start with **overmix demo**; for your own data, **overmix init**. \n\nExit codes: **0** done; **1** a "
    "fault of overmix itself, with its traceback; **2** something to mend in what was given, told in one line; "
    "**130** stopped by Ctrl-C; **143** by SIGTERM.",
)

_COMMANDS: dict[str, Callable[..., None]] = {
    "demo": demo,
    "init": init,
    "run": run_command,
    "switch": switch_command,
    "rescue": rescue_command,
    "diagnose": diagnose,
    "plan": plan,
    "merge": merge,
    "report": report,
    "recipes": recipes,
    "doctor": doctor,
    "reproduce": reproduce,
    "census": census,
}
for _name, _command in _COMMANDS.items():
    app.command(_name, rich_help_panel=_JOURNEY[_name])(_command)
app.add_typer(explain, name="explain", rich_help_panel=_JOURNEY["explain"])
app.add_typer(benchmark, name="benchmark", rich_help_panel=_JOURNEY["benchmark"])

_GO_ON = ("demo", "run", "switch", "reproduce", "census", "benchmark")
"""Commands that go on where an earlier one stopped."""


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
    except OwnCodeError as error:
        print(error.details, file=sys.stderr)
        _say(str(error), style="bold red")
        return USAGE_ERROR
    except OvermixError as error:
        _say(str(error), style="bold red")
        return USAGE_ERROR
    except MemoryError as error:
        mend = "use smaller numbers, fewer or smaller files, or a machine with more of it"
        _say(f"there is not enough memory for this ({error or 'none is left'}): {mend}", style="bold red")
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
    goes_on = bool(arguments) and arguments[0] in _GO_ON
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
