"""`ringfence deploy`: makes the stacks of a cluster, or brings them up to date."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.text import Text

from ringfence.core.model.identifiers import Region
from ringfence_ops.aws.sessions import Unreachable
from ringfence_ops.cli.columns import columns
from ringfence_ops.cli.invocation import Invocation, invocation
from ringfence_ops.cli.progress import Progress
from ringfence_ops.cli.terminal import AsJson, Output, Regions, Yes, confirm
from ringfence_ops.cloudformation.deployment import Deployer
from ringfence_ops.cloudformation.stacks import Kind, Proposal, ResourceChange
from ringfence_ops.cluster.cluster_file import Cluster
from ringfence_ops.errors import Interrupted
from ringfence_ops.state.true_up import Done, by_function

SCHEMA = "ringfence.deploy/1"

EXAMPLES = """\b
Examples:
  ringfence deploy                   # shows what changes in every Region, asks, and does it
  ringfence deploy us-west-2 --yes
  ringfence deploy --dry-run
"""

_SIGNS = {"Add": ("+", "green"), "Modify": ("~", "yellow"), "Remove": ("-", "red")}


def deploy(
    context: typer.Context,
    regions: Regions = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Deploys the cluster's stacks, all Regions at a time, then reconciles. Again is an update.

    Shows CloudFormation's change sets first, and does exactly what they say. Tags the security groups of the cluster
    file, since the engines may change no others. Ctrl-C leaves CloudFormation at work: deploy again to see how it ends.

    Exit code 0 if every Region is deployed, 2 if changes were shown and not made, 1 if a Region failed.
    """
    run, output = invocation(context), Output(as_json)
    cluster = run.cluster()
    chosen = [cluster.of(Region(one)).region for one in regions or cluster.region_names]
    deployer = Deployer(run.aws, cluster, run.aws.account(cluster.region_names), poll=run.poll)
    with output.aside.status("building the function, and asking CloudFormation what would change"):
        found = deployer.propose(chosen)
    proposals = {region: one for region, one in found.items() if isinstance(one, Proposal)}
    report = Report(proposals, {region: one.reason for region, one in found.items() if isinstance(one, Unreachable)})
    if hint := deployer.ill_compiled():
        output.say(Text(hint, style="dim"))
    if dry_run or report.failed:
        deployer.drop(proposals)
        output.show(report.document(), report)
        if report.failed and not dry_run:
            output.say("Nothing was deployed: name the Regions that answer to deploy those alone.")
        raise typer.Exit(1 if report.failed else 2 if report.is_due else 0)
    if not as_json:
        output.show({}, report)
    if report.is_due and not (yes or (not as_json and confirm("Deploy this?", yes))):
        deployer.drop(proposals)
        if as_json:
            output.show(report.document(), report)
        raise typer.Exit(2)
    carry_out(run, output, deployer, report)
    if as_json:
        output.show(report.document(), report)
    raise typer.Exit(1 if report.failed else 0)


def carry_out(run: Invocation, output: Output, deployer: Deployer, report: "Report") -> None:
    """Does what was proposed, with a true-up where it went well, and writes into the report what came of it."""
    progress = Progress(output, list(report.proposals))
    try:
        with progress as tell:
            found = deployer.deploy(report.proposals, tell)
    except KeyboardInterrupt:
        raise interrupted(progress.under_way, "deploy") from None
    for region, one in found.items():
        if isinstance(one, Unreachable):
            report.failed[region] = one.reason
        else:
            report.done[region] = one
    for region, done in true_up(run, deployer.cluster, list(report.done)).items():
        if done.failure is not None:
            report.failed[region] = f"deployed, but its first true-up failed: {done.failure}"
    for region, said in report.done.items():
        if region not in report.failed:
            output.say(Text.assemble((region, "bold"), "  ", (said, "green")))
    for region, reason in report.failed.items():
        output.say(Text.assemble((region, "bold"), "  ", (f"failed: {reason}", "red")))


def true_up(run: Invocation, cluster: Cluster, regions: list[Region]) -> dict[Region, Done]:
    """A true-up of every Region by its function, at once."""
    found = run.aws.each_region(regions, lambda region: by_function(run.aws, cluster.name, region), 60.0)
    return {region: Done(failure=one.reason) if isinstance(one, Unreachable) else one for region, one in found.items()}


def interrupted(under_way: Mapping[Region, str], command: str) -> Interrupted:
    """What is said of a Ctrl-C while CloudFormation is at work."""
    said = "; ".join(f"{region}: {what}" for region, what in under_way.items()) or "nothing was heard of it yet"
    return Interrupted(
        f"interrupted: CloudFormation goes on by itself ({said}): `ringfence {command}` again shows how it ended"
    )


@dataclass(slots=True)
class Report:
    """What changes in each Region, and what came of it."""

    proposals: Mapping[Region, Proposal]
    failed: dict[Region, str]
    done: dict[Region, str] = field(default_factory=dict)

    @property
    def is_due(self) -> bool:
        """Whether anything changes."""
        return any(one.kind is not Kind.NOTHING for one in self.proposals.values())

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "schema": SCHEMA,
            "regions": [
                {
                    "region": region,
                    "kind": one.kind.value,
                    "changes": [
                        {
                            "action": change.action,
                            "resource": change.resource,
                            "type": change.type,
                            "replaced": change.replaced,
                        }
                        for change in one.changes
                    ],
                    "outcome": self.done.get(region),
                }
                for region, one in self.proposals.items()
            ],
            "failed": dict(self.failed),
        }

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for region, one in self.proposals.items():
            yield Text.assemble((region, "bold"), f"  {_KINDS[one.kind]}")
            if one.changes:
                yield Padding(columns(list(_rows(one)), 2), (0, 0, 1, 2))
        for region, reason in self.failed.items():
            yield Text.assemble((region, "bold"), "  ", (reason, "red"))


_KINDS = {
    Kind.CREATE: "a new stack",
    Kind.UPDATE: "changes",
    Kind.REPLACE: "a new stack: what was left of one that failed is gone",
    Kind.NOTHING: "up to date",
}


def _rows(one: Proposal) -> Iterator[list[Text]]:
    for change in sorted(one.changes, key=_order):
        sign, style = _SIGNS.get(change.action, ("·", ""))
        replaced = Text("replaced", style="red") if change.replaced else Text()
        kind = Text(change.type.removeprefix("AWS::"), style="dim")
        yield [Text(f"{sign} {change.resource}", style=style), kind, replaced]


def _order(change: ResourceChange) -> tuple[int, str]:
    return list(_SIGNS).index(change.action) if change.action in _SIGNS else 9, change.resource
