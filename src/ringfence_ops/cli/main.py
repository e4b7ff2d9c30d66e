"""The one command, `ringfence`: what an operator runs, and the lab.

Every error is one line that says what, why and what to do, on the standard error. Exit codes: 0 all is well, 1 an
error, 2 a result that is not well (not in sync, something found), 64 a mistake in the command itself, 130 Ctrl-C.
"""

import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from ringfence_lab.commands import lab
from ringfence_lab.control.client import LabError
from ringfence_lab.emulator.faults import BadFault
from ringfence_ops.aws.errors import Interrupted, in_one_line
from ringfence_ops.aws.sessions import Aws
from ringfence_ops.cli.invocation import Invocation
from ringfence_ops.cloudformation.artefact import BuildFailed
from ringfence_ops.cluster.cluster_file import NAME
from ringfence_ops.commands import adopt, deploy, destroy, doctor, explain, history, init, plan, retire, status, sync

ERROR, NOT_WELL, MISUSED, INTERRUPTED = 1, 2, 64, 130

app = typer.Typer(
    name="ringfence",
    help="Keeps the security groups of a cluster that spans AWS Regions open to exactly the cluster's own members.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


@app.callback()
def ringfence(
    context: typer.Context,
    cluster_file: Annotated[
        Path, typer.Option(envvar="RINGFENCE_CLUSTER_FILE", help="The file that describes the cluster.")
    ] = Path(NAME),
    profile: Annotated[str | None, typer.Option(help="The AWS profile to use.")] = None,
    endpoint_url: Annotated[str | None, typer.Option(help="Where AWS is: a lab's URL.")] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")] = False,
) -> None:
    """Keeps the security groups of a cluster that spans AWS Regions open to exactly the cluster's own members."""
    context.obj = Invocation(Aws(profile, endpoint_url), cluster_file, debug)


app.command(epilog=init.EXAMPLES)(init.init)
app.command(epilog=deploy.EXAMPLES)(deploy.deploy)
app.command(epilog=status.EXAMPLES)(status.status)
app.command(epilog=plan.EXAMPLES)(plan.plan)
app.command(epilog=sync.EXAMPLES)(sync.sync)
app.command(epilog=explain.EXAMPLES)(explain.explain)
app.command(epilog=history.EXAMPLES)(history.history)
app.command(epilog=doctor.EXAMPLES)(doctor.doctor)
app.command(epilog=adopt.EXAMPLES)(adopt.adopt)
app.command(epilog=retire.EXAMPLES)(retire.retire)
app.command(epilog=destroy.EXAMPLES)(destroy.destroy)
app.add_typer(lab.app)


def main() -> None:
    """Runs the command line."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Runs one command, and returns its exit code. Errors become one line, except with `--debug`."""
    try:
        code = app(arguments, standalone_mode=False)
    except Interrupted as error:
        return _fail(str(error), INTERRUPTED)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", INTERRUPTED)
    except (BadFault, BuildFailed, LabError) as error:
        return _fail(str(error), NOT_WELL)
    except Exception as error:  # noqa: BLE001  # the one place where errors become words
        if _is_misuse(error):
            error.show()  # type: ignore[attr-defined]  # Typer's own errors can
            return MISUSED
        if "--debug" in arguments:
            traceback.print_exc()
        return _fail(in_one_line(error), ERROR)
    return code if isinstance(code, int) else 0


def _is_misuse(error: Exception) -> bool:
    """Whether Typer says that the command was given wrongly."""
    return hasattr(error, "show") and hasattr(error, "exit_code")


def _fail(words: str, code: int) -> int:
    typer.echo(f"ringfence: {words}", err=True)
    return code
