"""`ringfence plan`: what a reconcile of every Region would change now."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import typer
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding

from ringfence.core.audit_events import HookCompleted, HookHeld, Problem, RegionFailed, ZoneNotDescribed
from ringfence.core.model.identifiers import Region
from ringfence_ops.cli.columns import columns, widths
from ringfence_ops.cli.command_run import command_run
from ringfence_ops.cli.standing_text import standing_lines
from ringfence_ops.cli.terminal import AsJson, Output
from ringfence_ops.cli.text import Text
from ringfence_ops.commands.history import address
from ringfence_ops.documents.plan import ChangeItem, GuardHoldItem, HookItem, PlanDocument, standing_items
from ringfence_ops.plurals import counted
from ringfence_ops.state.changes import Action, Change, digest, guard_holds
from ringfence_ops.state.sight import take_sight
from ringfence_ops.state.snapshot import Snapshot
from ringfence_ops.state.standing import Standing, exit_code
from ringfence_ops.state.standings import standings

EXAMPLES = """\b
Examples:
  ringfence plan
  ringfence plan --json | jq -r '.changes[] | select(.action == "remove") | .address'
  ringfence sync --confirm 3f2a9c01b7de   # applies the plan with this digest, including held removals
"""

SIGNS = {
    Action.ADD: ("+", "green"),
    Action.REMOVE: ("-", "red"),
    Action.RELABEL: ("~", "yellow"),
    Action.HOLD: ("!", "magenta"),
    Action.REFUSE: ("x", "red bold"),
}


HEADERS = ("  address", "ports", "instance", "group, and why")


def plan(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Shows what a reconcile would change now, Region by Region, and changes nothing.

    This is a dry run of the engines' own reconcile, the guard and the quota of rules included. It also says why a
    Region is not in sync although nothing would change. The digest identifies exactly this plan, for `ringfence sync
    --confirm`.

    Exit code 0 if every Region is in sync, 2 if one is not, 1 if one does not answer.
    """
    run = command_run(context)
    sight = take_sight(run.aws, run.expected(run.cluster()))
    stand = standings(sight)
    Output(as_json=as_json).show(document(sight.snapshot, stand.values()), PlanReport(sight.snapshot, stand.values()))
    raise typer.Exit(exit_code(stand.values()))


def document(snapshot: Snapshot, standings: Iterable[Standing]) -> PlanDocument:
    """The plan for programs."""
    planned = snapshot.planned
    return PlanDocument(
        digest=digest(planned),
        changes=[change_item(change) for change in planned],
        held=[
            GuardHoldItem(region=hold.region, security_group=hold.group, rules=sorted(hold.rules), digest=hold.digest)
            for hold in guard_holds(snapshot.audit_events)
        ],
        hooks=[
            HookItem(auto_scaling_group=hook.group, instance=hook.instance, answer=result, why=hook.why)
            for hook, result in hooks(snapshot)
        ],
        problems=list(problems(snapshot)),
        regions=standing_items(standings),
        unreachable=dict(snapshot.unreachable),
    )


def change_item(change: Change) -> ChangeItem:
    """A change for programs."""
    return ChangeItem(
        region=change.region,
        security_group=change.group,
        action=change.action,
        address=None if change.opening is None else change.opening.cidr,
        ports=None if change.opening is None else str(change.opening.ports),
        rule=change.rule,
        auto_scaling_group=None if change.label is None else str(change.label.roster),
        instance=None if change.label is None else change.label.instance,
        was=None if change.was is None else change.was.instance,
        why=change.why,
        observed=change.observed,
    )


def hooks(snapshot: Snapshot) -> Iterator[tuple[HookCompleted | HookHeld, str | None]]:
    """The instances that wait for a hook, with the result that completes it; None where they stay waiting."""
    for event in snapshot.audit_events:
        if isinstance(event, HookCompleted):
            yield event, event.result
        elif isinstance(event, HookHeld):
            yield event, None


def problems(snapshot: Snapshot) -> Iterator[str]:
    """The other problems that a reconcile would report, each once."""
    found = [event.what for event in snapshot.audit_events if isinstance(event, Problem)]
    found += [
        f"{event.zone or event.region}: unknown, EC2 does not describe {', '.join(event.instances)}: {event.error}"
        for event in snapshot.audit_events
        if isinstance(event, ZoneNotDescribed)
    ]
    found += [
        f"{event.region}: {event.error}"
        for event in snapshot.audit_events
        if isinstance(event, RegionFailed) and event.region not in snapshot.unreachable
    ]
    found += [f"{region}: {failure}" for region, failure in snapshot.failures.items()]
    yield from dict.fromkeys(found)


class PlanReport:
    """The plan for people."""

    def __init__(self, snapshot: Snapshot, standings: Iterable[Standing]) -> None:
        self.snapshot, self.standings = snapshot, list(standings)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        snapshot, planned = self.snapshot, self.snapshot.planned
        yield from diff(planned)
        for hook, result in hooks(snapshot):
            yield Text(f"{hook.instance} of {hook.group} {self._effect(result)}: {hook.why}", style="cyan")
        yield from standing_lines(self.standings)
        yield self._total()
        if planned:
            yield Text.assemble("digest ", (digest(planned), "bold"))

    def _effect(self, result: str | None) -> str:
        """What becomes of an instance at a hook. What a Region would answer that does not answer here is not known."""
        if result is not None and self.snapshot.unreachable:
            silent = ", ".join(self.snapshot.unreachable)
            return f"may be completed with {result}: not known, because {silent} does not answer here"
        return "would stay waiting" if result is None else f"would be completed with {result}"

    def _total(self) -> Text:
        if self.snapshot.planned:
            return total(self.snapshot.planned)
        if self.snapshot.unreachable:
            return Text("Nothing to do in the Regions that answer.")
        if exit_code(self.standings):
            return Text("Not in sync, although a reconcile would change no rule.", style="yellow")
        return Text("In sync: nothing to do.", style="green")


def diff(planned: Sequence[Change]) -> Iterator[Any]:
    """The changes, group by group."""
    groups: dict[tuple[Region, str], list[Change]] = {}
    for change in planned:
        groups.setdefault((change.region, change.group), []).append(change)
    fixed = widths([row(change) for change in planned], 3, HEADERS)
    for (region, group), changes in groups.items():
        yield Text.assemble((region, "bold"), f"  {group}")
        yield Padding(columns([row(change) for change in changes], fixed, HEADERS), (0, 0, 1, 2))


def row(change: Change) -> list[Text]:
    """One line of the diff."""
    sign, style = SIGNS[change.action]
    opening = "?" if change.opening is None else address(change.opening.cidr)
    member = "foreign" if change.label is None else change.label.instance
    why = f"{change.label.roster}  {change.why}" if change.label is not None else change.why
    if change.was is not None:
        why += f", was {change.was.instance}'s"
    if change.action is Action.HOLD:
        why += ": held"
    if change.observed:
        why += "  (nothing is changed: observe mode, or paused)"
    ports = "" if change.opening is None else str(change.opening.ports)
    return [Text(f"{sign} {opening}", style=style), Text(ports), Text(member), Text(why.strip(), style="dim")]


_COUNTED: Mapping[Action, str] = {
    Action.ADD: "to add",
    Action.REMOVE: "to remove",
    Action.RELABEL: "to relabel",
    Action.HOLD: "held",
    Action.REFUSE: "refused",
}


def total(planned: Iterable[Change]) -> Text:
    """The number of changes of each kind."""
    planned = list(planned)
    return in_words(planned) or Text("In sync: nothing to do.", style="green")


def in_words(planned: Iterable[Change]) -> Text:
    """How many rules change, and how: `2 rules to add, 1 to remove`."""
    counts = {action: sum(change.action is action for change in planned) for action in Action}
    text = Text()
    for action, count in counts.items():
        if count:
            number = f", {count}" if text else counted(count, "rule")
            text.append(f"{number} {_COUNTED[action]}", SIGNS[action][1])
    return text
