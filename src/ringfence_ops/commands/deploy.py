"""`ringfence deploy`: creates the stacks of a cluster, or updates them."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding

from ringfence.core.model.identifiers import Region
from ringfence_ops.aws.sessions import Unreachable
from ringfence_ops.cli import completion
from ringfence_ops.cli.columns import columns
from ringfence_ops.cli.command_run import CommandRun, command_run
from ringfence_ops.cli.progress import Progress
from ringfence_ops.cli.stack_difference import changed_parts, difference_rows
from ringfence_ops.cli.terminal import AsJson, Output, Yes, confirm
from ringfence_ops.cli.text import Text
from ringfence_ops.cloudformation.deployment import Deployer
from ringfence_ops.cloudformation.limits import EVENT_PATTERN
from ringfence_ops.cloudformation.plan_file import hold_to, plan_named, write_plan
from ringfence_ops.cloudformation.stacks import ChangeSet, DeploymentKind, ResourceChange
from ringfence_ops.cluster.cluster_file import Cluster
from ringfence_ops.documents.deploy import (
    CodeChangeItem,
    DeployDocument,
    ParameterChangeItem,
    ResourceChangeItem,
    StackItem,
    TagChangeItem,
)
from ringfence_ops.errors import Interrupted
from ringfence_ops.state.true_up import TrueUpResult, true_up_by_function

EXAMPLES = """\b
Examples:
  ringfence deploy                   # shows what changes in every Region, asks, and deploys
  ringfence deploy us-west-2 --yes
  ringfence deploy --dry-run
  ringfence deploy --out plan.json   # writes the plan, and changes nothing
  ringfence deploy plan.json         # deploys exactly this plan, and asks nothing
"""

TRUE_UP_TIMEOUT = 60.0
"""Seconds that the first true-up of a Region may take."""

_SIGNS = {"Add": ("+", "green"), "Modify": ("~", "yellow"), "Remove": ("-", "red")}


def deploy(
    context: typer.Context,
    *,
    regions: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="REGION|PLAN",
            help="By default all Regions. Or a plan that --out has written.",
            autocompletion=completion.regions,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the plan into a file, and change nothing.")
    ] = None,
    event_pattern_quota: Annotated[
        int, typer.Option(min=EVENT_PATTERN, help="EventBridge's quota of characters in an event pattern, if raised.")
    ] = EVENT_PATTERN,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Deploys the cluster's stacks in all Regions concurrently, then reconciles. Run it again to update.

    Refuses lists that are too long for AWS before it changes anything. Shows every setting that changes, and
    CloudFormation's change sets, and executes exactly these. Tags the security groups of the cluster file, because the
    engines may change no others; a group of another cluster is never taken from it. After Ctrl-C, CloudFormation
    continues: run it again to see the result.

    A plan that --out has written is deployed without a question. It is refused, with what has moved, if the cluster
    file, the checkout, a stack or a tag is not as it was.

    Exit code 0 if every Region is deployed, 2 if changes were shown and not made, 1 if a Region failed or the plan is
    out of date.
    """
    run, output = command_run(context), Output(as_json=as_json)
    saved = plan_named(regions or (), out, dry_run=dry_run)
    cluster = run.cluster()
    named = list(saved.stacks) if saved is not None else regions or cluster.region_names
    chosen = [cluster.of(Region(region)).region for region in named]
    deployer = Deployer(
        run.aws,
        cluster,
        run.aws.account(cluster.region_names),
        poll=run.poll,
        event_pattern_quota=event_pattern_quota,
    )
    with output.working("building the function, and creating change sets"):
        answers = deployer.create_change_sets(chosen)
    report = DeployReport(
        {region: answer for region, answer in answers.items() if isinstance(answer, ChangeSet)},
        {region: answer.reason for region, answer in answers.items() if isinstance(answer, Unreachable)},
    )
    if note := deployer.python_mismatch():
        output.say(Text(note, style="dim"))
    hold_to(saved, deployer, report.change_sets)
    if dry_run or out is not None or report.failed:
        deployer.discard(report.change_sets)
        output.show(report.document(), report)
        for region, reason in report.failed.items():
            output.show_unwrapped(Text.assemble((region, "bold"), "  ", (reason, "red")))
        if out is not None and not report.failed:
            write_plan(out, deployer, report.change_sets)
            output.say(f"The plan is in {out}. `ringfence deploy {shlex.quote(str(out))}` deploys it.")
        elif report.failed and not dry_run:
            output.say("Nothing was deployed. To deploy only the other Regions, name them.")
        raise typer.Exit(1 if report.failed else 2 if report.has_changes else 0)
    output.show_report(report)
    if report.has_changes and not (saved is not None or yes or (not as_json and confirm("Deploy this?", yes=yes))):
        deployer.discard(report.change_sets)
        output.show_document(report.document())
        raise typer.Exit(2)
    execute(run, output, deployer, report)
    output.show_document(report.document())
    raise typer.Exit(1 if report.failed else 0)


def execute(run: CommandRun, output: Output, deployer: Deployer, report: "DeployReport") -> None:
    """Executes the change sets, runs a true-up of each deployed Region, and records the results in the report."""
    progress = Progress(output, list(report.change_sets))
    try:
        with progress as on_event:
            answers = deployer.deploy(report.change_sets, on_event)
    except KeyboardInterrupt:
        raise interrupted(progress.latest, "deploy") from None
    for region, answer in answers.items():
        if isinstance(answer, Unreachable):
            report.failed[region] = answer.reason
        else:
            report.outcomes[region] = answer
    for region, result in true_up(run, deployer.cluster, list(report.outcomes)).items():
        if result.failure is not None:
            report.failed[region] = f"deployed, but its first true-up failed: {result.failure}"
    for region, outcome in report.outcomes.items():
        if region not in report.failed:
            output.say(Text.assemble((region, "bold"), "  ", (outcome, "green")))
    for region, reason in report.failed.items():
        output.say(Text.assemble((region, "bold"), "  ", (f"failed: {reason}", "red")))


def true_up(run: CommandRun, cluster: Cluster, regions: list[Region]) -> dict[Region, TrueUpResult]:
    """A true-up of these Regions by their functions, concurrently."""
    answers = run.aws.each_region(
        regions, lambda region: true_up_by_function(run.aws, cluster.name, region), TRUE_UP_TIMEOUT
    )
    return {
        region: TrueUpResult(failure=answer.reason) if isinstance(answer, Unreachable) else answer
        for region, answer in answers.items()
    }


def interrupted(latest: Mapping[Region, str], command: str) -> Interrupted:
    """The error for Ctrl-C during stack operations. `latest` describes the latest event of each Region."""
    events = "; ".join(f"{region}: {event}" for region, event in latest.items()) or "no event yet"
    return Interrupted(
        f"interrupted: CloudFormation continues ({events}): run `ringfence {command}` again to see the result"
    )


@dataclass(slots=True)
class DeployReport:
    """What changes in each Region, and the outcome."""

    change_sets: Mapping[Region, ChangeSet]
    failed: dict[Region, str]
    outcomes: dict[Region, str] = field(default_factory=dict)

    @property
    def has_changes(self) -> bool:
        """Whether any stack changes."""
        return not all(change_set.is_empty for change_set in self.change_sets.values())

    def document(self) -> DeployDocument:
        """The report for programs."""
        return DeployDocument(regions=self.stacks(), failed=dict(self.failed))

    def stacks(self) -> list[StackItem]:
        """The stack of each Region, for programs."""
        return [
            StackItem(
                region=region,
                kind=change_set.kind,
                changes=[
                    ResourceChangeItem(change.action, change.resource, change.type, change.replaced)
                    for change in change_set.changes
                ],
                parts=list(change_set.difference.parts),
                parameters=[
                    ParameterChangeItem(change.setting, change.parameter, change.was, change.becomes)
                    for change in change_set.difference.parameters
                ],
                code=CodeChangeItem(code.was, code.becomes) if (code := change_set.difference.code) else None,
                tags=[TagChangeItem(change.group, change.was, change.becomes) for change in change_set.tags],
                outcome=self.outcomes.get(region),
            )
            for region, change_set in self.change_sets.items()
        ]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for region, change_set in self.change_sets.items():
            yield Text.assemble((region, "bold"), f"  {_heading(change_set)}")
            if rows := list(difference_rows(change_set)):
                yield Padding(columns(rows, 1), (0, 0, 1 if not change_set.changes else 0, 2))
            if change_set.changes:
                yield Padding(columns(list(_rows(change_set)), 2), (0, 0, 1, 2))


_KINDS = {
    DeploymentKind.CREATE: "a new stack",
    DeploymentKind.UPDATE: "changes",
    DeploymentKind.REPLACE: "a new stack: the remains of a failed one were deleted",
    DeploymentKind.NOTHING: "up to date",
}


def _heading(change_set: ChangeSet) -> str:
    parts = changed_parts(change_set)
    if change_set.kind is DeploymentKind.UPDATE and parts:
        return f"changes {parts}"
    if change_set.kind is DeploymentKind.NOTHING and change_set.tags:
        return "the stack is up to date; tags change"
    return _KINDS[change_set.kind]


def _rows(change_set: ChangeSet) -> Iterator[list[Text]]:
    for change in sorted(change_set.changes, key=_order):
        sign, style = _SIGNS.get(change.action, ("·", ""))
        replaced = Text("replaced", style="red") if change.replaced else Text()
        kind = Text(change.type.removeprefix("AWS::"), style="dim")
        yield [Text(f"{sign} {change.resource}", style=style), kind, replaced]


def _order(change: ResourceChange) -> tuple[int, str]:
    return list(_SIGNS).index(change.action) if change.action in _SIGNS else 9, change.resource
