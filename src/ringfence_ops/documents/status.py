"""The document of `ringfence status --json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ringfence.core.model.identifiers import Region
from ringfence_ops.documents.plan import ChangeItem, ReasonItem
from ringfence_ops.state.standing import State


@dataclass(frozen=True, slots=True)
class SecurityGroupItem:
    """A security group, with counts of its rules."""

    id: str
    """The security group's id."""
    owned: int
    """The number of rules that Ringfence made."""
    foreign: int
    """The number of other rules."""
    itself: int
    """The number of rules by which the group admits itself, which `foreign` does not count."""
    free: int
    """The number of rules that the quota still allows."""
    quota: int
    """The quota."""


@dataclass(frozen=True, slots=True)
class RosterItem:
    """A roster."""

    roster: str
    """`Region/group`."""
    version: int
    """The version in its home Region."""
    updated_at: str
    """When it was written, in UTC."""
    known: Mapping[Region, int | None]
    """The version in each other Region; null where it has none."""


@dataclass(frozen=True, slots=True)
class WaitingItem:
    """An instance that waits for the completion of a lifecycle hook."""

    group: str
    """The Auto Scaling group."""
    instance: str
    """The instance id."""
    state: str
    """The lifecycle state."""


@dataclass(frozen=True, slots=True)
class StaleDoorItem:
    """A departed instance that a Region may still admit."""

    instance: str
    """The departed instance."""
    region: str
    """The Region that may still admit the instance."""
    since: str
    """When the instance departed, in UTC."""


@dataclass(frozen=True, slots=True)
class UnknownOwnerItem:
    """A rule with a label of the cluster whose owner is not known. No engine removes it."""

    security_group: str
    """The security group's id."""
    rule: str
    """The rule's id."""
    address: str
    """The CIDR that the rule admits."""
    ports: str
    """The ports."""
    description: str
    """The rule's label."""
    why: str
    """Why its owner is not known."""
    since: str | None
    """When the rule was made or last changed, in UTC; null if neither CloudTrail nor the audit log tells."""
    made_by: str | None
    """Who made or changed it: an ARN, or the engine of a Region; null if nothing tells."""


@dataclass(frozen=True, slots=True)
class BadRowItem:
    """A row that cannot be trusted."""

    row: str
    """`Region/group`, the key of the row."""
    reason: str
    """What is wrong with the row."""


@dataclass(frozen=True, slots=True)
class AlarmItem:
    """An alarm that rings."""

    name: str
    """The alarm's name."""
    since: str
    """Since when it rings, in UTC."""
    reason: str
    """The reason that CloudWatch gives."""


@dataclass(frozen=True, slots=True)
class ReconcileItem:
    """A reconcile that ended."""

    at: str
    """When the reconcile ended, in UTC."""
    causes: Sequence[str]
    """The ids of the events and true-ups."""
    failure: str | None
    """Why the reconcile failed; null if it succeeded."""


@dataclass(frozen=True, slots=True)
class RegionItem:
    """The state of one Region."""

    region: str
    """The Region."""
    in_sync: bool
    """Whether the Region is in sync."""
    state: State
    """How the Region stands: the worst state of all reasons."""
    reasons: Sequence[ReasonItem]
    """Why the Region is not in sync, the worst first."""
    complaints: Sequence[str]
    """The same reasons in words."""
    mode: str
    """owned, mirror or observe."""
    deployed: bool
    """Whether the Region has a roster table."""
    members: Mapping[str, int]
    """The members of its rosters, counted by state."""
    instances: Mapping[str, int]
    """The instances of its Auto Scaling groups, counted by lifecycle state."""
    security_groups: Sequence[SecurityGroupItem]
    """Its security groups."""
    rosters: Sequence[RosterItem]
    """Its rosters."""
    waiting: Sequence[WaitingItem]
    """The instances that wait for the completion of a lifecycle hook."""
    stale_doors: Sequence[StaleDoorItem]
    """Its departed instances that a Region may still admit."""
    unknown_owners: Sequence[UnknownOwnerItem]
    """The rules in its security groups with a label of the cluster whose owner is not known."""
    bad_rows: Sequence[BadRowItem]
    """The rows of its table that cannot be trusted."""
    undescribed: Mapping[str, str]
    """Its instances that EC2 does not describe, each with its Availability Zone; empty if no group lists it."""
    drift: Sequence[ChangeItem]
    """What a reconcile would change in its security groups."""
    queued: int | None
    """The approximate number of messages in its queue; null if there is no queue."""
    dead_letters: int | None
    """The approximate number of messages in its dead-letter queue; null if there is no queue."""
    alarms: Sequence[AlarmItem] | None
    """Its alarms that ring; null if they could not be read."""
    last_reconcile: ReconcileItem | None
    """The engine's last reconcile; null if its log has none."""


@dataclass(frozen=True, slots=True)
class StatusDocument:
    """What `ringfence status --json` prints."""

    schema: Literal["ringfence.status/1"] = field(default="ringfence.status/1", init=False)
    """The name and version of this document."""
    cluster: str
    """The cluster's name."""
    at: str
    """When the state was read, in UTC."""
    in_sync: bool
    """Whether every Region answered and is in sync."""
    regions: Sequence[RegionItem]
    """One item for each Region that answered."""
    failures: Mapping[Region, str]
    """The Regions in which a reconcile would fail, each with the reason."""
    unreachable: Mapping[Region, str]
    """The Regions that did not answer in time, each with the reason."""
