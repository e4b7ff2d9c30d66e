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
from ringfence_ops.cloudformation.stacks import ChangeSet, DeploymentKind, Replacement, ResourceChange
from ringfence_ops.cluster.cluster_file import Cluster
from ringfence_ops.cluster.quota_notes import quota_notes
from ringfence_ops.commands.one_by_one import deploy_one_by_one
from ringfence_ops.commands.repairs import DriftOf, has_repairs, not_checked, repair_items, repair_lines
from ringfence_ops.documents.deploy import (
    CodeChangeItem,
    DeployDocument,
    ParameterChangeItem,
    ResourceChangeItem,
    StackItem,
    TagChangeItem,
)
from ringfence_ops.errors import Interrupted
from ringfence_ops.repair.cluster_repair import ClusterRepair
from ringfence_ops.repair.stack_repair import Drift
from ringfence_ops.state.true_up import TrueUpResult, true_up_by_function

EXAMPLES = """\b
Examples:
  ringfence deploy                   # shows what changes in every Region, asks, and deploys
  ringfence deploy us-west-2 --yes
  ringfence deploy --one-by-one      # Region after Region, as long as doctor finds no problem
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
    one_by_one: Annotated[
        bool, typer.Option("--one-by-one", help="Region after Region; stops where doctor finds a problem.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Deploys the cluster's stacks in all Regions concurrently, then reconciles. Run it again to update or to repair.

    Refuses lists that are too long for AWS before it changes anything. Shows every setting that changes, and
    CloudFormation's change sets, and executes exactly these. Tags the security groups of the cluster file, because the
    engines may change no others; a group of another cluster is never taken from it. Shows and repairs what somebody
    changed or deleted by hand in the stacks. Replaces a stack whose creation or deletion failed, and finishes a
    roll-back that failed. After Ctrl-C, CloudFormation continues: run it again to see the result.

    A plan that --out has written is deployed without a question. It is refused, with what has moved, if the cluster
    file, the checkout, a stack or a tag is not as it was. It does not hold repairs.

    Exit code 0 if every Region is deployed, 2 if changes were shown and not made, 1 if a Region failed or the plan is
    out of date.
    """
    run, output = command_run(context), Output(as_json=as_json)
    saved = plan_named(regions or (), out, dry_run=dry_run)
    cluster = run.measured(run.cluster())
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
    for line in quota_notes(cluster, run.unread_quotas, chosen):
        output.say(Text(line, style="dim"))
    if saved is None:  # a plan is deployed as it is: it holds no repairs
        with output.working("looking for what was changed by hand"):
            report.drift = ClusterRepair(deployer).find(report.change_sets)
    if note := deployer.python_mismatch():
        output.say(Text(note, style="dim"))
    hold_to(saved, deployer, report.change_sets)
    if dry_run or out is not None or report.failed:
        deployer.discard(report.change_sets)
        _show_only(output, report, dry_run=dry_run)
        if out is not None and not report.failed:
            write_plan(out, deployer, report.change_sets)
            _tell_of_plan(output, out, report)
        raise typer.Exit(1 if report.failed else 2 if report.has_changes else 0)
    output.show_report(report)
    if report.has_changes and not (saved is not None or yes or (not as_json and confirm("Deploy this?", yes=yes))):
        deployer.discard(report.change_sets)
        output.show_document(report.document())
        raise typer.Exit(2)
    if one_by_one:
        _one_by_one(run, output, deployer, report)
    else:
        execute(run, output, deployer, report, list(report.change_sets))
    output.show_document(report.document())
    raise typer.Exit(1 if report.failed else 0)


def _show_only(output: Output, report: "DeployReport", *, dry_run: bool) -> None:
    """Shows a report of which nothing is deployed, and why not."""
    output.show(report.document(), report)
    for region, reason in report.failed.items():
        output.show_unwrapped(Text.assemble((region, "bold"), "  ", (reason, "red")))
    if report.failed and not dry_run:
        output.say("Nothing was deployed. To deploy only the other Regions, name them.")


def _tell_of_plan(output: Output, plan: Path, report: "DeployReport") -> None:
    output.say(f"The plan is in {plan}. `ringfence deploy {shlex.quote(str(plan))}` deploys it.")
    if has_repairs(report.drift):
        output.say("It does not hold the repairs: `ringfence deploy` makes them.")


def execute(run: CommandRun, output: Output, deployer: Deployer, report: "DeployReport", regions: list[Region]) -> None:
    """Repairs these Regions, executes their change sets, runs a true-up of each, and records the results."""
    progress = Progress(output, regions)
    drift = {region: drift for region, drift in report.drift.items() if isinstance(drift, Drift)}
    answers: dict[Region, str | Unreachable] = {}
    try:
        with progress as on_event:
            chosen = {region: report.change_sets[region] for region in regions}
            ready = ClusterRepair(deployer).repair(chosen, drift, on_event)
            answers |= {region: answer for region, answer in ready.items() if isinstance(answer, Unreachable)}
            planned = {region: answer for region, answer in ready.items() if isinstance(answer, ChangeSet)}
            answers |= deployer.deploy(planned, on_event)
    except KeyboardInterrupt:
        raise interrupted(progress.latest, "deploy") from None
    for region, answer in answers.items():
        if isinstance(answer, Unreachable):
            report.failed[region] = answer.reason
        else:
            report.outcomes[region] = report.outcome(region, answer)
    done = [region for region in regions if region in report.outcomes]
    for region, result in true_up(run, deployer.cluster, done).items():
        if result.failure is not None:
            report.failed[region] = f"deployed, but its first true-up failed: {result.failure}"
    for region in done:
        if region not in report.failed:
            output.say(Text.assemble((region, "bold"), "  ", (report.outcomes[region], "green")))
    for region in regions:
        if region in report.failed:
            output.say(Text.assemble((region, "bold"), "  ", (f"failed: {report.failed[region]}", "red")))


def _one_by_one(run: CommandRun, output: Output, deployer: Deployer, report: "DeployReport") -> None:
    """Deploys Region after Region, and discards the change sets of those that are not begun."""

    def deploy_one(region: Region) -> str | None:
        execute(run, output, deployer, report, [region])
        return report.failed.get(region)

    failed, not_begun = deploy_one_by_one(run, output, deployer.cluster, list(report.change_sets), deploy_one)
    report.failed |= failed
    for region, reason in failed.items():
        output.say(Text.assemble((region, "bold"), "  ", (reason, "red")))
    if not_begun:
        deployer.discard({region: report.change_sets[region] for region in not_begun})
        output.say(
            f"Not begun: {', '.join(not_begun)}. Fix the problem, then run `ringfence deploy --one-by-one` again."
        )


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
    drift: DriftOf = field(default_factory=dict)

    @property
    def has_changes(self) -> bool:
        """Whether any stack changes, or is repaired."""
        changes = not all(change_set.is_empty for change_set in self.change_sets.values())
        return changes or has_repairs(self.drift)

    def outcome(self, region: Region, done: str) -> str:
        """What was done in a Region, repairs included."""
        if not repair_items(self.drift.get(region)):
            return done
        return "repaired" if done == "unchanged" else f"repaired and {done}"

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
                    ResourceChangeItem(
                        change.action, change.resource, change.type, bool(change.replaced), change.replacement
                    )
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
                repairs=repair_items(self.drift.get(region)),
                not_checked=not_checked(self.drift.get(region)),
            )
            for region, change_set in self.change_sets.items()
        ]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for region, change_set in self.change_sets.items():
            drift = self.drift.get(region)
            is_repaired = change_set.is_empty and repair_items(drift)
            yield Text.assemble((region, "bold"), f"  {'repairs' if is_repaired else _heading(change_set)}")
            for line in repair_lines(drift):
                yield Padding(line, (0, 0, 0, 2))
            if rows := list(difference_rows(change_set)):
                yield Padding(columns(rows, 1), (0, 0, 1 if not change_set.changes else 0, 2))
            if change_set.changes:
                yield Padding(columns(list(_rows(change_set)), 2), (0, 0, 1, 2))


_KINDS = {
    DeploymentKind.CREATE: "a new stack",
    DeploymentKind.UPDATE: "changes",
    DeploymentKind.REPLACE: "a new stack: the one that is there failed, and is deleted first",
    DeploymentKind.RECOVER: "its failed roll-back is finished and repaired, then it is updated",
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
        replaced = Text(change.replaced, style="red" if change.replacement is Replacement.YES else "yellow")
        kind = Text(change.type.removeprefix("AWS::"), style="dim")
        yield [Text(f"{sign} {change.resource}", style=style), kind, replaced]


def _order(change: ResourceChange) -> tuple[int, str]:
    return list(_SIGNS).index(change.action) if change.action in _SIGNS else 9, change.resource
