"""The state of each Region of a cluster, derived from a snapshot: what `status` shows.

Pure. How a Region stands is another question: `standings` answers it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ringfence.core.audit_events import ZoneNotDescribed
from ringfence.core.configuration.settings import Settings
from ringfence.core.lifecycle import WAITING
from ringfence.core.model.identifiers import InstanceId, Region, RosterKey, SecurityGroupId
from ringfence.core.model.rosters import Roster
from ringfence.core.model.rules import Rule
from ringfence.core.rule_count import PrefixLists, count_rules
from ringfence_ops.state.changes import Change
from ringfence_ops.state.region_snapshot import RegionSnapshot
from ringfence_ops.state.snapshot import EngineStatus, Snapshot
from ringfence_ops.state.unowned_rules import UnownedRule


@dataclass(frozen=True, slots=True)
class SecurityGroupState:
    """The counts of a security group's rules. `free` is what the quota still allows in the fuller address family.

    `itself` counts the rules by which the group admits itself, which are neither owned nor foreign.
    """

    id: SecurityGroupId
    owned: int
    foreign: int
    free: int
    quota: int
    itself: int = 0


@dataclass(frozen=True, slots=True)
class RosterState:
    """A roster as its home Region has it. `known` maps each other Region to the version it has, None for none.

    `updated_at` is in epoch seconds.
    """

    key: RosterKey
    version: int
    updated_at: int
    known: Mapping[Region, int | None]

    @property
    def behind(self) -> list[Region]:
        """The Regions that have another version, or none."""
        return [region for region, version in self.known.items() if version != self.version]


@dataclass(frozen=True, slots=True)
class InstanceAtHook:
    """An instance that waits for the completion of a lifecycle hook, with its lifecycle state."""

    group: str
    instance: InstanceId
    state: str


@dataclass(frozen=True, slots=True)
class PendingRelease:
    """A departed instance that the Region may still admit. `since` (epoch seconds) is when the departure was seen."""

    instance: InstanceId
    region: Region
    since: int


@dataclass(frozen=True, slots=True)
class MemberCounts:
    """The members of a Region's rosters by their state there, and its instances by Auto Scaling's lifecycle state."""

    members: Mapping[str, int]
    instances: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RegionState:
    """One Region. `bad_rows` are the rows of its table that cannot be trusted, each with the reason. `failing_zones`
    are the Availability Zones that EC2 did not describe: of their instances, only what was known before is known."""

    region: Region
    mode: str
    engine: EngineStatus
    counts: MemberCounts
    groups: Sequence[SecurityGroupState]
    rosters: Sequence[RosterState]
    waiting: Sequence[InstanceAtHook]
    stale_doors: Sequence[PendingRelease]
    drift: Sequence[Change]
    unowned: Sequence[UnownedRule] = ()
    bad_rows: Mapping[RosterKey, str] = field(default_factory=dict)
    failing_zones: Sequence[ZoneNotDescribed] = ()


def region_states(
    snapshot: Snapshot, settings: Mapping[Region, Settings], unowned: Sequence[UnownedRule] = ()
) -> list[RegionState]:
    """Each Region that answered, in the cluster's order. `unowned` are the rules of unknown owner in all of them."""
    planned = snapshot.planned
    return [
        replace(
            _region_state(snapshot, settings[region], [change for change in planned if change.region == region]),
            unowned=[rule for rule in unowned if rule.region == region],
        )
        for region in settings
        if region in snapshot.regions
    ]


def _region_state(snapshot: Snapshot, settings: Settings, drift: Sequence[Change]) -> RegionState:
    home = settings.region
    region = snapshot.regions[home]
    rows = [roster for key, roster in region.rows.of(home).items() if not key.is_announcement]
    rosters = [roster for roster in rows if roster.key.asg in settings.auto_scaling_groups]
    return RegionState(
        region=home,
        mode=settings.mode.value,
        engine=snapshot.engines[home],
        counts=MemberCounts(
            Counter(member.state.value for roster in rosters for member in roster.members.values()),
            Counter(state for states in region.observation.groups.values() for state in states.values()),
        ),
        groups=[
            _security_group(id, rules, region.prefix_lists, settings) for id, rules in sorted(region.rules.items())
        ],
        rosters=[_roster(roster, snapshot.regions, home) for roster in rosters],
        waiting=list(_waiting(region)),
        stale_doors=[
            PendingRelease(instance, peer, roster.departed.get(instance, roster.updated_at))
            for roster in rows
            for peer, instances in sorted(roster.pending_releases.items())
            for instance in sorted(instances)
        ],
        drift=drift,
        bad_rows={key: row.reason for key, row in sorted(region.rows.bad.items())},
        failing_zones=region.failing_zones,
    )


def _security_group(
    id: SecurityGroupId, rules: Sequence[Rule], prefix_lists: PrefixLists, settings: Settings
) -> SecurityGroupState:
    owned = sum(rule.label(settings.cluster) is not None for rule in rules)
    used = count_rules(rules, prefix_lists).fuller
    itself = sum(rule.source_group == id for rule in rules)
    foreign = len(rules) - owned - itself
    return SecurityGroupState(id, owned, foreign, settings.rules_quota - used, settings.rules_quota, itself)


def _roster(roster: Roster, regions: Mapping[Region, RegionSnapshot], home: Region) -> RosterState:
    known = {name: region.rows.versions().get(roster.key) for name, region in regions.items() if name != home}
    return RosterState(roster.key, roster.version, roster.updated_at, known)


def _waiting(region: RegionSnapshot) -> Iterator[InstanceAtHook]:
    for group, states in sorted(region.observation.groups.items()):
        for instance, state in sorted(states.items()):
            if state in WAITING:
                yield InstanceAtHook(group, instance, state)
