"""The warm pool of an Auto Scaling group: its wanted size, and the state of its instances.

Source: Amazon EC2 Auto Scaling User Guide, "Decrease latency for applications with long boot times using warm pools".
It only reads.
"""

from collections.abc import Sequence

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import FakeAutoScalingGroup as Group
from moto.autoscaling.models import InstanceState as Member

LARGEST_PAGE = 50
"""Maximum instances in an answer. Source: Amazon EC2 Auto Scaling API Reference, DescribeWarmPool, MaxRecords."""

_RESTING = {"Warmed:Stopped", "Warmed:Running", "Warmed:Hibernated"}


def is_pooled(member: Member) -> bool:
    """Whether an instance belongs to the warm pool."""
    return member.lifecycle_state.startswith("Warmed:")


def resting(group: Group) -> list[Member]:
    """The pool's instances that are ready, the oldest first."""
    return [member for member in group.instance_states if member.lifecycle_state in _RESTING]


def staying(group: Group) -> list[Member]:
    """The pool's instances without those that terminate."""
    return [
        member
        for member in group.instance_states
        if is_pooled(member) and not member.lifecycle_state.startswith("Warmed:Terminating")
    ]


def resting_state(group: Group) -> str:
    """The lifecycle state of the pool's ready instances."""
    return f"Warmed:{group.warm_pool.pool_state}" if group.warm_pool else "Warmed:Stopped"


def is_reused(group: Group) -> bool:
    """Whether an instance returns to the pool when the group scales in."""
    pool = group.warm_pool
    reuses = bool(pool and (pool.instance_reuse_policy or {}).get("ReuseOnScaleIn"))
    return reuses and len(staying(group)) < wanted_size(group)


def is_pending_delete(group: Group) -> bool:
    """Whether the pool is deleted as soon as it is empty."""
    return getattr(group.warm_pool, "status", None) == "PendingDelete"


def wanted_size(group: Group) -> int:
    """The number of instances that the pool should have."""
    pool = group.warm_pool
    if pool is None or is_pending_delete(group):
        return 0
    prepared = pool.max_group_prepared_capacity
    capacity = int(group.max_size or 0) if prepared in (None, -1) else int(prepared or 0)
    return max(int(pool.min_size), capacity - int(group.desired_capacity or 0))


def page(members: Sequence[Member], most: int, token: str | None) -> tuple[Sequence[Member], str | None]:
    """One page of the pool's instances, and the token of the next one. Raises ValidationError for an invalid request.

    The token is the id of the first instance of the page.
    """
    if not 1 <= most <= LARGEST_PAGE:
        raise ValidationError(f"MaxRecords must be between 1 and {LARGEST_PAGE}")
    ids = [member.instance_id for member in members]
    if token is not None and token not in ids:
        raise ValidationError("The token is not valid.")
    start = 0 if token is None else ids.index(token)
    return members[start : start + most], next(iter(ids[start + most :]), None)
