"""What `doctor` reads of one Region besides its state, as values. Each part is read independently: one that fails hides
no other.

Pure. None means that the part does not exist.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ringfence.core.model.identifiers import InstanceId, Region, SecurityGroupId
from ringfence.core.model.rosters import Rows
from ringfence.core.model.rules import Rule
from ringfence.core.observation import Instance
from ringfence.core.rule_count import PrefixLists
from ringfence_ops.logs.audit_log import LoggedChange
from ringfence_ops.repair.stack_repair import Drift
from ringfence_ops.state.path import Grant, PathFacts, Unread
from ringfence_ops.state.unowned_rules import UnownedRule


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    """A security group with its tags and inbound rules, and the prefix lists that they reference."""

    id: SecurityGroupId
    tags: Mapping[str, str]
    rules: tuple[Rule, ...]
    prefix_lists: PrefixLists = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """The security groups that the cluster file names, and the instances of its Auto Scaling groups."""

    security_groups: Mapping[SecurityGroupId, SecurityGroup] | Unread
    instances: Mapping[InstanceId, Instance] | Unread


@dataclass(frozen=True, slots=True)
class AccessFacts:
    """`skew` is the number of seconds that this machine's clock is ahead of AWS's. `own_grants` are the caller's, by
    action."""

    skew: float | Unread = 0.0
    own_grants: Mapping[str, Grant] | Unread = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TableContent:
    """What the Region's table holds, and the rules whose owner its rows do not tell. `rows` is None without a table."""

    rows: Rows | Unread | None = None
    unowned: tuple[UnownedRule, ...] | Unread = ()


@dataclass(frozen=True, slots=True)
class QuotaFacts:
    """The account's quotas: rules in a security group, and security groups of a network interface. None if they were
    not read."""

    rules: int | Unread | None = None
    groups: int | Unread | None = None


@dataclass(frozen=True, slots=True)
class Topic:
    """An SNS topic: its confirmed subscriptions, and those that wait for confirmation, as `protocol endpoint`."""

    confirmed: tuple[str, ...]
    pending: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RegionFacts:
    """All that was read of a Region at `at` (epoch seconds). `changes` are the changes of rules of the last day, by the
    engine's log. `topic` is the one that the cluster file names for the alarms, None if there is none."""

    region: Region
    at: float
    path: PathFacts
    groups: GroupFacts
    changes: tuple[LoggedChange, ...] | Unread | None
    access: AccessFacts = field(default_factory=AccessFacts)
    content: TableContent = field(default_factory=TableContent)
    topic: Topic | Unread | None = None
    quotas: QuotaFacts = field(default_factory=QuotaFacts)
    drift: Drift | Unread | None = field(default_factory=Drift)
