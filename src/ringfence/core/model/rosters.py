"""Rosters: who the members of an Auto Scaling group are, as a row of a table says; and what else a table holds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import InstanceId, Region, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.ports import Ports


class MemberState(Enum):
    """How certain a member's place in the roster is."""

    WAITING = "waiting"  # it launched, and no address of a configured kind is known yet
    MEMBER = "member"
    BARE = "bare"  # it had an address of a configured kind, and has none now
    MISSING = "missing"  # its group no longer lists it, but not for long enough to count as a departure


@dataclass(frozen=True, slots=True)
class Member:
    """An instance of the cluster with its known addresses. `since` is when its state began, in epoch seconds."""

    addresses: tuple[Cidr, ...]
    state: MemberState
    since: int


@dataclass(frozen=True, slots=True)
class Roster:
    """The members of one Auto Scaling group as its home Region publishes them, at a version.

    `departed` has a tombstone for each instance that left: the time at which that was first known, in epoch seconds.
    `pending_releases` names, for each peer Region, the departed instances whose release there is not confirmed.
    `observed` says that no engine may change the Region's security groups: the Region is in observe mode.
    """

    key: RosterKey
    version: int = 0
    members: Mapping[InstanceId, Member] = field(default_factory=dict)
    departed: Mapping[InstanceId, int] = field(default_factory=dict)
    pending_releases: Mapping[Region, frozenset[InstanceId]] = field(default_factory=dict)
    security_groups: tuple[SecurityGroupId, ...] = ()
    ports: Ports = Ports()
    account: str = ""
    observed: bool = False
    updated_at: int = 0

    def addresses(self) -> Iterator[tuple[Cidr, InstanceId]]:
        """Every address that must be admitted, with the instance that has it."""
        for instance, member in self.members.items():
            for address in member.addresses:
                yield address, instance

    def says_the_same_as(self, other: "Roster") -> bool:
        """Whether both have the same content, apart from version and time."""
        return (
            self.members == other.members
            and self.departed == other.departed
            and self.pending_releases == other.pending_releases
            and self.security_groups == other.security_groups
            and self.ports == other.ports
            and self.account == other.account
            and self.observed == other.observed
        )


@dataclass(frozen=True, slots=True)
class HeldRemovals:
    """Removals that the guard holds in one security group until a later reconcile confirms them or not."""

    group: SecurityGroupId
    rules: frozenset[RuleId]
    digest: str
    at: int


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be trusted: what is wrong with it, and its version (0 if it has none)."""

    reason: str
    version: int = 0


@dataclass(frozen=True, slots=True)
class Rows:
    """The content of a Region's table at one moment."""

    rosters: Mapping[RosterKey, Roster] = field(default_factory=dict)
    bad: Mapping[RosterKey, BadRow] = field(default_factory=dict)
    held: Mapping[SecurityGroupId, HeldRemovals] = field(default_factory=dict)

    def of(self, region: Region) -> dict[RosterKey, Roster]:
        """The rosters whose home is the Region."""
        return {key: roster for key, roster in self.rosters.items() if key.region == region}

    def versions(self) -> dict[RosterKey, int]:
        """The version of every row."""
        return {key: row.version for rows in (self.rosters, self.bad) for key, row in rows.items()}
