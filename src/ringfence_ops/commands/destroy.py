"""`ringfence destroy`: deletes what `ringfence deploy` created, and says what it leaves."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, ConsoleOptions, RenderResult

from ringfence.core.model.identifiers import Region
from ringfence_ops.aws.sessions import Aws, Unreachable
from ringfence_ops.cli.command_run import command_run
from ringfence_ops.cli.history_saving import (
    NoSaveHistory,
    SaveHistory,
    history_file,
    save_audit_log,
    what_becomes_of_history,
)
from ringfence_ops.cli.progress import Progress
from ringfence_ops.cli.terminal import AsJson, Output, Regions, ask
from ringfence_ops.cli.text import Text
from ringfence_ops.cloudformation.deployment import Deployer
from ringfence_ops.commands.deploy import interrupted
from ringfence_ops.documents.destroy import DestroyDocument, DestroyedRegionItem
from ringfence_ops.errors import WrongUsage
from ringfence_ops.plurals import counted
from ringfence_ops.state.region_state import region_states
from ringfence_ops.state.snapshot import Snapshot, take_snapshot

EXAMPLES = """\b
Examples:
  ringfence destroy                          # asks for the cluster's name
  ringfence destroy --confirm demo --remove-rules
  ringfence destroy us-west-2 --save-history west.jsonl
"""

RULES_TIMEOUT = 60.0
"""Seconds that removing or counting the rules of a Region may take."""


def destroy(
    context: typer.Context,
    *,
    regions: Regions = None,
    remove_rules: Annotated[
        bool,
        typer.Option(
            "--remove-rules", help="Also remove Ringfence's own rules: members can no longer reach each other."
        ),
    ] = False,
    confirm: Annotated[
        str | None, typer.Option(metavar="NAME", help="The cluster's name, to continue without being asked for it.")
    ] = None,
    save_history: SaveHistory = None,
    no_save_history: NoSaveHistory = False,
    as_json: AsJson = False,
) -> None:
    """Deletes the stacks in all Regions concurrently: functions, queues, tables, schedules, hooks and audit logs.

    Saves the audit logs in a file first. If one of them cannot be saved, nothing is deleted.

    The rules stay, so that the members can still reach each other. With --remove-rules, Ringfence's own rules are
    removed in every Region named, after the engines are deleted. Foreign rules always stay. Safe to run again after a
    failure. To remove one Region from a cluster that continues, use `ringfence retire`.

    Exit code 0 if everything is deleted, 1 if a Region failed.
    """
    run, output = command_run(context), Output(as_json=as_json)
    cluster = run.cluster()
    chosen = [cluster.of(Region(region)).region for region in regions or cluster.region_names]
    file = history_file(cluster.name, save_history, unsaved=no_save_history)
    settings = run.settings(cluster)
    deployer = Deployer(run.aws, cluster, next(iter(settings.values())).account, poll=run.poll)
    snapshot = take_snapshot(run.aws, settings)
    states = [state for state in region_states(snapshot, settings) if state.region in chosen]
    waiting = [f"{waiting.instance} in {state.region}" for state in states for waiting in state.waiting]
    report = DestroyReport(cluster.name, rules_go=remove_rules)
    _announce(output, report, chosen, snapshot, waiting)
    output.say(what_becomes_of_history(file))
    _ask(cluster.name, confirm)
    report.history = save_audit_log(run.aws, output, cluster.name, chosen, file)
    progress = Progress(output, chosen)
    try:
        with progress as on_event:
            answers = deployer.destroy(chosen, on_event)
    except KeyboardInterrupt:
        raise interrupted(progress.latest, "destroy") from None
    for region, answer in answers.items():
        if isinstance(answer, Unreachable):
            report.failed[region] = answer.reason
        else:
            report.outcomes[region] = answer
    _handle_rules(run.aws, deployer, report)
    output.show(report.document(), report)
    raise typer.Exit(1 if report.failed else 0)


def _announce(
    output: Output, report: "DestroyReport", chosen: Sequence[Region], snapshot: Snapshot, waiting: Sequence[str]
) -> None:
    output.say(Text.assemble("This deletes the stacks of ", (report.cluster, "bold"), f" in {', '.join(chosen)}."))
    rules = "Ringfence's own rules are removed too" if report.rules_go else "The rules stay"
    output.say(f"{rules}; foreign rules stay. From then on no engine admits or releases instances.")
    if waiting:
        output.say(
            Text(
                f"Instances wait for a hook: {', '.join(waiting)}. When its hook is deleted, a launching instance is"
                " terminated and a terminating one continues to terminate.",
                style="yellow",
            )
        )
    for region, reason in snapshot.unreachable.items():
        output.say(Text(f"{region} does not answer: {reason}", style="red"))


def _ask(name: str, confirmed: str | None) -> None:
    """Raises CommandError unless the operator gives the cluster's name."""
    if confirmed is None:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise WrongUsage(f"there is no terminal to ask on: give --confirm {name} to continue without being asked")
        confirmed = ask("Type the cluster's name to continue")
    if confirmed != name:
        raise WrongUsage(f"{confirmed} is not the cluster's name: nothing was done")


def _handle_rules(aws: Aws, deployer: Deployer, report: "DestroyReport") -> None:
    """Removes the cluster's own rules in the Regions without a stack, or counts those that stay."""
    regions = [region for region in report.outcomes if region not in report.failed]

    def handle(region: Region) -> int:
        if report.rules_go:
            return deployer.remove_rules(region)
        return sum(map(len, deployer.owned_rules(region).values()))

    for region, count in aws.each_region(regions, handle, RULES_TIMEOUT).items():
        if isinstance(count, Unreachable):
            report.failed[region] = f"its rules: {count.reason}"
        elif report.rules_go:
            report.removed[region] = count
        else:
            report.left[region] = count


@dataclass(slots=True)
class DestroyReport:
    """The outcome in each Region. `removed` and `left` count rules."""

    cluster: str
    rules_go: bool = field(kw_only=True)
    outcomes: dict[Region, str] = field(default_factory=dict)
    removed: dict[Region, int] = field(default_factory=dict)
    left: dict[Region, int] = field(default_factory=dict)
    failed: dict[Region, str] = field(default_factory=dict)
    history: Path | None = None

    def document(self) -> DestroyDocument:
        """The report for programs."""
        return DestroyDocument(
            regions=[
                DestroyedRegionItem(
                    region=region,
                    outcome=outcome,
                    rules_removed=self.removed.get(region, 0),
                    rules_left=self.left.get(region, 0),
                )
                for region, outcome in self.outcomes.items()
            ],
            failed=dict(self.failed),
            history=None if self.history is None else str(self.history),
        )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for region, outcome in self.outcomes.items():
            removed = f"; {counted(self.removed[region], 'rule')} removed" if region in self.removed else ""
            left = f"; {self.left[region]} of Ringfence's own rules are left" if self.left.get(region) else ""
            yield Text.assemble((region, "bold"), f"  {outcome}{removed}{left}")
        for region, reason in self.failed.items():
            yield Text.assemble((region, "bold"), "  ", (f"failed: {reason}", "red"))
        if any(self.left.values()):
            yield Text(f"`ringfence destroy --confirm {self.cluster} --remove-rules` removes them too.", style="dim")
        left = "the buckets with the functions' code, the tags of the security groups, and the cluster's dashboard"
        yield Text(f"Also left: {left}: `ringfence dashboard --delete` deletes it if there is one.", style="dim")
