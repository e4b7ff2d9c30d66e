"""`ringfence pause` and `ringfence resume`: stop all changes of rules at once, without touching a stack; and go on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import typer
from rich.console import Console, ConsoleOptions, RenderResult

from ringfence.aws.pause_item import REASON_LIMIT
from ringfence.core.freshness import FUNCTION_SECONDS
from ringfence.core.model.identifiers import Region
from ringfence.core.model.pauses import Pause
from ringfence_ops.aws.sessions import Aws, Unreachable
from ringfence_ops.cli import times
from ringfence_ops.cli.command_run import CommandRun, command_run
from ringfence_ops.cli.terminal import AsJson, Output, Regions
from ringfence_ops.cli.text import Text
from ringfence_ops.cluster.cluster_file import Cluster
from ringfence_ops.documents.pause import PauseDocument, PauseItem
from ringfence_ops.errors import CommandError, WrongUsage
from ringfence_ops.state.pauses import Tables, Written, author, read_tables, write_end, write_pause
from ringfence_ops.state.true_up import TrueUpResult, true_up_by_function

PAUSE_EXAMPLES = """\b
Examples:
  ringfence pause --reason "incident 4711"             # all Regions
  ringfence pause us-west-2 --reason "firewall audit"
  ringfence plan                                       # what the engines would do
"""

RESUME_EXAMPLES = """\b
Examples:
  ringfence plan        # what the engines will do
  ringfence resume      # all Regions
  ringfence resume us-west-2
"""

TIMEOUT = 60.0
"""Seconds that a true-up may take: the function's timeout."""


def pause(
    context: typer.Context,
    *,
    regions: Regions = None,
    reason: Annotated[str, typer.Option(help="Why. Every screen shows it, with your ARN and the time.")] = "",
    as_json: AsJson = False,
) -> None:
    """Stops all changes of rules in a Region at once, without touching its stack. `ringfence resume` ends it.

    While a Region is paused, no engine changes a rule of its security groups, and its own engine changes none in any
    Region. It lets waiting instances go, as in observe mode, and says what it would do. The other Regions continue
    between themselves, and keep admitting the Region's members. A reconcile that began before may go on for 30 s.

    Exit code 0 if the Region is paused, 2 if an engine of version 0.1 does not know pauses, 1 if a Region does not
    answer.
    """
    if len(reason) > REASON_LIMIT:
        raise WrongUsage(f"the reason has {len(reason)} characters, and at most {REASON_LIMIT} fit")
    run, output = command_run(context), Output(as_json=as_json)
    cluster, chosen = _chosen(run, regions)
    who = author(run.aws, cluster.region_names)
    tables = _read(run, cluster, output)
    report = PauseReport(who.at, tables)
    for region in chosen:
        wanted = Pause(region, who.arn, reason, who.at)
        report.written[region] = write_pause(run.aws, cluster.name, region, tables, wanted)
    _true_up(run.aws, cluster.name, report, output)
    _show(report, output)


def resume(context: typer.Context, *, regions: Regions = None, as_json: AsJson = False) -> None:
    """Ends the pause of a Region, and reconciles it at once. `ringfence plan` shows before what that will change.

    Exit code 0 if the Region is not paused any more, 1 if a Region does not answer.
    """
    run, output = command_run(context), Output(as_json=as_json)
    cluster, chosen = _chosen(run, regions)
    who = author(run.aws, cluster.region_names)
    tables = _read(run, cluster, output)
    report = PauseReport(who.at, tables)
    for region in chosen:
        report.written[region] = write_end(run.aws, cluster.name, region, tables, who)
    _true_up(run.aws, cluster.name, report, output)
    _show(report, output)


def _chosen(run: CommandRun, regions: Sequence[str] | None) -> tuple[Cluster, list[Region]]:
    cluster = run.cluster()
    return cluster, [cluster.of(Region(region)).region for region in dict.fromkeys(regions or cluster.region_names)]


def _read(run: CommandRun, cluster: Cluster, output: Output) -> Tables:
    with output.working("reading the tables"):
        tables = read_tables(run.aws, cluster.name, cluster.region_names)
    if not tables.rows and not tables.unreachable:
        raise CommandError(f"{cluster.name} is not deployed in any Region, so there is nothing to pause")
    return tables


def _true_up(aws: Aws, cluster: str, report: "PauseReport", output: Output) -> None:
    """Runs the engine of each Region that something was written for: it lets go what waits, and tells the others.

    An engine that does not answer learns of it with its next true-up: the row is there.
    """
    regions = [region for region, done in report.written.items() if not done.was_so and region in done.tables]
    with output.working(f"true-up of {', '.join(regions)}"):
        answers = aws.each_region(regions, lambda region: true_up_by_function(aws, cluster, region), TIMEOUT)
    for region, answer in answers.items():
        match answer:
            case Unreachable(reason=reason):
                report.not_run[region] = reason
            case TrueUpResult(failure=str(failure)):
                report.not_run[region] = failure
            case TrueUpResult():
                report.results[region] = answer


def _show(report: "PauseReport", output: Output) -> None:
    output.show(report.document(), report)
    raise typer.Exit(report.exit_code)


@dataclass(slots=True)
class PauseReport:
    """What was written, and the result of the true-up that followed. `at` is in epoch seconds."""

    at: int
    tables: Tables
    written: dict[Region, Written] = field(default_factory=dict)
    results: dict[Region, TrueUpResult] = field(default_factory=dict)
    not_run: dict[Region, str] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """The exit code of the command."""
        if self.not_run or any(done.failed for done in self.written.values()):
            return 1
        return 2 if any(self._ignores(region) for region in self.written) else 0

    def _ignores(self, region: Region) -> bool:
        """Whether the Region's own engine goes on although the Region is paused."""
        return not self.written[region].pause.is_over and region in self.tables.old_engines

    def document(self) -> PauseDocument:
        """The report for programs."""
        old = self.tables.old_engines
        return PauseDocument(
            regions=[
                PauseItem(
                    region=region,
                    paused=not done.pause.is_over,
                    by=done.pause.by or None,
                    since=times.timestamp(done.pause.since) if done.pause.since else None,
                    reason=done.pause.reason,
                    unchanged=done.was_so,
                    tables=list(done.tables),
                    failed=dict(done.failed),
                    ignored_by=[] if done.pause.is_over else list(old),
                )
                for region, done in self.written.items()
            ],
            failed=dict(self.not_run),
        )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for region, done in self.written.items():
            yield from self._lines(region, done)
        for region in self.tables.missing:
            yield Text.assemble((region, "bold"), "  not deployed: no engine works there")
        yield from self._next()

    def _lines(self, region: Region, done: Written) -> Iterator[Text]:
        is_over = done.pause.is_over
        if is_over and done.was_so:
            yield Text.assemble((region, "bold"), "  is not paused: nothing to resume")
        else:
            already = " already" if done.was_so else ""
            yield Text.assemble((region, "bold"), "  ", (str(done.pause).removeprefix(f"{region} "), "cyan"), already)
        if self._ignores(region):
            why = "its engine is of version 0.1, which does not know pauses: it goes on changing rules"
            yield Text(f"  {why}: ringfence deploy {region}", style="red")
        for table, reason in done.failed.items():
            yield Text(f"  the table of {table} could not be written: {reason}", style="red")
            yield Text(f"  {_effect(region, table, is_over=is_over)}", style="red")
        if region in self.not_run:
            yield Text(f"  its engine learns of it with the next true-up: {self.not_run[region]}", style="yellow")
        if region in self.results:
            counts = self.results[region].counts
            if is_over:
                yield Text(f"  reconciled: {counts.added} added, {counts.removed} removed, {counts.held} held")

    def _next(self) -> Iterator[Text]:
        of_all = len(self.tables.rows) + len(self.tables.missing) + len(self.tables.unreachable)
        names = " ".join(self.written) if len(self.written) < of_all else ""
        if any(not done.pause.is_over and not done.was_so for done in self.written.values()):
            by = times.time_of_day(self.at + FUNCTION_SECONDS + 5)
            yield Text(f"A reconcile that began before this may go on until {by} UTC.", style="dim")
        if any(not done.pause.is_over for done in self.written.values()):
            yield Text(f"To go on: ringfence resume {names}".rstrip(), style="dim")
        elif any(result.counts.held for result in self.results.values()):
            yield Text(
                "The guard holds removals: `ringfence plan` shows them and how to confirm them.", style="magenta"
            )


def _effect(region: Region, table: Region, *, is_over: bool) -> str:
    """What it means that a table was not written."""
    command = f"run `ringfence {'resume' if is_over else 'pause'} {region}` again when it answers"
    if is_over:
        return f"if it has the pause, the engine of {table} goes on heeding it: {command}"
    if region == table:
        return f"so the engine of {region} goes on changing rules: {command}"
    return f"its engine goes on changing rules in {region} until that Region announces that it is paused: {command}"
