"""Who an address, an instance or a rule is, which doors stand open for it, and whether that is right.

Pure: takes what was read of each Region and what a reconcile would do now, and decides nothing by itself: whether a
rule goes or comes is what the engine's own rehearsal says. Knows no client and no terminal.
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ringfence.journal import Entry, RemovalsHeld, RuleAdded, RuleRefused, RuleRemoved
from ringfence.model import (
    STATIC,
    Cidr,
    InstanceId,
    Label,
    Member,
    Opening,
    Region,
    Roster,
    RosterKey,
    Rows,
    Rule,
    RuleId,
    SecurityGroupId,
)
from ringfence.observation import Instance, Observation
from ringfence.settings import AddressKind

_INSTANCE = re.compile(r"i-[0-9a-f]{8,17}")
_RULE = re.compile(r"sgr-[0-9a-f]{8,17}")


@dataclass(frozen=True, slots=True)
class Subject:
    """What was asked about: exactly one of the three."""

    text: str
    cidr: Cidr | None = None
    instance: InstanceId | None = None
    rule: RuleId | None = None

    @classmethod
    def parse(cls, text: str) -> "Subject":
        """From an address, a CIDR, an instance id or a rule id. Raises ValueError that says what would do."""
        text = text.strip()
        if _INSTANCE.fullmatch(text):
            return cls(text, instance=InstanceId(text))
        if _RULE.fullmatch(text):
            return cls(text, rule=RuleId(text))
        try:
            return cls(text, cidr=Cidr(str(ipaddress.ip_network(text, strict=False))))
        except ValueError:
            raise ValueError(
                f"{text!r} is no address, no instance id and no rule id: give one such as 203.0.113.7,"
                " i-0123456789abcdef0 or sgr-0123456789abcdef0"
            ) from None


@dataclass(frozen=True, slots=True)
class Sight:
    """What was read of one Region: its groups' rules, its table's rows, its Auto Scaling groups and instances."""

    rules: Mapping[SecurityGroupId, tuple[Rule, ...]]
    rows: Rows
    observation: Observation


@dataclass(frozen=True, slots=True)
class IsMember:
    """An instance of the cluster. `lifecycle_state` is None where its home Region could not be asked."""

    roster: RosterKey
    instance: InstanceId
    member: Member
    lifecycle_state: str | None = None


@dataclass(frozen=True, slots=True)
class HasDeparted:
    """An instance that left the cluster. `at` is the epoch second; None where its roster has forgotten it."""

    roster: RosterKey
    instance: InstanceId
    at: int | None = None


@dataclass(frozen=True, slots=True)
class IsJoining:
    """An instance that its Auto Scaling group lists, and that no roster holds yet."""

    roster: RosterKey
    instance: InstanceId
    lifecycle_state: str


@dataclass(frozen=True, slots=True)
class IsStatic:
    """A static member of the cluster, by its CIDR in the configuration."""

    cidr: Cidr


@dataclass(frozen=True, slots=True)
class IsStranger:
    """An instance of the account that belongs to no group of the cluster."""

    region: Region
    instance: InstanceId


Identity = IsMember | HasDeparted | IsJoining | IsStatic | IsStranger


class Verdict(StrEnum):
    """What of a door."""

    RIGHT = "right"  # it admits a member, and stays
    GOES = "goes"  # it admits nobody's member: the next reconcile closes it
    HELD = "held"  # likewise, and the guard holds that back
    COMES = "comes"  # it is lacking: the next reconcile opens it
    REFUSED = "refused"  # it is lacking, and EC2 refuses it
    FOREIGN = "foreign"  # another's rule: it stays whatever Ringfence does
    KEPT = "kept"  # ours, and nobody known is behind it; but unknown is not absent


@dataclass(frozen=True, slots=True)
class Door:
    """One rule of one group that admits the subject, or one that is lacking (`rule` is None).

    `reason` says why it goes or is refused. `wider` says that it admits others too.
    """

    region: Region
    group: SecurityGroupId
    opening: Opening
    verdict: Verdict
    rule: Rule | None = None
    label: Label | None = None
    reason: str | None = None
    wider: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer. `addresses` are those that the subject is or was known by."""

    subject: Subject
    addresses: tuple[Cidr, ...]
    identities: tuple[Identity, ...]
    doors: tuple[Door, ...]

    @property
    def is_right(self) -> bool:
        """Whether nothing is to be done about it."""
        return all(door.verdict in (Verdict.RIGHT, Verdict.FOREIGN) for door in self.doors)


@dataclass(frozen=True, slots=True)
class Inquiry:
    """All that is known. `sights` holds the Regions that could be read; `foreseen` is the journal of a rehearsal of
    every Region's reconcile; `strangers` are instances outside of the cluster that hold an address asked about."""

    cluster: str
    sights: Mapping[Region, Sight]
    foreseen: tuple[Entry, ...] = ()
    static_members: tuple[Cidr, ...] = ()
    address_kinds: frozenset[AddressKind] = frozenset({AddressKind.PUBLIC_IPV4})
    strangers: Mapping[Region, Mapping[InstanceId, Instance]] = field(default_factory=dict)

    def about(self, subject: Subject) -> Explanation:
        """The answer to one question."""
        addresses = tuple(sorted(set(self._addresses(subject))))
        return Explanation(
            subject, addresses, tuple(self._identities(subject, addresses)), tuple(self._doors(subject, addresses))
        )

    def rosters(self) -> dict[RosterKey, Roster]:
        """The newest roster of each group that any Region's table holds."""
        newest: dict[RosterKey, Roster] = {}
        for sight in self.sights.values():
            for key, roster in sight.rows.rosters.items():
                if key not in newest or roster.version > newest[key].version:
                    newest[key] = roster
        return newest

    def _addresses(self, subject: Subject) -> Iterator[Cidr]:
        """The addresses by which the subject is known: as a member, as EC2 has it, and by what rules say of it."""
        if subject.cidr is not None:
            yield subject.cidr
        for _, _, rule in self._rules():
            label = rule.label(self.cluster)
            named = label is not None and label.instance == subject.instance
            if rule.opening is not None and (rule.id == subject.rule or named):
                yield rule.opening.cidr
        if subject.instance is not None:
            for roster in self.rosters().values():
                if member := roster.members.get(subject.instance):
                    yield from member.addresses
            for _, instance in self._instances():
                if instance.id == subject.instance:
                    yield from instance.of_kinds(self.address_kinds)

    def _identities(self, subject: Subject, addresses: tuple[Cidr, ...]) -> Iterator[Identity]:
        known: set[str] = set()
        for key, roster in sorted(self.rosters().items()):
            for id, member in sorted(roster.members.items()):
                if id == subject.instance or any(_within(each, addresses) for each in member.addresses):
                    known.add(id)
                    yield IsMember(key, id, member, self._lifecycle_state(key, id))
        for cidr in self.static_members:
            if any(_within(each, (cidr,)) for each in addresses):
                yield IsStatic(cidr)
        others: list[IsJoining | HasDeparted] = [*self._joining(subject, addresses)]
        others += self._departed(subject, addresses)
        for identity in others:
            if identity.instance not in known:
                known.add(identity.instance)
                yield identity
        for region, instance in self._instances():
            if instance.id not in known and self._is_asked_about(instance, subject, addresses):
                known.add(instance.id)
                yield IsStranger(region, instance.id)

    def _joining(self, subject: Subject, addresses: tuple[Cidr, ...]) -> Iterator[IsJoining]:
        rosters = self.rosters()
        for region, sight in sorted(self.sights.items()):
            for group, states in sight.observation.groups.items():
                key = RosterKey(region, group)
                for id, state in states.items():
                    instance = sight.observation.instances.get(id)
                    asked = id == subject.instance or (
                        instance is not None and self._is_asked_about(instance, subject, addresses)
                    )
                    if asked and not (key in rosters and id in rosters[key].departed):
                        yield IsJoining(key, id, state)

    def _departed(self, subject: Subject, addresses: tuple[Cidr, ...]) -> Iterator[HasDeparted]:
        """Instances with a tombstone, and those that only a rule still names."""
        rosters = self.rosters()
        named = {
            (label.roster, InstanceId(label.instance))
            for _, _, rule in self._rules()
            if (label := rule.label(self.cluster)) is not None
            and label.roster.asg != STATIC
            and (label.instance == subject.instance or (rule.opening and rule.opening.cidr in addresses))
        }
        named |= {(key, id) for key, roster in rosters.items() for id in roster.departed if id == subject.instance}
        for key, id in sorted(named):
            roster = rosters.get(key)
            if roster is not None:  # of a group whose roster nobody has read, nobody can say who left
                yield HasDeparted(key, id, roster.departed.get(id))

    def _doors(self, subject: Subject, addresses: tuple[Cidr, ...]) -> Iterator[Door]:
        removed = {entry.rule: entry.reason for entry in self.foreseen if isinstance(entry, RuleRemoved)}
        held = {rule for entry in self.foreseen if isinstance(entry, RemovalsHeld) for rule in entry.rules}
        for region, group, rule in self._rules():
            asked = rule.id == subject.rule or (
                subject.rule is None and rule.opening is not None and _overlaps(rule.opening.cidr, addresses)
            )
            if not asked or rule.opening is None:
                continue
            label = rule.label(self.cluster)
            if rule.id in held:
                verdict = Verdict.HELD
            elif rule.id in removed:
                verdict = Verdict.GOES
            elif label is None:
                verdict = Verdict.FOREIGN
            else:
                verdict = Verdict.RIGHT if self._wanted(rule.opening.cidr) else Verdict.KEPT
            cidr = rule.opening.cidr
            wider = cidr not in addresses and any(_within(each, (cidr,)) for each in addresses)
            yield Door(region, group, rule.opening, verdict, rule, label, removed.get(rule.id), wider)
        if subject.rule is None:
            yield from self._lacking(addresses)

    def _lacking(self, addresses: tuple[Cidr, ...]) -> Iterator[Door]:
        for entry in self.foreseen:
            match entry:
                case RuleAdded(region=region, group=group, opening=opening, label=label):
                    verdict, reason = Verdict.COMES, None
                case RuleRefused(region=region, group=group, opening=opening, label=label, refusal=refusal):
                    verdict, reason = Verdict.REFUSED, refusal
                case _:
                    continue
            if _overlaps(opening.cidr, addresses):
                yield Door(region, group, opening, verdict, label=label, reason=reason)

    def _wanted(self, cidr: Cidr) -> bool:
        return cidr in self.static_members or any(
            cidr == address for roster in self.rosters().values() for address, _ in roster.addresses()
        )

    def _is_asked_about(self, instance: Instance, subject: Subject, addresses: tuple[Cidr, ...]) -> bool:
        held = (cidr for kind in AddressKind for cidr in instance.addresses.get(kind, ()))
        asked = (subject.cidr,) if subject.cidr is not None else addresses
        return instance.id == subject.instance or any(_within(each, asked) for each in held)

    def _instances(self) -> Iterator[tuple[Region, Instance]]:
        for region, sight in self.sights.items():
            for instance in {**sight.observation.instances, **self.strangers.get(region, {})}.values():
                yield region, instance

    def _lifecycle_state(self, key: RosterKey, id: InstanceId) -> str | None:
        sight = self.sights.get(key.region)
        return None if sight is None else sight.observation.groups.get(key.asg, {}).get(id)

    def _rules(self) -> Iterator[tuple[Region, SecurityGroupId, Rule]]:
        for region, sight in self.sights.items():
            for group, rules in sight.rules.items():
                for rule in rules:
                    yield region, group, rule


def _overlaps(cidr: Cidr, others: Iterable[Cidr]) -> bool:
    """Whether the CIDR has an address in common with one of the others."""
    return any(_within(cidr, (each,)) or _within(each, (cidr,)) for each in others)


def _within(cidr: Cidr, networks: Iterable[Cidr]) -> bool:
    """Whether the CIDR lies within one of the networks."""
    one = ipaddress.ip_network(cidr, strict=False)
    for each in networks:
        network = ipaddress.ip_network(each, strict=False)
        if network.version == one.version and one.subnet_of(network):  # type: ignore[arg-type]  # of one family
            return True
    return False
