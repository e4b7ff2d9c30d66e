"""The command `ringfence lab`: runs a private AWS on this machine, and sets faults in it."""

import json
import os
import signal
import sys
import threading
from dataclasses import asdict
from typing import Annotated
from urllib.parse import urlsplit

import typer

from ringfence_lab.commands import proofs
from ringfence_lab.commands.fault_words import in_words, removed
from ringfence_lab.control.client import DEFAULT_PORT, RunningLab
from ringfence_ops.aws.sessions import check_endpoint
from ringfence_ops.cli.command_run import CommandRun
from ringfence_ops.cli.terminal import console
from ringfence_ops.errors import WrongUsage

app = typer.Typer(
    name="lab",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Port = Annotated[int, typer.Option(min=1, max=65535, help="The lab's port on 127.0.0.1.")]
PortOfLab = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=65535,
        help=f"The lab's port on 127.0.0.1. Default: that of AWS_ENDPOINT_URL, otherwise {DEFAULT_PORT}.",
        show_default=False,
    ),
]

LOOPBACK = ("127.0.0.1", "localhost", "::1")

READY = """ready. In another terminal:
  export AWS_ENDPOINT_URL={url} AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
Press Ctrl-C to stop."""

_UP_EXAMPLE = """\b
Example:
  ringfence lab up --region us-east-1 --region us-west-2

\b
Then, in another terminal:
  export AWS_ENDPOINT_URL=http://127.0.0.1:4566 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
  aws --region us-east-1 autoscaling describe-auto-scaling-groups
"""

_FAULT_EXAMPLE = """\b
Example:
  ringfence lab fault us-west-2 hang
  ringfence lab fault us-west-2 dynamodb throttle
  ringfence lab fault us-east-1 ec2 delay=0.5
  ringfence lab fault us-east-1 ec2 zone=us-east-1a
"""

_HEAL_EXAMPLE = """\b
Example:
  ringfence lab heal us-west-2
"""


@app.callback()
def lab(context: typer.Context) -> None:
    """Run a private AWS on this machine, and set faults in it."""
    run = context.find_object(CommandRun)
    if run is not None:
        run.aws.endpoint_url = run.aws.endpoint_url or os.environ.get("AWS_ENDPOINT_URL")
    # The user's own profile and credentials must not affect the lab.
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


AS_INIT_WRITES = {"PrivateAddresses": "primary"}
"""The parameters for which `ringfence init` always writes another value than the template's default."""


@app.command(epilog=_UP_EXAMPLE)
def up(
    region: Annotated[list[str], typer.Option(help="A Region of the cluster. Repeat the option for each Region.")],
    port: Port = DEFAULT_PORT,
    deploy_none: Annotated[bool, typer.Option("--deploy-none", help="Start with an empty account.")] = False,
) -> None:
    """Run a lab with the cluster `demo` in every Region, with empty groups, until Ctrl-C.

    Prints one line of JSON on standard output when it is ready and every Region knows every other: the endpoint, and
    the resources of each Region. What to export in another terminal is printed on standard error. Any AWS client works
    with the lab, with any credentials.
    """
    from ringfence_lab.control.lab import Lab  # noqa: PLC0415  # other commands must not wait for the import of boto3

    regions = list(dict.fromkeys(region))
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with Lab(regions=regions, port=port, parameters=AS_INIT_WRITES) as running:
        deployed = {}
        for name in [] if deploy_none else regions:
            if stopped.is_set():
                return
            _tell(f"deploying {name}")
            deployed[name] = running.deploy(name)
        running.introduce(deployed)
        resources = {name: asdict(of_region) for name, of_region in deployed.items()}
        typer.echo(json.dumps({"endpoint_url": running.endpoint_url, "cluster": running.cluster, "regions": resources}))
        sys.stdout.flush()
        _tell(READY.format(url=running.endpoint_url))
        running.wait(stopped)


@app.command(epilog=_FAULT_EXAMPLE)
def fault(
    context: typer.Context,
    region: Annotated[str, typer.Argument(help="The Region of the fault.")],
    service_or_kind: Annotated[
        str, typer.Argument(metavar="[SERVICE]", help="A single service, by its signing name: ec2, dynamodb, sqs ...")
    ],
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND", help="reset, hang, throttle, deny, inactive, new-role, stuck, delay=SECONDS or zone=ZONE."
        ),
    ] = "",
    port: PortOfLab = None,
) -> None:
    """Set a fault for all calls to a Region, or to one of its services.

    reset: closes the connection. hang: never answers. throttle: returns a throttling error. deny: refuses access.
    inactive: refuses answers to lifecycle hooks (service autoscaling). new-role: the next function (lambda) or schedule
    (scheduler) of a stack is refused once, as if its role were new. stuck: CloudFormation can neither roll back nor
    delete the service's resources. delay: answers late. zone: EC2 describes no instance of the Availability Zone, and
    none in a call that names no instance.
    """
    service = service_or_kind if kind else None
    kind = kind or service_or_kind
    running = _running_lab(context, port)
    running.fault(region, kind, service)
    typer.echo(f"{in_words(region, service, kind)}. To remove it: ringfence lab heal {region}{_port(running, port)}")


@app.command(epilog=_HEAL_EXAMPLE)
def heal(
    context: typer.Context,
    region: Annotated[str | None, typer.Argument(help="The Region to heal. Default: all Regions.")] = None,
    port: PortOfLab = None,
) -> None:
    """Remove faults."""
    running = _running_lab(context, port)
    faults = running.faults()
    running.heal(region)
    typer.echo(removed(faults, region))


@app.command()
def demo(
    as_json: Annotated[bool, typer.Option("--json", help="Print only one JSON document at the end.")] = False,
) -> None:
    """Run the demo in a new lab, and check every step. Exit code 0 only if every check passed."""
    from ringfence_lab.demo.chapters import play  # noqa: PLC0415  # boto3, as above
    from ringfence_lab.demo.views import JsonView, TerminalView  # noqa: PLC0415  # the same

    passed = play(JsonView(sys.stdout.write) if as_json else TerminalView(console(markup=True)))
    raise typer.Exit(0 if passed else 1)


proofs.mount(app)


def _running_lab(context: typer.Context, port: int | None) -> RunningLab:
    """The lab of the port, or of the endpoint that the environment or an option names. Raises WrongUsage."""
    run = context.find_object(CommandRun)
    url = None if run is None else run.aws.endpoint_url
    if port is not None or not url:
        return RunningLab(port=port or DEFAULT_PORT)
    check_endpoint(url, "AWS_ENDPOINT_URL or --endpoint-url")
    parts = urlsplit(url)
    if parts.hostname not in LOOPBACK or parts.port is None:
        raise WrongUsage(f"{url} is no lab on this machine: give the lab's port with --port")
    return RunningLab(port=parts.port)


def _port(running: RunningLab, given: int | None) -> str:
    """The option with the port, if it was given."""
    return "" if given is None else f" --port {running.port}"


def _tell(what: str) -> None:
    typer.echo(what, err=True)
