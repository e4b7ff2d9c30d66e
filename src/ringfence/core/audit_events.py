"""What a reconcile did and found, one value for each fact. The log and the metrics are made from these.

Pure. The reconcile reports each fact as it happens, so that a crash loses none. It never logs by itself.
"""

from dataclasses import dataclass

from ringfence.core.lifecycle import Transition
from ringfence.core.lifecycle_decision import Decision, Reason, answer_of
from ringfence.core.model.identifiers import InstanceId, Region, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.pauses import Pause
from ringfence.core.model.rules import Label, Opening


@dataclass(frozen=True, slots=True)
class RuleAdded:
    """A rule was made. `drift` says that it was missing although it was wanted before."""

    region: Region
    group: SecurityGroupId
    rule: RuleId
    opening: Opening
    label: Label
    drift: bool


@dataclass(frozen=True, slots=True)
class RuleRemoved:
    """A rule was removed. `stale_seconds` is the time since its instance departed, if that is the reason."""

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
    """A rule names another instance now, the one that has its address. `was` is the earlier label."""

    region: Region
    group: SecurityGroupId
    rule: RuleId
    opening: Opening
    label: Label
    was: Label


@dataclass(frozen=True, slots=True)
class RuleWanted:
    """In observe mode: a rule would have been made."""

    region: Region
    group: SecurityGroupId
    opening: Opening
    label: Label


@dataclass(frozen=True, slots=True)
class RuleUnwanted:
    """In observe mode: a rule would have been removed."""

    region: Region
    group: SecurityGroupId
    rule: RuleId
    opening: Opening
    label: Label | None
    reason: str


@dataclass(frozen=True, slots=True)
class RemovalsHeld:
    """The guard holds removals. The digest names them."""

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
class RuleOwnerUnknown:
    """A rule has our label, and its owner is not known. It stays until someone decides."""

    region: Region
    group: SecurityGroupId
    rule: RuleId
    opening: Opening
    label: Label
    why: str


@dataclass(frozen=True, slots=True)
class QuotaUsed:
    """How many rules of one address family a group has."""

    region: Region
    group: SecurityGroupId
    family: str
    rules: int
    quota: int


@dataclass(frozen=True, slots=True)
class RosterPublished:
    """A roster was written into the home table."""

    roster: RosterKey
    version: int
    members: int
    departed: int


@dataclass(frozen=True, slots=True)
class RowRejected:
    """A row of a table cannot be trusted.

    The rules of its roster stay as they are, if it may be a roster of the cluster. Otherwise nothing follows from it.
    """

    region: Region
    roster: RosterKey
    reason: str
    may_be_a_roster: bool = True


@dataclass(frozen=True, slots=True)
class RegionFailed:
    """A Region could not be brought up to date. `owed` is the number of its pending releases."""

    region: Region
    at_home: bool
    error: str
    owed: int


@dataclass(frozen=True, slots=True)
class Waited:
    """How long an instance has waited at a hook, in seconds.

    `is_exact` says that the event of the wait tells when it began. If not, this is the time since the engine saw it
    first, and the wait may have begun earlier.
    """

    seconds: float
    is_exact: bool


@dataclass(frozen=True, slots=True)
class HookCompleted:
    """A waiting hook was answered. `waited` is None if it is not known when the wait began."""

    group: str
    instance: InstanceId
    hook: str
    transition: Transition
    decision: Decision
    reason: Reason
    why: str
    was_active: bool
    waited: Waited | None

    @property
    def result(self) -> str:
        """The answer, as Auto Scaling names it."""
        return answer_of(self.decision).value


@dataclass(frozen=True, slots=True)
class HookHeld:
    """An instance stays in its wait state. `hook` and `transition` are None if its state allows both of our hooks."""

    group: str
    instance: InstanceId
    hook: str | None
    transition: Transition | None
    reason: Reason
    why: str
    waited: Waited | None


@dataclass(frozen=True, slots=True)
class StaleDoor:
    """A Region may still admit the address of a departed instance that was let go."""

    region: Region
    instance: InstanceId
    seconds: float


@dataclass(frozen=True, slots=True)
class EventIgnored:
    """An event asked for nothing."""

    event: str
    reason: str


@dataclass(frozen=True, slots=True)
class ZoneNotDescribed:
    """EC2 did not describe these instances of a zone. What was known of them stays. `zone` is empty if no group lists
    the instances."""

    region: Region
    zone: str
    instances: tuple[InstanceId, ...]
    error: str


@dataclass(frozen=True, slots=True)
class PauseSeen:
    """The home Region is paused, or it was resumed just now. `is_news` says that the last reconcile did not know."""

    pause: Pause
    is_news: bool


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that an operator must fix. The rest of the reconcile went on."""

    what: str


AuditEvent = (
    RuleAdded
    | RuleRemoved
    | RuleRelabelled
    | RuleWanted
    | RuleUnwanted
    | RemovalsHeld
    | RuleRefused
    | RuleOwnerUnknown
    | QuotaUsed
    | RosterPublished
    | RowRejected
    | RegionFailed
    | HookCompleted
    | HookHeld
    | StaleDoor
    | EventIgnored
    | ZoneNotDescribed
    | PauseSeen
    | Problem
)
