"""What an examination reads of one Region, as values. Each part is read by itself: one that fails hides no other.

Pure. None stands for what does not exist.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from ringfence.core.model.identifiers import InstanceId, Region, RosterKey, SecurityGroupId
from ringfence.core.model.rules import Rule
from ringfence.core.observation import Instance
from ringfence_ops.logs.audit_log import Reconciled, RuleChange

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unread:
    """A part that could not be read, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stack:
    """The CloudFormation stack: its status and its parameters as they stand."""

    status: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Function:
    """The Lambda function: its state, its environment, and the ARN of its role."""

    state: str
    environment: Mapping[str, str]
    role: str


@dataclass(frozen=True, slots=True)
class EventSource:
    """The mapping from the queue to the function."""

    state: str
    queue: str


@dataclass(frozen=True, slots=True)
class EventRule:
    """The EventBridge rule, with the ARNs of its targets."""

    is_enabled: bool
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Schedule:
    """The schedule of the true-up."""

    is_enabled: bool
    expression: str
    target: str


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue: its ARN and about how many messages are in it."""

    arn: str
    messages: int


@dataclass(frozen=True, slots=True)
class Table:
    """The table of rosters: its status, its keys as `(name, kind)`, and which engine wrote each row."""

    status: str
    keys: tuple[tuple[str, str], ...]
    engines: Mapping[RosterKey, str]


@dataclass(frozen=True, slots=True)
class Hook:
    """A lifecycle hook. `heartbeat` is in seconds."""

    name: str
    transition: str
    heartbeat: int
    default_result: str


@dataclass(frozen=True, slots=True)
class ScalingGroup:
    """An Auto Scaling group with its instances' lifecycle states."""

    name: str
    maximum: int
    instances: Mapping[InstanceId, str]
    hooks: tuple[Hook, ...]


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    """A security group with its tags and inbound rules."""

    id: SecurityGroupId
    tags: Mapping[str, str]
    rules: tuple[Rule, ...]


class Grant(StrEnum):
    """What IAM says of an action."""

    ALLOWED = "allowed"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Log:
    """What the engine's log tells of the time looked back at: reconciles, and changes of rules."""

    reconciles: tuple[Reconciled, ...]
    changes: tuple[RuleChange, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """All that was read of a Region at `at` (epoch seconds).

    `skew` is by how many seconds this machine's clock is ahead of AWS's. `own_grants` are the caller's, by action;
    `engine_grants` the engine's role's, by action and Region.
    """

    region: Region
    at: float
    stack: Stack | Unread | None
    function: Function | Unread | None
    event_source: EventSource | Unread | None
    event_rule: EventRule | Unread | None
    schedule: Schedule | Unread | None
    queue: Queue | Unread | None
    dead_letters: Queue | Unread | None
    table: Table | Unread | None
    scaling_groups: Mapping[str, ScalingGroup] | Unread
    security_groups: Mapping[SecurityGroupId, SecurityGroup] | Unread
    instances: Mapping[InstanceId, Instance] | Unread
    log: Log | Unread | None
    skew: float | Unread = 0.0
    own_grants: Mapping[str, Grant] | Unread = field(default_factory=dict)
    engine_grants: Mapping[tuple[str, Region], Grant] | Unread = field(default_factory=dict)

    @property
    def silence(self) -> str | None:
        """Why nothing at all could be read of the Region; None where anything could."""
        parts = (self.stack, self.function, self.queue, self.table, self.scaling_groups, self.security_groups, self.log)
        reasons = [part.reason for part in parts if isinstance(part, Unread)]
        return reasons[0] if len(reasons) == len(parts) else None
