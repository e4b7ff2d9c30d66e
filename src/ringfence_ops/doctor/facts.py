"""What `doctor` reads of one Region, as values. Each part is read independently: one that fails hides no other.

Pure. None means that the part does not exist.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ringfence.core.model.identifiers import InstanceId, Region, RosterKey, SecurityGroupId
from ringfence.core.model.rosters import Rows
from ringfence.core.model.rules import Rule
from ringfence.core.observation import Instance
from ringfence.core.rule_count import PrefixLists
from ringfence_ops.logs.audit_log import LoggedChange, LoggedReconcile
from ringfence_ops.repair.stack_repair import Drift
from ringfence_ops.state.unowned_rules import UnownedRule


@dataclass(frozen=True, slots=True)
class Unread:
    """A part that could not be read, and the reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class DeployedStack:
    """The CloudFormation stack: its status and its current parameters."""

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
    """The event source mapping from the queue to the function."""

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
    """A queue: its ARN, and the approximate number of its messages."""

    arn: str
    messages: int


@dataclass(frozen=True, slots=True)
class Table:
    """The roster table: its status, its keys as `(name, kind)`, the version of the engine that wrote each row, and when
    it wrote it, as the row says in ISO 8601."""

    status: str
    keys: tuple[tuple[str, str], ...]
    engines: Mapping[RosterKey, str]
    written_at: Mapping[RosterKey, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hook:
    """A lifecycle hook. `heartbeat` is in seconds."""

    name: str
    transition: str
    heartbeat: int
    default_result: str


@dataclass(frozen=True, slots=True)
class ScalingGroup:
    """An Auto Scaling group with its instances' lifecycle states. `retains` says that its instance lifecycle policy
    keeps instances whose termination is abandoned."""

    name: str
    maximum: int
    instances: Mapping[InstanceId, str]
    hooks: tuple[Hook, ...]
    retains: bool = False


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    """A security group with its tags and inbound rules, and the prefix lists that they reference."""

    id: SecurityGroupId
    tags: Mapping[str, str]
    rules: tuple[Rule, ...]
    prefix_lists: PrefixLists = field(default_factory=dict)


class Grant(StrEnum):
    """Whether IAM allows an action."""

    ALLOWED = "allowed"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Log:
    """The engine's log of the last day: reconciles (of the last 20 minutes at least), and changes of rules."""

    reconciles: tuple[LoggedReconcile, ...]
    changes: tuple[LoggedChange, ...]


@dataclass(frozen=True, slots=True)
class StackFacts:
    """The stack and each resource in it."""

    stack: DeployedStack | Unread | None
    function: Function | Unread | None
    event_source: EventSource | Unread | None
    event_rule: EventRule | Unread | None
    schedule: Schedule | Unread | None
    queue: Queue | Unread | None
    dead_letters: Queue | Unread | None
    table: Table | Unread | None


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """The groups that the cluster file names, and the instances of its Auto Scaling groups."""

    scaling_groups: Mapping[str, ScalingGroup] | Unread
    security_groups: Mapping[SecurityGroupId, SecurityGroup] | Unread
    instances: Mapping[InstanceId, Instance] | Unread


@dataclass(frozen=True, slots=True)
class AccessFacts:
    """`skew` is the number of seconds that this machine's clock is ahead of AWS's. `own_grants` are the caller's, by
    action; `engine_grants` are those of the engine's role, by action and Region."""

    skew: float | Unread = 0.0
    own_grants: Mapping[str, Grant] | Unread = field(default_factory=dict)
    engine_grants: Mapping[tuple[str, Region], Grant] | Unread = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TableContent:
    """What the Region's table holds, and the rules whose owner its rows do not tell. `rows` is None without a table."""

    rows: Rows | Unread | None = None
    unowned: tuple[UnownedRule, ...] | Unread = ()


@dataclass(frozen=True, slots=True)
class RegionFacts:
    """All that was read of a Region at `at` (epoch seconds)."""

    region: Region
    at: float
    resources: StackFacts
    groups: GroupFacts
    log: Log | Unread | None
    access: AccessFacts = field(default_factory=AccessFacts)
    content: TableContent = field(default_factory=TableContent)
    drift: Drift | Unread | None = field(default_factory=Drift)

    @property
    def unreachable(self) -> str | None:
        """Why nothing at all could be read of the Region; None where anything could."""
        resources, groups = self.resources, self.groups
        parts = (
            *(resources.stack, resources.function, resources.queue, resources.table),
            *(groups.scaling_groups, groups.security_groups),
            self.log,
        )
        reasons = [part.reason for part in parts if isinstance(part, Unread)]
        return reasons[0] if len(reasons) == len(parts) else None
