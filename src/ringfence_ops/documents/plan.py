"""The document of `ringfence plan --json`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ringfence.core.model.identifiers import Region
from ringfence_ops.state.changes import Action
from ringfence_ops.state.standing import Reason, Standing, State


@dataclass(frozen=True, slots=True)
class ChangeItem:
    """A change of a rule."""

    region: str
    """The Region of the security group."""
    security_group: str
    """The security group's id."""
    action: Action
    """What happens to the rule; hold: the guard needs a second observation; refuse: EC2 does not accept the rule."""
    address: str | None
    """The rule's source, a CIDR; null if the rule no longer exists."""
    ports: str | None
    """The rule's ports."""
    rule: str | None
    """The rule's id; null for a rule that does not exist yet."""
    auto_scaling_group: str | None
    """The member's `Region/group`; null for a foreign rule."""
    instance: str | None
    """The member's instance id."""
    was: str | None
    """The instance that the rule was labelled with before."""
    why: str
    """The reason."""
    observed: bool
    """Whether nothing is changed, because the mode is observe."""


@dataclass(frozen=True, slots=True)
class GuardHoldItem:
    """Removals that the guard holds in a security group."""

    region: str
    """The Region."""
    security_group: str
    """The security group's id."""
    rules: Sequence[str]
    """The ids of the rules."""
    digest: str
    """The guard's digest of these removals."""


@dataclass(frozen=True, slots=True)
class HookItem:
    """An instance that waits for the completion of a lifecycle hook."""

    auto_scaling_group: str
    """The Auto Scaling group."""
    instance: str
    """The instance id."""
    answer: str | None
    """The result that a reconcile would complete the hook with; null if the instance stays waiting."""
    why: str
    """The reason."""


@dataclass(frozen=True, slots=True)
class ReasonItem:
    """Why a Region is not in sync."""

    state: State
    """The state that follows from the reason."""
    part: str
    """What it is about."""
    why: str
    """What was found."""
    fix: str
    """The command that fixes it, or what to do."""


@dataclass(frozen=True, slots=True)
class StandingItem:
    """How a Region stands."""

    region: Region
    """The Region."""
    state: State
    """The worst state of all reasons; `in sync` without any."""
    reasons: Sequence[ReasonItem]
    """The reasons, the worst first."""


@dataclass(frozen=True, slots=True)
class PlanDocument:
    """What `ringfence plan --json` prints."""

    schema: Literal["ringfence.plan/1"] = field(default="ringfence.plan/1", init=False)
    """The name and version of this document."""
    digest: str
    """Identifies exactly this plan, for `ringfence sync --confirm`."""
    changes: Sequence[ChangeItem]
    """What a reconcile would change."""
    held: Sequence[GuardHoldItem]
    """The removals that the guard holds."""
    hooks: Sequence[HookItem]
    """The instances that wait for the completion of a lifecycle hook."""
    problems: Sequence[str]
    """The other problems that a reconcile would report."""
    regions: Sequence[StandingItem]
    """How each Region stands."""
    unreachable: Mapping[Region, str]
    """The Regions that did not answer in time, each with the reason."""


def reason_items(reasons: Iterable[Reason]) -> list[ReasonItem]:
    """The reasons for programs."""
    return [ReasonItem(reason.state, reason.part, reason.why, reason.fix) for reason in reasons]


def standing_items(standings: Iterable[Standing]) -> list[StandingItem]:
    """The standings for programs."""
    return [StandingItem(one.region, one.state, reason_items(one.reasons)) for one in standings]
