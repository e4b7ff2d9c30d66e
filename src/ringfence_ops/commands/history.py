"""`ringfence history`: every rule that came and went, over all Regions, as the audit log tells it."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from ringfence.core.model.identifiers import Region
from ringfence_ops.aws.errors import CommandError
from ringfence_ops.cli import completion
from ringfence_ops.cli import times as moments
from ringfence_ops.cli.columns import columns, widths
from ringfence_ops.cli.invocation import invocation
from ringfence_ops.cli.terminal import AsJson, Output
from ringfence_ops.explain.explanation import Subject
from ringfence_ops.logs.audit_log import DONE, About, RuleChange, Turn, read_all

SCHEMA = "ringfence.history/1"

_SIGNS = {
    Turn.ADDED: ("+", "green"),
    Turn.REMOVED: ("-", "red"),
    Turn.RELABELLED: ("~", "yellow"),
    Turn.WOULD_ADD: ("(+)", "dim green"),
    Turn.WOULD_REMOVE: ("(-)", "dim red"),
}

_WIDE = 112
"""Columns from which there is room for the security group and for what caused a change."""


EXAMPLES = """\b
Examples:
  ringfence history                          # the last two hours
  ringfence history --since 7d --region us-west-2
  ringfence history --address 203.0.113.7    # who had it, and when
  ringfence history --since 1d --lines | jq 'select(.turn == "removed")'
"""


def history(
    context: typer.Context,
    since: Annotated[
        str, typer.Option(help="From when on: 90s, 30m, 2h, 7d, or a time such as 2026-11-23T15:00 (UTC).")
    ] = "2h",
    until: Annotated[str | None, typer.Option(help="Until when; by default now.")] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(help="Only this Region's security groups. Can be repeated.", autocompletion=completion.regions),
    ] = None,
    instance: Annotated[
        list[str] | None, typer.Option(help="Only what is about this instance. Can be repeated.")
    ] = None,
    address: Annotated[list[str] | None, typer.Option(help="Only what is about this address. Can be repeated.")] = None,
    observed: Annotated[
        bool, typer.Option("--observed", help="Also what would be done where mode is observe.")
    ] = False,
    lines: Annotated[bool, typer.Option("--lines", help="JSON, one change on each line.")] = False,
    as_json: AsJson = False,
) -> None:
    """Shows every rule that was added or removed, why, and by which event: the audit log of all Regions.

    The engines write it into CloudWatch Logs, for as long as the log groups' retention says.
    """
    run = invocation(context)
    now = time.time()
    try:
        start, end = moments.parse(since, now), None if until is None else moments.parse(until, now)
        subjects = [Subject.parse(one) for one in (*(instance or ()), *(address or ()))]
    except ValueError as error:
        raise CommandError(str(error)) from None
    about = About(
        turns=frozenset(Turn) if observed else DONE,
        addresses=frozenset(one.cidr for one in subjects if one.cidr),
        instances=frozenset(one.instance for one in subjects if one.instance),
    )
    cluster = run.cluster()
    shown = {cluster.of(Region(one)).region for one in region or cluster.region_names}
    changes, unreachable = read_all(run.aws, cluster.name, cluster.region_names, start, end, about)
    changes = [change for change in changes if change.region in shown]
    output = Output(as_json)
    if lines:
        for change in changes:
            output.line(line(change))
    else:
        output.show(document(changes, start, unreachable), Report(changes))
    for name, reason in unreachable.items():
        output.say(f"{name}'s log was not read: {reason}")
    raise typer.Exit(1 if unreachable else 0)


def document(changes: Sequence[RuleChange], since: float, unreachable: Mapping[Region, str]) -> dict[str, Any]:
    """The changes for programs, oldest first."""
    return {
        "schema": SCHEMA,
        "since": moments.stamp(since),
        "changes": [line(change) for change in changes],
        "unreachable": dict(unreachable),
    }


def line(change: RuleChange) -> dict[str, Any]:
    """One change for programs."""
    fields = asdict(change)
    return fields | {"at": moments.stamp(change.at), "turn": change.turn.value, "causes": list(change.causes)}


@dataclass(frozen=True, slots=True)
class Passage:
    """What happened to one address in one go: one launch opens doors in every Region, on every port."""

    changes: tuple[RuleChange, ...]

    @property
    def first(self) -> RuleChange:
        """The first of the changes."""
        return self.changes[0]

    @property
    def where(self) -> str:
        """The Regions, and the ports."""
        regions = dict.fromkeys(change.region for change in self.changes)
        ports = dict.fromkeys(change.ports for change in self.changes)
        return f"{' '.join(ports)} in {' '.join(regions)}"


TOGETHER = 60.0
"""Seconds within which an address's changes of one kind are one passage."""


def passages(changes: Iterable[RuleChange]) -> list[Passage]:
    """The changes, oldest first, gathered into what happened to each address."""
    found: list[list[RuleChange]] = []
    latest: dict[tuple[object, ...], list[RuleChange]] = {}
    for change in changes:
        kind = (change.turn, change.address, change.instance, change.reason, change.drift, change.was)
        together = latest.get(kind)
        if together is None or change.at - together[0].at > TOGETHER:
            together = latest[kind] = []
            found.append(together)
        together.append(change)
    return [Passage(tuple(together)) for together in found]


class Report:
    """The changes for people, by day, as wide as the terminal is."""

    def __init__(self, changes: Sequence[RuleChange], *, totals: bool = True) -> None:
        self.changes = changes
        self.totals = totals

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.max_width >= _WIDE
        days: dict[str, list[list[Text]]] = {}
        for passage in passages(self.changes):
            days.setdefault(moments.day(passage.first.at), []).append(list(_row(passage, wide)))
        fixed = widths([row for rows in days.values() for row in rows], 4)
        for day, rows in days.items():
            yield Text(f"{day} (UTC)", style="bold")
            yield columns(rows, fixed)
        if not self.totals:
            return
        added = sum(change.turn is Turn.ADDED for change in self.changes)
        removed = sum(change.turn is Turn.REMOVED for change in self.changes)
        said = f"{added} rules added, {removed} removed" if self.changes else "no rule came or went"
        yield Text(said, style="dim")


def _row(passage: Passage, wide: bool) -> Iterator[Text]:
    change = passage.first
    sign, style = _SIGNS[change.turn]
    yield Text(moments.clock(change.at), style="dim")
    yield Text(f"{sign} {address(change.address)}", style=style)
    yield Text(change.instance or "foreign")
    yield Text(why(change))
    yield Text(passage.where)
    if wide:
        yield Text(cause(change.causes), style="dim")


def address(cidr: str) -> str:
    """A host without its prefix, anything else with it."""
    host, _, length = cidr.partition("/")
    return host if length == ("128" if ":" in host else "32") else cidr


def why(change: RuleChange) -> str:
    """Why, in a word or two."""
    match change.turn:
        case Turn.ADDED | Turn.WOULD_ADD:
            return "put back" if change.drift else "member"
        case Turn.RELABELLED:
            return f"was {(change.was or '').rpartition(' ')[2]}"
        case Turn.REMOVED | Turn.WOULD_REMOVE:
            late = "" if change.stale_seconds is None else f" +{moments.age(change.stale_seconds)}"
            return f"{REASONS.get(change.reason or '', change.reason or '')}{late}"


REASONS = {
    "departed": "left",
    "no-member": "no member",
    "unknown-instance": "unknown",
    "port-not-managed": "port",
    "foreign": "foreign",
}
"""The engine's reasons (`ringfence.core.plan.Reason`) as a column has room for them."""


def cause(causes: Sequence[str]) -> str:
    """What woke the engine, as short as it can be recognised by."""
    if not causes:
        return ""
    more = f" and {len(causes) - 1} more" if len(causes) > 1 else ""
    first = causes[0]
    if first.startswith("schedule"):
        return f"schedule{more}"
    return f"event {first.partition('-')[0]}{more}"
