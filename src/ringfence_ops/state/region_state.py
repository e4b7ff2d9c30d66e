"""How a cluster stands, Region by Region, made of a survey: what `status` shows.

Pure. A Region is in sync where nothing is to be done, nobody waits and nothing is owed.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ringfence.core.configuration.settings import Settings
from ringfence.core.lifecycle import WAITING
from ringfence.core.model.addresses import is_ipv6
from ringfence.core.model.identifiers import InstanceId, Region, RosterKey, SecurityGroupId
from ringfence.core.model.rosters import Roster
from ringfence.core.model.rules import Rule
from ringfence_ops.explain.subject import Sight
from ringfence_ops.state.changes import Change
from ringfence_ops.state.snapshot import Survey, Workings


@dataclass(frozen=True, slots=True)
class GroupStanding:
    """A security group's rules. `free` counts those that the quota still allows in the fuller address family."""

    id: SecurityGroupId
    owned: int
    foreign: int
    free: int
    quota: int


@dataclass(frozen=True, slots=True)
class RosterStanding:
    """A roster as its home Region has it; `known` is the version that each other Region has, None where it has none.

    `updated_at` is in epoch seconds.
    """

    key: RosterKey
    version: int
    updated_at: int
    known: Mapping[Region, int | None]

    @property
    def behind(self) -> list[Region]:
        """The Regions that do not have this version."""
        return [region for region, version in self.known.items() if version != self.version]


@dataclass(frozen=True, slots=True)
class WaitingHook:
    """An instance that waits for an answer, in its lifecycle state."""

    group: str
    instance: InstanceId
    state: str


@dataclass(frozen=True, slots=True)
class Door:
    """A departed instance that a Region may still admit, since when (epoch seconds) it is known to have departed."""

    instance: InstanceId
    region: Region
    since: int


@dataclass(frozen=True, slots=True)
class RegionStanding:
    """One Region. `members` and `instances` are counts, by the roster's state and by Auto Scaling's."""

    region: Region
    mode: str
    workings: Workings
    members: Mapping[str, int]
    instances: Mapping[str, int]
    groups: Sequence[GroupStanding]
    rosters: Sequence[RosterStanding]
    waiting: Sequence[WaitingHook]
    stale_doors: Sequence[Door]
    drift: Sequence[Change]

    @property
    def complaints(self) -> list[str]:
        """Why it is not in sync, in few words."""
        found = []
        if not self.workings.is_deployed:
            found.append("not deployed")
        if self.drift:
            found.append("drift")
        if self.waiting:
            found.append("hooks wait")
        if self.stale_doors:
            found.append("stale doors")
        if any(roster.behind for roster in self.rosters):
            found.append("rosters differ")
        if self.workings.dead_letters:
            found.append("dead letters")
        if self.workings.last is not None and self.workings.last.failure is not None:
            found.append("last reconcile failed")
        return found


def standings(found: Survey, settings: Mapping[Region, Settings]) -> list[RegionStanding]:
    """Each Region that answered, in the cluster's order."""
    planned = found.planned
    return [
        _standing(found, settings[region], [change for change in planned if change.region == region])
        for region in settings
        if region in found.sights
    ]


def _standing(found: Survey, settings: Settings, drift: Sequence[Change]) -> RegionStanding:
    region, sight = settings.region, found.sights[settings.region]
    own = sight.rows.of(region)
    return RegionStanding(
        region=region,
        mode=settings.mode.value,
        workings=found.workings[region],
        members=Counter(member.state.value for roster in own.values() for member in roster.members.values()),
        instances=Counter(state for states in sight.observation.groups.values() for state in states.values()),
        groups=[_group(id, rules, settings) for id, rules in sorted(sight.rules.items())],
        rosters=[_roster(roster, found.sights, region) for roster in own.values()],
        waiting=list(_waiting(sight)),
        stale_doors=[
            Door(instance, debtor, roster.departed.get(instance, roster.updated_at))
            for roster in own.values()
            for debtor, instances in sorted(roster.pending_releases.items())
            for instance in sorted(instances)
        ],
        drift=drift,
    )


def _group(id: SecurityGroupId, rules: Sequence[Rule], settings: Settings) -> GroupStanding:
    """Source: Amazon VPC User Guide, "Amazon VPC quotas": IPv4 and IPv6 count apart, a group or a list in both."""
    owned = sum(rule.label(settings.cluster) is not None for rule in rules)
    ipv4 = sum(rule.opening is None or not is_ipv6(rule.opening.cidr) for rule in rules)
    ipv6 = sum(rule.opening is None or is_ipv6(rule.opening.cidr) for rule in rules)
    used = max(ipv4, ipv6)
    return GroupStanding(id, owned, len(rules) - owned, settings.rules_quota - used, settings.rules_quota)


def _roster(roster: Roster, sights: Mapping[Region, Sight], home: Region) -> RosterStanding:
    known = {region: sight.rows.versions().get(roster.key) for region, sight in sights.items() if region != home}
    return RosterStanding(roster.key, roster.version, roster.updated_at, known)


def _waiting(sight: Sight) -> Iterator[WaitingHook]:
    for group, states in sorted(sight.observation.groups.items()):
        for instance, state in sorted(states.items()):
            if state in WAITING:
                yield WaitingHook(group, instance, state)
