"""`ringfence sync`: a true-up of every Region now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import typer
from rich.console import Console, ConsoleOptions, RenderResult

from ringfence.core.model.identifiers import Region
from ringfence_ops.aws.sessions import Unreachable
from ringfence_ops.cli.command_run import CommandRun, command_run
from ringfence_ops.cli.standing_text import standing_lines
from ringfence_ops.cli.terminal import AsJson, Output, Regions
from ringfence_ops.cli.text import Text
from ringfence_ops.cluster.cluster_file import Cluster
from ringfence_ops.commands.plan import change_item, diff
from ringfence_ops.documents.plan import standing_items
from ringfence_ops.documents.sync import SyncDocument, TrueUpItem
from ringfence_ops.errors import CommandError
from ringfence_ops.state.changes import Change, GuardHold, digest, guard_holds
from ringfence_ops.state.sight import take_sight
from ringfence_ops.state.snapshot import take_snapshot
from ringfence_ops.state.standing import Standing, exit_code
from ringfence_ops.state.standings import standings
from ringfence_ops.state.true_up import TrueUpResult, true_up_by_function, true_up_locally

EXAMPLES = """\b
Examples:
  ringfence sync                             # by the functions of all Regions, concurrently
  ringfence sync us-west-2
  ringfence sync --local                     # on this machine, for example where the functions are broken
  ringfence sync --confirm 3f2a9c01b7de      # applies exactly the plan that `ringfence plan` showed, with held removals
"""

TIMEOUT = 60.0
"""Seconds that a true-up may take: the function's timeout."""


def sync(
    context: typer.Context,
    *,
    regions: Regions = None,
    local: Annotated[
        bool, typer.Option("--local", help="Reconcile on this machine, not by the deployed functions.")
    ] = False,
    confirm: Annotated[
        str | None,
        typer.Option(metavar="DIGEST", help="The digest of a plan: also removes what the guard holds in it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Reconciles every Region now, and shows what was done.

    Safe at any time, and safe to run twice: the schedule does the same every minute. After Ctrl-C, the functions
    complete what they have started.

    Exit code 0 if every Region is in sync afterwards, 2 if one is not, 1 if a Region failed.
    """
    run, output = command_run(context), Output(as_json=as_json)
    cluster = run.cluster()
    chosen = [cluster.of(Region(region)).region for region in regions or cluster.region_names]
    confirmed = _confirmed(run, cluster, confirm) if confirm is not None else []
    settings = run.settings(cluster)

    def true_up(region: Region) -> TrueUpResult:
        if local:
            return true_up_locally(run.aws, settings[region], confirmed)
        return true_up_by_function(run.aws, cluster.name, region, confirmed)

    with output.working(f"true-up of {', '.join(chosen)}"):
        answers = run.aws.each_region(chosen, true_up, TIMEOUT)
    results = {region: answer for region, answer in answers.items() if isinstance(answer, TrueUpResult)}
    failed = {region: answer.reason for region, answer in answers.items() if isinstance(answer, Unreachable)}
    with output.working("how the Regions stand now"):
        sight = take_sight(run.aws, run.expected(cluster))
    if not local:
        for region, result in results.items():
            sight = sight.after(region, result.failure)
    stand = standings(sight)
    report = SyncReport(results, failed, [stand[region] for region in chosen if region not in failed])
    output.show(report.document(), report)
    raise typer.Exit(report.exit_code)


def _confirmed(run: CommandRun, cluster: Cluster, confirm: str) -> Sequence[GuardHold]:
    """What the guard holds in the plan with this digest. Raises CommandError where the plan has changed since."""
    snapshot = take_snapshot(run.aws, run.settings(cluster), with_engines=False)
    if snapshot.unreachable:
        reasons = "; ".join(f"{region}: {reason}" for region, reason in snapshot.unreachable.items())
        raise CommandError(f"the plan cannot be verified, so nothing was done: {reasons}")
    now = digest(snapshot.planned)
    if now != confirm:
        raise CommandError(
            f"the plan has changed since: its digest is {now} now, not {confirm}: run `ringfence plan` again"
        )
    return guard_holds(snapshot.audit_events)


@dataclass(frozen=True, slots=True)
class SyncReport:
    """The result of each Region's true-up, the reason for each that did not run, and how the others stand now."""

    results: Mapping[Region, TrueUpResult]
    failed: Mapping[Region, str] = field(default_factory=dict)
    standings: Sequence[Standing] = ()

    @property
    def exit_code(self) -> int:
        """The exit code of the command."""
        if self.failed or any(result.failure for result in self.results.values()):
            return 1
        undone = any(result.counts.held or result.counts.refused for result in self.results.values())
        return exit_code(self.standings) or (2 if undone else 0)

    @property
    def changes(self) -> list[Change]:
        """Every change, where it is known: the functions return counts only."""
        return [change for result in self.results.values() for change in result.changes]

    def document(self) -> SyncDocument:
        """The results for programs."""
        return SyncDocument(
            regions=[
                TrueUpItem(
                    region=region,
                    added=result.counts.added,
                    removed=result.counts.removed,
                    relabelled=result.counts.relabelled,
                    held=result.counts.held,
                    refused=result.counts.refused,
                    seconds=result.seconds,
                    changes=[change_item(change) for change in result.changes],
                    problems=list(result.problems),
                    failure=result.failure,
                )
                for region, result in self.results.items()
            ],
            standings=standing_items(self.standings),
            failed=dict(self.failed),
        )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from diff(self.changes)
        for region, result in self.results.items():
            yield Text.assemble((region, "bold"), f"  {_counts(result)}, in {result.seconds:.1f} s")
            for problem in result.problems:
                yield Text(f"  {problem}", style="yellow")
            if result.failure is not None:
                yield Text(f"  failed: {result.failure}", style="red")
        for region, reason in self.failed.items():
            yield Text.assemble((region, "bold"), "  ", (f"failed: {reason}", "red"))
        yield from standing_lines(self.standings)


def _counts(result: TrueUpResult) -> str:
    counts = result.counts
    parts = [
        f"{count} {word}"
        for count, word in (
            (counts.added, "added"),
            (counts.removed, "removed"),
            (counts.relabelled, "relabelled"),
            (counts.held, "held"),
            (counts.refused, "refused"),
        )
        if count
    ]
    return ", ".join(parts) or "nothing to do"
