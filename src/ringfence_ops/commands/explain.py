"""`ringfence explain`: who an address, an instance or a rule is, where it is admitted, since when, by what, and whether
that is right."""

import time
from collections.abc import Iterator
from typing import Annotated, Any, assert_never

import typer
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.text import Text

from ringfence_ops.aws.errors import CommandError
from ringfence_ops.cli import times as moments
from ringfence_ops.cli.columns import columns
from ringfence_ops.cli.invocation import invocation
from ringfence_ops.cli.terminal import AsJson, Output
from ringfence_ops.commands import history
from ringfence_ops.explain.evidence import Answer, investigate
from ringfence_ops.explain.explanation import (
    Door,
    Explanation,
    HasDeparted,
    Identity,
    IsJoining,
    IsMember,
    IsStatic,
    IsStranger,
    Subject,
    Verdict,
)

SCHEMA = "ringfence.explain/1"
RECENT = 6
"""How many of the latest changes are shown."""


EXAMPLES = """\b
Examples:
  ringfence explain 203.0.113.7
  ringfence explain i-0123456789abcdef0
  ringfence explain sgr-0123456789abcdef0 --since 30d
"""


def explain(
    context: typer.Context,
    subject: Annotated[str, typer.Argument(metavar="ADDRESS|INSTANCE|RULE-ID", help="Whom or what to explain.")],
    since: Annotated[str, typer.Option(help="How far to look back in the audit log.")] = "7d",
    as_json: AsJson = False,
) -> None:
    """Says who an address, an instance or a rule is, where it is admitted, since when, by what, and if that is right.

    Where it is not right, it says what the next reconcile does about it. Changes nothing.

    Exit code 0 if all is right, 2 if something is to be done, 1 if a Region does not answer.
    """
    run = invocation(context)
    now = time.time()
    try:
        asked, start = Subject.parse(subject), moments.parse(since, now)
    except ValueError as error:
        raise CommandError(str(error)) from None
    cluster = run.cluster()
    answer = investigate(run.aws, cluster, run.settings(cluster), asked, start)
    Output(as_json).show(document(answer), Report(answer))
    raise typer.Exit(1 if answer.unreachable else 0 if answer.explanation.is_right else 2)


def document(answer: Answer) -> dict[str, Any]:
    """The answer for programs."""
    explanation = answer.explanation
    return {
        "schema": SCHEMA,
        "subject": explanation.subject.text,
        "addresses": list(explanation.addresses),
        "right": explanation.is_right,
        "identities": [_identity(one) for one in explanation.identities],
        "doors": [_door(one, answer) for one in explanation.doors],
        "history": [history.line(change) for change in answer.changes],
        "unreachable": dict(answer.unreachable),
    }


def _identity(identity: Identity) -> dict[str, Any]:
    match identity:
        case IsMember(roster, instance, member, state):
            since = moments.stamp(member.since)
            kind = {"kind": "member", "instance": instance, "auto_scaling_group": str(roster), "since": since}
            return kind | {"state": member.state.value, "lifecycle_state": state}
        case IsJoining(roster, instance, state):
            return {
                "kind": "joining",
                "instance": instance,
                "auto_scaling_group": str(roster),
                "lifecycle_state": state,
            }
        case HasDeparted(roster, instance, at):
            departed = None if at is None else moments.stamp(at)
            return {"kind": "departed", "instance": instance, "auto_scaling_group": str(roster), "at": departed}
        case IsStatic(cidr):
            return {"kind": "static", "cidr": cidr}
        case IsStranger(region, instance):
            return {"kind": "stranger", "instance": instance, "region": region}
        case _:
            assert_never(identity)


def _door(door: Door, answer: Answer) -> dict[str, Any]:
    made, deed = answer.made(door), answer.deeds.get(door.rule.id) if door.rule is not None else None
    return {
        "region": door.region,
        "security_group": door.group,
        "address": door.opening.cidr,
        "ports": str(door.opening.ports),
        "rule": door.rule.id if door.rule is not None else None,
        "description": door.rule.description if door.rule is not None else None,
        "owned": door.label is not None,
        "verdict": door.verdict.value,
        "reason": door.reason,
        "wider": door.wider,
        "since": moments.stamp(made.at) if made is not None else moments.stamp(deed.at) if deed is not None else None,
        "causes": list(made.causes) if made is not None else [],
        "made_by": None if deed is None else {"who": deed.who, "action": deed.action, "event": deed.event},
    }


class Report:
    """The answer for people."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        answer, explanation = self.answer, self.answer.explanation
        yield from _who(explanation, answer.now)
        if explanation.doors:
            yield from self._doors()
        if answer.changes:
            yield Text()
            yield Text("What happened", style="bold")
            yield Padding(history.Report(answer.changes[-RECENT:], totals=False), (0, 0, 0, 2))
        yield Text()
        yield _conclusion(explanation, bool(answer.unreachable))
        for region, reason in answer.unreachable.items():
            yield Text(f"{region} was not looked at: {reason}", style="yellow")

    def _doors(self) -> Iterator[Text | Padding]:
        places: dict[tuple[str, str], list[Door]] = {}
        for door in self.answer.explanation.doors:
            places.setdefault((door.region, door.group), []).append(door)
        for (region, group), doors in places.items():
            yield Text()
            yield Text.assemble((region, "bold"), f"  {group}")
            rows = []
            for door in doors:
                mark, style = _MARKS[door.verdict]
                rule = door.rule.id if door.rule is not None else "no rule"
                said = Text(_what(door, bool(self.answer.explanation.identities)))
                said.append(self._since(door), style="dim")
                rows.append([Text(f"{mark} {door.opening.ports}", style=style), Text(rule), said])
            yield Padding(columns(rows, 2), (0, 0, 0, 2))

    def _since(self, door: Door) -> str:
        made = self.answer.made(door)
        if made is not None:
            ago = moments.age(self.answer.now - made.at)
            return f"\nfor {ago}, by {history.cause(made.causes)}"
        deed = self.answer.deeds.get(door.rule.id) if door.rule is not None else None
        if deed is not None:
            return f"\nfor {moments.age(self.answer.now - deed.at)}, by {deed.who} ({deed.action})"
        return "" if door.rule is None else "\nsince before the log begins"


_MARKS = {
    Verdict.RIGHT: ("✓", "green"),
    Verdict.RENAMED: ("~", "yellow"),
    Verdict.GOES: ("✗", "red"),
    Verdict.WOULD_GO: ("✗", "red"),
    Verdict.HELD: ("✗", "red"),
    Verdict.COMES: ("+", "yellow"),
    Verdict.WOULD_COME: ("+", "yellow"),
    Verdict.REFUSED: ("✗", "red"),
    Verdict.FOREIGN: ("·", "dim"),
    Verdict.KEPT: ("?", "yellow"),
}


def _who(explanation: Explanation, now: float) -> Iterator[Text]:
    """Who it is, a sentence for each."""
    asked = explanation.subject.text
    if explanation.subject.rule is not None and not explanation.doors:
        yield Text.assemble((asked, "bold"), " stands in none of the cluster's groups")
        return
    for identity in explanation.identities:
        yield Text.assemble((asked, "bold"), f" {_sentence(identity, explanation, now)}")
    if not explanation.identities:
        what = "admits nobody" if explanation.subject.rule is not None else "is nobody"
        yield Text.assemble((asked, "bold"), f" {what} of the cluster")


def _sentence(identity: Identity, explanation: Explanation, now: float) -> str:
    """What the subject is by one identity."""
    itself = explanation.subject.instance is not None
    verb = "admits" if explanation.subject.rule is not None else "is"
    match identity:
        case IsMember(roster, instance, member, state):
            addresses = f" at {', '.join(map(history.address, member.addresses))}" if itself else ""
            who = "is" if itself else f"{verb} {instance},"
            age = moments.age(now - member.since)
            return f"{who} a member of {roster}{addresses} for {age} ({state or 'its Region does not answer'})"
        case IsJoining(roster, instance, state):
            return f"{'joins' if itself else f'{verb} {instance}, which joins'} {roster} ({state})"
        case HasDeparted(roster, instance, at):
            when = "some time ago" if at is None else f"{moments.age(now - at)} ago"
            return f"{'left' if itself else f'was {instance}, which left'} {roster} {when}"
        case IsStatic(cidr):
            return f"{verb} a static member" + ("" if cidr in explanation.addresses else f", by {cidr}")
        case IsStranger(region, instance):
            return f"{'is' if itself else f'belongs to {instance},'} an instance in {region}, but none of the cluster's"
        case _:
            assert_never(identity)


def _what(door: Door, of_cluster: bool) -> str:  # noqa: C901  # one case for each verdict there is
    """What of a door, in words."""
    match door.verdict:
        case Verdict.RIGHT:
            return "right"
        case Verdict.RENAMED:
            return f"right, but named after another: the next reconcile names it after {door.reason}"
        case Verdict.GOES:
            return f"not right ({_reason(door)}): the next reconcile closes it"
        case Verdict.WOULD_GO:
            return f"not right ({_reason(door)}), and stays: this Region is only observed"
        case Verdict.HELD:
            return "not right, but the guard holds its removal: see ringfence plan"
        case Verdict.COMES:
            return "lacking: the next reconcile opens it"
        case Verdict.WOULD_COME:
            return "lacking, and stays so: this Region is only observed"
        case Verdict.REFUSED:
            return f"lacking, and EC2 refuses it: {door.reason}"
        case Verdict.KEPT:
            return "kept: who it is for is unknown, and unknown is not absent"
        case Verdict.FOREIGN:
            wider = f" for {door.opening.cidr}" if door.wider else ""
            leaves = "admits it too" if door.wider else "does as well as ours" if of_cluster else "Ringfence leaves it"
            described = f' "{door.rule.description}"' if door.rule is not None and door.rule.description else ""
            return f"another's rule{wider}{described}: {leaves}"
        case _:
            assert_never(door.verdict)


def _reason(door: Door) -> str:
    return history.REASONS.get(door.reason or "", door.reason or "")


def _conclusion(explanation: Explanation, in_part: bool) -> Text:
    """Whether it is right, and what will be done or can be; `in_part` where not every Region was looked at."""
    wrong = [door for door in explanation.doors if door.verdict not in (Verdict.RIGHT, Verdict.FOREIGN)]
    if wrong:
        regions = " ".join(dict.fromkeys(door.region for door in wrong))
        count = "1 door is" if len(wrong) == 1 else f"{len(wrong)} doors are"
        return Text(f"{count} not right. At once instead of at the next true-up: ringfence sync {regions}", style="red")
    foreign = [door for door in explanation.doors if door.verdict is Verdict.FOREIGN]
    if foreign and not explanation.identities:
        return Text("Ringfence did not open that and will not close it.", style="yellow")
    if in_part:
        return Text("Nothing is wrong in what was looked at.", style="yellow")
    if not explanation.doors:
        return Text("No door stands open for it, and none should.", style="green")
    return Text("All as it should be.", style="green")
