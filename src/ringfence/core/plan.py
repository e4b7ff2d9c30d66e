"""Decides what one security group lacks and what it has too much: `plan(rules, rosters) -> Plan`.

Pure. Knows nothing of the guard, of quotas or of how rules are changed. A plan is sorted and frozen, so that the
log, the command line, the simulator and the one who applies it all look at the same object.
"""

import hashlib
from collections.abc import Iterable, Mapping
from enum import StrEnum

from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import STATIC, InstanceId, Region, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.ports import PortRange, Ports
from ringfence.core.model.rosters import MemberState, Rows
from ringfence.core.model.rules import Label, Opening, Rule
from ringfence.core.settings import Mode
from ringfence.records import dataclass


class Reason(StrEnum):
    """Why a rule goes."""

    DEPARTED = "departed"  # its instance left: confirmed by an event or a describe
    NO_MEMBER = "no-member"  # no roster wants it any more, and no departure explains that
    UNKNOWN_INSTANCE = "unknown-instance"  # its roster has never heard of its instance
    UNKNOWN_ADDRESS = "unknown-address"  # its roster has never heard of an address of its instance
    PORT = "port-not-managed"  # its port is no longer one that is managed
    FOREIGN = "foreign"  # nobody's label, and nobody's member (mirror mode)


@dataclass(frozen=True, slots=True, order=True)
class Addition:
    """A rule that the group lacks."""

    opening: Opening
    label: Label


@dataclass(frozen=True, slots=True, order=True)
class Removal:
    """A rule that the group has too much. `label` is None for a foreign one; `departed_at` is in epoch seconds."""

    opening: Opening
    rule: RuleId
    reason: Reason
    label: Label | None = None
    departed_at: int | None = None

    @property
    def is_explained(self) -> bool:
        """Whether a confirmed departure explains it, so that no guard may hold it."""
        return self.reason is Reason.DEPARTED

    @property
    def is_surprising(self) -> bool:
        """Whether the rule is one of which its roster knows nothing, so that the roster may be the one that is wrong:
        an invocation that could not write it (the table was down) may have admitted the instance."""
        return self.reason in (Reason.UNKNOWN_INSTANCE, Reason.UNKNOWN_ADDRESS)


@dataclass(frozen=True, slots=True, order=True)
class Relabelling:
    """An owned rule that is wanted, but names another instance than the one that has its address now."""

    opening: Opening
    rule: RuleId
    label: Label
    was: Label


@dataclass(frozen=True, slots=True)
class Plan:
    """All that one security group needs to say what the rosters say. `owned` counts its owned rules as read."""

    group: SecurityGroupId
    additions: tuple[Addition, ...] = ()
    removals: tuple[Removal, ...] = ()
    owned: int = 0
    relabellings: tuple[Relabelling, ...] = ()

    @property
    def digest(self) -> str:
        """Names exactly these removals in this group, for an operator to confirm."""
        return digest(self.group, (removal.rule for removal in self.removals))

    def __bool__(self) -> bool:
        return bool(self.additions or self.removals or self.relabellings)


def digest(group: SecurityGroupId, rules: Iterable[RuleId]) -> str:
    """Twelve hexadecimal digits that name a set of rules of a group."""
    return hashlib.sha256(" ".join([group, *sorted(rules)]).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose rules a reconcile may change in a group.

    At home (`home` is the group's Region) that is every owned rule of the cluster; in a peer Region only the rules
    of the home Region's own rosters.
    """

    cluster: str
    home: Region
    at_home: bool
    regions: tuple[Region, ...]
    groups: tuple[str, ...]
    static_members: tuple[Cidr, ...] = ()
    mode: Mode = Mode.OWNED

    def desired(self, rows: Rows) -> Mapping[Cidr, Label]:
        """Every address that is to be admitted, with the label of the rules that admit it.

        Where two claim one address (an Elastic IP on its way from one instance to another, a static member that
        is a member too), the first in order names it.
        """
        wanted: dict[Cidr, Label] = {}
        for key in sorted(rows.rosters):
            if key.region in self.regions and (self.at_home or key.region == self.home):
                for instance, member in sorted(rows.rosters[key].members.items()):
                    label = Label(self.cluster, key, instance)
                    for address in member.addresses:
                        wanted.setdefault(address, label)
        if self.at_home:
            for cidr in self.static_members:
                wanted.setdefault(cidr, Label(self.cluster, RosterKey(self.home, STATIC), "static"))
        return wanted

    def may_remove(self, label: Label, rows: Rows) -> bool:
        """Whether it is known that the label's roster does not want the rule. Unknown is not absent: a roster
        that is missing or cannot be trusted keeps its rules."""
        key = label.roster
        if not self.at_home:
            return key.region == self.home and key in rows.rosters
        if key in rows.bad:
            return False
        if key.region == self.home:
            return key in rows.rosters or key.asg == STATIC or key.asg not in self.groups
        return key in rows.rosters or key.region not in self.regions

    def may_relabel(self, label: Label) -> bool:
        """Whether a rule with the label is one that may be given another's."""
        return self.at_home or label.roster.region == self.home

    def knows_everybody(self, rows: Rows) -> bool:
        """Whether every Region of the cluster has said who its members are, so that nobody else is one."""
        return not rows.bad and all(rows.of(region) for region in self.regions)


def managed_ports(ports: Ports, group: SecurityGroupId, rules: Iterable[Rule]) -> tuple[PortRange, ...]:
    """The ports to manage in the group: those given, or those on which the group admits itself."""
    if ports.explicit:
        return ports.explicit
    return tuple(sorted({rule.ports for rule in rules if rule.source_group == group}))


def plan_group(
    group: SecurityGroupId, rules: Iterable[Rule], rows: Rows, ports: tuple[PortRange, ...], scope: Scope
) -> Plan:
    """What the group's rules need to say what the rosters say on the given ports, within the scope.

    The rules must have been read before the rows wherever the plan's removals are to be applied: then whoever put
    a rule there had its roster in the table first, and a rule that no roster wants is really not wanted.
    """
    rules = tuple(rules)
    desired = scope.desired(rows)
    wanted = {Opening(range_, cidr): label for cidr, label in desired.items() for range_ in ports if range_.suits(cidr)}
    standing = {rule.opening for rule in rules}
    additions = (Addition(opening, label) for opening, label in wanted.items() if opening not in standing)
    removals: list[Removal] = []
    relabellings: list[Relabelling] = []
    owned = 0
    for rule in rules:
        label = rule.label(scope.cluster)
        owned += label is not None
        if rule.opening is None:
            continue
        now = wanted.get(rule.opening)
        if now is None:
            removal = _removal(rule, rule.opening, label, rows, ports, scope)
            removals += [removal] if removal is not None else []
        elif label is not None and label != now and scope.may_relabel(label):
            relabellings.append(Relabelling(rule.opening, rule.id, now, label))
    return Plan(group, tuple(sorted(additions)), tuple(sorted(removals)), owned, tuple(sorted(relabellings)))


def _removal(
    rule: Rule, opening: Opening, label: Label | None, rows: Rows, ports: tuple[PortRange, ...], scope: Scope
) -> Removal | None:
    """The removal of an unwanted rule, or None where it is to stay."""
    if label is None:
        mirrored = scope.at_home and scope.mode is Mode.MIRROR and opening.ports in ports
        return Removal(opening, rule.id, Reason.FOREIGN) if mirrored and scope.knows_everybody(rows) else None
    if not scope.may_remove(label, rows):
        return None
    roster = rows.rosters.get(label.roster)
    instance = InstanceId(label.instance)
    departed_at = roster.departed.get(instance) if roster is not None else None
    if roster is not None and instance not in roster.members:
        reason = Reason.UNKNOWN_INSTANCE if departed_at is None else Reason.DEPARTED
        return Removal(opening, rule.id, reason, label, departed_at)
    if roster is not None and roster.members[instance].state is MemberState.WAITING:
        return Removal(opening, rule.id, Reason.UNKNOWN_ADDRESS, label)
    return Removal(opening, rule.id, Reason.NO_MEMBER if opening.ports in ports else Reason.PORT, label)
