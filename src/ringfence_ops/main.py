"""The command `ringfence`: what an operator runs.

Every error is one line on standard error: what happened, why, and what to do. `EXIT_CODES` has the exit codes.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from ringfence_ops.aws.errors import command_error
from ringfence_ops.aws.sessions import Aws
from ringfence_ops.cli.command_run import CommandRun
from ringfence_ops.cli.extensions import ExtensibleGroup, missing
from ringfence_ops.cli.global_options import PANEL
from ringfence_ops.cli.terminal import Output
from ringfence_ops.cli.text import visible
from ringfence_ops.cli.version import version as version_of_build
from ringfence_ops.cluster.cluster_file import NAME
from ringfence_ops.commands import (
    adopt,
    dashboard,
    dead_letters,
    deploy,
    destroy,
    doctor,
    explain,
    history,
    init,
    pause,
    plan,
    retire,
    status,
    sync,
)
from ringfence_ops.commands import template as template_command
from ringfence_ops.errors import CommandError, Interrupted, WrongUsage

BROKEN_PIPE = 141
"""The exit code if what reads standard output has ended: that of a process that SIGPIPE ends, in a shell."""

EXIT_CODES = """\b
Exit codes:
  0    in sync; the command did what it was asked to
  1    a Region does not answer, or an error
  2    any other state: not in sync, something to change, something found
  64   wrong usage: of an option, an argument or the cluster file
  130  Ctrl-C
  141  what reads the output has ended

\b
A value comes from the first of these that has it:
  1. an option; of the same option twice, the later one
  2. the environment: RINGFENCE_CLUSTER_FILE, AWS_PROFILE, AWS_ENDPOINT_URL ...
  3. the AWS profile, in AWS's own files
  4. the default
What the cluster is comes from the cluster file alone.
"""

app = typer.Typer(
    name="ringfence",
    cls=ExtensibleGroup,
    help="Keeps the security groups of a cluster that spans AWS Regions open to exactly the cluster's own members.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def _show_version(*, wanted: bool) -> None:
    if wanted:
        Output().show_version(version_of_build())
        raise typer.Exit


@app.callback(epilog=EXIT_CODES)
def ringfence(
    context: typer.Context,
    cluster_file: Annotated[
        Path,
        typer.Option(
            envvar="RINGFENCE_CLUSTER_FILE", help="The file that describes the cluster.", rich_help_panel=PANEL
        ),
    ] = Path(NAME),
    profile: Annotated[
        str | None, typer.Option(help="The AWS profile. Default: AWS_PROFILE.", rich_help_panel=PANEL)
    ] = None,
    endpoint_url: Annotated[
        str | None,
        typer.Option(
            help="The URL that all AWS requests go to, such as a lab's. Default: AWS_ENDPOINT_URL.",
            rich_help_panel=PANEL,
        ),
    ] = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel=PANEL)
    ] = False,
    version: Annotated[  # noqa: ARG001  # its callback shows it
        bool,
        typer.Option(
            "--version",
            help="Show the version and exit.",
            is_eager=True,
            callback=lambda value: _show_version(wanted=value),
            rich_help_panel=PANEL,
        ),
    ] = False,
) -> None:
    """Keeps the security groups of a cluster that spans AWS Regions open to exactly the cluster's own members."""
    context.obj = CommandRun(Aws(profile, endpoint_url), cluster_file, debug=debug)


app.command(epilog=init.EXAMPLES)(init.init)
app.command(epilog=deploy.EXAMPLES)(deploy.deploy)
app.command(epilog=status.EXAMPLES)(status.status)
app.command(epilog=plan.EXAMPLES)(plan.plan)
app.command(epilog=sync.EXAMPLES)(sync.sync)
app.command(epilog=pause.PAUSE_EXAMPLES)(pause.pause)
app.command(epilog=pause.RESUME_EXAMPLES)(pause.resume)
app.command(epilog=explain.EXAMPLES)(explain.explain)
app.command(epilog=history.EXAMPLES)(history.history)
app.command(epilog=doctor.EXAMPLES)(doctor.doctor)
app.command(epilog=dashboard.EXAMPLES)(dashboard.dashboard)
app.add_typer(dead_letters.dead_letters, epilog=dead_letters.EXAMPLES)
app.command(epilog=adopt.EXAMPLES)(adopt.adopt)
app.command(epilog=retire.EXAMPLES)(retire.retire)
app.command(epilog=template_command.EXAMPLES)(template_command.template)
app.command(epilog=destroy.EXAMPLES)(destroy.destroy)


def run(arguments: list[str]) -> int:
    """Runs one command and returns its exit code. Every error becomes one line; `--debug` shows its traceback too."""
    code = _run(arguments)
    try:
        sys.stdout.flush()
    except OSError as error:
        _discard_output()
        if isinstance(error, BrokenPipeError):
            return BROKEN_PIPE
        return code if code == CommandError.exit_code else _fail(command_error(error))
    return code


def _run(arguments: list[str]) -> int:
    try:
        code = app(arguments, standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        return _fail(Interrupted("interrupted"))
    except SystemExit as ended:  # Typer's, where what reads the output has ended: that is no error
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        _discard_output()
        return BROKEN_PIPE
    except Exception as error:  # noqa: BLE001  # the one place that turns errors into words
        if _is_wrong_usage(error):
            error.message = visible(str(getattr(error, "message", error)))  # type: ignore[attr-defined]  # likewise
            error.show()  # type: ignore[attr-defined]  # Typer's own errors have it
            return WrongUsage.exit_code
        if "--debug" in arguments:
            Output().trace()
        match error:
            case ImportError():
                return _fail(missing(error, arguments))
            case _:
                return _fail(command_error(error))
    return code if isinstance(code, int) else 0


def _is_wrong_usage(error: Exception) -> bool:
    """Whether Typer reports that the command was called wrongly."""
    return hasattr(error, "show") and hasattr(error, "exit_code")


def _discard_output() -> None:
    """Sends what is still to be written nowhere: Python writes it when it ends, and would report the error again.
    Source: Python documentation, `signal`, "Note on SIGPIPE"."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(error: CommandError) -> int:
    Output().fail(error)
    return error.exit_code
