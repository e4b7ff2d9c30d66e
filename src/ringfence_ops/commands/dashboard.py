"""`ringfence dashboard`: the CloudWatch dashboard of the whole cluster."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer
from botocore.exceptions import ClientError

from ringfence.aws.error_codes import is_absent
from ringfence_ops.cli.command_run import command_run
from ringfence_ops.cli.terminal import AsJson, Output, Yes, confirm
from ringfence_ops.cli.text import Text
from ringfence_ops.dashboard.bodies import Place, cluster_dashboard
from ringfence_ops.documents.dashboard import DashboardDocument
from ringfence_ops.errors import CommandError

EXAMPLES = """\b
Examples:
  ringfence dashboard > dashboard.json
  ringfence dashboard --put
  ringfence dashboard --delete --yes
"""

_PRICE = "CloudWatch charges 3 dollars a month for a dashboard beyond the first three of an account"

_CONSOLES = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}
"""The domains of the console in other partitions than `aws`."""


def dashboard(
    context: typer.Context,
    *,
    put: Annotated[bool, typer.Option("--put", help="Put the dashboard into CloudWatch, or replace it.")] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Delete the dashboard from CloudWatch.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Prints the CloudWatch dashboard of the whole cluster, or puts it into the account.

    Shows the alarms, reconciles, members, changes, admissions, releases, stale doors and queues of every Region. Put it
    again after a Region was added or retired. The setting `dashboard = "region"` adds one of a single Region to its
    stack. CloudWatch charges 3 dollars a month for each dashboard beyond the first three of an account.

    Exit code 0 if it is done, 2 if it was not confirmed or CloudWatch finds fault with it, 1 for an error.
    """
    if put and delete:
        raise CommandError("--put and --delete exclude each other")
    run, output = command_run(context), Output(as_json=as_json)
    cluster = run.cluster()
    regions, partition = cluster.region_names, run.aws.partition(cluster.region_names)
    account, home = run.aws.account(regions), regions[0]
    body = cluster_dashboard([Place(cluster.name, region, account, partition) for region in regions])
    name = f"ringfence-{cluster.name}"
    domain = _CONSOLES.get(partition, "console.aws.amazon.com")
    url = f"https://{domain}/cloudwatch/home?region={home}#dashboards/dashboard/{name}"
    client = run.aws.client("cloudwatch", home, patient=True)
    done: Literal["printed", "put", "deleted"] = "put" if put else "deleted" if delete else "printed"
    complaints: list[str] = []
    if put or delete:
        what = f"Put {name} into the account {account}? {_PRICE}." if put else f"Delete {name}?"
        if not confirm(what, yes=yes):
            raise typer.Exit(2)
        complaints = _put(client, name, body) if put else _delete(client, name)
    document = DashboardDocument(name=name, done=done, url=url, complaints=complaints, body=body)
    output.show_document(document)
    if not as_json:
        _tell(output, document)
    raise typer.Exit(2 if complaints else 0)


def _put(client: Any, name: str, body: Mapping[str, Any]) -> list[str]:
    """Puts the dashboard. Returns what CloudWatch finds wrong with it: it keeps the rest."""
    answer = client.put_dashboard(DashboardName=name, DashboardBody=json.dumps(body, separators=(",", ":")))
    return [f"{each['DataPath']}: {each['Message']}" for each in answer.get("DashboardValidationMessages", [])]


def _delete(client: Any, name: str) -> list[str]:
    try:
        client.delete_dashboards(DashboardNames=[name])
    except ClientError as error:
        if not is_absent(error):
            raise
        raise CommandError(f"there is no dashboard {name}") from error
    return []


def _tell(output: Output, document: DashboardDocument) -> None:
    match document.done:
        case "printed":
            output.show_json(document.body)
            output.say("This was only printed: `ringfence dashboard --put` puts it into CloudWatch.")
        case "put":
            output.show_report(Text.assemble((document.name, "bold"), f" is in CloudWatch: {document.url}"))
        case "deleted":
            output.show_report(Text.assemble((document.name, "bold"), " is deleted"))
    for complaint in document.complaints:
        output.say(Text(f"CloudWatch: {complaint}", style="yellow"))
