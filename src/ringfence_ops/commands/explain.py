"""`ringfence explain`: who an address, an instance or a rule is, where it is admitted, since when and why, and whether
that is right."""

import time
from collections.abc import Iterator
from typing import Annotated, assert_never

import typer
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding

from ringfence.core.model.addresses import is_host
from ringfence_ops.cli import times
from ringfence_ops.cli.columns import columns
from ringfence_ops.cli.command_run import command_run
from ringfence_ops.cli.terminal import AsJson, Output
from ringfence_ops.cli.text import Text
from ringfence_ops.commands import history
from ringfence_ops.documents.explain import (
    ClaimedItem,
    DepartedItem,
    DoorItem,
    ExplainDocument,
    IdentityItem,
    JoiningItem,
    MakerItem,
    MemberItem,
    StaticItem,
    StrangerItem,
)
from ringfence_ops.errors import CommandError
from ringfence_ops.explain.explanation import (
    ClaimedAddress,
    ClusterMember,
    DepartedInstance,
    Door,
    DoorVerdict,
    Explanation,
    Identity,
    JoiningInstance,
    StaticMember,
    Stranger,
)
from ringfence_ops.explain.full_explanation import FullExplanation, read_explanation
from ringfence_ops.explain.subject import Subject
from ringfence_ops.state.unowned_rules import how_to_remove

RECENT = 6
"""The number of latest changes in the report."""


EXAMPLES = """\b
Examples:
  ringfence explain 203.0.113.7
  ringfence explain i-0123456789abcdef0
  ringfence explain sgr-0123456789abcdef0 --since 30d
"""


def explain(
    context: typer.Context,
    *,
    subject: Annotated[
        str, typer.Argument(metavar="ADDRESS|INSTANCE|RULE-ID", help="The address, instance or rule to explain.")
    ],
    since: Annotated[str, typer.Option(help="How far to read back in the audit log.")] = "7d",
    as_json: AsJson = False,
) -> None:
    """Says who an address, an instance or a rule is, where it is admitted, since when and why, and if that is right.

    If it is not right, it says what the next reconcile does about it. Changes nothing.

    Exit code 0 if everything is right, 2 if something has to be done, 1 if a Region does not answer.
    """
    run = command_run(context)
    now = time.time()
    try:
        question, start = Subject.parse(subject), times.parse(since, now)
    except ValueError as error:
        raise CommandError(str(error)) from None
    cluster = run.cluster()
    found = read_explanation(run.aws, cluster, run.settings(cluster), question, start)
    Output(as_json=as_json).show(document(found), ExplainReport(found))
    raise typer.Exit(1 if found.unreachable else 0 if found.explanation.is_right else 2)


def document(found: FullExplanation) -> ExplainDocument:
    """The explanation for programs."""
    explanation = found.explanation
    return ExplainDocument(
        subject=explanation.subject.text,
        addresses=list(explanation.addresses),
        right=explanation.is_right,
        identities=[_identity_item(identity) for identity in explanation.identities],
        doors=[_door_item(door, found) for door in explanation.doors],
        history=[history.item(change) for change in found.changes],
        unreachable=dict(found.unreachable),
    )


def _identity_item(identity: Identity) -> IdentityItem:
    match identity:
        case ClusterMember(roster, instance, member, state):
            return MemberItem(
                instance=instance,
                auto_scaling_group=str(roster),
                since=times.timestamp(member.since),
                state=member.state,
                lifecycle_state=state,
            )
        case JoiningInstance(roster, instance, state):
            return JoiningItem(instance=instance, auto_scaling_group=str(roster), lifecycle_state=state)
        case DepartedInstance(roster, instance, at):
            departed = None if at is None else times.timestamp(at)
            return DepartedItem(instance=instance, auto_scaling_group=str(roster), at=departed)
        case StaticMember(cidr):
            return StaticItem(cidr=cidr)
        case ClaimedAddress(table, roster, instance):
            return ClaimedItem(instance=instance, auto_scaling_group=str(roster), table=table)
        case Stranger(region, instance):
            return StrangerItem(instance=instance, region=region)
        case _:
            assert_never(identity)


def _door_item(door: Door, found: FullExplanation) -> DoorItem:
    addition, call = found.added_by(door), found.made_by(door)
    since = addition.at if addition is not None else call.at if call is not None else None
    return DoorItem(
        region=door.region,
        security_group=door.group,
        address=door.opening.cidr,
        ports=str(door.opening.ports),
        rule=door.rule.id if door.rule is not None else None,
        description=door.rule.description if door.rule is not None else None,
        owned=door.label is not None,
        verdict=door.verdict,
        reason=door.reason,
        wider=door.wider,
        since=None if since is None else times.timestamp(since),
        causes=list(addition.causes) if addition is not None else [],
        made_by=None if call is None else MakerItem(who=call.caller, action=call.operation, event=call.event_id),
    )


class ExplainReport:
    """The explanation for people."""

    def __init__(self, full: FullExplanation) -> None:
        self.full = full

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        found, explanation = self.full, self.full.explanation
        yield from _identities(explanation, found.now)
        if explanation.doors:
            yield from self._doors()
        if found.changes:
            yield Text()
            yield Text("What happened", style="bold")
            yield Padding(history.HistoryReport(found.changes[-RECENT:], totals=False), (0, 0, 0, 2))
        yield Text()
        yield from _remedies(explanation)
        yield _conclusion(explanation, is_partial=bool(found.unreachable))
        for region, reason in found.unreachable.items():
            yield Text(f"{region} was not checked: {reason}", style="yellow")

    def _doors(self) -> Iterator[Text | Padding]:
        groups: dict[tuple[str, str], list[Door]] = {}
        for door in self.full.explanation.doors:
            groups.setdefault((door.region, door.group), []).append(door)
        for (region, group), doors in groups.items():
            yield Text()
            yield Text.assemble((region, "bold"), f"  {group}")
            rows = []
            for door in doors:
                mark, style = _MARKS[door.verdict]
                rule = door.rule.id if door.rule is not None else "no rule"
                verdict = Text(_verdict(door, is_known=bool(self.full.explanation.identities)))
                if since := self._since(door):
                    verdict.line(since, "dim")
                rows.append([Text(f"{mark} {door.opening.ports}", style=style), Text(rule), verdict])
            yield Padding(columns(rows, 2), (0, 0, 0, 2))

    def _since(self, door: Door) -> str:
        if (addition := self.full.added_by(door)) is not None:
            return f"for {times.age(self.full.now - addition.at)}, by {history.cause(addition.causes)}"
        if (call := self.full.made_by(door)) is not None:
            return f"for {times.age(self.full.now - call.at)}, by {call.caller} ({call.operation})"
        if door.verdict is DoorVerdict.UNOWNED:
            return "age unknown"
        return "" if door.rule is None else "since before the log begins"


_MARKS = {
    DoorVerdict.RIGHT: ("✓", "green"),
    DoorVerdict.RENAMED: ("~", "yellow"),
    DoorVerdict.GOES: ("✗", "red"),
    DoorVerdict.WOULD_GO: ("✗", "red"),
    DoorVerdict.HELD: ("✗", "red"),
    DoorVerdict.COMES: ("+", "yellow"),
    DoorVerdict.WOULD_COME: ("+", "yellow"),
    DoorVerdict.REFUSED: ("✗", "red"),
    DoorVerdict.FOREIGN: ("·", "dim"),
    DoorVerdict.KEPT: ("?", "yellow"),
    DoorVerdict.UNOWNED: ("?", "red"),
}


def _identities(explanation: Explanation, now: float) -> Iterator[Text]:
    """One sentence for each identity."""
    subject = explanation.subject.text
    if explanation.subject.rule is not None and not explanation.doors:
        yield Text.assemble((subject, "bold"), " is in none of the cluster's security groups")
        return
    for identity in explanation.identities:
        yield Text.assemble((subject, "bold"), f" {_sentence(identity, explanation, now)}")
    if not explanation.identities:
        yield Text.assemble((subject, "bold"), f" {_stranger(explanation)}")


def _stranger(explanation: Explanation) -> str:
    """The predicate of the sentence about a subject without an identity."""
    if explanation.subject.rule is None:
        return "is not a member of the cluster"
    if networks := [address for address in explanation.addresses if not is_host(address)]:
        return f"admits {', '.join(networks)}: a network is no member of the cluster"
    return "admits no member of the cluster"


def _verb(explanation: Explanation) -> str:
    """What the subject has to do with an instance that has one of its addresses."""
    if explanation.subject.rule is not None:
        return "admits"
    cidr = explanation.subject.cidr
    return "contains" if cidr is not None and not is_host(cidr) else "is"


def _sentence(identity: Identity, explanation: Explanation, now: float) -> str:
    """The predicate of the sentence about an identity."""
    is_instance = explanation.subject.instance is not None
    verb = _verb(explanation)
    match identity:
        case ClusterMember(roster, instance, member, state):
            addresses = f" at {', '.join(map(history.address, member.addresses))}" if is_instance else ""
            name = "is" if is_instance else f"{verb} {instance},"
            age = times.age(now - member.since)
            return f"{name} a member of {roster}{addresses} for {age} ({state or 'its Region does not answer'})"
        case JoiningInstance(roster, instance, state):
            return f"{'joins' if is_instance else f'{verb} {instance}, which joins'} {roster} ({state})"
        case DepartedInstance(roster, instance, at):
            when = "some time ago" if at is None else f"{times.age(now - at)} ago"
            was = "was" if verb == "is" else verb
            return f"{'left' if is_instance else f'{was} {instance}, which left'} {roster} {when}"
        case StaticMember(cidr):
            return f"{verb} a static member" + ("" if cidr in explanation.addresses else f", by {cidr}")
        case ClaimedAddress(table, roster, instance):
            name = "is no member" if is_instance else f"{verb} no member: {instance} has it"
            return f"{name} only in the row {roster} of {table}'s table, which {roster.region} does not confirm"
        case Stranger(region, instance):
            name = "is" if is_instance else f"belongs to {instance}," if verb == "is" else f"{verb} {instance},"
            return f"{name} an instance in {region} that is not in the cluster"
        case _:
            assert_never(identity)


def _verdict(door: Door, *, is_known: bool) -> str:  # noqa: C901  # one case for each verdict
    """The verdict on a door, in words. `is_known` says that the subject has an identity."""
    match door.verdict:
        case DoorVerdict.RIGHT:
            return "right"
        case DoorVerdict.RENAMED:
            return f"right, but named after another instance: the next reconcile names it after {door.reason}"
        case DoorVerdict.GOES:
            return f"not right ({_reason(door)}): the next reconcile closes it"
        case DoorVerdict.WOULD_GO:
            return f"not right ({_reason(door)}), and stays: this Region is in observe mode"
        case DoorVerdict.HELD:
            return "not right, but the guard holds its removal: see ringfence plan"
        case DoorVerdict.COMES:
            return "missing: the next reconcile opens it"
        case DoorVerdict.WOULD_COME:
            return "missing, and stays so: this Region is in observe mode"
        case DoorVerdict.REFUSED:
            return f"missing, and EC2 refuses it: {door.reason}"
        case DoorVerdict.KEPT:
            return "kept: its member is unknown, and unknown is not absent"
        case DoorVerdict.UNOWNED:
            wider = f", admits {door.opening.cidr}" if door.wider else ""
            return f"has our label{wider}, and its owner is unknown: {door.reason}"
        case DoorVerdict.FOREIGN:
            wider = f" for {door.opening.cidr}" if door.wider else ""
            described = f' "{door.rule.description}"' if door.rule is not None and door.rule.description else ""
            own = "admits it as ours would" if is_known else "Ringfence never removes it"
            return f"a foreign rule{wider}{described}: {'admits it too' if door.wider else own}"
        case _:
            assert_never(door.verdict)


def _reason(door: Door) -> str:
    return history.REASONS.get(door.reason or "", door.reason or "")


def _remedies(explanation: Explanation) -> Iterator[Text]:
    """What to do about the rules of unknown owner."""
    for door in explanation.doors:
        if door.verdict is DoorVerdict.UNOWNED and door.rule is not None:
            fix = how_to_remove(door.region, door.group, door.rule.id)
            yield Text(f"No engine removes {door.rule.id}. If it is not needed: {fix}", style="red")


def _conclusion(explanation: Explanation, *, is_partial: bool) -> Text:
    """Whether everything is right, and what to do otherwise. `is_partial` says that a Region was not checked."""
    wrong = [door for door in explanation.doors if not (door.is_right or door.verdict is DoorVerdict.UNOWNED)]
    if wrong:
        regions = " ".join(dict.fromkeys(door.region for door in wrong))
        count = "1 door is" if len(wrong) == 1 else f"{len(wrong)} doors are"
        return Text(f"{count} not right. To fix it now, before the next true-up: ringfence sync {regions}", style="red")
    if not explanation.is_right:
        return Text("The rules of unknown owner are not right.", style="red")
    foreign = [door for door in explanation.doors if door.verdict is DoorVerdict.FOREIGN]
    if foreign and not explanation.identities:
        return Text("Ringfence did not open this door and will not close it.", style="yellow")
    if is_partial:
        return Text("Nothing is wrong in the Regions that were checked.", style="yellow")
    if not explanation.doors:
        return Text("No door is open for it, and none should be.", style="green")
    return Text("Everything is as it should be.", style="green")
