"""Compares one security group's rules with the rosters: which rules are missing, and which must go.

Pure. Knows nothing of the guard, of quotas or of how rules are changed. A plan is sorted and frozen: the log, the
command line, the simulator and `apply` all use the same value.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ringfence.core.configuration.settings import Mode
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import STATIC, InstanceId, Region, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.ports import PortRange, Ports
from ringfence.core.model.rosters import Member, MemberState, Rows
from ringfence.core.model.rules import Label, Opening, Rule


class Reason(StrEnum):
    """Why a rule is removed."""

    DEPARTED = "departed"  # its instance left: an event or a describe confirmed it
    NO_MEMBER = "no-member"  # no roster wants it any more, and no departure explains that
    UNKNOWN_INSTANCE = "unknown-instance"  # its roster does not know its instance
    UNKNOWN_ADDRESS = "unknown-address"  # its roster does not know any address of its instance yet
    PORT = "port-not-managed"  # its port is no longer managed
    FOREIGN = "foreign"  # it has no label of the cluster, and its address is no member's (mirror mode)


@dataclass(frozen=True, slots=True, order=True)
class Addition:
    """A rule that the group lacks."""

    opening: Opening
    label: Label


@dataclass(frozen=True, slots=True, order=True)
class Removal:
    """A rule that the group must not have. `label` is None for a foreign rule. `departed_at` is in epoch seconds."""

    opening: Opening
    rule: RuleId
    reason: Reason
    label: Label | None = None
    departed_at: int | None = None

    @property
    def is_explained(self) -> bool:
        """Whether a confirmed departure explains the removal, so that the guard never holds it."""
        return self.reason is Reason.DEPARTED

    @property
    def is_surprising(self) -> bool:
        """Whether the rule's roster does not know its instance or address.

        The roster may be wrong: an invocation that could not write it, because the table was down, may have admitted
        the instance.
        """
        return self.reason in (Reason.UNKNOWN_INSTANCE, Reason.UNKNOWN_ADDRESS)


@dataclass(frozen=True, slots=True, order=True)
class Relabelling:
    """An owned rule that is wanted, but names another instance than the one that has its address now."""

    opening: Opening
    rule: RuleId
    label: Label
    was: Label


@dataclass(frozen=True, slots=True, order=True)
class UnknownOwner:
    """A rule with a label of the cluster whose owner is not known: it admits an address that no known member has."""

    opening: Opening
    rule: RuleId
    label: Label
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What one security group needs to match the rosters. `owned` counts its owned rules as they were read.

    `additions` are in the order in which they are to be made. `unconfirmed` are those for instances that may not be
    members at the moment: they are not made. `unknown_owners` are the rules with a label of the cluster that no roster
    explains and that cannot be removed.
    """

    group: SecurityGroupId
    additions: tuple[Addition, ...] = ()
    removals: tuple[Removal, ...] = ()
    owned: int = 0
    relabellings: tuple[Relabelling, ...] = ()
    unconfirmed: tuple[Addition, ...] = ()
    unknown_owners: tuple[UnknownOwner, ...] = ()

    @property
    def digest(self) -> str:
        """Names exactly these removals in this group, for an operator to confirm."""
        return digest(self.group, self.removals)

    def __bool__(self) -> bool:
        return bool(self.additions or self.removals or self.relabellings)


def digest(group: SecurityGroupId, removals: Iterable[Removal]) -> str:
    """Twelve hexadecimal digits that name a set of removals in a group.

    They cover the address and the ports of each rule, not only its id: a rule can be modified after an operator has
    seen it.
    """
    named = sorted(f"{removal.rule} {removal.opening}" for removal in removals)
    return hashlib.sha256("\n".join([group, *named]).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Scope:
    """Which rules of a group a reconcile may change.

    At home (`home` is the group's Region), these are all owned rules of the cluster. In a peer Region, these are the
    rules of the home Region's own rosters only.
    """

    cluster: str
    home: Region
    at_home: bool
    regions: tuple[Region, ...]
    groups: tuple[str, ...]
    static_members: tuple[Cidr, ...] = ()
    mode: Mode = Mode.OWNED

    def desired(self, rows: Rows) -> Mapping[Cidr, Label]:
        """Every address that must be admitted, with the label of the rules that admit it.

        If two instances claim one address, one that is certainly a member comes first, and then the first in order.
        That happens while an Elastic IP moves from one instance to another, or if a static member is a member too.
        """
        wanted: dict[Cidr, Label] = {}
        uncertain: dict[Cidr, Label] = {}
        for key in sorted(rows.rosters):
            if self._may_want(key) and rows.is_announced(key):
                is_doubtful = rows.is_doubtful(key.region)
                for instance, member in sorted(rows.rosters[key].members.items()):
                    label = Label(self.cluster, key, instance)
                    claims = uncertain if _is_uncertain(member, is_doubtful=is_doubtful) else wanted
                    for address in member.addresses:
                        claims.setdefault(address, label)
        if self.at_home:
            for cidr in self.static_members:
                wanted.setdefault(cidr, Label(self.cluster, RosterKey(self.home, STATIC), "static"))
        return uncertain | wanted

    def _may_want(self, key: RosterKey) -> bool:
        """Whether rules for the roster's members belong into the group. An announcement has no members."""
        if key.is_announcement:
            return False
        return key.region in self.regions and (self.at_home or key.region == self.home)

    def may_remove(self, label: Label, rows: Rows) -> bool:
        """Whether the rows show that the label's roster does not want a rule.

        Unknown is not absent: the rules of a roster that is missing or cannot be trusted stay. But a roster that its
        Region does not announce, or that our own Region does not configure, wants none, whatever its row says.
        """
        key = label.roster
        if key.asg == STATIC:
            return self.at_home
        if key.region == self.home:
            return key in rows.rosters or key.asg not in self.groups
        if not self.at_home:
            return False
        if key.region not in self.regions:
            return True
        if rows.is_doubtful(key.region):
            return False
        return key in rows.rosters if rows.is_announced(key) else not rows.may_be_of_a_downgraded_region(key)

    def has_every_roster(self, rows: Rows) -> bool:
        """Whether every Region of the cluster has published its members, so that no other address is a member's."""
        is_any_unknown = any(self.may_be_roster(key, rows) for key in rows.bad)
        return not is_any_unknown and all(rows.of(region) for region in self.regions)

    def may_be_roster(self, key: RosterKey, rows: Rows) -> bool:
        """Whether the row may be an announcement or a roster of the cluster, whatever it says.

        It is not if its Region is not in the cluster, or if its Region does not announce its group. Anyone who can
        write to the table can write such a row, and no engine may ever replace it.
        """
        if key.region not in self.regions:
            return False
        if key.is_announcement:
            return True
        return key.asg in self.groups if key.region == self.home else rows.is_announced(key)


def managed_ports(ports: Ports, group: SecurityGroupId, rules: Iterable[Rule]) -> tuple[PortRange, ...]:
    """The ports to manage in the group: the configured ones, or those on which the group admits itself."""
    if ports.explicit:
        return ports.explicit
    return tuple(sorted({rule.ports for rule in rules if rule.source_group == group}))


@dataclass(frozen=True, slots=True)
class GroupPorts:
    """On which ports a security group is managed.

    `own` is what the group's own Region configures, or announces. `limit` is our own configuration if the group is a
    peer's: another Region cannot make us open ports that we do not open ourselves. Both must have a port.
    """

    own: Ports
    limit: Ports | None = None

    def managed(self, group: SecurityGroupId, rules: Iterable[Rule]) -> tuple[PortRange, ...]:
        """The ports to manage, given the rules of the group."""
        rules = tuple(rules)
        allowed = managed_ports(self.own if self.limit is None else self.limit, group, rules)
        return tuple(range_ for range_ in managed_ports(self.own, group, rules) if range_ in allowed)

    def refused(self, group: SecurityGroupId, rules: Iterable[Rule]) -> tuple[PortRange, ...]:
        """The ports that the group's Region announces and we do not open."""
        rules = tuple(rules)
        managed = self.managed(group, rules)
        return tuple(range_ for range_ in managed_ports(self.own, group, rules) if range_ not in managed)


def plan_group(
    group: SecurityGroupId, rules: Iterable[Rule], rows: Rows, ports: tuple[PortRange, ...], scope: Scope
) -> Plan:
    """What the group needs to match the rosters on the given ports, within the scope.

    Without ports, it is not known which are open. Then nothing is added, and a rule stays if it admits an address of a
    member. What admits no member goes as ever.

    The rules must be read before the rows if the plan's removals are to be applied. An engine that adds a rule writes
    its roster first. So a rule that no roster wants in later rows is really not wanted.
    """
    desired = scope.desired(rows)
    comparison = _Comparison(rows, ports, scope, desired)
    rules = tuple(rules)
    wanted = {Opening(range_, cidr): label for cidr, label in desired.items() for range_ in ports if range_.suits(cidr)}
    existing = {rule.opening for rule in rules}
    lacking = [Addition(opening, label) for opening, label in wanted.items() if opening not in existing]
    confirmed = [addition for addition in lacking if _is_confirmed(addition.label, rows)]
    removals: list[Removal] = []
    relabellings: list[Relabelling] = []
    unknown_owners: list[UnknownOwner] = []
    owned = 0
    for rule in rules:
        label = rule.label(scope.cluster)
        owned += label is not None
        if rule.opening is None:
            continue
        wanted_label = wanted.get(rule.opening) if ports else desired.get(rule.opening.cidr)
        if wanted_label is None and (unknown := comparison.unknown_owner(rule, rule.opening)) is not None:
            unknown_owners.append(unknown)
        if wanted_label is None:
            removal = comparison.removal(rule, rule.opening, label)
            removals += [removal] if removal is not None else []
        elif label is not None and label != wanted_label and comparison.may_relabel(label, wanted_label):
            relabellings.append(Relabelling(rule.opening, rule.id, wanted_label, label))
    return Plan(
        group=group,
        additions=tuple(sorted(confirmed, key=comparison.precedence)),
        removals=tuple(sorted(removals)),
        owned=owned,
        relabellings=tuple(sorted(relabellings)),
        unconfirmed=tuple(sorted(set(lacking) - set(confirmed))),
        unknown_owners=tuple(sorted(unknown_owners)),
    )


def _member_of(label: Label, rows: Rows) -> Member | None:
    roster = rows.rosters.get(label.roster)
    return roster.members.get(InstanceId(label.instance)) if roster is not None else None


def _is_confirmed(label: Label, rows: Rows) -> bool:
    """Whether it is certain that the label's instance is a member. If it is not, its rules stay, but none is made."""
    return not _is_uncertain(_member_of(label, rows), is_doubtful=rows.is_doubtful(label.roster.region))


def _is_uncertain(member: Member | None, *, is_doubtful: bool) -> bool:
    """Whether an instance may be no member: AWS does not show it at the moment, or its Region's announcement cannot be
    trusted (`is_doubtful`)."""
    return is_doubtful or (member is not None and member.state is MemberState.MISSING)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """What a group's rules are compared with."""

    rows: Rows
    ports: tuple[PortRange, ...]
    scope: Scope
    desired: Mapping[Cidr, Label]

    def removal(self, rule: Rule, opening: Opening, label: Label | None) -> Removal | None:
        """The removal of an unwanted rule, or None if the rule stays."""
        if label is None:
            return Removal(opening, rule.id, Reason.FOREIGN) if self._is_mirrored(opening) else None
        if not self.scope.may_remove(label, self.rows):
            return None
        roster = self.rows.rosters.get(label.roster)
        instance = InstanceId(label.instance)
        departed_at = roster.departed.get(instance) if roster is not None else None
        if roster is not None and instance not in roster.members:
            reason = Reason.UNKNOWN_INSTANCE if departed_at is None else Reason.DEPARTED
            return Removal(opening, rule.id, reason, label, departed_at)
        if roster is not None and roster.members[instance].state is MemberState.WAITING:
            return Removal(opening, rule.id, Reason.UNKNOWN_ADDRESS, label)
        if opening.ports in self.ports or not self.ports:
            return Removal(opening, rule.id, Reason.NO_MEMBER, label)
        if not self.scope.at_home and opening.cidr in self.desired:
            return None  # on which ports a member is admitted is decided by the group's own Region
        return Removal(opening, rule.id, Reason.PORT, label)

    def may_relabel(self, label: Label, wanted: Label) -> bool:
        """Whether a rule with this label may get the wanted one. Nothing new follows from an uncertain claim."""
        is_in_scope = self.scope.at_home or label.roster.region == self.scope.home
        return is_in_scope and _is_confirmed(wanted, self.rows)

    def precedence(self, addition: Addition) -> tuple[bool, int, Label, Opening]:
        """The order in which additions are made: our own members first, and known ones before new ones.

        Where room is short, no Region can crowd out the members of another with members of its own.
        """
        label, member = addition.label, _member_of(addition.label, self.rows)
        since = member.since if member is not None else 0
        return label.roster.region != self.scope.home or not self.scope.at_home, since, label, addition.opening

    def unknown_owner(self, rule: Rule, opening: Opening) -> UnknownOwner | None:
        """Why the owner of an unwanted rule with our label is not known, or None. Only its own Region judges that."""
        written, label = rule.written_label(self.scope.cluster), rule.label(self.scope.cluster)
        if not self.scope.at_home or written is None:
            return None
        if label is None:
            return UnknownOwner(opening, rule.id, written, "no member of the cluster can have such an address")
        if self.scope.may_remove(label, self.rows):
            return None
        why = "cannot be trusted" if label.roster in self.rows.bad else "is not known"
        return UnknownOwner(opening, rule.id, label, f"the roster of {label.roster} {why}")

    def _is_mirrored(self, opening: Opening) -> bool:
        """Whether mirror mode removes a foreign rule with this opening."""
        mirrors = self.scope.at_home and self.scope.mode is Mode.MIRROR and opening.ports in self.ports
        return mirrors and self.scope.has_every_roster(self.rows)
