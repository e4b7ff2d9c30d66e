"""Rosters: who the members of an Auto Scaling group are, as a row of a table says; and what else a table holds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import ANNOUNCEMENT, InstanceId, Region, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.pauses import Pause
from ringfence.core.model.ports import Ports


class MemberState(Enum):
    """How certain a member's place in the roster is."""

    WAITING = "waiting"  # it launched, and no address of a configured kind is known yet
    MEMBER = "member"
    BARE = "bare"  # it had an address of a configured kind, and has none now
    MISSING = "missing"  # its group no longer lists it, but not for long enough to count as a departure


@dataclass(frozen=True, slots=True)
class Member:
    """An instance of the cluster with its known addresses. `since` is when its state began, in epoch seconds.

    `moved` is when its addresses last changed within that state, or 0.
    """

    addresses: tuple[Cidr, ...]
    state: MemberState
    since: int
    moved: int = 0


@dataclass(frozen=True, slots=True)
class Roster:
    """The members of one Auto Scaling group as its home Region publishes them, at a version.

    `departed` has a tombstone for each instance that left: the time at which that was first known, in epoch seconds.
    `fenced` says when the tombstone was written, for an instance whose rules are so new that a reading may not show
    them, or an older invocation may still make one.
    `pending_releases` names, for each peer Region, the departed instances whose release there is not confirmed.
    `observed` says that no engine may change the Region's security groups: the Region is in observe mode.

    A Region's announcement is a row of the same form, without members. `groups` are the Auto Scaling groups that it
    announces: a roster of any other group is not the Region's. It is None in every row of another kind. `engine` is the
    version of the engine that announces; it is empty in every row of another kind.

    `of_0_1` says that an engine of version 0.1 wrote the row, which does not know announcements.
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
    groups: frozenset[str] | None = None
    engine: str = ""
    updated_at: int = 0
    of_0_1: bool = False
    fenced: Mapping[InstanceId, int] = field(default_factory=dict)

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
            and self.fenced == other.fenced
            and self.pending_releases == other.pending_releases
            and self.security_groups == other.security_groups
            and self.ports == other.ports
            and self.account == other.account
            and self.observed == other.observed
            and self.groups == other.groups
            and self.engine == other.engine
        )


@dataclass(frozen=True, slots=True)
class HeldRemovals:
    """Removals that the guard holds in one security group until a later reconcile confirms them or not."""

    group: SecurityGroupId
    rules: frozenset[RuleId]
    digest: str
    at: int


VERSION_MARGIN = 24 * 3600
"""How far a version may be above the time in epoch seconds: more writes than a roster can have in a day."""


@dataclass(frozen=True, slots=True)
class RawVersion:
    """The version of a row that no engine of ours can have written, as DynamoDB has it; None if it has none."""

    attribute: Mapping[str, Any] | None


RowVersion = int | RawVersion
"""The version of a row as it was read: 0 if there is no row, or a row of the original sample."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be trusted: what is wrong with it, and its version.

    `raw` is its version if no engine can have written it; then `version` is 0, so that any row of ours is newer.
    """

    reason: str
    version: int = 0
    raw: RawVersion | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """The content of a Region's table at one moment. `pauses` has each Region's last pause, even one that is over."""

    rosters: Mapping[RosterKey, Roster] = field(default_factory=dict)
    bad: Mapping[RosterKey, BadRow] = field(default_factory=dict)
    held: Mapping[SecurityGroupId, HeldRemovals] = field(default_factory=dict)
    pauses: Mapping[Region, Pause] = field(default_factory=dict)

    def of(self, region: Region) -> dict[RosterKey, Roster]:
        """The rosters whose home is the Region, its announcement included."""
        return {key: roster for key, roster in self.rosters.items() if key.region == region}

    def versions(self) -> dict[RosterKey, int]:
        """The version of every row."""
        return {key: row.version for rows in (self.rosters, self.bad) for key, row in rows.items()}

    def completed_by(self, copies: Mapping[RosterKey, Roster]) -> "Rows":
        """The rows with the rosters of another table, for those that are lacking here or cannot be trusted."""
        bad = {key: row for key, row in self.bad.items() if key not in copies}
        return replace(self, rosters={**copies, **self.rosters}, bad=bad)

    def version_read(self, key: RosterKey) -> RowVersion:
        """The version of a row as it must still be when the row is replaced."""
        if key in self.bad:
            return self.bad[key].raw or self.bad[key].version
        return self.rosters[key].version if key in self.rosters else 0

    def pause_of(self, region: Region) -> Pause | None:
        """The pause of a Region, while it lasts."""
        pause = self.pauses.get(region)
        return None if pause is None or pause.is_over else pause

    def announcement(self, region: Region) -> Roster | None:
        """What the Region announces. None for a Region without an announcement: its engine is of version 0.1."""
        return self.rosters.get(RosterKey(region, ANNOUNCEMENT))

    def is_announced(self, key: RosterKey) -> bool:
        """Whether the roster is one of its Region's. Without an announcement, every readable roster is."""
        announcement = self.announcement(key.region)
        return announcement is None or announcement.groups is None or key.asg in announcement.groups

    def may_be_of_a_downgraded_region(self, key: RosterKey) -> bool:
        """Whether the roster may be of a Region that went back to version 0.1 and left its announcement behind.

        Then nothing new follows from it, and its rules stay: the Region's own engine keeps them.
        """
        roster = self.rosters.get(key)
        return roster is not None and roster.of_0_1

    def is_doubtful(self, region: Region) -> bool:
        """Whether the Region's announcement cannot be trusted, so that nothing new may follow from its rosters."""
        return RosterKey(region, ANNOUNCEMENT) in self.bad
