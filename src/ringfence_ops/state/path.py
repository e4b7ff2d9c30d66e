"""The path of events of one Region as it was read: from the hooks to the function, with all that the function needs.

Each part is read by itself, so that one that fails hides no other. None means that the part does not exist. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ringfence.core.configuration.schedule import period
from ringfence.core.configuration.settings import Settings
from ringfence.core.model.identifiers import InstanceId, Region, SecurityGroupId
from ringfence_ops.logs.audit_log import LoggedReconcile
from ringfence_ops.state.alarms import Alarm

COMPLETE = frozenset(
    {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}
)
"""The states of a stack whose resources are as one template says, unless somebody changed them.

Source: CloudFormation User Guide, "Stack status codes".
"""

FUNCTION_HANDLER = "ringfence.runtime.entry.handler"
"""The function's handler, as the template has it."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the cluster file says about a Region: the engine's settings and the template's parameters.

    `knows_quota` is false if the quota of rules is only the default, because neither the file nor Service Quotas says
    it. `handler` is the function's, as the template of the deployed version has it.
    """

    settings: Settings
    parameters: Mapping[str, str]
    knows_quota: bool = True
    handler: str = FUNCTION_HANDLER

    @property
    def region(self) -> Region:
        """The Region."""
        return self.settings.region

    @property
    def name(self) -> str:
        """The name of the stack and of its resources."""
        return f"ringfence-{self.settings.cluster}"

    @property
    def deploy(self) -> str:
        """The command that deploys the Region as the cluster file says."""
        return f"ringfence deploy {self.region}"

    @property
    def sync(self) -> str:
        """The command that runs a true-up in the Region now."""
        return f"ringfence sync {self.region}"

    @property
    def schedule(self) -> str:
        """The schedule of the true-ups."""
        return self.parameters.get("ScheduleExpression", "")

    @property
    def period(self) -> int:
        """The longest time in seconds between two true-ups."""
        try:
            return period(self.schedule)
        except ValueError:
            return 60


@dataclass(frozen=True, slots=True)
class Unread:
    """A part that could not be read, and the reason, which names the call."""

    reason: str


@dataclass(frozen=True, slots=True)
class DeployedStack:
    """The CloudFormation stack: its status and its current parameters. `changed_at` is when its last change began."""

    status: str
    parameters: Mapping[str, str]
    changed_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Function:
    """The Lambda function. `concurrency` is what is reserved for it, None for nothing; `changed_at` is when it was last
    changed, in epoch seconds."""

    state: str
    environment: Mapping[str, str]
    role: str
    concurrency: int | None = None
    seconds: int | None = None
    handler: str = ""
    code: str = ""
    changed_at: float = 0.0


@dataclass(frozen=True, slots=True)
class EventSource:
    """An event source mapping of the function. `reports_failures` says that it returns single messages of a batch."""

    state: str
    queue: str
    batch: int | None = None
    reports_failures: bool = True


@dataclass(frozen=True, slots=True)
class Target:
    """A target of an EventBridge rule. `is_changed` says that the target gets something else than the event itself."""

    arn: str
    group: str = ""
    is_changed: bool = False


@dataclass(frozen=True, slots=True)
class EventRule:
    """The EventBridge rule, with its pattern as JSON and its targets."""

    is_enabled: bool
    targets: tuple[Target, ...]
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The schedule of the true-up. `group` is the message group that it sends to. `is_bounded` says that it has a start
    or an end, outside of which it does not run."""

    is_enabled: bool
    expression: str
    target: str
    role: str = ""
    input: str = ""
    group: str = ""
    is_bounded: bool = False


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue: its ARN, the approximate number of its messages, and its policies as JSON, empty for none."""

    arn: str
    messages: int
    policy: str = ""
    redrive: str = ""
    visibility: int | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """The roster table: its status, and its keys as `(name, kind)`."""

    status: str
    keys: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Hook:
    """A lifecycle hook. `heartbeat` is in seconds."""

    name: str
    transition: str
    heartbeat: int
    default_result: str
    target: str = ""


@dataclass(frozen=True, slots=True)
class ScalingGroup:
    """An Auto Scaling group with its instances' lifecycle states. `retains` says that its instance lifecycle policy
    keeps instances whose termination is abandoned. `surplus_percent` is the percentage by which it may exceed its size
    while it replaces instances."""

    name: str
    maximum: int
    instances: Mapping[InstanceId, str]
    hooks: tuple[Hook, ...]
    retains: bool = False
    suspended: tuple[str, ...] = ()
    surplus_percent: int = 0


class Grant(StrEnum):
    """Whether IAM allows an action."""

    ALLOWED = "allowed"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class StackFacts:
    """The stack and each resource in it. `log` has the last reconciles, oldest first."""

    stack: DeployedStack | Unread | None
    function: Function | Unread | None
    event_source: EventSource | Unread | None
    event_rule: EventRule | Unread | None
    schedule: Schedule | Unread | None
    queue: Queue | Unread | None
    dead_letters: Queue | Unread | None
    table: Table | Unread | None


Tags = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PathFacts:
    """All that was read of the path of a Region.

    `alarms` are the cluster's alarms that exist. `engine_grants` are those of the function's role, by action and
    Region. `reconciles` are the last, oldest first; None if there is no log.
    """

    resources: StackFacts
    scaling_groups: Mapping[str, ScalingGroup] | Unread
    tags: Mapping[SecurityGroupId, Tags] | Unread
    reconciles: tuple[LoggedReconcile, ...] | Unread | None
    engine_grants: Mapping[tuple[str, Region], Grant] | Unread = field(default_factory=dict)
    alarms: tuple[Alarm, ...] | Unread | None = None

    @property
    def unreachable(self) -> str | None:
        """Why nothing at all could be read; None where anything could."""
        parts = (
            *(self.resources.stack, self.resources.function, self.resources.queue, self.resources.table),
            *(self.scaling_groups, self.tags, self.reconciles),
        )
        reasons = [part.reason for part in parts if isinstance(part, Unread)]
        return reasons[0] if len(reasons) == len(parts) else None
