"""`ringfence history`: every change of a rule, and every decision about a waiting instance, from the audit logs."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, assert_never

import typer
from rich.console import Console, ConsoleOptions, RenderResult

from ringfence.core.model.identifiers import Region
from ringfence_ops.cli import completion, times
from ringfence_ops.cli.columns import columns, widths
from ringfence_ops.cli.command_run import command_run
from ringfence_ops.cli.terminal import AsJson, Output
from ringfence_ops.cli.text import Text
from ringfence_ops.commands.decision_rows import WORDS, decision_item, decision_row
from ringfence_ops.documents.history import HistoryDocument, LoggedChangeItem, LoggedDecisionItem, LoggedPauseItem
from ringfence_ops.errors import WrongUsage
from ringfence_ops.explain.subject import Subject
from ringfence_ops.logs.audit_log import (
    BY_HAND,
    DEPLOYED,
    DONE,
    SCHEDULED,
    ChangeFilter,
    EntryFilter,
    LoggedAction,
    LoggedChange,
    LoggedEntry,
    read_entries,
)
from ringfence_ops.logs.decisions import DecisionRun, LoggedDecision, runs
from ringfence_ops.logs.following import FollowedRuns
from ringfence_ops.logs.following import follow as follow_log
from ringfence_ops.logs.logged_pauses import LoggedPause
from ringfence_ops.plurals import counted

_SIGNS = {
    LoggedAction.ADDED: ("+", "green"),
    LoggedAction.REMOVED: ("-", "red"),
    LoggedAction.RELABELLED: ("~", "yellow"),
    LoggedAction.WOULD_ADD: ("(+)", "dim green"),
    LoggedAction.WOULD_REMOVE: ("(-)", "dim red"),
}

_HEADERS = ("time", "change", "instance", "why", "where", "cause")

_WIDE = 112
"""Columns from which there is room for the cause of a change."""


EXAMPLES = """\b
Examples:
  ringfence history                          # the last two hours
  ringfence history --since 7d --region us-west-2
  ringfence history --address 203.0.113.7    # which instances had it, and when
  ringfence history --since 1d --lines | jq 'select(.turn == "removed")'
  ringfence history --follow                 # and what comes next, until Ctrl-C
"""


def history(
    context: typer.Context,
    *,
    since: Annotated[
        str, typer.Option(help="The start: 90s, 30m, 2h, 7d (ago), or a time such as 2026-11-23T15:00 (UTC).")
    ] = "2h",
    until: Annotated[str | None, typer.Option(help="The end; by default now.")] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this Region's security groups and instances. Can be repeated.",
            autocompletion=completion.regions,
        ),
    ] = None,
    instance: Annotated[list[str] | None, typer.Option(help="Only this instance. Can be repeated.")] = None,
    address: Annotated[list[str] | None, typer.Option(help="Only rules for this address. Can be repeated.")] = None,
    observed: Annotated[
        bool, typer.Option("--observed", help="Also what would have been changed in observe mode.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Also print what comes next, until Ctrl-C. With --json, in lines.")
    ] = False,
    lines: Annotated[bool, typer.Option("--lines", help="Print JSON, one change or decision on each line.")] = False,
    as_json: AsJson = False,
) -> None:
    """Shows every rule that was added or removed and every instance that was held, admitted, released, let go or sent
    away at a lifecycle hook, with the reason and how long it waited, from all audit logs.

    An instance that is held for one reason is shown once, although every pass of the engine reports it. The engines
    write the audit log into CloudWatch Logs, which keeps it for the log group's retention time.
    """
    run = command_run(context)
    now = time.time()
    try:
        start, end = times.parse(since, now), None if until is None else times.parse(until, now)
        subjects = [Subject.parse(text) for text in (*(instance or ()), *(address or ()))]
    except ValueError as error:
        raise WrongUsage(str(error)) from None
    if follow and until is not None:
        raise WrongUsage("--follow has no end: give it without --until")
    instances = frozenset(subject.instance for subject in subjects if subject.instance)
    selected = EntryFilter(
        ChangeFilter(
            actions=frozenset(LoggedAction) if observed else DONE,
            addresses=frozenset(subject.cidr for subject in subjects if subject.cidr),
            instances=instances,
        ),
        decided=instances if subjects else None,
    )
    cluster = run.cluster()
    shown = {cluster.of(Region(name)).region for name in region or cluster.region_names}

    def read(since: float) -> tuple[list[LoggedEntry], dict[Region, str]]:
        found, unreachable = read_entries(run.aws, cluster.name, since, end, selected, regions=cluster.region_names)
        return [entry for entry in found if _region_of(entry) in shown], unreachable

    output = Output(as_json=as_json)
    if follow:
        _follow(read, start, output, as_lines=lines or as_json)
    entries, unreachable = read(start)
    if lines:
        for entry in entries:
            output.line(entry_item(entry))
    else:
        output.show(document(entries, start, unreachable), HistoryReport(entries))
    for name, reason in unreachable.items():
        output.say(f"{name}'s log was not read: {reason}")
    raise typer.Exit(1 if unreachable else 0)


def _follow(
    read: Callable[[float], tuple[list[LoggedEntry], dict[Region, str]]],
    since: float,
    output: Output,
    *,
    as_lines: bool,
) -> None:
    """Prints one look at the logs after another, until Ctrl-C. A Region that does not answer is named once."""
    said: dict[Region, str] = {}
    shown, day = FollowedRuns(), None
    for news in follow_log(read, since, time.time, time.sleep):
        if as_lines:
            for entry in news.entries:
                output.line(entry_item(entry))
        elif entries := shown.news(news.entries):
            report = HistoryReport(entries, totals=False, after=day)
            output.show_report(report)
            day = report.last_day
        for region, reason in news.unreachable.items():
            if said.get(region) != reason:
                output.say(f"{region}'s log was not read: {reason}")
        said = dict(news.unreachable)


def _region_of(entry: LoggedEntry) -> Region:
    """The Region of the security group or of the instance."""
    return entry.rule.region if isinstance(entry, LoggedChange) else entry.engine


def document(entries: Sequence[LoggedEntry], since: float, unreachable: Mapping[Region, str]) -> HistoryDocument:
    """The changes and the decisions for programs, oldest first."""
    return HistoryDocument(
        since=times.timestamp(since),
        changes=[item(entry) for entry in entries if isinstance(entry, LoggedChange)],
        decisions=[decision_item(entry) for entry in entries if isinstance(entry, LoggedDecision)],
        pauses=[pause_item(entry) for entry in entries if isinstance(entry, LoggedPause)],
        unreachable=dict(unreachable),
    )


def entry_item(entry: LoggedEntry) -> LoggedChangeItem | LoggedDecisionItem | LoggedPauseItem:
    """One change, decision or pause for programs."""
    match entry:
        case LoggedChange():
            return item(entry)
        case LoggedDecision():
            return decision_item(entry)
        case LoggedPause():
            return pause_item(entry)
        case _:
            assert_never(entry)


def pause_item(pause: LoggedPause) -> LoggedPauseItem:
    """One pause for programs."""
    turn: Literal["paused", "resumed"] = "resumed" if pause.is_over else "paused"
    return LoggedPauseItem(times.timestamp(pause.at), pause.engine, turn, pause.by, pause.why)


def item(change: LoggedChange) -> LoggedChangeItem:
    """One change for programs."""
    return LoggedChangeItem(
        at=times.timestamp(change.at),
        engine=change.engine,
        turn=change.action,
        region=change.rule.region,
        security_group=change.rule.security_group,
        rule=change.rule.id,
        address=change.rule.address,
        ports=change.rule.ports,
        auto_scaling_group=change.member.auto_scaling_group,
        instance=change.member.instance,
        causes=list(change.causes),
        reason=change.reason,
        drift=change.drift,
        stale_seconds=change.stale_seconds,
        was=change.was,
    )


@dataclass(frozen=True, slots=True)
class ChangeGroup:
    """Changes of one kind to one address, of one cause and within a short time.

    A launch opens doors in every Region, on every port.
    """

    changes: tuple[LoggedChange, ...]

    @property
    def first(self) -> LoggedChange:
        """The first change."""
        return self.changes[0]

    @property
    def places(self) -> str:
        """The ports and the Regions."""
        regions = dict.fromkeys(change.rule.region for change in self.changes)
        ports = dict.fromkeys(change.rule.ports for change in self.changes)
        return f"{' '.join(ports)} in {' '.join(regions)}"


GROUPED_WITHIN = 60.0
"""Seconds from the first change of a group to its last."""


def grouped(changes: Iterable[LoggedChange]) -> list[ChangeGroup]:
    """The changes, given oldest first, in groups."""
    groups: list[list[LoggedChange]] = []
    latest: dict[tuple[object, ...], list[LoggedChange]] = {}
    for change in changes:
        what = change.action, change.reason, change.drift, change.was, cause(change.causes)
        kind = (change.rule.address, change.member.instance, *what)
        group = latest.get(kind)
        if group is None or change.at - group[0].at > GROUPED_WITHIN:
            group = latest[kind] = []
            groups.append(group)
        group.append(change)
    return [ChangeGroup(tuple(group)) for group in groups]


class HistoryReport:
    """The changes and decisions for people, by day, as wide as the terminal."""

    def __init__(
        self, entries: Sequence[LoggedEntry | DecisionRun], *, totals: bool = True, after: str | None = None
    ) -> None:
        """`after` is the day that stands above it already."""
        self.pauses = [entry for entry in entries if isinstance(entry, LoggedPause)]
        self.changes = [entry for entry in entries if isinstance(entry, LoggedChange)]
        self.runs = [entry for entry in entries if isinstance(entry, DecisionRun)]
        self.runs += runs(entry for entry in entries if isinstance(entry, LoggedDecision))
        self.totals = totals
        self.after = after

    @property
    def last_day(self) -> str | None:
        """The day of the latest entry."""
        times_of_all = [change.at for change in self.changes] + [pause.at for pause in self.pauses]
        times_of_all += [run.first.at for run in self.runs]
        return times.day(max(times_of_all)) if times_of_all else self.after

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        is_wide = options.max_width >= _WIDE
        dated = [(group.first.at, list(_row(group, is_wide=is_wide))) for group in grouped(self.changes)]
        dated += [(run.first.at, list(decision_row(run))) for run in self.runs]
        dated += [(pause.at, list(_pause_row(pause))) for pause in self.pauses]
        days: dict[str, list[list[Text]]] = {}
        for at, row in sorted(dated, key=lambda one: one[0]):
            days.setdefault(times.day(at), []).append(row)
        headers = _HEADERS[: None if is_wide else -1]
        fixed = widths([row for rows in days.values() for row in rows], 4, headers)
        for day, rows in days.items():
            if day != self.after:
                yield Text(f"{day} (UTC)", style="bold")
            yield columns(rows, fixed, headers if day != self.after else ())
        if not self.totals:
            return
        added = sum(change.action is LoggedAction.ADDED for change in self.changes)
        removed = sum(change.action is LoggedAction.REMOVED for change in self.changes)
        totals = (
            f"{counted(added, 'rule')} added, {removed} removed" if self.changes else "no rule was added or removed"
        )
        if counts := Counter(WORDS[run.last.decision] for run in self.runs if run.last.was_active):
            totals += "; instances: " + ", ".join(f"{count} {word}" for word, count in counts.items())
        yield Text(totals, style="dim")


def _row(group: ChangeGroup, *, is_wide: bool) -> Iterator[Text]:
    change = group.first
    sign, style = _SIGNS[change.action]
    yield Text(times.time_of_day(change.at), style="dim")
    yield Text(f"{sign} {address(change.rule.address)}", style=style)
    yield Text(change.member.instance or "foreign")
    yield Text(why(change))
    yield Text(group.places)
    if is_wide:
        yield Text(cause(change.causes), style="dim")


def _pause_row(pause: LoggedPause) -> Iterator[Text]:
    """A pause in the columns of the history: time, what, Region, who and why."""
    yield Text(times.time_of_day(pause.at), style="dim")
    yield Text("resumed" if pause.is_over else "paused", style="cyan")
    yield Text(pause.engine)
    yield Text()
    yield Text(f"by {pause.by or 'an unknown caller'}" + (f": {pause.why}" if pause.why else ""))


def address(cidr: str) -> str:
    """A single address without its prefix length, a larger network with it."""
    host, _, length = cidr.partition("/")
    return host if length == ("128" if ":" in host else "32") else cidr


def why(change: LoggedChange) -> str:
    """The reason, in one or two words."""
    match change.action:
        case LoggedAction.ADDED | LoggedAction.WOULD_ADD:
            return "put back" if change.drift else "member"
        case LoggedAction.RELABELLED:
            return f"was {(change.was or '').rpartition(' ')[2]}"
        case LoggedAction.REMOVED | LoggedAction.WOULD_REMOVE:
            late = "" if change.stale_seconds is None else f" +{times.age(change.stale_seconds)}"
            return f"{REASONS.get(change.reason or '', change.reason or '')}{late}"


REASONS = {
    "departed": "left",
    "no-member": "no member",
    "unknown-instance": "unknown",
    "unknown-address": "no address",
    "port-not-managed": "port",
    "foreign": "foreign",
}
"""The engine's reasons (`ringfence.core.plan.Reason`), short enough for a column."""


def cause(causes: Sequence[str]) -> str:
    """What started the reconcile, as short as it can be recognised."""
    if not causes:
        return "an unknown cause"
    more = f" and {len(causes) - 1} more" if len(causes) > 1 else ""
    first = next((cause for cause in causes if cause.startswith(BY_HAND)), causes[0])
    if first.startswith(BY_HAND):
        return f"hand ({first.removeprefix(BY_HAND)}){more}"
    for known in (SCHEDULED, DEPLOYED):
        if first.startswith(known):
            return f"{known}{more}"
    return f"event {first.partition('-')[0]}{more}"
