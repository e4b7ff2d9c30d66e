"""The command `ringfence`: what an operator runs.

Every error is one line on standard error: what happened, why, and what to do. Exit codes: 0 success, 1 an error, 2 a
result that needs attention (not in sync, findings), 64 wrong usage of the command itself, 130 Ctrl-C.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ringfence_ops.aws.errors import in_one_line
from ringfence_ops.aws.sessions import Aws
from ringfence_ops.cli.command_run import CommandRun
from ringfence_ops.cli.extensions import ExtensibleGroup, missing
from ringfence_ops.cli.terminal import Output
from ringfence_ops.cli.text import visible
from ringfence_ops.cli.version import version as version_of_build
from ringfence_ops.cluster.cluster_file import NAME
from ringfence_ops.commands import (
    adopt,
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
from ringfence_ops.errors import CommandError, Interrupted

WRONG_USAGE = 64

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
        typer.echo(f"ringfence {version_of_build()}")
        raise typer.Exit


@app.callback()
def ringfence(
    context: typer.Context,
    cluster_file: Annotated[
        Path, typer.Option(envvar="RINGFENCE_CLUSTER_FILE", help="The file that describes the cluster.")
    ] = Path(NAME),
    profile: Annotated[str | None, typer.Option(help="The AWS profile to use.")] = None,
    endpoint_url: Annotated[
        str | None, typer.Option(help="The URL that all AWS requests go to, such as a lab's.")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[  # noqa: ARG001  # its callback shows it
        bool,
        typer.Option(
            "--version",
            help="Show the version and exit.",
            is_eager=True,
            callback=lambda value: _show_version(wanted=value),
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
app.add_typer(dead_letters.dead_letters, epilog=dead_letters.EXAMPLES)
app.command(epilog=adopt.EXAMPLES)(adopt.adopt)
app.command(epilog=retire.EXAMPLES)(retire.retire)
app.command(epilog=template_command.EXAMPLES)(template_command.template)
app.command(epilog=destroy.EXAMPLES)(destroy.destroy)


def main() -> None:
    """Runs the command line."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Runs one command and returns its exit code. Every error becomes one line; `--debug` shows its traceback too."""
    try:
        code = app(arguments, standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        return _fail(Interrupted("interrupted"))
    except Exception as error:  # noqa: BLE001  # the one place that turns errors into words
        if _is_wrong_usage(error):
            error.message = visible(str(getattr(error, "message", error)))  # type: ignore[attr-defined]  # likewise
            error.show()  # type: ignore[attr-defined]  # Typer's own errors have it
            return WRONG_USAGE
        if "--debug" in arguments:
            Output().trace()
        match error:
            case CommandError():
                return _fail(error)
            case ImportError():
                return _fail(missing(error, arguments))
            case _:
                return _fail(CommandError(in_one_line(error)))
    return code if isinstance(code, int) else 0


def _is_wrong_usage(error: Exception) -> bool:
    """Whether Typer reports that the command was called wrongly."""
    return hasattr(error, "show") and hasattr(error, "exit_code")


def _fail(error: CommandError) -> int:
    Output().fail(error)
    return error.exit_code
