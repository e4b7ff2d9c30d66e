"""The command `ringfence lab`: runs a private AWS on this machine, and makes faults in one that runs."""

import json
import os
import signal
import sys
import threading
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from ringfence_lab.commands import proofs
from ringfence_lab.control.client import DEFAULT_PORT, RunningLab

app = typer.Typer(
    name="lab",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Port = Annotated[int, typer.Option(min=1, max=65535, help="The lab's port on 127.0.0.1.")]

_UP_EXAMPLE = """\b
Example:
  ringfence lab up --region us-east-1 --region us-west-2
  aws --endpoint-url http://127.0.0.1:4566 --region us-east-1 autoscaling describe-auto-scaling-groups
"""

_FAULT_EXAMPLE = """\b
Example:
  ringfence lab fault us-west-2 hang
  ringfence lab fault us-west-2 dynamodb throttle
  ringfence lab fault us-east-1 ec2 delay=0.5
"""

_HEAL_EXAMPLE = """\b
Example:
  ringfence lab heal us-west-2
"""


@app.callback()
def lab() -> None:
    """A private AWS on this machine: run it, and make it fail."""
    # A person's own profile and credentials have no part in it, and must not be able to break it.
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


@app.command(epilog=_UP_EXAMPLE)
def up(
    region: Annotated[list[str], typer.Option(help="A Region of the cluster. Give it once for each.")],
    port: Port = DEFAULT_PORT,
    deploy_none: Annotated[
        bool, typer.Option("--deploy-none", help="Start with nothing deployed: an empty account.")
    ] = False,
) -> None:
    """Runs a lab with the cluster `demo` in every Region, its groups at 0, until Ctrl-C.

    Prints one line of JSON once it is ready: where it is, and what each Region has. Any AWS client works with it, with
    any credentials.
    """
    from ringfence_lab.control.lab import Lab  # noqa: PLC0415  # boto3 takes longer than any other command's start

    regions = list(dict.fromkeys(region))
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with Lab(regions=regions, port=port) as own:
        deployed = {}
        for one in [] if deploy_none else regions:
            if stopped.is_set():
                return
            _tell(f"deploying {one}")
            deployed[one] = asdict(own.deploy(one))
        typer.echo(json.dumps({"endpoint_url": own.endpoint_url, "cluster": own.cluster, "regions": deployed}))
        sys.stdout.flush()
        _tell("ready; Ctrl-C ends it")
        own.wait(stopped)


@app.command(epilog=_FAULT_EXAMPLE)
def fault(
    region: Annotated[str, typer.Argument(help="The Region whose calls meet the fault.")],
    service_or_kind: Annotated[
        str, typer.Argument(metavar="[SERVICE]", help="The one service, as in a signature: ec2, dynamodb, sqs ...")
    ],
    kind: Annotated[str, typer.Argument(metavar="KIND", help="reset, hang, throttle or delay=SECONDS.")] = "",
    port: Port = DEFAULT_PORT,
) -> None:
    """Makes every call to a Region, or to one service of it, fail.

    reset drops the connection, hang never answers, throttle says that the caller asks too often, delay answers late.
    """
    service = service_or_kind if kind else None
    RunningLab(port=port).fault(region, kind or service_or_kind, service)


@app.command(epilog=_HEAL_EXAMPLE)
def heal(
    region: Annotated[str | None, typer.Argument(help="The Region to heal; without one, all.")] = None,
    port: Port = DEFAULT_PORT,
) -> None:
    """Takes faults away."""
    RunningLab(port=port).heal(region)


@app.command()
def demo(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document at the end, and nothing else.")] = False,
) -> None:
    """Plays the whole story on a lab of its own, and checks every step. Exit code 0 only if every claim held."""
    from ringfence_lab.demo.chapters import play  # noqa: PLC0415  # boto3, as above
    from ringfence_lab.demo.demo_script import AsJson, OnTerminal  # noqa: PLC0415  # likewise

    held = play(AsJson(sys.stdout.write) if as_json else OnTerminal(Console(soft_wrap=not sys.stdout.isatty())))
    raise typer.Exit(0 if held else 1)


proofs.mount(app)


def _tell(what: str) -> None:
    typer.echo(what, err=True)
