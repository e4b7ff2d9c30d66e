"""`ringfence status`: how every Region of the cluster stands, on one screen."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.padding import Padding
from rich.text import Text

from ringfence.core.model.identifiers import Region
from ringfence.core.model.rosters import MemberState
from ringfence_ops.aws.errors import CommandError
from ringfence_ops.cli import times as moments
from ringfence_ops.cli.columns import columns
from ringfence_ops.cli.invocation import Invocation, invocation
from ringfence_ops.cli.terminal import AsJson, Output
from ringfence_ops.commands.plan import SIGNS, changed
from ringfence_ops.state.changes import Action
from ringfence_ops.state.region_state import RegionStanding, standings
from ringfence_ops.state.snapshot import Survey, survey

SCHEMA = "ringfence.status/1"

EXAMPLES = """\b
Examples:
  ringfence status
  ringfence status --watch
  ringfence status --json | jq '.regions[] | select(.in_sync | not) | .region'
"""

EVERY = 2.0
"""Seconds between two looks of `--watch`."""


def status(
    context: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Keep looking, until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Shows how every Region stands: members, rules, rosters, drift, waiting hooks, stale doors, the last reconcile.

    Exit code 0 if all is in sync, 2 if something is not, 1 if a Region does not answer.
    """
    run, output = invocation(context), Output(as_json)
    if watch:
        if as_json or not output.people.is_terminal:
            raise CommandError("--watch needs a terminal: without one, call `ringfence status` again and again")
        _watch(run, output)
    screen = _screen(run)
    output.show(screen.document(), screen)
    raise typer.Exit(screen.exit_code)


def _watch(run: Invocation, output: Output) -> None:
    with Live(console=output.people, screen=True, auto_refresh=False) as live:
        while True:
            live.update(_screen(run), refresh=True)
            time.sleep(EVERY)


def _screen(run: Invocation) -> "Screen":
    cluster = run.cluster()
    settings = run.settings(cluster)
    found = survey(run.aws, settings)
    return Screen(found, standings(found, settings), str(cluster.ports))


class Screen:
    """The one screen."""

    def __init__(self, found: Survey, regions: Sequence[RegionStanding], ports: str) -> None:
        self.found, self.regions, self.ports = found, regions, ports

    @property
    def complaints(self) -> dict[Region, list[str]]:
        """Why a Region is not in sync."""
        return {one.region: one.complaints for one in self.regions if one.complaints}

    @property
    def exit_code(self) -> int:
        """The command's."""
        return 1 if self.found.unreachable else 2 if self.complaints or self.found.failures else 0

    def document(self) -> dict[str, Any]:
        """The screen for programs."""
        return {
            "schema": SCHEMA,
            "cluster": self.found.cluster,
            "at": moments.stamp(self.found.at),
            "in_sync": self.exit_code == 0,
            "regions": [_region(one) for one in self.regions],
            "failures": dict(self.found.failures),
            "unreachable": dict(self.found.unreachable),
        }

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        found = self.found
        count = len(self.regions) + len(found.unreachable)
        head = Text.assemble((found.cluster, "bold"), f"  {count} Regions  {moments.clock(found.at)} UTC")
        yield head
        yield Text()
        for one in self.regions:
            said = ", ".join(one.complaints)
            mode = "" if one.mode == "owned" else f"  {one.mode}"
            yield Text.assemble(
                (one.region, "bold"), "  ", (said, "yellow") if said else ("in sync", "green"), (mode, "cyan")
            )
            rows = [[Text(name, style="dim"), said] for name, said in (*_well(one, found.at), *_unwell(one, found.at))]
            yield Padding(columns(rows, 1), (0, 0, 1, 2))
        for region, reason in found.unreachable.items():
            yield Text.assemble((region, "bold"), "  ", (f"unreachable: {reason}", "red"))
        for region, reason in found.failures.items():
            yield Text.assemble((region, "bold"), "  ", (f"a reconcile would fail: {reason}", "red"))
        yield self._last_line()

    def _last_line(self) -> Text:
        if self.found.unreachable:
            return Text("Not every Region answers.", style="red")
        if self.exit_code == 0:
            return Text("All in sync.", style="green")
        said = "Not in sync: `ringfence plan` shows what is to be done, `ringfence doctor` what is wrong."
        return Text(said, style="yellow")


def _well(one: RegionStanding, now: float) -> Iterator[tuple[str, Text]]:
    """What is always shown."""
    members = [f"{count} {_MEMBERS[state]}" for state, count in sorted(one.members.items())]
    yield "members", Text(", ".join(members) or "none")
    if one.instances.keys() - {"InService"}:
        yield "instances", Text(_counts(one.instances))
    for group in one.groups:
        free = Text(f"{group.free} of {group.quota} free", style="" if group.free * 5 > group.quota else "yellow")
        yield "rules", Text.assemble(f"{group.owned} owned, {group.foreign} foreign, ", free, f"  {group.id}")
    for roster in one.rosters:
        age = moments.age(now - roster.updated_at)
        said = Text(f"{roster.key} version {roster.version}, {age} old")
        for region, version in roster.known.items():
            if version != roster.version:
                said.append(f"; {region} has {'none' if version is None else version}", style="yellow")
        yield "roster", said
    yield "reconciled", _last(one, now)


def _unwell(one: RegionStanding, now: float) -> Iterator[tuple[str, Text]]:
    """What is shown where there is any."""
    if one.drift:
        counts = {action: sum(change.action is action for change in one.drift) for action in Action}
        parts = [(f"{SIGNS[action][0]}{count} ", SIGNS[action][1]) for action, count in counts.items() if count]
        yield "drift", Text.assemble(*parts)
    for waiting in one.waiting:
        yield "waiting", Text(f"{waiting.instance} of {waiting.group}, {waiting.state}", style="yellow")
    for door in one.stale_doors:
        said = Text(f"{door.region} may still admit {door.instance}, {moments.age(now - door.since)}", style="red")
        yield "stale door", said
    if one.workings.queued:
        yield "queue", Text(f"{one.workings.queued} messages")
    if one.workings.dead_letters:
        yield "dead letters", Text(f"{one.workings.dead_letters} messages", style="red")


def _last(one: RegionStanding, now: float) -> Text:
    last = one.workings.last
    if last is None:
        return Text("not within 20 min, as far as the log tells", style="yellow")
    by = "the schedule" if last.is_scheduled else ", ".join(last.causes) or "hand"
    said = Text(f"{moments.age(now - last.at)} ago, for {by}")
    if last.failure is not None:
        said.append(f"; failed: {last.failure}", style="red")
    return said


_MEMBERS = {
    MemberState.MEMBER.value: "with an address",
    MemberState.WAITING.value: "without an address yet",
    MemberState.BARE.value: "without an address any more",
    MemberState.MISSING.value: "no longer listed",
}


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))


def _region(one: RegionStanding) -> dict[str, Any]:
    last = one.workings.last
    return {
        "region": one.region,
        "in_sync": not one.complaints,
        "complaints": one.complaints,
        "mode": one.mode,
        "deployed": one.workings.is_deployed,
        "members": dict(one.members),
        "instances": dict(one.instances),
        "security_groups": [asdict(group) for group in one.groups],
        "rosters": [
            {
                "roster": str(roster.key),
                "version": roster.version,
                "updated_at": moments.stamp(roster.updated_at),
                "known": dict(roster.known),
            }
            for roster in one.rosters
        ],
        "waiting": [asdict(waiting) for waiting in one.waiting],
        "stale_doors": [
            {"instance": door.instance, "region": door.region, "since": moments.stamp(door.since)}
            for door in one.stale_doors
        ],
        "drift": [changed(change) for change in one.drift],
        "queued": one.workings.queued,
        "dead_letters": one.workings.dead_letters,
        "last_reconcile": None
        if last is None
        else {"at": moments.stamp(last.at), "causes": list(last.causes), "failure": last.failure},
    }
