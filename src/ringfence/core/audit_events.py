"""What a reconcile did and found, one value for each fact: the vocabulary of the log and of the metrics.

Pure. The reconcile writes these as things happen, so that a crash loses none; it never logs by itself.
"""

from dataclasses import dataclass

from ringfence.core.model.identifiers import InstanceId, Region, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.rules import Label, Opening


@dataclass(frozen=True, slots=True)
class RuleAdded:
    """A rule was made. `drift` says that it should have been there before."""

    region: Region
    group: SecurityGroupId
    rule: RuleId
    opening: Opening
    label: Label
    drift: bool


@dataclass(frozen=True, slots=True)
class RuleRemoved:
    """A rule was removed. `stale_seconds` is how long it outlived the departure of its instance, if that is why."""

    region: Region
    group: SecurityGroupId
    rule: RuleId
    opening: Opening
    label: Label | None
    reason: str
    stale_seconds: float | None
    drift: bool


@dataclass(frozen=True, slots=True)
class RuleRelabelled:
    """A rule stands for another instance now, which has its address. `was` is the label it had."""

    region: Region
    group: SecurityGroupId
    rule: RuleId
    opening: Opening
    label: Label
    was: Label


@dataclass(frozen=True, slots=True)
class RuleWanted:
    """A rule would have been made, if Ringfence did more than observe."""

    region: Region
    group: SecurityGroupId
    opening: Opening
    label: Label


@dataclass(frozen=True, slots=True)
class RuleUnwanted:
    """A rule would have been removed, if Ringfence did more than observe."""

    region: Region
    group: SecurityGroupId
    rule: RuleId
    opening: Opening
    label: Label | None
    reason: str


@dataclass(frozen=True, slots=True)
class RemovalsHeld:
    """The guard held removals, which the digest names."""

    region: Region
    group: SecurityGroupId
    rules: tuple[RuleId, ...]
    owned: int
    digest: str


@dataclass(frozen=True, slots=True)
class RuleRefused:
    """EC2 refused a rule that a member needs."""

    region: Region
    group: SecurityGroupId
    opening: Opening
    label: Label
    refusal: str
    message: str


@dataclass(frozen=True, slots=True)
class QuotaUsed:
    """How many rules of one address family a group holds."""

    region: Region
    group: SecurityGroupId
    family: str
    rules: int
    quota: int


@dataclass(frozen=True, slots=True)
class RosterPublished:
    """A roster was written at home."""

    roster: RosterKey
    version: int
    members: int
    departed: int


@dataclass(frozen=True, slots=True)
class RowRejected:
    """A row of a table cannot be trusted; the rules that it stands for are left as they are."""

    region: Region
    roster: RosterKey
    reason: str


@dataclass(frozen=True, slots=True)
class RegionFailed:
    """A Region could not be brought up to date. `owed` counts the departed instances that it may still admit."""

    region: Region
    at_home: bool
    error: str
    owed: int


@dataclass(frozen=True, slots=True)
class HookCompleted:
    """A waiting instance was let go on, or sent away. `seconds` is since its event; None where none told."""

    group: str
    instance: InstanceId
    hook: str
    result: str
    why: str
    launching: bool
    was_active: bool
    seconds: float | None


@dataclass(frozen=True, slots=True)
class HookHeld:
    """An instance is left waiting."""

    group: str
    instance: InstanceId
    why: str


@dataclass(frozen=True, slots=True)
class StaleDoor:
    """A departed instance was let go while a Region may still admit its address."""

    region: Region
    instance: InstanceId
    seconds: float


@dataclass(frozen=True, slots=True)
class EventIgnored:
    """An event needed nothing."""

    event: str
    reason: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that an operator must mend; the rest of the reconcile went on."""

    what: str


AuditEvent = (
    RuleAdded
    | RuleRemoved
    | RuleRelabelled
    | RuleWanted
    | RuleUnwanted
    | RemovalsHeld
    | RuleRefused
    | QuotaUsed
    | RosterPublished
    | RowRejected
    | RegionFailed
    | HookCompleted
    | HookHeld
    | StaleDoor
    | EventIgnored
    | Problem
)
