"""Who an address, an instance or a rule is, which doors stand open for it, and whether that is right.

Pure: takes what was read of each Region and what a reconcile would do now, and decides nothing by itself: whether a
rule goes or comes is what the engine's own rehearsal says. Knows no client and no terminal.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ringfence.core.audit_events import (
    AuditEvent,
    RemovalsHeld,
    RuleAdded,
    RuleRefused,
    RuleRelabelled,
    RuleRemoved,
    RuleUnwanted,
    RuleWanted,
)
from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import STATIC, InstanceId, Region, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.rosters import Roster, Rows
from ringfence.core.model.rules import Label, Rule
from ringfence.core.observation import Instance, Observation
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


@dataclass(frozen=True, slots=True)
class Sight:
    """What was read of one Region: its groups' rules, its table's rows, its Auto Scaling groups and instances."""

    rules: Mapping[SecurityGroupId, tuple[Rule, ...]]
    rows: Rows
    observation: Observation


@dataclass(frozen=True, slots=True)
class Inquiry:
    """All that is known. `sights` holds the Regions that could be read; `foreseen` is the journal of a rehearsal of
    every Region's reconcile; `strangers` are instances that hold an address asked about, of the cluster or not."""

    cluster: str
    sights: Mapping[Region, Sight]
    foreseen: tuple[AuditEvent, ...] = ()
    static_members: tuple[Cidr, ...] = ()
    address_kinds: frozenset[AddressKind] = frozenset({AddressKind.PUBLIC_IPV4})
    strangers: Mapping[Region, tuple[InstanceId, ...]] = field(default_factory=dict)

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
        """Who it is: an instance is told of once, by the most that is known of it."""
        candidates: list[Identity] = [
            *self._members(subject, addresses),
            *self._static(addresses),
            *self._joining(subject, addresses),
            *self._departed(subject, addresses),
            *self._strangers(subject, addresses),
        ]
        known: set[str] = set()
        for identity in candidates:
            who = identity.cidr if isinstance(identity, IsStatic) else identity.instance
            if who not in known:
                known.add(who)
                yield identity

    def _members(self, subject: Subject, addresses: tuple[Cidr, ...]) -> Iterator[IsMember]:
        for key, roster in sorted(self.rosters().items()):
            for id, member in sorted(roster.members.items()):
                if id == subject.instance or any(_within(each, addresses) for each in member.addresses):
                    yield IsMember(key, id, member, self._lifecycle_state(key, id))

    def _static(self, addresses: tuple[Cidr, ...]) -> Iterator[IsStatic]:
        for cidr in self.static_members:
            if any(_within(each, (cidr,)) for each in addresses):
                yield IsStatic(cidr)

    def _strangers(self, subject: Subject, addresses: tuple[Cidr, ...]) -> Iterator[IsStranger]:
        for region, instance in self._instances():
            if self._is_asked_about(instance, subject, addresses):
                yield IsStranger(region, instance.id)
        for region, ids in self.strangers.items():
            for id in ids:
                yield IsStranger(region, id)

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
        foreseen: dict[RuleId, tuple[Verdict, str | None]] = {}
        for entry in self.foreseen:
            match entry:
                case RuleRemoved(rule=rule_id, reason=reason):
                    foreseen[rule_id] = Verdict.GOES, reason
                case RuleUnwanted(rule=rule_id, reason=reason):
                    foreseen[rule_id] = Verdict.WOULD_GO, reason
                case RuleRelabelled(rule=rule_id, label=now):
                    foreseen[rule_id] = Verdict.RENAMED, now.instance
                case RemovalsHeld(rules=held):
                    foreseen |= dict.fromkeys(held, (Verdict.HELD, None))
        for region, group, rule in self._rules():
            asked = rule.id == subject.rule or (
                subject.rule is None and rule.opening is not None and _overlaps(rule.opening.cidr, addresses)
            )
            if not asked or rule.opening is None:
                continue
            label = rule.label(self.cluster)
            verdict, why = foreseen.get(rule.id, (self._standing(rule.opening.cidr, label), None))
            cidr = rule.opening.cidr
            wider = cidr not in addresses and any(_within(each, (cidr,)) for each in addresses)
            yield Door(region, group, rule.opening, verdict, rule, label, why, wider)
        if subject.rule is None:
            yield from self._lacking(addresses)

    def _standing(self, cidr: Cidr, label: Label | None) -> Verdict:
        """The verdict on a rule that no reconcile would touch."""
        if label is None:
            return Verdict.FOREIGN
        return Verdict.RIGHT if self._wanted(cidr) else Verdict.KEPT

    def _lacking(self, addresses: tuple[Cidr, ...]) -> Iterator[Door]:
        reason: str | None
        for entry in self.foreseen:
            match entry:
                case RuleAdded(region=region, group=group, opening=opening, label=label):
                    verdict, reason = Verdict.COMES, None
                case RuleWanted(region=region, group=group, opening=opening, label=label):
                    verdict, reason = Verdict.WOULD_COME, None
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
            for instance in sight.observation.instances.values():
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
