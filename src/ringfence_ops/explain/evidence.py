"""Explains a subject from what was read of each Region: who it is, which doors are open for it, and if that is right.

A roster counts only as its home Region has it. A row elsewhere, or one that its Region does not announce, can have been
written by anyone who may write to that table: it makes no member.

Pure. Decides nothing itself: the engine's own dry run says which rules go and which come. Knows no client and no
terminal.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ringfence.core.audit_events import (
    AuditEvent,
    RemovalsHeld,
    RuleAdded,
    RuleOwnerUnknown,
    RuleRefused,
    RuleRelabelled,
    RuleRemoved,
    RuleUnwanted,
    RuleWanted,
)
from ringfence.core.configuration.choices import PrivateAddresses
from ringfence.core.model.addresses import AddressKind, Cidr, in_order, is_host
from ringfence.core.model.identifiers import STATIC, InstanceId, Region, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.rosters import Roster, Rows
from ringfence.core.model.rules import Rule
from ringfence.core.observation import Instance
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
from ringfence_ops.explain.subject import Subject
from ringfence_ops.state.region_snapshot import RegionSnapshot


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that was read. `regions` holds the Regions that answered; `planned_events` are the audit events of a dry run
    of every Region's reconcile; `strangers` are instances with an address in question, of the cluster or not; `groups`
    are the Auto Scaling groups of each Region, by the cluster file, where it is known."""

    cluster: str
    regions: Mapping[Region, RegionSnapshot]
    planned_events: tuple[AuditEvent, ...] = ()
    static_members: tuple[Cidr, ...] = ()
    address_kinds: frozenset[AddressKind] = frozenset({AddressKind.PUBLIC_IPV4})
    private_addresses: PrivateAddresses = PrivateAddresses.ALL
    strangers: Mapping[Region, tuple[InstanceId, ...]] = field(default_factory=dict)
    groups: Mapping[Region, tuple[str, ...]] | None = None

    def explain(self, subject: Subject) -> Explanation:
        """The explanation of the subject."""
        addresses = tuple(sorted(set(self._addresses(subject)), key=in_order))
        return Explanation(
            subject,
            addresses,
            tuple(self._identities(subject, addresses)),
            tuple(self._doors(subject, addresses)),
            self._narrower(subject.cidr) if subject.cidr is not None and subject.is_network else 0,
        )

    def rosters(self) -> dict[RosterKey, Roster]:
        """Each roster of the cluster as its home table has it; the newest one where the home Region did not answer."""
        found: dict[RosterKey, Roster] = {}
        for name, key, roster in self._rows():
            is_newer = key not in found or roster.version > found[key].version
            if self._is_of_cluster(key) and (name == key.region or (key.region not in self.regions and is_newer)):
                found[key] = roster
        return found

    def _rows(self) -> Iterator[tuple[Region, RosterKey, Roster]]:
        """Every roster in any Region's table, with the Region of the table."""
        for name, region in self.regions.items():
            for key, roster in region.rows.rosters.items():
                if not key.is_announcement:
                    yield name, key, roster

    def _is_of_cluster(self, key: RosterKey) -> bool:
        """Whether the roster is of one of the cluster's groups: the cluster file and every announcement agree."""
        if self.groups is not None and key.asg not in self.groups.get(key.region, ()):
            return False
        home = self.regions.get(key.region)
        return all(rows.is_announced(key) for rows in self._tables(home.rows if home is not None else None))

    def _tables(self, home: Rows | None) -> list[Rows]:
        """The tables whose announcement of a Region counts: its own, or all where it did not answer."""
        return [region.rows for region in self.regions.values()] if home is None else [home]

    def _addresses(self, subject: Subject) -> Iterator[Cidr]:
        """The subject's addresses: from its roster, from EC2, and from the rules that name it."""
        if subject.cidr is not None:
            yield subject.cidr
        for _, _, rule in self._rules():
            label = rule.label(self.cluster)
            is_named = label is not None and label.instance == subject.instance
            if rule.opening is not None and (rule.id == subject.rule or is_named):
                yield rule.opening.cidr
        if subject.instance is not None:
            for roster in self.rosters().values():
                if member := roster.members.get(subject.instance):
                    yield from member.addresses
            for _, instance in self._instances():
                if instance.id == subject.instance:
                    yield from self._admitted(instance)

    def _identities(self, subject: Subject, addresses: tuple[Cidr, ...]) -> Iterator[Identity]:
        """The subject's identities. An instance has one: the first in the order of these.

        A network has no member, as a subject or as a rule's: what admits it admits every address in it.
        """
        if subject.is_network:
            yield from self._static_members(addresses)
            return
        if subject.rule is not None:
            static = list(self._static_members(addresses))
            addresses = tuple(address for address in addresses if is_host(address))
            if not addresses:
                yield from static
                return
        candidates: list[Identity] = [
            *self._members(subject, addresses),
            *self._static_members(addresses),
            *self._joining(subject, addresses),
            *self._other_addresses(addresses),
            *self._departed(subject, addresses),
            *self._claims(subject, addresses),
            *self._strangers(subject, addresses),
        ]
        known: set[str] = set()
        for identity in candidates:
            name = identity.cidr if isinstance(identity, StaticMember) else identity.instance
            if name not in known:
                known.add(name)
                yield identity

    def _members(self, subject: Subject, addresses: tuple[Cidr, ...]) -> Iterator[ClusterMember]:
        for key, roster in sorted(self.rosters().items()):
            for id, member in sorted(roster.members.items()):
                if id == subject.instance or any(_is_within(address, addresses) for address in member.addresses):
                    yield ClusterMember(key, id, member, self._lifecycle_state(key, id))

    def _static_members(self, addresses: tuple[Cidr, ...]) -> Iterator[StaticMember]:
        for cidr in self.static_members:
            if any(_is_within(address, (cidr,)) for address in addresses):
                yield StaticMember(cidr)

    def _claims(self, subject: Subject, addresses: tuple[Cidr, ...]) -> Iterator[ClaimedAddress]:
        """What rows say that are not the rosters of the cluster."""
        rosters = self.rosters()
        for name, key, roster in self._rows():
            for id, member in sorted(roster.members.items()):
                is_known = key in rosters and id in rosters[key].members
                in_question = id == subject.instance or any(
                    _is_within(address, addresses) for address in member.addresses
                )
                if in_question and not is_known:
                    yield ClaimedAddress(name, key, id)

    def _strangers(self, subject: Subject, addresses: tuple[Cidr, ...]) -> Iterator[Stranger]:
        for region, instance in self._instances():
            if self._is_in_question(instance, subject, addresses):
                yield Stranger(region, instance.id)
        for region, ids in self.strangers.items():
            for id in ids:
                yield Stranger(region, id)

    def _joining(self, subject: Subject, addresses: tuple[Cidr, ...]) -> Iterator[JoiningInstance]:
        rosters = self.rosters()
        for name, region in sorted(self.regions.items()):
            for group, states in region.observation.groups.items():
                key = RosterKey(name, group)
                for id, state in states.items():
                    instance = region.observation.instances.get(id)
                    in_question = id == subject.instance or (
                        instance is not None and any(_is_within(cidr, addresses) for cidr in self._admitted(instance))
                    )
                    if in_question and not (key in rosters and id in rosters[key].departed):
                        yield JoiningInstance(key, id, state)

    def _other_addresses(self, addresses: tuple[Cidr, ...]) -> Iterator[OtherAddress]:
        """Members, and instances that join, that have an address which is not admitted."""
        for key, instance in self._of_cluster():
            admitted = self._admitted(instance)
            for address in addresses:
                if address in admitted:
                    continue
                for kind in sorted(AddressKind, key=lambda kind: kind.value):
                    is_configured = kind in self.address_kinds
                    if address in instance.addresses.get(kind, ()):
                        yield OtherAddress(key, instance.id, kind, is_configured=is_configured)
                    for prefix in instance.prefixes.get(kind, ()):
                        if _is_within(address, (Cidr(prefix),)):
                            yield OtherAddress(key, instance.id, kind, prefix, is_configured)

    def _of_cluster(self) -> Iterator[tuple[RosterKey, Instance]]:
        """The instances that are members or that a group of the cluster lists, as far as EC2 describes them."""
        rosters = self.rosters()
        for name, region in sorted(self.regions.items()):
            listed = {
                id: RosterKey(name, group) for group, states in region.observation.groups.items() for id in states
            }
            for id, instance in sorted(region.observation.instances.items()):
                members = [key for key, roster in rosters.items() if key.region == name and id in roster.members]
                if (key := members[0] if members else listed.get(id)) is not None:
                    yield key, instance

    def _admitted(self, instance: Instance) -> tuple[Cidr, ...]:
        """The addresses of an instance that the cluster admits."""
        return instance.of_kinds(self.address_kinds, self.private_addresses)

    def _departed(self, subject: Subject, addresses: tuple[Cidr, ...]) -> Iterator[DepartedInstance]:
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
            if roster is not None:  # without the group's roster, nothing is known about departures
                yield DepartedInstance(key, id, roster.departed.get(id))

    def _doors(self, subject: Subject, addresses: tuple[Cidr, ...]) -> Iterator[Door]:
        planned = self._planned_verdicts()
        for region, group, rule in self._rules():
            in_question = rule.id == subject.rule or (
                subject.rule is None
                and rule.opening is not None
                and self._admits(rule.opening.cidr, subject, addresses)
            )
            if not in_question or rule.opening is None:
                continue
            label = rule.label(self.cluster)
            cidr = rule.opening.cidr
            verdict, reason = planned.get(rule.id) or self._verdict_on_kept(rule, cidr)
            wider = cidr not in addresses and any(_is_within(address, (cidr,)) for address in addresses)
            yield Door(region, group, rule.opening, verdict, rule, label, reason, wider)
        if subject.rule is None:
            yield from self._missing_doors(subject, addresses)

    def _admits(self, cidr: Cidr, subject: Subject, addresses: tuple[Cidr, ...]) -> bool:
        """Whether a rule for the CIDR admits the subject: all of a network, or one of the addresses."""
        return _covers(cidr, addresses) if subject.is_network else _overlaps(cidr, addresses)

    def _narrower(self, network: Cidr) -> int:
        """The number of rules that admit a part of the network only."""
        cidrs = [rule.opening.cidr for _, _, rule in self._rules() if rule.opening is not None]
        return sum(_is_within(cidr, (network,)) and not _covers(cidr, (network,)) for cidr in cidrs)

    def _planned_verdicts(self) -> dict[RuleId, tuple[DoorVerdict, str | None]]:
        """The verdict on each rule that a reconcile would change, with the reason."""
        verdicts: dict[RuleId, tuple[DoorVerdict, str | None]] = {}
        for event in self.planned_events:
            match event:
                case RuleRemoved(rule=rule, reason=reason):
                    verdicts[rule] = DoorVerdict.GOES, reason
                case RuleUnwanted(rule=rule, reason=reason):
                    verdicts[rule] = DoorVerdict.WOULD_GO, reason
                case RuleRelabelled(rule=rule, label=label):
                    verdicts[rule] = DoorVerdict.RENAMED, label.instance
                case RemovalsHeld(rules=held):
                    verdicts |= dict.fromkeys(held, (DoorVerdict.HELD, None))
                case RuleOwnerUnknown(rule=rule, why=why):
                    verdicts.setdefault(rule, (DoorVerdict.UNOWNED, why))  # unless it is removed nevertheless
        return verdicts

    def _verdict_on_kept(self, rule: Rule, cidr: Cidr) -> tuple[DoorVerdict, str | None]:
        """The verdict on a rule that no reconcile would change, with the reason."""
        if rule.label(self.cluster) is not None:
            return DoorVerdict.RIGHT if self._is_member_address(cidr) else DoorVerdict.KEPT, None
        if rule.written_label(self.cluster) is not None:
            return DoorVerdict.UNOWNED, "no member of the cluster can have such an address"
        return DoorVerdict.FOREIGN, None

    def _missing_doors(self, subject: Subject, addresses: tuple[Cidr, ...]) -> Iterator[Door]:
        reason: str | None
        for event in self.planned_events:
            match event:
                case RuleAdded(region=region, group=group, opening=opening, label=label):
                    verdict, reason = DoorVerdict.COMES, None
                case RuleWanted(region=region, group=group, opening=opening, label=label):
                    verdict, reason = DoorVerdict.WOULD_COME, None
                case RuleRefused(region=region, group=group, opening=opening, label=label, refusal=refusal):
                    verdict, reason = DoorVerdict.REFUSED, refusal
                case _:
                    continue
            if self._admits(opening.cidr, subject, addresses):
                yield Door(region, group, opening, verdict, label=label, reason=reason)

    def _is_member_address(self, cidr: Cidr) -> bool:
        return cidr in self.static_members or any(
            cidr == address for roster in self.rosters().values() for address, _ in roster.addresses()
        )

    def _is_in_question(self, instance: Instance, subject: Subject, addresses: tuple[Cidr, ...]) -> bool:
        held = (cidr for kind in AddressKind for cidr in instance.addresses.get(kind, ()))
        networks = (subject.cidr,) if subject.cidr is not None else addresses
        return instance.id == subject.instance or any(_is_within(cidr, networks) for cidr in held)

    def _instances(self) -> Iterator[tuple[Region, Instance]]:
        for name, region in self.regions.items():
            for instance in region.observation.instances.values():
                yield name, instance

    def _lifecycle_state(self, key: RosterKey, id: InstanceId) -> str | None:
        region = self.regions.get(key.region)
        return None if region is None else region.observation.groups.get(key.asg, {}).get(id)

    def _rules(self) -> Iterator[tuple[Region, SecurityGroupId, Rule]]:
        for name, region in self.regions.items():
            for group, rules in region.rules.items():
                for rule in rules:
                    yield name, group, rule


def _covers(cidr: Cidr, networks: Iterable[Cidr]) -> bool:
    """Whether the CIDR has every address of one of the networks."""
    return any(_is_within(network, (cidr,)) for network in networks)


def _overlaps(cidr: Cidr, networks: Iterable[Cidr]) -> bool:
    """Whether the CIDR has an address in common with one of the networks."""
    return any(_is_within(cidr, (network,)) or _is_within(network, (cidr,)) for network in networks)


def _is_within(cidr: Cidr, networks: Iterable[Cidr]) -> bool:
    """Whether the CIDR lies within one of the networks."""
    inner = ipaddress.ip_network(cidr, strict=False)
    outers = [ipaddress.ip_network(network, strict=False) for network in networks]
    return any(
        outer.version == inner.version and inner.subnet_of(outer)  # type: ignore[arg-type]  # of one family
        for outer in outers
    )
