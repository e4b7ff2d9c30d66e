"""What the properties can see: the cloud, the settings of the engines, and what was remembered of earlier changes.

It must not know any property.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ringfence.core.configuration.settings import Settings
from ringfence.core.freshness import STALE_SECONDS
from ringfence.core.hook_decision import STILL_WAITS
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import ANNOUNCEMENT, InstanceId, Region, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.rules import Opening, Rule
from ringfence_lab.sim.aws.lifecycle import REPLACING, WITH_NEW_ROOT_VOLUME
from ringfence_lab.sim.aws.past import REMEMBERED_SECONDS, RULES_REMEMBERED_SECONDS
from ringfence_lab.sim.aws.security_groups import SecurityGroup
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.invocation import Invocation

IN_SERVICE = frozenset({"InService", "EnteringStandby", "Standby", "Pending:Proceed", *REPLACING})
"""The states of a member that was admitted."""

LAUNCHING = frozenset({"Pending", "Pending:Wait"})

ADDRESSES = 64
"""Maximum addresses of an instance that are admitted, the first ones in order. Source: the README."""


@dataclass(slots=True)
class Memory:
    """What is remembered of earlier changes. All times are in seconds since the epoch.

    `makers`: the invocation that made each rule, `made`: when. `made_for`: when a rule was last made for an
    instance. `departures`: when its departure was written at home. `writers`: the invocation that last wrote each
    roster at home. `admitted`: the openings of each live member that rules admit. `shrunk`: when each security
    group last lost a rule. `removed_by_hand`: when an operator removed an opening. `changed_by_hand`: when an
    operator changed a rule. `returned`: when an address returned to the instance that had released it. `announced`:
    when each Region first wrote to its own table. `released`: when the termination of an instance was answered.
    `listed`: the instances that each group listed at some time, and since when. `unlisted`: those that it lists no
    more. `joined`: those that were in the group itself at some time, not only in its warm pool. `forgot`: when each
    Region's own table last lost what it knew. `forged`: the rows of each table that another caller than an engine
    wrote, and that no engine has replaced. `replaced`: when an engine last replaced such a row. `replacing`: when
    each instance last waited for the replacement of its root volume. `admits_itself`: when each security group last
    got or lost a rule by which it admits itself. `known_groups`: when each Region's table first had each security
    group. `deleted`: when each was deleted. `paused`: since when each table has the pause of each Region.
    `observed`: until when each table said of each Region that it is paused or only observes; infinite while it says
    so. `let_go`: the instances whose termination was answered for another reason than a release: by a paused Region,
    or by an answer to the replacement of their root volume.
    """

    makers: dict[RuleId, Invocation] = field(default_factory=dict)
    made: dict[RuleId, float] = field(default_factory=dict)
    made_for: dict[InstanceId, float] = field(default_factory=dict)
    departures: dict[tuple[RosterKey, InstanceId], float] = field(default_factory=dict)
    writers: dict[RosterKey, Invocation] = field(default_factory=dict)
    admitted: dict[InstanceId, set[tuple[SecurityGroupId, Opening]]] = field(default_factory=dict)
    shrunk: dict[SecurityGroupId, float] = field(default_factory=dict)
    removed_by_hand: dict[tuple[SecurityGroupId, Opening], float] = field(default_factory=dict)
    changed_by_hand: dict[RuleId, float] = field(default_factory=dict)
    admits_itself: dict[SecurityGroupId, float] = field(default_factory=dict)
    known_groups: dict[tuple[Region, SecurityGroupId], float] = field(default_factory=dict)
    deleted: dict[SecurityGroupId, float] = field(default_factory=dict)
    returned: dict[Cidr, float] = field(default_factory=dict)
    announced: dict[Region, float] = field(default_factory=dict)
    released: dict[tuple[Region, InstanceId], float] = field(default_factory=dict)
    listed: dict[tuple[RosterKey, InstanceId], float] = field(default_factory=dict)
    unlisted: set[tuple[RosterKey, InstanceId]] = field(default_factory=set)
    joined: set[tuple[RosterKey, InstanceId]] = field(default_factory=set)
    forgot: dict[Region, float] = field(default_factory=dict)
    forged: set[tuple[Region, RosterKey]] = field(default_factory=set)
    replaced: dict[tuple[Region, RosterKey], float] = field(default_factory=dict)
    replacing: dict[InstanceId, float] = field(default_factory=dict)
    paused: dict[tuple[Region, Region], float] = field(default_factory=dict)
    observed: dict[tuple[Region, Region], float] = field(default_factory=dict)
    let_go: set[tuple[Region, InstanceId]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class CheckContext:
    """The cloud, the settings of each Region's engine, and the memory.

    `keep_strange_rows` are the Regions whose engine deletes no rows, because it is of version 0.1. `know_no_fence` are
    those whose engine releases new rules on the first clean reading, for the same reason.
    """

    cloud: Cloud
    settings: Mapping[Region, Settings]
    memory: Memory = field(default_factory=Memory)
    keep_strange_rows: set[Region] = field(default_factory=set)
    know_no_fence: set[Region] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Remembers the instances that the groups list already."""
        for region in self.cloud.regions.values():
            for group in region.groups.values():
                key = RosterKey(region.name, group.name)
                self.memory.listed |= {(key, id): self.now() for id in group.instances}
                self.memory.joined |= {(key, id) for id in group.listed()}

    def now(self) -> float:
        """The time of the cloud."""
        return self.cloud.clock.now()

    def openings(self, home: Region, instance: InstanceId) -> list[Opening]:
        """What an instance needs: its addresses of the configured kinds, on the managed ports."""
        ports = self.cloud.managed_ports(self.settings[home])
        return [Opening(range_, cidr) for cidr in self.addresses(home, instance) for range_ in ports]

    def addresses(self, home: Region, instance: InstanceId) -> tuple[Cidr, ...]:
        """The addresses of an instance that must be admitted if it is a member."""
        described = self.cloud.regions[home].ec2.instances[instance].described()
        settings = self.settings[home]
        return described.of_kinds(settings.address_kinds, settings.private_addresses)[:ADDRESSES]

    def security_groups(self, region: Region) -> list[SecurityGroup]:
        """The groups that the Region's engine manages, as far as they exist."""
        groups = self.cloud.regions[region].security_groups.groups
        return [groups[id] for id in self.settings[region].security_groups if id in groups]

    def deleted_groups(self, region: Region) -> list[SecurityGroupId]:
        """The groups that the Region's engine should manage, and that do not exist."""
        groups = self.cloud.regions[region].security_groups.groups
        return [id for id in self.settings[region].security_groups if id not in groups]

    def has_no_trace(self, roster: RosterKey) -> bool:
        """Whether the roster's group does not exist, and no table has the roster."""
        regions = self.cloud.regions
        return roster.asg not in regions[roster.region].groups and not any(
            roster in region.table.rosters for region in regions.values()
        )

    def state(self, instance: InstanceId) -> str | None:
        """The lifecycle state of an instance in its group, in any Region; None if no group lists it."""
        for region in self.cloud.regions.values():
            for group in region.groups.values():
                if instance in group.instances:
                    return group.instances[instance].state
        return None

    def serves(self, instance: InstanceId) -> bool:
        """Whether an instance was admitted and stays a member. With a new root volume, it is `Pending` once more."""
        for region in self.cloud.regions.values():
            for group in region.groups.values():
                if (found := group.instances.get(instance)) is not None:
                    return found.state in IN_SERVICE or (
                        found.state in LAUNCHING and found.route is WITH_NEW_ROOT_VOLUME
                    )
        return False

    def may_seem_replacing(self, instance: InstanceId, by: Invocation) -> bool:
        """Whether the invocation may have listed the instance while it waited for the replacement of its root volume,
        though it waits for its termination by now: the same hook holds both, and the instance id names both."""
        at = self.memory.replacing.get(instance)
        lag = REMEMBERED_SECONDS if by.misled else 0.0
        return at is not None and self.now() - at <= STILL_WAITS + lag

    def could_add(self, home: Region, group: SecurityGroup, by: Invocation) -> bool:
        """Whether the invocation could add rules to a peer's group: its Region knew the group, which had ports."""
        known = self.memory.known_groups.get((home, group.id))
        return known is not None and known < by.started and not self.had_no_ports(group, by)

    def had_no_ports(self, group: SecurityGroup, by: Invocation) -> bool:
        """Whether the group admitted itself on no port at some time during the invocation, or was shown so late that it
        may have seemed to."""
        earliest = by.started - (RULES_REMEMBERED_SECONDS if group.id in by.read_old_rules else 0.0)
        return not group.admits_itself() or self.memory.admits_itself.get(group.id, -1.0) >= earliest

    def just_removed_by_hand(self, group: SecurityGroup, opening: Opening, by: Invocation) -> bool:
        """Whether an operator removed the rule so late that the invocation cannot know."""
        at = self.memory.removed_by_hand.get((group.id, opening))
        return at is not None and at >= by.started - RULES_REMEMBERED_SECONDS

    def just_changed_by_hand(self, rule: Rule, by: Invocation) -> bool:
        """Whether an operator changed the rule so late that the invocation cannot know: it removes rules by id."""
        earliest = by.started - (RULES_REMEMBERED_SECONDS if rule.group in by.read_old_rules else 0.0)
        return self.memory.changed_by_hand.get(rule.id, -1.0) >= earliest

    def has_anothers_label(self, rule: Rule, instance: InstanceId) -> bool:
        """Whether someone who can also remove the rule gave it another label than the instance's."""
        label = rule.label(self.cloud.cluster)
        if rule.id not in self.memory.changed_by_hand:
            return False
        return label is None or label.instance != instance or (label.roster, instance) not in self.memory.listed

    def has_new_rules(self, key: RosterKey, instance: InstanceId) -> bool:
        """Whether an engine made a rule for the instance, and its group listed it first, so lately that a reading may
        not show the rule, or that an invocation may still make it again."""
        if key.region in self.know_no_fence:
            return False
        listed = self.memory.listed.get((key, instance))
        return (
            instance in self.memory.made_for and listed is not None and self.now() - listed < RULES_REMEMBERED_SECONDS
        )

    def just_returned(self, cidr: Cidr) -> bool:
        """Whether an instance released the address and received it again so recently that an invocation may still act
        on the roster in between."""
        at = self.memory.returned.get(cidr)
        return at is not None and self.now() - at < STALE_SECONDS

    def was_forged(self, table: Region, key: RosterKey, by: Invocation) -> bool:
        """Whether, during the invocation, a Region's table had a row that no engine wrote."""
        return (table, key) in self.memory.forged or self.memory.replaced.get((table, key), 0.0) >= by.started

    def was_misinformed(self, table: Region, home: Region, by: Invocation) -> bool:
        """Whether, during the invocation, any row about a Region in a table was one that no engine wrote."""
        names = (ANNOUNCEMENT, *self.settings[home].auto_scaling_groups)
        return any(self.was_forged(table, RosterKey(home, name), by) for name in names)

    def may_only_observe(self, region: Region, by: Invocation) -> bool:
        """Whether the invocation may have read that the Region is paused, or announces still that it only observes."""
        return any(self.memory.observed.get((table, region), -1.0) >= by.started for table in (by.home, region))

    def is_known(self, region: Region, instance: InstanceId, cidr: Cidr) -> bool:
        """Whether every describe, however stale, shows the address on the instance."""
        described = self.cloud.regions[region].ec2.by_id([instance], REMEMBERED_SECONDS)
        return any(cidr in cidrs for shown in described.values() for cidrs in shown.addresses.values())
