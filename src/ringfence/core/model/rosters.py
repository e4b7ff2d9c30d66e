"""Rosters: who the members of an Auto Scaling group are, as a row of a table says; and what else a table holds."""

from collections.abc import Iterator, Mapping
from dataclasses import field
from enum import Enum

from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import InstanceId, Region, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.ports import Ports
from ringfence.records import dataclass


class MemberState(Enum):
    """How far a member's place in the roster is settled."""

    WAITING = "waiting"  # launched, and no address of a configured kind is known of it yet
    MEMBER = "member"
    BARE = "bare"  # had an address of a configured kind, and has none now
    MISSING = "missing"  # its group no longer lists it, for too short a time to believe it


@dataclass(frozen=True, slots=True)
class Member:
    """An instance of the cluster with the addresses it is known by. `since` is the epoch second of its state."""

    addresses: tuple[Cidr, ...]
    state: MemberState
    since: int


@dataclass(frozen=True, slots=True)
class Roster:
    """What the home Region of one Auto Scaling group says its members are, at a version.

    `departed` holds a tombstone for each instance that left, with the epoch second at which that was first
    known. `owed` names, for each peer Region, the departed instances whose release there is not confirmed.
    `observed` says that nobody is to change the security groups: their Region is only observed.
    """

    key: RosterKey
    version: int = 0
    members: Mapping[InstanceId, Member] = field(default_factory=dict)
    departed: Mapping[InstanceId, int] = field(default_factory=dict)
    owed: Mapping[Region, frozenset[InstanceId]] = field(default_factory=dict)
    security_groups: tuple[SecurityGroupId, ...] = ()
    ports: Ports = Ports()
    account: str = ""
    observed: bool = False
    updated_at: int = 0

    def addresses(self) -> Iterator[tuple[Cidr, InstanceId]]:
        """Every address that the roster wants admitted, with the instance it belongs to."""
        for instance, member in self.members.items():
            for address in member.addresses:
                yield address, instance

    def says_the_same_as(self, other: "Roster") -> bool:
        """Whether both say the same of the cluster, whatever their version and time."""
        return (
            self.members == other.members
            and self.departed == other.departed
            and self.owed == other.owed
            and self.security_groups == other.security_groups
            and self.ports == other.ports
            and self.account == other.account
            and self.observed == other.observed
        )


@dataclass(frozen=True, slots=True)
class HeldRemovals:
    """Removals that the guard held in one security group, kept until the next reconcile agrees or not."""

    group: SecurityGroupId
    rules: frozenset[RuleId]
    digest: str
    at: int


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be trusted: what is wrong with it, and its version as far as it has one."""

    reason: str
    version: int = 0


@dataclass(frozen=True, slots=True)
class Rows:
    """A Region's table as read at one moment."""

    rosters: Mapping[RosterKey, Roster] = field(default_factory=dict)
    bad: Mapping[RosterKey, BadRow] = field(default_factory=dict)
    held: Mapping[SecurityGroupId, HeldRemovals] = field(default_factory=dict)

    def of(self, region: Region) -> dict[RosterKey, Roster]:
        """The rosters whose home is the Region."""
        return {key: roster for key, roster in self.rosters.items() if key.region == region}

    def versions(self) -> dict[RosterKey, int]:
        """The version of every row."""
        return {key: row.version for rows in (self.rosters, self.bad) for key, row in rows.items()}
