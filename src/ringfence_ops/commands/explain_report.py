"""The report of `ringfence explain` for people: who the subject is, each door with its verdict, and what to do."""

from collections.abc import Iterator
from typing import assert_never

from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding

from ringfence.core.lifecycle_decision import Decision
from ringfence.core.model.addresses import is_host
from ringfence.core.model.identifiers import InstanceId
from ringfence_ops.cli import times
from ringfence_ops.cli.columns import columns
from ringfence_ops.cli.text import Text
from ringfence_ops.commands import history
from ringfence_ops.commands.decision_rows import STYLES, sentence
from ringfence_ops.explain.advice import advice
from ringfence_ops.explain.explanation import (
    ClaimedAddress,
    ClusterMember,
    DepartedInstance,
    Door,
    DoorVerdict,
    Explanation,
    Identity,
    JoiningInstance,
    OtherAddress,
    StaticMember,
    Stranger,
)
from ringfence_ops.explain.full_explanation import FullExplanation
from ringfence_ops.logs.audit_log import LoggedChange
from ringfence_ops.logs.decisions import DecisionRun
from ringfence_ops.plurals import counted, plural

RECENT = 6
"""The number of latest changes, and of latest decisions, in the report."""


class ExplainReport:
    """The explanation for people."""

    def __init__(self, full: FullExplanation) -> None:
        self.full = full

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        found, explanation = self.full, self.full.explanation
        yield from _identities(explanation, found.now)
        yield from _waits(found)
        if explanation.doors:
            yield from self._doors()
        recent: list[LoggedChange | DecisionRun] = [*found.changes[-RECENT:], *found.runs()[-RECENT:]]
        if recent:
            yield Text()
            yield Text("What happened", style="bold")
            yield Padding(history.HistoryReport(recent, totals=False), (0, 0, 0, 2))
        yield Text()
        yield _conclusion(found)
        for piece in advice(found):
            yield Text(f"{piece.why}: {piece.command}" if piece.command else piece.why, style="red")
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
            yield Padding(columns(rows, 2, ("  ports", "rule", "")), (0, 0, 0, 2))

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


def _waits(found: FullExplanation) -> Iterator[Text]:
    """Why the subject's instances are held, and what the last answer to each of their hooks was."""
    latest = {(run.last.instance, run.last.transition): run for run in found.runs()}
    for (instance, _), run in sorted(latest.items(), key=lambda one: one[1].last.at):
        waits = InstanceId(instance) in found.waiting and run == found.last_run(InstanceId(instance))
        if run.last.decision is Decision.HELD and not waits:
            said = f"was {sentence(run, found.now)}; it waits no more: its hook was answered otherwise, or timed out"
        elif run.last.decision is Decision.HELD:
            said = f"is {sentence(run, found.now)}"
        else:
            said = f"was {sentence(run, found.now)}"
        yield Text.assemble((instance, "bold"), f" {said}", style=STYLES[run.last.decision])
    for instance, (_, state) in found.waiting.items():
        if found.last_run(instance) is None:
            yield Text.assemble((instance, "bold"), f" waits in {state}", style="yellow")


def _stranger(explanation: Explanation) -> str:
    """The predicate of the sentence about a subject without an identity."""
    if explanation.subject.is_network:
        return f"is a network: {_rules_that_admit(explanation)}"
    if explanation.subject.rule is None:
        return "is not a member of the cluster"
    if networks := [address for address in explanation.addresses if not is_host(address)]:
        return f"admits {', '.join(networks)}: a network is no member of the cluster"
    return "admits no member of the cluster"


def _rules_that_admit(explanation: Explanation) -> str:
    """How many rules admit a network, and how many a part of it."""
    rules = sum(door.rule is not None for door in explanation.doors)
    whole = _rules(rules, "admits it", "admit it") if rules else "no rule admits it"
    part = f"; {_rules(explanation.narrower, 'admits', 'admit')} a part of it" if explanation.narrower else ""
    return whole + part


def _rules(number: int, one: str, several: str) -> str:
    return f"{counted(number, 'rule')} {one if number == 1 else several}"


def _verb(explanation: Explanation) -> str:
    """What the subject has to do with an instance that has one of its addresses."""
    return "admits" if explanation.subject.rule is not None else "is"


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
            if explanation.subject.is_network:
                named = "is a network that" if cidr in explanation.addresses else f"lies within {cidr}, which"
                return f"{named} static_members names: {_rules_that_admit(explanation)}"
            return f"{verb} a static member" + ("" if cidr in explanation.addresses else f", by {cidr}")
        case OtherAddress():
            return _other_address(identity, verb)
        case ClaimedAddress(table, roster, instance):
            name = "is no member" if is_instance else f"{verb} no member: {instance} has it"
            return f"{name} only in the row {roster} of {table}'s table, which {roster.region} does not confirm"
        case Stranger(region, instance):
            name = "is" if is_instance else f"belongs to {instance}," if verb == "is" else f"{verb} {instance},"
            return f"{name} an instance in {region} that is not in the cluster"
        case _:
            assert_never(identity)


def _other_address(other: OtherAddress, verb: str) -> str:
    """The predicate of the sentence about an address of an instance by which it is not admitted."""
    whose = f"{other.instance} of {other.roster}"
    if other.prefix is not None:
        return f"lies in {other.prefix}, a prefix delegated to {whose}: Ringfence admits single addresses, no prefix"
    if other.is_configured:
        return f"{verb} a secondary {other.kind.value} address of {whose}: only its primary one is admitted"
    return f"{verb} the {other.kind.value} address of {whose}: the cluster does not admit this kind"


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
            return "not right, but the guard holds its removal"
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


def _conclusion(found: FullExplanation) -> Text:
    """Whether everything is right. What to do otherwise follows."""
    explanation = found.explanation
    wrong = [door for door in explanation.doors if not door.is_right]
    if wrong:
        return Text(f"{counted(len(wrong), 'door')} {plural('is', len(wrong))} not right.", style="red")
    if found.waiting:
        return Text("It is not settled yet.", style="yellow")
    if found.sent_away_for_room:
        return Text("There is still no room for it.", style="red")
    if doubts := [region for region, _ in found.doubts() if region not in found.unreachable]:
        regions = ", ".join(doubts)
        return Text(f"Nothing wrong was seen, but {regions} cannot be relied on.", style="yellow")
    if found.unreachable:
        return Text("Nothing is wrong in the Regions that were checked.", style="yellow")
    foreign = [door for door in explanation.doors if door.verdict is DoorVerdict.FOREIGN]
    if foreign and not explanation.identities:
        return Text("Ringfence did not open this door and will not close it.", style="yellow")
    if not explanation.doors:
        is_network = explanation.subject.is_network
        return Text(
            "No rule admits all of it." if is_network else "No door is open for it, and none should be.", style="green"
        )
    return Text("Everything is as it should be.", style="green")
