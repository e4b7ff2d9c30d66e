"""`ringfence status`: the state of every Region of the cluster, on one screen."""

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated

import typer
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding

from ringfence.core.model.identifiers import Region
from ringfence.core.model.rosters import MemberState
from ringfence_ops.cli import times
from ringfence_ops.cli.columns import columns
from ringfence_ops.cli.command_run import CommandRun, command_run
from ringfence_ops.cli.standing_text import reason_text, state_text
from ringfence_ops.cli.terminal import AsJson, Output, Regions
from ringfence_ops.cli.text import Text
from ringfence_ops.commands import status_watch
from ringfence_ops.commands.history import cause
from ringfence_ops.commands.plan import change_item, in_words
from ringfence_ops.documents.plan import reason_items
from ringfence_ops.documents.status import (
    AlarmItem,
    BadRowItem,
    ReconcileItem,
    RegionItem,
    RosterItem,
    SecurityGroupItem,
    StaleDoorItem,
    StatusDocument,
    UnknownOwnerItem,
    WaitingItem,
)
from ringfence_ops.errors import WrongUsage
from ringfence_ops.logs.audit_log import LoggedReconcile
from ringfence_ops.plurals import abridged, counted
from ringfence_ops.state.alarms import AlarmsSeen
from ringfence_ops.state.grants import KnownGrants
from ringfence_ops.state.region_state import RegionState, region_states
from ringfence_ops.state.sight import take_sight
from ringfence_ops.state.snapshot import Snapshot
from ringfence_ops.state.standing import Standing, State, exit_code
from ringfence_ops.state.standings import standings
from ringfence_ops.state.unowned_rules import RuleOrigins, UnownedRule, reported

EXAMPLES = """\b
Examples:
  ringfence status
  ringfence status us-west-2
  ringfence status --watch
  ringfence status --watch --json | jq --unbuffered '.regions[] | {region, complaints}'
  ringfence status --json | jq '.regions[] | select(.in_sync | not) | .region'
"""

SHOWN = 5
"""Maximum lines of a Region about rules of unknown owner, and about bad rows, and instances in a line. `--json` has
them all."""


def status(
    context: typer.Context,
    *,
    regions: Regions = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Read again and again: a screen until `q`, with --json a stream.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Shows how every Region stands and why, with what fixes it; its members, rules, rosters and last reconcile.

    With --watch, the screen shows the worst Region first, and scrolls with the arrow keys, space and b. With --json
    too, each reading is one document on one line.

    Exit code 0 if everything is in sync, 2 if something is not, 1 if a Region does not answer. With --watch, that of
    the last reading at `q`.
    """
    run, output = command_run(context), Output(as_json=as_json)
    origins, grants = _origins(run), KnownGrants()
    chosen = [run.cluster().of(Region(region)).region for region in regions or ()]

    def take() -> StatusReport:
        report = _report(run, origins, grants)
        return report.of(chosen) if chosen else report

    if watch and as_json:
        status_watch.stream(take, output)
    elif watch:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise WrongUsage("--watch needs a terminal: without one, give --json too, for one document on each line")
        status_watch.watch(take, output)
    report = take()
    output.show(report.document(), report)
    raise typer.Exit(report.exit_code)


def _origins(run: CommandRun) -> RuleOrigins:
    cluster = run.cluster()
    return RuleOrigins(run.aws, cluster.name, cluster.region_names)


def _report(run: CommandRun, origins: RuleOrigins, grants: KnownGrants) -> "StatusReport":
    expected = run.expected(run.cluster())
    sight = take_sight(run.aws, expected, grants)
    unowned = origins.of(reported(sight.snapshot.audit_events))
    settings = {region: one.settings for region, one in expected.items()}
    return StatusReport(sight.snapshot, region_states(sight.snapshot, settings, unowned), standings(sight))


class StatusReport:
    """The state of all Regions, for people and for programs."""

    def __init__(
        self, snapshot: Snapshot, regions: Sequence[RegionState], standings: Mapping[Region, Standing]
    ) -> None:
        self.snapshot, self.regions, self.standings = snapshot, regions, standings

    def of(self, chosen: Collection[Region]) -> "StatusReport":
        """The same for some of the Regions."""
        snapshot = replace(
            self.snapshot,
            unreachable={name: reason for name, reason in self.snapshot.unreachable.items() if name in chosen},
            dry_runs={name: result for name, result in self.snapshot.dry_runs.items() if name in chosen},
        )
        regions = [region for region in self.regions if region.region in chosen]
        return StatusReport(snapshot, regions, {name: self.standings[name] for name in chosen})

    def brief(self, region: RegionState) -> Iterator[tuple[str, Text]]:
        """What a screen says of a Region that is not in sync: its reasons, without what fixes them."""
        if region.drift:
            yield "drift", in_words(region.drift)
        yield from _waiting(region)
        for reason in self.standings[region.region].reasons:
            if reason.part != "instances":
                yield reason.state, Text(reason.why)

    @property
    def exit_code(self) -> int:
        """The exit code of the command."""
        return exit_code(self.standings.values())

    def document(self) -> StatusDocument:
        """The state for programs."""
        return StatusDocument(
            cluster=self.snapshot.cluster,
            at=times.timestamp(self.snapshot.at),
            in_sync=self.exit_code == 0,
            regions=[_region_item(region, self.standings[region.region]) for region in self.regions],
            failures=dict(self.snapshot.failures),
            unreachable=dict(self.snapshot.unreachable),
        )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        snapshot = self.snapshot
        count = len(self.regions) + len(snapshot.unreachable)
        now = times.time_of_day(snapshot.at)
        yield Text.assemble((snapshot.cluster, "bold"), f"  {counted(count, 'Region')}  {now} UTC")
        yield Text()
        for region in self.regions:
            standing = self.standings[region.region]
            mode = "" if region.mode == "owned" else f"  {region.mode}"
            yield Text.assemble((region.region, "bold"), "  ", state_text(standing.state), (mode, "cyan"))
            lines = [*_always_shown(region, snapshot.at), *_shown_if_any(region, snapshot.at), *_reasons(standing)]
            yield Padding(columns([[Text(name, style="dim"), line] for name, line in lines], 1), (0, 0, 1, 2))
        for name in snapshot.unreachable:
            standing = self.standings[name]
            yield Text.assemble((name, "bold"), "  ", state_text(standing.state))
            lines = list(_reasons(standing))
            yield Padding(columns([[Text(name, style="dim"), line] for name, line in lines], 1), (0, 0, 1, 2))
        yield self._last_line()

    def _last_line(self) -> Text:
        if self.snapshot.unreachable:
            return Text("Not every Region answers.", style="red")
        if self.exit_code == 0:
            return Text("All in sync.", style="green")
        message = "Not in sync: `ringfence plan` shows what would change, `ringfence doctor` what is wrong."
        return Text(message, style="yellow")


def _always_shown(region: RegionState, now: float) -> Iterator[tuple[str, Text]]:
    counts = region.counts
    members = [f"{count} {_MEMBERS[state]}" for state, count in sorted(counts.members.items())]
    yield "members", Text(", ".join(members) or "none")
    if counts.instances.keys() - {"InService"}:
        yield "instances", Text(_listed(counts.instances))
    for group in region.groups:
        itself = f"{group.itself} for itself, " if group.itself else ""
        free = Text(f"{group.free} of {group.quota} free", style="" if group.free * 5 > group.quota else "yellow")
        yield "rules", Text.assemble(f"{group.owned} owned, {group.foreign} foreign, {itself}", free, f"  {group.id}")
    for roster in region.rosters:
        age = times.age(now - roster.updated_at)
        line = Text(f"{roster.key} version {roster.version}, {age} old")
        for peer in roster.behind:
            version = roster.known[peer]
            line.append(f"; {peer} has {'none' if version is None else version}", style="yellow")
        yield "roster", line
    yield "reconciled", _last_reconcile(region.engine.last_reconcile, now)


def _shown_if_any(region: RegionState, now: float) -> Iterator[tuple[str, Text]]:
    if region.drift:
        yield "drift", in_words(region.drift)
    yield from _unknown_owners(region, now)
    alarms = region.engine.alarms
    for alarm in alarms.ringing:
        line = f"{alarm.name} rings, {times.age(now - alarm.since)}: {alarm.reason}"
        yield "alarm", Text(line, style="red").line(alarm.description, "dim")
    if alarms.unread is not None:
        yield "alarms", Text(f"not known whether one rings: {alarms.unread}", style="yellow")
    if region.engine.queued:
        yield "queue", Text(counted(region.engine.queued, "message"))


def _reasons(standing: Standing) -> Iterator[tuple[str, Text]]:
    """Why the Region is not in sync. Rules of unknown owner have lines of their own, with who made them."""
    for reason in standing.reasons:
        if reason.part != "owners":
            yield reason.state, reason_text(reason)


def _waiting(region: RegionState) -> Iterator[tuple[str, Text]]:
    """The instances that wait, by group and state."""
    waiting: dict[tuple[str, str], list[str]] = {}
    for one in region.waiting:
        waiting.setdefault((one.group, one.state), []).append(one.instance)
    for (group, state), ids in waiting.items():
        yield "waiting", Text(f"{len(ids)} of {group}, {state}: {abridged(ids, SHOWN)}", style="yellow")


def _unknown_owners(region: RegionState, now: float) -> Iterator[tuple[str, Text]]:
    for unowned in region.unowned[:SHOWN]:
        line = f"{unowned.rule} admits {unowned.opening}, {made(unowned, now)}: {unowned.why}"
        yield "no owner", Text(line, style="red").line(unowned.fix, "dim")
    if (more := len(region.unowned) - SHOWN) > 0:
        yield "no owner", Text(f"and {more} more: see `ringfence doctor`", style="red")


def made(unowned: UnownedRule, now: float) -> str:
    """How old a rule of unknown owner is, and who made it."""
    if unowned.origin is None:
        return "age unknown"
    return f"{times.age(now - unowned.origin.at)} old, by {unowned.origin.by}"


def _last_reconcile(reconcile: LoggedReconcile | None, now: float) -> Text:
    if reconcile is None:
        return Text("not within 20 min, by the log", style="yellow")
    line = Text(f"{times.age(now - reconcile.at)} ago, by {cause(reconcile.causes)}")
    if reconcile.failure is not None:
        line.append(f"; failed: {reconcile.failure}", style="red")
    return line


_MEMBERS = {
    MemberState.MEMBER.value: "with an address",
    MemberState.WAITING.value: "without an address yet",
    MemberState.BARE.value: "no longer with an address",
    MemberState.MISSING.value: "no longer listed",
}


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))


def _region_item(region: RegionState, standing: Standing) -> RegionItem:
    reconcile = region.engine.last_reconcile
    return RegionItem(
        region=region.region,
        in_sync=standing.state is State.IN_SYNC,
        state=standing.state,
        reasons=reason_items(standing.reasons),
        complaints=[reason.why for reason in standing.reasons],
        mode=region.mode,
        deployed=region.engine.is_deployed,
        members=dict(region.counts.members),
        instances=dict(region.counts.instances),
        security_groups=[
            SecurityGroupItem(group.id, group.owned, group.foreign, group.itself, group.free, group.quota)
            for group in region.groups
        ],
        rosters=[
            RosterItem(str(roster.key), roster.version, times.timestamp(roster.updated_at), dict(roster.known))
            for roster in region.rosters
        ],
        waiting=[WaitingItem(waiting.group, waiting.instance, waiting.state) for waiting in region.waiting],
        stale_doors=[
            StaleDoorItem(door.instance, door.region, times.timestamp(door.since)) for door in region.stale_doors
        ],
        unknown_owners=[_unknown_owner_item(unowned) for unowned in region.unowned],
        bad_rows=[BadRowItem(str(key), reason) for key, reason in region.bad_rows.items()],
        undescribed={id: zone.zone for zone in region.failing_zones for id in zone.instances},
        drift=[change_item(change) for change in region.drift],
        queued=region.engine.queued,
        dead_letters=region.engine.dead_letters,
        alarms=_alarm_items(region.engine.alarms),
        last_reconcile=None
        if reconcile is None
        else ReconcileItem(times.timestamp(reconcile.at), list(reconcile.causes), reconcile.failure),
    )


def _alarm_items(alarms: AlarmsSeen) -> list[AlarmItem] | None:
    if alarms.unread is not None:
        return None
    return [AlarmItem(alarm.name, times.timestamp(alarm.since), alarm.reason) for alarm in alarms.ringing]


def _unknown_owner_item(unowned: UnownedRule) -> UnknownOwnerItem:
    origin = unowned.origin
    return UnknownOwnerItem(
        security_group=unowned.group,
        rule=unowned.rule,
        address=unowned.opening.cidr,
        ports=str(unowned.opening.ports),
        description=str(unowned.label),
        why=unowned.why,
        since=None if origin is None else times.timestamp(origin.at),
        made_by=None if origin is None else origin.by,
    )
