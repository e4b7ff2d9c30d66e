"""The one command, `ringfence`: what an operator runs, and the lab.

Every error is one line that says what, why and what to do, on the standard error, with exit code 2.
"""

import sys

import typer

from ringfence_lab import command_line as lab
from ringfence_lab.artefact import BuildFailed
from ringfence_lab.control import LabError
from ringfence_lab.faults import BadFault

app = typer.Typer(
    name="ringfence",
    help="Keeps the security groups of a cluster that spans AWS Regions open to exactly the cluster's own members.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(lab.app)


@app.callback()
def ringfence() -> None:
    """Keeps the security groups of a cluster that spans AWS Regions open to exactly the cluster's own members."""


def main() -> None:
    """Runs the command line."""
    try:
        app()
    except (BadFault, BuildFailed, LabError) as error:
        typer.echo(f"ringfence: {error}", err=True)
        sys.exit(2)
