"""The document of `ringfence history --json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ringfence.core.lifecycle_decision import Decision
from ringfence.core.model.identifiers import Region
from ringfence_ops.logs.audit_log import LoggedAction


@dataclass(frozen=True, slots=True)
class LoggedChangeItem:
    """A change of a rule."""

    at: str
    """The time, in UTC: 2026-11-23T15:00:03Z."""
    engine: str
    """The Region whose engine made the change."""
    turn: LoggedAction
    """What the engine did with the rule; `would` in observe mode."""
    region: str
    """The Region of the security group."""
    security_group: str
    """The security group's id."""
    rule: str | None
    """The rule's id; null for a rule that would have been added."""
    address: str
    """The CIDR that the rule admits."""
    ports: str
    """`tcp/9042`, `udp/7000-7001` or `all`."""
    auto_scaling_group: str | None
    """The member's `Region/group`; null for a foreign rule."""
    instance: str | None
    """The member's instance id; `static` for a static member."""
    causes: Sequence[str]
    """The ids of the events and true-ups that the reconcile handled."""
    reason: str | None
    """Why the rule was removed: departed, no-member, unknown-instance, unknown-address, port-not-managed or
    foreign."""
    drift: bool
    """Whether the change repaired what another tool or person had changed."""
    stale_seconds: float | None
    """The time between the departure of the instance and the removal of the rule."""
    was: str | None
    """The description that a relabelled rule had before."""


@dataclass(frozen=True, slots=True)
class LoggedDecisionItem:
    """A decision about an instance that waits at a lifecycle hook."""

    at: str
    """The time, in UTC: 2026-11-23T15:00:03Z."""
    engine: str
    """The Region whose engine decided; the instance is there."""
    turn: Decision
    """What the engine decided: `held` leaves the instance waiting, `abandoned` answers ABANDON, and the others
    CONTINUE."""
    auto_scaling_group: str
    """`Region/group`."""
    instance: str
    """The instance id."""
    transition: str | None
    """The hook's transition; null if the state of an instance that is held allows both."""
    hook: str | None
    """The hook's name; null likewise."""
    reason: str | None
    """The engine's code for the reason, such as `no-room`; null in a line of version 0.1."""
    why: str
    """The reason in a sentence."""
    waited_seconds: float | None
    """How long the instance had waited; null if it is not known since when."""
    waited_is_exact: bool
    """Whether an event told when the wait began. If not, the instance may have waited longer."""
    active: bool
    """Whether the hook still waited for the answer. If not, someone else had answered, or the hook had timed out."""
    causes: Sequence[str]
    """The ids of the events and true-ups that the reconcile handled."""


@dataclass(frozen=True, slots=True)
class LoggedPauseItem:
    """A Region was paused or resumed."""

    at: str
    """When its engine saw it, in UTC: 2026-11-23T15:00:03Z."""
    engine: str
    """The Region."""
    turn: Literal["paused", "resumed"]
    """Whether it was paused or resumed."""
    by: str
    """The ARN of who did it."""
    why: str
    """The reason of who did it; empty if there is none."""


@dataclass(frozen=True, slots=True)
class HistoryDocument:
    """What `ringfence history --json` prints."""

    schema: Literal["ringfence.history/1"] = field(default="ringfence.history/1", init=False)
    """The name and version of this document."""
    since: str
    """The start of the history, in UTC."""
    changes: Sequence[LoggedChangeItem]
    """The changes of rules, oldest first."""
    decisions: Sequence[LoggedDecisionItem]
    """The decisions about waiting instances, oldest first. Each pass of an engine reports an instance that it holds."""
    pauses: Sequence[LoggedPauseItem]
    """The pauses that began or ended, oldest first."""
    unreachable: Mapping[Region, str]
    """The Regions that did not answer in time, each with the reason."""
