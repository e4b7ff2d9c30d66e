"""How many instances an Auto Scaling group's warm pool wants, and in which state they rest there.

Source: Amazon EC2 Auto Scaling User Guide, "Decrease latency for applications with long boot times using warm pools".
Changes nothing.
"""

from moto.autoscaling.models import FakeAutoScalingGroup as Group
from moto.autoscaling.models import InstanceState as Member

_RESTING = {"Warmed:Stopped", "Warmed:Running", "Warmed:Hibernated"}


def is_pooled(member: Member) -> bool:
    """Whether an instance is the warm pool's and not the group's."""
    return member.lifecycle_state.startswith("Warmed:")


def resting(group: Group) -> list[Member]:
    """The pool's instances that are ready for use, longest there first."""
    return [member for member in group.instance_states if member.lifecycle_state in _RESTING]


def staying(group: Group) -> list[Member]:
    """The pool's instances except those on their way out."""
    return [
        member
        for member in group.instance_states
        if is_pooled(member) and not member.lifecycle_state.startswith("Warmed:Terminating")
    ]


def resting_state(group: Group) -> str:
    """The lifecycle state in which the pool's instances rest."""
    return f"Warmed:{group.warm_pool.pool_state}" if group.warm_pool else "Warmed:Stopped"


def is_reused(group: Group) -> bool:
    """Whether an instance goes back to the pool when the group scales in."""
    pool = group.warm_pool
    reuses = bool(pool and (pool.instance_reuse_policy or {}).get("ReuseOnScaleIn"))
    return reuses and len(staying(group)) < wanted_size(group)


def is_going(group: Group) -> bool:
    """Whether the pool is to be deleted as soon as it is empty."""
    return getattr(group.warm_pool, "status", None) == "PendingDelete"


def wanted_size(group: Group) -> int:
    """How many instances the pool should have."""
    pool = group.warm_pool
    if pool is None or is_going(group):
        return 0
    prepared = pool.max_group_prepared_capacity
    capacity = int(group.max_size or 0) if prepared in (None, -1) else int(prepared or 0)
    return max(int(pool.min_size), capacity - int(group.desired_capacity or 0))
